// What a drop is called when some metric is no finite number, from circuits' metrics that are given: nothing is run.
import type { HookedModel } from '@limn/hooks';
import { describe, expect, it, vi } from 'vitest';
import { Circuit, buildGraph, logitDiff, minimality } from '../src/index.js';
import { evaluateDistinct } from '../src/evaluate-distinct.js';

vi.mock(import('../src/evaluate-distinct.ts'));

const graph = buildGraph({ layers: 1, heads: 1, width: 4, block: 'sequential' });
const circuit = Circuit.ofEdges(graph, ['input->m0', 'm0->logits', 'input->logits']);

/** Verdicts of the three edges and of m0, whose drops give the four values, of a circuit that has 2, between 0 (empty) and 4 (clean). */
async function verdicts(dropped: readonly number[], { clean = 4, empty = 0, own = 2 } = {}) {
  const of = (value: number) => ({
    mean: { 'logit-diff': value },
    perExample: { 'logit-diff': Float64Array.of(value) },
  });
  vi.mocked(evaluateDistinct).mockImplementationOnce((_, { count, circuitAt }) => {
    const circuits = Array.from({ length: count }, (__, i) => (circuitAt(i), of([own, ...dropped][i] as number)));
    return Promise.resolve({ clean: of(clean), empty: of(empty), circuits });
  });
  const { edges, nodes, dispensable, tolerance } = await minimality({} as HookedModel, circuit, [], {
    metric: logitDiff,
  });
  return { verdicts: [...edges, ...nodes].map(({ verdict }) => verdict), dispensable, tolerance };
}

describe('a drop', () => {
  it('without a finite metric is unknown, and changes no other verdict', async () => {
    const finite = await verdicts([1, 2, 3, 1]);
    expect(finite.verdicts).toEqual(['needed', 'idle', 'harmful', 'needed']);
    expect(finite.dispensable).toHaveLength(2);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const found = await verdicts([1, 2, value, value]);
      expect(found.verdicts, `${value}`).toEqual(['needed', 'idle', 'unknown', 'unknown']);
      expect(found.dispensable).toEqual(finite.dispensable.slice(0, 1));
      expect(found.tolerance).toBe(finite.tolerance);
    }
  });

  it('is unknown throughout where the circuit itself has no finite metric', async () => {
    const { verdicts: all, dispensable } = await verdicts([1, 2, 3, 1], { own: Number.NaN });
    expect(all).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
    expect(dispensable).toEqual([]);
  });

  it('that changes something is unknown where no finite baselines say which way the clean run lies', async () => {
    const { verdicts: all } = await verdicts([1, 2, 3, 1], { empty: Number.NaN });
    expect(all).toEqual(['unknown', 'idle', 'unknown', 'unknown']);
  });
});

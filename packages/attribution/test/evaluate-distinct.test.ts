// Many circuits, each distinct one run once: the same metrics in the order asked, whatever was known before.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { Circuit, buildGraph, evaluateCircuits, logitDiff, prune, selectTopNs } from '../src/index.js';
import { circuitKey, evaluateDistinct } from '../src/evaluate-distinct.js';
import type { KnownCircuits } from '../src/evaluate-distinct.js';
import { goldenScores, toyGraph } from './golden.js';
import { gpt2Of } from './models.js';

const { TOY_PAIR, waveModel } = referenceEap;

describe('the key of a circuit', () => {
  it('is equal for equal circuits and different for all others', () => {
    const full = Circuit.full(toyGraph);
    expect(circuitKey(full)).toBe(circuitKey(new Circuit(toyGraph, full.mask())));
    const one = [...toyGraph.edges()].map((edge) =>
      circuitKey(Circuit.where(toyGraph, (u, v) => u !== edge.u || v !== edge.v)),
    );
    expect(new Set([circuitKey(full), circuitKey(Circuit.empty(toyGraph)), ...one]).size).toBe(48);
    // 4,369 words: more than one part of the string.
    const large = buildGraph({ layers: 12, heads: 12, width: 768, block: 'sequential' });
    const last = Circuit.ofEdges(large, ['m11->logits']);
    expect(circuitKey(last)).toHaveLength(Math.ceil((157 * 445) / 16));
    expect(circuitKey(last)).not.toBe(circuitKey(Circuit.ofEdges(large, ['a11.h11->logits'])));
  });
});

describe('distinct circuits', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it('have the metrics of evaluateCircuits in order; equal ones, and known ones, run once', async () => {
    const sizes = [12, 4, 46, 4, 20, 12];
    const circuits = selectTopNs(goldenScores('exact'), sizes);
    const options = { metrics: [logitDiff] };
    const want = await evaluateCircuits(model, circuits, [TOY_PAIR], options);
    const known: KnownCircuits = new Map();
    const progress: { done: number; total: number }[] = [];
    const asked: number[] = [];
    const evaluate = () =>
      evaluateDistinct(
        model,
        {
          count: sizes.length,
          circuitAt: (i) => {
            asked.push(i);
            return circuits[i] as Circuit;
          },
          known,
        },
        [TOY_PAIR],
        { ...options, onProgress: ({ done, total }) => progress.push({ done, total }) },
      );
    const got = await evaluate();
    expect(asked).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...known.keys()].sort()).toEqual(
      [...new Set(circuits.map((circuit) => circuitKey(prune(circuit))))].sort(),
    );
    // f32 round-off of logits of 2 in other company.
    for (const [i, values] of want.circuits.entries())
      expect(
        Math.abs((got.circuits[i]?.mean['logit-diff'] ?? Number.NaN) - (values.mean['logit-diff'] ?? Number.NaN)),
      ).toBeLessThan(1e-5);
    expect(got.circuits[1]).toBe(got.circuits[3]);
    expect(got.clean).toEqual(want.clean);
    expect(progress.at(-1)).toEqual({ done: 6, total: 6 });
    progress.length = 0;
    expect((await evaluate()).circuits).toEqual(got.circuits);
    expect(progress).toEqual([]);
  });
});

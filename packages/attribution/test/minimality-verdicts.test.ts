// What a drop is called when its metric or that of the circuit is no finite number: a metric that overflows where it is told to.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { addScaled, fill, scale } from '@limn/tensor';
import { referenceEap } from '@limn/testing';
import { buildGraph, logitDiff, minimality, prune, scoresOf, selectGreedy } from '../src/index.js';
import type { Metric, Minimality } from '../src/index.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { TOY_SIZES, randomModel } = referenceEap;
const graph = buildGraph({ ...TOY_SIZES, block: 'sequential' });
const pairs = awkwardPairs(1, TOY_SIZES);
const circuit = prune(
  selectGreedy(
    scoresOf(graph, (u, v) => Math.sin(12.9898 * (graph.dense(u, v) + 1))),
    14,
  ),
);

const LARGEST_F32 = 3.4028e38;

/** The logit difference minus `from`, times a factor that leaves what is nearer to `from` than `reach` finite, and nothing farther. */
const overflowing = (from: number, reach: number): Metric => ({
  ...logitDiff,
  loss(step, ...given) {
    const loss = logitDiff.loss(step, ...given);
    // In two factors, each of which is an f32.
    const shifted = scale(step, addScaled(step, loss, fill(step, loss.shape, 1), from), 1 / reach);
    return scale(step, shifted, LARGEST_F32);
  },
});

/** The overflowing metric under which one of the values is lost that is the largest or the smallest of all, and no other. */
function losing(lost: number, others: readonly number[]): Metric {
  const [low, high] = [Math.min(...others), Math.max(...others)];
  expect(lost < low || lost > high).toBe(true);
  return lost > high ? overflowing(low, (high + lost) / 2 - low) : overflowing(high, high - (low + lost) / 2);
}

describe('a drop', () => {
  let model: Gpt2;
  let found: Minimality;
  beforeAll(async () => {
    model = await gpt2Of(randomModel(TOY_SIZES, 9));
    found = await minimality(model, circuit, pairs, { metric: logitDiff });
  });
  afterAll(() => model.dispose());

  it('without a finite metric is unknown, and changes no other verdict', async () => {
    const before = [...found.edges, ...found.nodes];
    const lowest = before.reduce((a, b) => (b.value < a.value ? b : a));
    const { clean, empty } = found.baselines;
    const others = before.flatMap(({ value }) => (value === lowest.value ? [] : [value]));
    const metric = losing(lowest.value, [clean, empty, found.value, ...others]);
    const lost = await minimality(model, circuit, pairs, { metric });
    const verdicts = [...lost.edges, ...lost.nodes].map(({ verdict }) => verdict);
    expect(verdicts).toEqual(before.map((drop) => (drop.value === lowest.value ? 'unknown' : drop.verdict)));
    expect(verdicts).toContain('unknown');
    expect(lost.tolerance).toBeLessThan(Infinity);
    expect(lost.dispensable).toEqual(found.dispensable);
  });

  it('is unknown where the circuit has no finite metric', async () => {
    const { edges, dispensable } = await minimality(model, circuit, pairs, { metric: overflowing(0, 1e-3) });
    expect(new Set(edges.map(({ verdict }) => verdict))).toEqual(new Set(['unknown']));
    expect(dispensable).toEqual([]);
  });
});

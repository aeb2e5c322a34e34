// The search for the smallest faithful circuit, against a scan of every size.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  evaluateCircuits,
  logitDiff,
  normalisedFaithfulness,
  prune,
  scoresOf,
  selectBy,
  selectTopNodes,
  smallestCircuit,
  smallestInFamily,
} from '../src/index.js';
import type { Ranking, Scores, Selector } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';
import { gpt2Of } from './models.js';

const { TOY_PAIR, waveModel } = referenceEap;

describe('the smallest faithful circuit', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  /** f of every size, 1 … 46. */
  async function scan(scores: Scores, selector: Selector, ranking: Ranking): Promise<(number | null)[]> {
    const sizes = Array.from({ length: 46 }, (_, i) => i + 1);
    const { clean, empty, circuits } = await evaluateCircuits(
      model,
      selectBy(scores, sizes, selector, ranking),
      [TOY_PAIR],
      { metrics: [logitDiff] },
    );
    const of = (values: { readonly mean: Readonly<Record<string, number>> }): number =>
      values.mean['logit-diff'] ?? Number.NaN;
    return circuits.map((values) => normalisedFaithfulness(of(values), of(clean), of(empty)).value);
  }

  it('is a crossing of the whole curve, and the search says what it does not know', async () => {
    for (const [selector, ranking] of [
      ['top-n', 'absolute'],
      ['greedy', 'signed'],
    ] as const) {
      const scores = goldenScores('exact');
      const all = await scan(scores, selector, ranking);
      const smallest = (threshold: number): number => all.findIndex((f) => (f ?? 0) >= threshold) + 1;
      for (const threshold of [0.85, 1.05]) {
        const search = await smallestCircuit(model, scores, [TOY_PAIR], {
          metric: logitDiff,
          selector,
          ranking,
          threshold,
          ways: 3,
        });
        // The same circuits in other company: f32 round-off of logits of 2 over a denominator of 0.0063.
        for (const { n, faithfulness } of search.evaluated)
          expect(Math.abs((faithfulness ?? Number.NaN) - (all[n - 1] ?? Number.NaN))).toBeLessThan(5e-4);
        const n = search.found?.n ?? Number.NaN;
        expect(all[n - 1]).toBeGreaterThanOrEqual(threshold);
        expect(n === 1 || (all[n - 2] ?? 0) < threshold).toBe(true);
        expect(n).toBeGreaterThanOrEqual(smallest(threshold));
        expect(search.circuit?.equals(prune(selectBy(scores, [n], selector, ranking)[0]!))).toBe(true);
        expect(search.found?.kept).toBe(search.circuit?.edgeCount);
        const failing = search.evaluated.filter(({ faithfulness }) => (faithfulness ?? 0) < threshold);
        expect(search.setbacks).toEqual(failing.filter((size) => size.n > n));
        const last = failing.at(-1)?.n ?? 0;
        expect(search.passesFrom).toBe(search.evaluated.find((size) => size.n > last)?.n ?? null);
      }
    }
  });

  it('is exact where f rises with n, and needs few sizes', async () => {
    // Sizes 1 to 4 are all among the first batch, and 4 gives .84.
    const scores = goldenScores('exact');
    const search = await smallestCircuit(model, scores, [TOY_PAIR], { metric: logitDiff, threshold: 0.5, ways: 8 });
    const all = await scan(scores, 'top-n', 'absolute');
    expect(search.found?.n).toBe(all.findIndex((f) => (f ?? 0) >= 0.5) + 1);
    expect(search.evaluated.length).toBeLessThan(20);
  });

  it('finds nothing where nothing passes, and knows setbacks', async () => {
    const never = await smallestCircuit(model, goldenScores('exact'), [TOY_PAIR], { metric: logitDiff, threshold: 50 });
    expect(never).toMatchObject({ found: null, circuit: null, setbacks: [], passesFrom: null });
    const same = { ...TOY_PAIR, corrupted: TOY_PAIR.clean };
    const undefinedEverywhere = await smallestCircuit(model, goldenScores('eap'), [same], { metric: logitDiff });
    expect(undefinedEverywhere.found).toBeNull();
    expect(undefinedEverywhere.evaluated[0]?.reason).toContain('nothing to normalise by');
    // EAP's curve passes .8 at 4 edges and falls to −.04 at 8.
    const setback = await smallestCircuit(model, goldenScores('eap'), [TOY_PAIR], {
      metric: logitDiff,
      threshold: 0.8,
    });
    expect(setback.found?.n).toBeLessThanOrEqual(4);
    expect(setback.setbacks.map(({ n }) => n)).toContain(8);
    expect(setback.passesFrom).toBeGreaterThan(8);
  });

  it('searches any family of circuits: the fewest nodes', async () => {
    const nodes = { graph: toyGraph, values: [9, 8, 7, 6, 5, 4, 3] };
    const search = await smallestInFamily(
      model,
      { most: 7, circuits: (sizes) => sizes.map((n) => selectTopNodes(nodes, n)) },
      [TOY_PAIR],
      { metric: logitDiff, threshold: 0.9 },
    );
    const sizes = [1, 2, 3, 4, 5, 6, 7];
    const { clean, empty, circuits } = await evaluateCircuits(
      model,
      sizes.map((n) => selectTopNodes(nodes, n)),
      [TOY_PAIR],
      { metrics: [logitDiff] },
    );
    const of = (values: (typeof circuits)[number]): number => values.mean['logit-diff'] ?? Number.NaN;
    const passing = sizes.filter((_, i) => (of(circuits[i]!) - of(empty)) / (of(clean) - of(empty)) >= 0.9);
    expect(passing).toContain(search.found?.n);
    expect(passing).not.toContain((search.found?.n ?? 0) - 1);
  });

  it('tells progress, stops when aborted, and refuses what makes no sense', async () => {
    const seen: number[] = [];
    const scores = scoresOf(toyGraph, (u, v) => u + v);
    await smallestCircuit(model, scores, [TOY_PAIR], {
      metric: logitDiff,
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect(seen.length).toBeGreaterThan(0);
    expect(Math.max(...seen)).toBeLessThanOrEqual(1);
    const run = (options: object): Promise<unknown> =>
      smallestCircuit(model, scores, [TOY_PAIR], { metric: logitDiff, ...options });
    await expect(run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortedError' });
    await expect(run({ threshold: 0 })).rejects.toMatchObject({ code: 'usage/threshold' });
    await expect(run({ ways: 1 })).rejects.toMatchObject({ code: 'usage/search-ways' });
    await expect(run({ selector: 'best' })).rejects.toMatchObject({ code: 'usage/unknown-selector' });
  });
});

// The bootstrap: against the definition written out, coverage on made-up data, and circuits that are stable and not.
import { describe, expect, it } from 'vitest';
import { referenceRandom } from '@limn/testing';
import {
  bootstrapFaithfulness,
  prune,
  resampleCounts,
  scoresOf,
  selectTopN,
  selectionStability,
} from '../src/index.js';
import type { Evaluation, Pair, ResampledScores, Scores } from '../src/index.js';
import { edgeLayout, ExampleSum } from '../src/example-sum.js';
import { ResampleSum } from '../src/resampled-scores.js';
import { goldenScores, toyGraph } from './golden.js';

const values = (...parts: (readonly number[])[]): Evaluation['clean'][] =>
  parts.map((part) => ({ mean: {}, perExample: { m: Float64Array.from(part) } }));

function evaluationOf(
  clean: readonly number[],
  empty: readonly number[],
  ...circuits: (readonly number[])[]
): Evaluation {
  const [full, none, ...rest] = values(clean, empty, ...circuits) as [Evaluation['clean'], Evaluation['clean']];
  return { clean: full, empty: none, circuits: rest };
}

describe('resamples', () => {
  it('draw as many pairs as there are, evenly, and number i depends on seed and i alone', () => {
    const counts = resampleCounts(7, 2000, 3);
    for (const each of counts) expect(each.reduce((a, b) => a + b, 0)).toBe(7);
    // Each pair is drawn once per resample on average; the standard error of 2,000 means is √(6/7/2000) = .02.
    for (let i = 0; i < 7; i++) {
      const mean = counts.reduce((sum, each) => sum + (each[i] ?? 0), 0) / counts.length;
      expect(Math.abs(mean - 1)).toBeLessThan(0.1);
    }
    expect(resampleCounts(7, 3, 3)).toEqual(counts.slice(0, 3));
    expect(resampleCounts(7, 3, 4)).not.toEqual(counts.slice(0, 3));
    expect(() => resampleCounts(7, 0, 0)).toThrow(expect.objectContaining({ code: 'usage/resamples' }));
    expect(() => resampleCounts(0, 1, 0)).toThrow(expect.objectContaining({ code: 'data/no-examples' }));
  });
});

describe('the band of faithfulness', () => {
  it('is the percentiles of the ratio of resampled means', () => {
    const clean = [3, 4, 5, 3.5, 6];
    const empty = [1, 0, 1, 0.5, 2];
    const circuit = [2, 4, 3, 1, 5];
    const evaluation = evaluationOf(clean, empty, circuit, clean, empty);
    const bands = bootstrapFaithfulness(evaluation, 'm', { resamples: 500, confidence: 0.8, seed: 9 });
    const ratios = resampleCounts(5, 500, 9).map((counts) => {
      const drawn = [...counts].flatMap((count, i) => Array.from({ length: count }, () => i));
      const mean = (x: readonly number[]): number => drawn.reduce((sum, i) => sum + (x[i] ?? 0), 0) / drawn.length;
      return (mean(circuit) - mean(empty)) / (mean(clean) - mean(empty));
    });
    ratios.sort((a, b) => a - b);
    // Quantiles .1 and .9 of 500 values lie at 49.9 and 449.1.
    const at = (below: number, part: number): number =>
      (ratios[below] ?? 0) + part * ((ratios[below + 1] ?? 0) - (ratios[below] ?? 0));
    expect(bands[0]?.value).toBeCloseTo((3 - 0.9) / (4.3 - 0.9), 12);
    expect(bands[0]?.low).toBeCloseTo(at(49, 0.9), 12);
    expect(bands[0]?.high).toBeCloseTo(at(449, 0.1), 12);
    expect(bands.slice(1)).toEqual([
      { value: 1, low: 1, high: 1 },
      { value: 0, low: 0, high: 0 },
    ]);
  });

  it('is null with the reason where the denominator changes its sign', () => {
    const [band] = bootstrapFaithfulness(evaluationOf([1, -1, 3], [0, 0, 0], [1, 1, 1]), 'm');
    expect(band).toMatchObject({ value: 1, low: null, high: null });
    expect(band?.reason).toMatch(/^in \d+ of 1000 resamples/);
    const [nothing] = bootstrapFaithfulness(evaluationOf([1, 2], [1, 2], [1, 1]), 'm');
    expect(nothing).toMatchObject({
      value: null,
      low: null,
      reason: expect.stringContaining('nothing to normalise by'),
    });
    // A metric that the behaviour lowers has a denominator below 0 in every resample.
    const [below] = bootstrapFaithfulness(evaluationOf([-3, -4], [0, 0], [-1, -2]), 'm');
    expect(below?.value).toBeCloseTo(3 / 7, 12);
    expect(below?.low).toBeLessThanOrEqual(3 / 7);
  });

  it('is null where no two examples differ, by their ids where pairs are given', () => {
    const one = bootstrapFaithfulness(evaluationOf([1], [0], [0.5]), 'm');
    expect(one).toEqual([{ value: 0.5, low: null, high: null, reason: expect.stringContaining('one example only') }]);
    const same = evaluationOf([1, 1, 1], [0, 0, 0], [0.5, 0.5, 0.5]);
    expect(bootstrapFaithfulness(same, 'm')).toEqual([
      { value: 0.5, low: null, high: null, reason: expect.stringContaining('3 examples are one and the same') },
    ]);
    const pair = (id: number): Pair => ({ clean: [id, 2], corrupted: [3, 2], correct: [4], incorrect: [5] });
    expect(bootstrapFaithfulness(same, 'm', { pairs: [pair(1), pair(1), pair(1)] })[0]).toMatchObject({ low: null });
    expect(bootstrapFaithfulness(same, 'm', { pairs: [pair(1), pair(1), pair(0)] })).toEqual([
      { value: 0.5, low: 0.5, high: 0.5 },
    ]);
    // Copies that went through other kernels differ in their last bits, and are copies all the same.
    const nearly = evaluationOf([1, 1 + 1e-7], [0, 0], [0.5, 0.5]);
    expect(bootstrapFaithfulness(nearly, 'm', { pairs: [pair(1), pair(1)] })[0]).toMatchObject({ low: null });
  });

  it('covers the truth about as often as it says', () => {
    const random = referenceRandom(5);
    const trials = 200;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const size = 40;
      const empty = [...random.normals(size, 0.5)];
      const clean = empty.map((x) => x + 4 + (random.normals(1, 1)[0] ?? 0));
      // f = .6 in the mean, each pair with its own deviation.
      const circuit = empty.map((x) => x + 2.4 + (random.normals(1, 1)[0] ?? 0));
      const [band] = bootstrapFaithfulness(evaluationOf(clean, empty, circuit), 'm', { resamples: 200, seed: trial });
      if ((band?.low ?? 9) <= 0.6 && (band?.high ?? -9) >= 0.6) covered++;
    }
    // 95 % of 200 trials, three standard errors (√(.95 · .05 / 200) = .015) and the known narrowness of percentiles at 40 pairs.
    expect(covered / trials).toBeGreaterThan(0.88);
    expect(covered / trials).toBeLessThan(0.995);
  });

  it('refuses a metric that was not measured, and what is no confidence', () => {
    const evaluation = evaluationOf([1], [0], [1]);
    expect(() => bootstrapFaithfulness(evaluation, 'kl')).toThrow(
      expect.objectContaining({ code: 'usage/unknown-metric' }),
    );
    for (const confidence of [0, 1, Number.NaN])
      expect(() => bootstrapFaithfulness(evaluation, 'm', { confidence })).toThrow(
        expect.objectContaining({ code: 'usage/confidence' }),
      );
  });
});

describe('the stability of a selection', () => {
  /** The golden scores with noise of its own per example, and their mean. */
  function noisy(examples: number, noise: number): Scores {
    const random = referenceRandom(11);
    const { values } = goldenScores('exact');
    const perExample = Array.from({ length: examples }, () =>
      Float32Array.from(values, (x) => x + (random.normals(1, noise)[0] ?? 0)),
    );
    const mean = values.map((_, i) => perExample.reduce((sum, each) => sum + (each[i] ?? 0), 0) / examples);
    return { graph: toyGraph, values: mean, perExample };
  }

  it('is the frequency and the overlap of circuits selected from resampled means', async () => {
    const scores = noisy(6, 0.01);
    const stability = await selectionStability(scores, { n: 12, resamples: 20, seed: 4 });
    const circuits = resampleCounts(6, 20, 4).map((counts) =>
      prune(
        selectTopN(
          scoresOf(toyGraph, (u, v) => {
            const i = toyGraph.dense(u, v);
            return (scores.perExample ?? []).reduce((sum, each, e) => sum + (counts[e] ?? 0) * (each[i] ?? 0), 0) / 6;
          }),
          12,
        ),
      ),
    );
    expect(stability.circuit.equals(prune(selectTopN(scores, 12)))).toBe(true);
    for (const { u, v } of toyGraph.edges())
      expect(stability.frequency[toyGraph.dense(u, v)]).toBe(
        circuits.filter((circuit) => circuit.has(u, v)).length / 20,
      );
    const overlap = (a: (typeof circuits)[number], b: (typeof circuits)[number]): number =>
      a.intersection(b).edgeCount / a.union(b).edgeCount;
    const pairs = circuits.flatMap((a, i) => circuits.slice(i + 1).map((b) => overlap(a, b)));
    const withAll = circuits.map((circuit) => overlap(circuit, stability.circuit));
    const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
    expect(stability.jaccard.pairwise).toBeCloseTo(mean(pairs), 12);
    expect(stability.jaccard.withAll).toBeCloseTo(mean(withAll), 12);
    expect(stability.band.low).toBeGreaterThanOrEqual(Math.min(...withAll));
    expect(stability.band.high).toBeLessThanOrEqual(Math.max(...withAll));
    expect(mean(pairs)).toBeLessThan(1);
  });

  it('is full without noise and falls with it', async () => {
    const pairs = [1, 2, 3, 4].map((id) => ({ clean: [id], corrupted: [5], correct: [6], incorrect: [7] }));
    const still = await selectionStability(noisy(4, 0), { n: 12, resamples: 10, selector: 'greedy', pairs });
    expect(still.jaccard).toEqual({ pairwise: 1, withAll: 1 });
    expect([...still.frequency].filter((x) => x > 0).every((x) => x === 1)).toBe(true);
    const of = (noise: number) => selectionStability(noisy(8, noise), { n: 12, resamples: 30 });
    expect((await of(0.002)).jaccard.withAll).toBeGreaterThan((await of(0.05)).jaccard.withAll ?? 1);
    expect((await selectionStability(noisy(4, 0.01), { n: 3, resamples: 1 })).jaccard.pairwise).toBeNull();
  });

  it('is the same from sums that were made while the examples arrived', async () => {
    const { perExample = [], ...scores } = noisy(6, 0.01);
    const pairs = perExample.map((_, id) => ({ clean: [id], corrupted: [5], correct: [6], incorrect: [7] }));
    const resampled = new ResampleSum({ count: 20, seed: 4 }, toyGraph, pairs);
    const total = new ExampleSum(edgeLayout(toyGraph), pairs.length, { resampled });
    // In two batches, the first of two examples.
    const rows = (from: number, to: number) =>
      total.add(
        Float32Array.from(perExample.slice(from, to).flatMap((row) => [...row])),
        pairs.slice(from, to).map((_, i) => from + i),
      );
    await rows(0, 2);
    await rows(2, 6);
    const sums = total.resampled() as ResampledScores;
    expect(sums).toMatchObject({ seed: 4, examples: 6, distinct: 6 });
    // What is kept does not grow with the examples.
    expect(sums.sums.map(({ length }) => length)).toEqual(Array.from({ length: 20 }, () => toyGraph.edgeCount));
    const wanted = await selectionStability({ ...scores, perExample }, { n: 12, resamples: 20, seed: 4 });
    expect(await selectionStability({ ...scores, resampled: sums }, { n: 12 })).toEqual(wanted);
    for (const other of [{ resamples: 19 }, { seed: 5 }])
      await expect(selectionStability({ ...scores, resampled: sums }, { n: 12, ...other })).rejects.toMatchObject({
        code: 'usage/resamples',
      });
    const copies = { ...sums, distinct: 1 };
    expect((await selectionStability({ ...scores, resampled: copies }, { n: 12 })).band.low).toBeNull();
  });

  it('is unknown where no two examples differ', async () => {
    const [first] = noisy(1, 0.01).perExample ?? [];
    const copies = { ...noisy(1, 0.01), perExample: [first, first, first] as Float32Array[] };
    const { circuit, frequency, jaccard, band } = await selectionStability(copies, { n: 12, resamples: 10 });
    expect(circuit.edgeCount).toBeGreaterThan(0);
    expect(frequency.every(Number.isNaN)).toBe(true);
    expect(jaccard).toEqual({ pairwise: null, withAll: null });
    expect(band).toEqual({ low: null, high: null, reason: expect.stringContaining('3 examples are one and the same') });
    // Equal ids are one example, whatever the last bits of its scores.
    const pair: Pair = { clean: [1, 2], corrupted: [3, 2], correct: [4], incorrect: [5] };
    const named = await selectionStability(noisy(2, 0.01), { n: 12, resamples: 10, pairs: [pair, pair] });
    expect(named.band.low).toBeNull();
  });

  it('refuses scores without examples, and what is no confidence', async () => {
    await expect(selectionStability(goldenScores('eap'), { n: 3 })).rejects.toMatchObject({ code: 'data/no-examples' });
    for (const confidence of [0, 1, 2, Number.NaN])
      await expect(selectionStability(noisy(4, 0.01), { n: 3, resamples: 2, confidence })).rejects.toMatchObject({
        code: 'usage/confidence',
      });
  });

  it('lets others have their turn between resamples, and stops when it is told to', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort());
    const stability = selectionStability(noisy(4, 0.01), { n: 12, resamples: 5000, signal: controller.signal });
    await expect(stability).rejects.toMatchObject({ name: 'AbortedError' });
  });
});

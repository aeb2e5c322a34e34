import { describe, expect, it } from 'vitest';
import { agreement, gradientRatio, kendallTauB, meanRanks, pearson, scoresOf } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';

describe('agreement', () => {
  const exact = goldenScores('exact');

  it('is perfect with itself and reversed with its negation', () => {
    const same = agreement(exact, exact);
    expect(same).toMatchObject({ topOverlap: { k: 10, value: 1 }, signAgreement: 1, edges: 46 });
    for (const r of [same.spearman, same.pearson, same.pearsonWithoutLargest, same.kendall])
      expect(r).toBeCloseTo(1, 12);
    const flipped = agreement(
      scoresOf(toyGraph, (u, v) => -(exact.values[toyGraph.dense(u, v)] ?? 0)),
      exact,
    );
    expect(flipped.pearson).toBeCloseTo(-1, 12);
    expect(flipped.spearman).toBeCloseTo(1, 12); // of magnitudes
    expect(flipped.signAgreement).toBeLessThan(0.2); // the structural zeros still agree
  });

  it('gives the textbook numbers on a few values', () => {
    // r = 27 / √(22.8 · 38) and τ = (7 − 1) / √(9 · 9), from the definitions.
    const a = [1, 2, 2, 4, 7];
    const b = [2, 1, 4, 4, 9];
    expect(pearson(a, b)).toBeCloseTo(0.917_285_5, 6);
    expect(meanRanks(a)).toEqual([1, 2.5, 2.5, 4, 5]);
    expect(kendallTauB(a, b)).toBeCloseTo(0.666_666_7, 6);
    expect(pearson([1, 1, 1], [1, 2, 3])).toBeNull();
    expect(kendallTauB([1, 1], [1, 2])).toBeNull();
  });

  it('drops the one edge that carries a correlation', () => {
    const noise = (salt: number) => (u: number, v: number) =>
      u === 0 && v === 14 ? 100 : Math.sin(salt * toyGraph.dense(u, v) ** 2);
    const { pearson: all, pearsonWithoutLargest: rest } = agreement(
      scoresOf(toyGraph, noise(1)),
      scoresOf(toyGraph, noise(2)),
    );
    expect(all).toBeGreaterThan(0.99);
    expect(Math.abs(rest ?? 1)).toBeLessThan(0.5);
  });

  it('compares only what both sides scored', () => {
    const holes = scoresOf(toyGraph, (u, v) => (v === 14 ? Number.NaN : (exact.values[toyGraph.dense(u, v)] ?? 0)));
    expect(agreement(holes, exact).edges).toBe(39);
  });

  it('compares gradients at the clean input with their path average', () => {
    const [clean, path] = [goldenScores('eap'), goldenScores('ig_k0_m1')];
    const sum = (values: Float64Array): number =>
      values.filter((x) => !Number.isNaN(x)).reduce((a, x) => a + Math.abs(x), 0);
    expect(gradientRatio(clean, path)).toBeCloseTo(sum(clean.values) / sum(path.values), 12);
    expect(gradientRatio(clean, path, (u) => u === 0)).not.toBe(gradientRatio(clean, path));
    expect(
      gradientRatio(
        clean,
        scoresOf(toyGraph, () => 0),
      ),
    ).toBeNull();
  });
});

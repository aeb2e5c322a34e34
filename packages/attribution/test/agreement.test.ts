import { describe, expect, it, vi } from 'vitest';
import { ascendingOrder } from '@limn/hooks';
import { referenceRandom } from '@limn/testing';
import { agreementAt } from '../src/agreement.js';
import {
  agreement,
  gradientRatio,
  kendallTauB,
  meanRanks,
  pearson,
  rankedEdges,
  scoresOf,
  topOverlap,
} from '../src/index.js';
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
    expect([...meanRanks(a)]).toEqual([1, 2.5, 2.5, 4, 5]);
    expect(kendallTauB(a, b)).toBeCloseTo(0.666_666_7, 6);
    expect(pearson([1, 1, 1], [1, 2, 3])).toBeNull();
    expect(kendallTauB([1, 1], [1, 2])).toBeNull();
  });

  it('is what its definitions give of values with many ties', () => {
    const draw = [...referenceRandom(3).normals(120, 2)].map(Math.round);
    const [a, b] = [draw.slice(0, 60), draw.slice(60)];
    let [concordant, discordant, tiesA, tiesB] = [0, 0, 0, 0];
    for (let i = 0; i < a.length; i++)
      for (let j = 0; j < i; j++) {
        const [x, y] = [Math.sign((a[i] ?? 0) - (a[j] ?? 0)), Math.sign((b[i] ?? 0) - (b[j] ?? 0))];
        if (x === 0) tiesA++;
        if (y === 0) tiesB++;
        if (x * y > 0) concordant++;
        if (x * y < 0) discordant++;
      }
    const all = (60 * 59) / 2;
    const tau = (concordant - discordant) / Math.sqrt((all - tiesA) * (all - tiesB));
    expect(kendallTauB(a, b)).toBeCloseTo(tau, 12);
    const rank = (x: number): number => a.filter((y) => y < x).length + (1 + a.filter((y) => y === x).length) / 2;
    expect([...meanRanks(a)]).toEqual(a.map(rank));
  });

  it('sorts any keys as comparing them does', () => {
    const odd = [0, -0, 1, -1, 1 / 3, -1 / 3, 5e-324, -5e-324, 1e308, -1e308, Infinity, -Infinity, 2 ** 33, 3, 3];
    const keys = Float64Array.from([...odd, ...referenceRandom(8).normals(500, 1), ...odd]);
    const compared = [...keys.keys()].sort((i, j) => {
      const [x, y] = [keys[i] ?? 0, keys[j] ?? 0];
      return x < y ? -1 : x > y ? 1 : i - j;
    });
    expect([...ascendingOrder(keys)]).toEqual(compared);
    expect(ascendingOrder(new Float64Array())).toHaveLength(0);
  });

  it('ranks each side once for all sizes', () => {
    const [a, b] = [goldenScores('eap'), exact];
    expect([a.graph, b.graph]).toEqual([toyGraph, toyGraph]);
    // A ranking asks of every source and slot whether they are joined, and nothing else here does.
    const asked = vi.spyOn(toyGraph, 'isEdge');
    const sizes = Array.from({ length: 46 }, (_, i) => i + 1);
    const { agreement: found, overlaps } = agreementAt(a, b, { k: 10, sizes });
    expect(asked.mock.calls.length / (toyGraph.nForward * toyGraph.nBackward)).toBe(2);
    asked.mockRestore();
    expect(found).toEqual(agreement(a, b));
    for (const { n, value } of overlaps) {
      const tops = [a, b].map((scores) => new Set(rankedEdges(scores, 'absolute').subarray(0, n)));
      expect(value).toBe([...(tops[0] ?? [])].filter((edge) => tops[1]?.has(edge)).length / n);
      expect(topOverlap(a, b, n)).toBe(value);
    }
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

  it('has no correlation where one side is constant but for rounding, or not finite', () => {
    const b = [1, 2, 4];
    for (const constant of [0.1, 1 / 3, 1e-300, 123_456.789])
      expect(pearson([constant, constant, constant], b)).toBeNull();
    const many = Array.from({ length: 1000 }, () => 0.1);
    expect(
      pearson(
        many,
        Array.from(many, (_, i) => Math.sin(i)),
      ),
    ).toBeNull();
    expect(pearson([1, Number.NaN, 3], b)).toBeNull();
    expect(pearson([1, Number.POSITIVE_INFINITY, 3], b)).toBeNull();
    // Small differences of large numbers are differences all the same.
    expect(pearson([1e8, 1e8 + 1, 1e8 + 3], b)).toBeCloseTo(1, 12);
  });

  it('refuses a top k that is none, and sides with no edge in common', () => {
    for (const k of [0, -3, 1.5, Number.NaN])
      for (const call of [() => agreement(exact, exact, { k }), () => topOverlap(exact, exact, k)])
        expect(call).toThrow(expect.objectContaining({ code: 'usage/top-k' }));
    const half = (which: 0 | 1) => scoresOf(toyGraph, (u) => (u % 2 === which ? u + 1 : Number.NaN));
    for (const compare of [() => agreement(half(0), half(1)), () => topOverlap(half(0), half(1), 3)])
      expect(compare).toThrow(expect.objectContaining({ code: 'data/nothing-to-compare' }));
  });

  it('counts the top k among the edges that both sides scored', () => {
    const { values } = exact;
    const input = scoresOf(toyGraph, (u, v) => (u === 0 ? (values[toyGraph.dense(u, v)] ?? 0) : Number.NaN));
    // The others come last on one side only: they are no disagreement.
    expect(topOverlap(input, exact, 5)).toBe(1);
    expect(topOverlap(input, exact, 100)).toBe(1);
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

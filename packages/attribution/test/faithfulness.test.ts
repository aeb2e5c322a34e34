import { describe, expect, it } from 'vitest';
import {
  MIB_PROPORTIONS,
  cmdArea,
  cprArea,
  curveFlags,
  headlineSizes,
  logAxisArea,
  mibSizes,
  normalisedFaithfulness,
  smallestSize,
} from '../src/index.js';

describe('faithfulness', () => {
  it('is 1 for the full model, 0 for the corrupted one, unclipped, and says why it does not exist', () => {
    expect(normalisedFaithfulness(3, 3, 1).value).toBe(1);
    expect(normalisedFaithfulness(1, 3, 1).value).toBe(0);
    expect(normalisedFaithfulness(5, 3, 1).value).toBe(2);
    expect(normalisedFaithfulness(2, 1, 1)).toEqual({ value: null, reason: expect.stringContaining('the same') });
    expect(normalisedFaithfulness(Number.NaN, 1, 0)).toEqual({
      value: null,
      reason: expect.stringContaining('circuit'),
    });
  });

  it("has MIB's ten sizes for GPT-2 small and flags what small graphs do to them", () => {
    expect(mibSizes(32_491).map(({ n }) => n)).toEqual([32, 64, 162, 324, 649, 1624, 3249, 6498, 16_245, 32_491]);
    expect(mibSizes(32_491).some(({ zero, duplicate }) => zero || duplicate)).toBe(false);
    const small = mibSizes(479); // 4 layers of 4 heads
    expect(small.map(({ n }) => n)).toEqual([0, 0, 2, 4, 9, 23, 47, 95, 239, 479]);
    expect(small.map(({ zero }) => zero)).toEqual([true, true, ...Array.from({ length: 8 }, () => false)]);
    expect(small.map(({ duplicate }) => duplicate)).toEqual([false, true, ...Array.from({ length: 8 }, () => false)]);
  });

  it('gives the published areas of a perfect and of a useless circuit', () => {
    const perfect = MIB_PROPORTIONS.map(() => 1);
    const useless = MIB_PROPORTIONS.map((k) => (k === 1 ? 1 : 0));
    expect(cprArea(perfect)).toBeCloseTo(0.999, 12);
    expect(cmdArea(perfect)).toBe(0);
    expect(cprArea(useless)).toBeCloseTo(0.25, 12);
    expect(cmdArea(useless)).toBeCloseTo(0.749, 12);
    expect(cprArea(useless.map((f, i) => (i === 3 ? null : f)))).toBeNull();
    expect(() => cprArea([1, 1])).toThrow(RangeError);
  });

  it('steps evenly on a log axis and ends with the whole graph', () => {
    expect(headlineSizes(46)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 46]);
    expect(headlineSizes(48)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]);
    expect(headlineSizes(479).slice(-5)).toEqual([128, 192, 256, 384, 479]);
    expect(headlineSizes(1)).toEqual([1]);
  });

  it('reads the log-axis area and the smallest faithful size', () => {
    const points = headlineSizes(479).map((n) => ({ n, faithfulness: Math.log(n) / Math.log(479) }));
    expect(logAxisArea(points)).toBeCloseTo(0.5, 12);
    expect(logAxisArea(points.map((p) => ({ ...p, faithfulness: 1 })))).toBeCloseTo(1, 12);
    expect(logAxisArea([{ n: 3, faithfulness: 1 }])).toBeNull();
    expect(smallestSize(points, 0.85)).toBe(192);
    expect(smallestSize(points, 2)).toBeNull();
  });
});

describe('flags of a curve', () => {
  const flagged = (clean: readonly number[], corrupted: readonly number[], faithfulness: number | null = 1) =>
    curveFlags({
      edgeCount: 32_491,
      clean: Float64Array.from(clean),
      corrupted: Float64Array.from(corrupted),
      curves: [{ selection: 'signed', points: [{ n: 7, faithfulness }] }],
    });
  const codes = (...parts: Parameters<typeof flagged>): string[] => flagged(...parts).map(({ code }) => code);

  it('are none where clean and corrupted lie far apart', () => {
    expect(codes([3, 2.5, 4], [-1, -2, 0])).toEqual([]);
    expect(codes([3], [-1])).toEqual([]);
  });

  it('name a denominator that round-off may swallow, for the size of the metric', () => {
    // 2⁻²⁰ · 3 is 2.9e-6: one per cent of 2.9e-4.
    expect(codes([3], [3 - 2.8e-4])).toEqual(['denominator-round-off']);
    expect(codes([3], [3 - 3.0e-4])).toEqual([]);
    expect(codes([300], [300 - 2e-2])).toEqual(['denominator-round-off']);
    // Probabilities and divergences are differences of numbers of size 1.
    expect(codes([0], [-5e-5])).toEqual(['denominator-round-off']);
    expect(flagged([3], [3 - 2.8e-5])[0]?.text).toContain('differ by 0.000028 only');
  });

  it('name a denominator that is less than two of its standard errors', () => {
    // Differences 1 and 3: mean 2, deviation √2, standard error 1. Differences 0 and 2: mean 1, standard error 1.
    expect(codes([1, 3], [0, 0])).toEqual([]);
    expect(flagged([0, 2], [0, 0])).toEqual([
      { code: 'denominator-spread', text: expect.stringContaining('differ by 1.0 ± 1.0') },
    ]);
    expect(codes([-3, 2, -2, 2], [0, 0, 0, 0])).toEqual(['denominator-spread']);
    expect(codes([-3, -2], [0, 0])).toEqual([]);
  });

  it('name faithfulness above 1, but not what rounds to it', () => {
    expect(codes([1], [0], 1.009)).toEqual([]);
    expect(codes([1], [0], null)).toEqual([]);
    expect(flagged([1], [0], 1.3)).toEqual([
      { code: 'faithfulness-above-one', text: expect.stringContaining('up to 1.30 with the top 7 by signed score') },
    ]);
  });

  it('name sizes at which random circuits do as well, but not those without or with all edges', () => {
    const point = (n: number, faithfulness: number | null, kept = n) => ({ n, kept, faithfulness });
    const random = (name: string, ...points: ReturnType<typeof point>[]): string[] =>
      curveFlags({
        edgeCount: 2000,
        clean: Float64Array.of(1),
        corrupted: Float64Array.of(0),
        curves: [
          {
            selection: 'absolute',
            points: [point(1, 0), point(4, 0.5), point(8, 1.005), point(16, null), point(2000, 1)],
            baselines: [{ name, points }],
          },
        ],
      }).map(({ code, text }) => `${code}: ${text}`);
    expect(random('random-connected', point(4, 0.49), point(8, 0.99), point(1, 0, 0), point(2000, 1))).toEqual([]);
    expect(random('random-connected', point(16, 0.9))).toEqual([]);
    const [flag, ...others] = random('random-connected', point(1, 0.1), point(4, 1.4), point(8, 0.2));
    expect(flag).toMatch(/^random-as-close: .* at n = 1 \(absolute\), 4 \(absolute\): /);
    expect(others).toEqual([]);
    expect(random('another ranking', point(4, 1))).toEqual([]);
  });

  it('name no denominator that does not exist', () => {
    expect(codes([1, 2], [1, 2], null)).toEqual(['faithfulness-undefined']);
    expect(codes([Number.NaN], [1], null)).toEqual(['faithfulness-undefined']);
  });
});

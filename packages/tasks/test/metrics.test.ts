// The three metrics on values worked out by hand, and their invariances.
import { describe, expect, it } from 'vitest';
import { kl, logSoftmax, logitDiff, probDiff } from '@limn/tasks';

/** Logits whose softmax is exactly (0.1, 0.2, 0.3, 0.4), up to float64 round-off. */
const row = Float64Array.from([0.1, 0.2, 0.3, 0.4].map(Math.log));

describe('metrics', () => {
  it('logit-diff is a difference of means, in nats', () => {
    expect(logitDiff(Float32Array.of(1, 5, 2, 10), [1, 3], [0, 2])).toBe(6);
    expect(logitDiff(row, [3], [0])).toBeCloseTo(Math.log(4), 12);
  });

  it('prob-diff is a difference of sums', () => {
    expect(probDiff(row, [2, 3], [0])).toBeCloseTo(0.6, 12);
    expect(probDiff(row, [0, 1, 2, 3], [])).toBeCloseTo(1, 12);
  });

  it('KL is Σ p log(p / q), zero on itself, and not symmetric', () => {
    const q = Float64Array.from([0.4, 0.3, 0.2, 0.1].map(Math.log));
    const expected = 0.1 * Math.log(0.25) + 0.2 * Math.log(2 / 3) + 0.3 * Math.log(1.5) + 0.4 * Math.log(4);
    expect(kl(row, q)).toBeCloseTo(expected, 12);
    expect(kl(row, row)).toBe(0);
    const skewed = Float64Array.from([0.7, 0.1, 0.1, 0.1].map(Math.log));
    expect(kl(row, skewed)).not.toBeCloseTo(kl(skewed, row), 3);
  });

  it('does not change when a constant is added to all logits, nor overflow at large ones', () => {
    const shifted = row.map((x) => x + 1000);
    expect(probDiff(shifted, [2, 3], [0])).toBeCloseTo(0.6, 10);
    expect(kl(shifted, row)).toBeCloseTo(0, 10);
    expect([...logSoftmax(Float32Array.of(0, 1000))]).toEqual([-1000, 0]);
  });

  it('refuses ids outside the row and rows of different lengths', () => {
    expect(() => logitDiff(row, [4], [0])).toThrow(RangeError);
    expect(() => kl(row, row.subarray(1))).toThrow(RangeError);
  });
});

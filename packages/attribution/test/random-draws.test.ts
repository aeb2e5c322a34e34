import { describe, expect, it } from 'vitest';
import { RandomDraws } from '../src/random-draws.js';

describe('draws', () => {
  it('depend on seed and stream alone', () => {
    const of = (seed: number, stream: number): number[] => {
      const draws = new RandomDraws(seed, stream);
      return Array.from({ length: 5 }, () => draws.below(1000));
    };
    expect(of(3, 1)).toEqual(of(3, 1));
    expect(of(3, 1)).not.toEqual(of(3, 2));
    expect(of(3, 1)).not.toEqual(of(4, 1));
    expect(() => new RandomDraws(1.5).uniform()).toThrow(expect.objectContaining({ code: 'tensor/random' }));
  });

  it('are even: each of 6 as often as it should be, each of 20 subsets of 3 of 6 too', () => {
    const draws = new RandomDraws(1);
    const rounds = 6000;
    const singles = new Map<number, number>();
    const subsets = new Map<string, number>();
    for (let i = 0; i < rounds; i++) {
      const one = draws.pick([0, 1, 2, 3, 4, 5]);
      singles.set(one, (singles.get(one) ?? 0) + 1);
      const some = draws.subset([0, 1, 2, 3, 4, 5], 3);
      expect(new Set(some).size).toBe(3);
      const key = some.sort().join('');
      subsets.set(key, (subsets.get(key) ?? 0) + 1);
    }
    // Five standard deviations of a binomial count: √(n p (1 − p)).
    for (const [counts, kinds] of [
      [singles, 6],
      [subsets, 20],
    ] as const) {
      expect(counts.size).toBe(kinds);
      const p = 1 / kinds;
      for (const count of counts.values())
        expect(Math.abs(count - rounds * p)).toBeLessThan(5 * Math.sqrt(rounds * p * (1 - p)));
    }
    expect(draws.subset([1, 2], 5).sort()).toEqual([1, 2]);
    expect(draws.subset([], 3)).toEqual([]);
  });
});

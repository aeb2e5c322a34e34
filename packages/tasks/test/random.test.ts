// The counter-based generator: recorded bits, bounds and uniformity.
import { describe, expect, it } from 'vitest';
import { Random, hash, mix } from '@limn/tasks';

describe('Random', () => {
  it('gives the recorded bits', () => {
    const random = new Random('record', 1);
    expect([random.next(), random.next(), random.next(), random.next()]).toMatchInlineSnapshot(`
      [
        1692951790,
        2106415858,
        853366906,
        2336093822,
      ]
    `);
    expect(mix(1)).toBe(0x514e28b7);
    expect(hash('a', 1)).not.toBe(hash(1, 'a'));
  });

  it('names streams by their parts', () => {
    const first = (...parts: (string | number)[]): number => new Random(...parts).next();
    expect(first('a', 1, 2)).toBe(first('a', 1, 2));
    expect(new Set([first('a', 1, 2), first('a', 2, 1), first('b', 1, 2), first('a', 1), first('a', 12)]).size).toBe(5);
  });

  it('is uniform over small ranges', () => {
    const random = new Random('uniform');
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]! += 1;
    // χ² with 9 degrees of freedom exceeds 27.9 with probability 0.001; the stream is fixed, so this cannot flicker.
    expect(counts.reduce((sum, c) => sum + (c - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
  });

  it('respects weights and percentages', () => {
    const random = new Random('weights');
    let a = 0;
    let hits = 0;
    for (let i = 0; i < 100_000; i++) {
      if (random.weighted({ a: 3, b: 1 }) === 'a') a++;
      if (random.percent(8)) hits++;
    }
    // Five standard deviations of the two binomials.
    expect(Math.abs(a - 75_000)).toBeLessThan(5 * 137);
    expect(Math.abs(hits - 8_000)).toBeLessThan(5 * 86);
  });
});

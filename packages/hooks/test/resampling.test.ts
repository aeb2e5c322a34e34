// Intervals of means by examples drawn again: as wide as theory has them, and the same for the same seed.
import { randomU32 } from '@limn/tensor';
import { expect, test } from 'vitest';
import { bootstrapMean, drawAgain, percentileInterval } from '../src/index.js';

test('the interval of a mean is as wide as theory has it, and the same for the same seed', () => {
  const values = Array.from({ length: 200 }, (_, i) => Math.sin(1 + i * i));
  const [low, high] = bootstrapMean(values, 4) as [number, number];
  const mean = values.reduce((sum, value) => sum + value, 0) / 200;
  const error = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 200 / 200);
  // 1.96 standard errors; a thousand resamples give the ends to some 5 %.
  expect((high - mean) / error / 1.96).toBeCloseTo(1, 0);
  expect((mean - low) / error / 1.96).toBeCloseTo(1, 0);
  expect(bootstrapMean(values, 4)).toEqual([low, high]);
  expect(bootstrapMean(values, 5)).not.toEqual([low, high]);
  expect(bootstrapMean([1], 4)).toBeNull();
  expect(bootstrapMean([2, 2, 2], 4)).toEqual([2, 2]);
});

test('draws are with replacement, and ends are the 25th of a thousand from either side', () => {
  const drawn = drawAgain(50, 3, 7);
  expect(drawn).toHaveLength(50);
  expect(drawn).toEqual(drawn.map((_, i) => Math.floor((randomU32(3, 2 ** 24 + 7, i) / 2 ** 32) * 50)));
  expect(new Set(drawn).size).toBeLessThan(45);
  expect(drawAgain(50, 3, 7)).toEqual(drawn);
  expect(drawAgain(50, 3, 8)).not.toEqual(drawn);
  expect(drawAgain(0, 3, 7)).toEqual([]);
  expect(() => drawAgain(1, 0.5, 7)).toThrow(expect.objectContaining({ code: 'tensor/random' }));
  expect(percentileInterval((draw) => 999 - draw)).toEqual([24, 975]);
});

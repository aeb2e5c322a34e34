// Intervals of a mean, and of the difference of two means, by resampling with a seed.
import { philox } from '@limn/tensor';

/** A mean with the range that holds the middle 95 % of its resamplings. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Resamplings of an interval. */
const DRAWS = 2000;

/** The mean of `values`, or its difference from the mean of `others`; each list is resampled by itself. NaN of an empty list. */
export function bootstrapMean(
  values: readonly number[],
  others: readonly number[] | undefined,
  seed: number,
): Interval {
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  let drawn = 0;
  let words: readonly number[] = [];
  const below = (count: number): number => {
    if (drawn % 4 === 0) words = philox([seed >>> 0, Math.floor(seed / 2 ** 32)], [drawn / 4, 0, 0, 0]);
    return Math.floor(((words[drawn++ % 4] as number) / 2 ** 32) * count);
  };
  const resampled = (list: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < list.length; i++) sum += list[below(list.length)] as number;
    return sum / list.length;
  };
  const draws = Array.from({ length: DRAWS }, () => resampled(values) - (others ? resampled(others) : 0)).sort(
    (a, b) => a - b,
  );
  return {
    mean: mean(values) - (others ? mean(others) : 0),
    low: draws[Math.floor(0.025 * DRAWS)] as number,
    high: draws[Math.ceil(0.975 * DRAWS) - 1] as number,
  };
}

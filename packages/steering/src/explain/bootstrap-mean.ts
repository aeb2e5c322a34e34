// How far a mean over examples would move with other examples: percentiles of means of examples drawn again. Efron 1979; host arithmetic in float64.
import { randomU32 } from '@limn/tensor';

/** Means of examples drawn with replacement. */
const RESAMPLES = 1000;
/** Streams of the draws: beyond those of every other draw of a seed here. */
const FIRST_STREAM = 2 ** 24;

/** A 95 % interval. */
export type Interval = readonly [low: number, high: number];

/** Places of `count` examples drawn with replacement; draw number `draw` depends on seed and draw alone. */
export function drawAgain(count: number, seed: number, draw: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    Math.floor((randomU32(seed, FIRST_STREAM + draw, i) / 2 ** 32) * count),
  );
}

/** The percentile interval of the mean; null for one value, of whose spread nothing is known. */
export function bootstrapMean(values: ArrayLike<number>, seed: number): Interval | null {
  const n = values.length;
  if (n < 2) return null;
  const means = Float64Array.from(
    { length: RESAMPLES },
    (_, draw) => drawAgain(n, seed, draw).reduce((sum, i) => sum + (values[i] as number), 0) / n,
  ).sort();
  // The 25th from either end of 1,000.
  const out = Math.round(0.025 * RESAMPLES) - 1;
  return [means[out] as number, means[RESAMPLES - 1 - out] as number];
}

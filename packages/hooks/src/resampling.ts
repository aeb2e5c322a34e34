// How far a figure over examples would move with other examples: percentiles of the figure over examples drawn again. Efron 1979; host arithmetic in float64.
import { philox, randomU32 } from '@limn/tensor';

/** Figures of examples drawn with replacement. */
const RESAMPLES = 1000;
/** Streams of the draws: beyond those of every other draw of a seed here. */
const FIRST_STREAM = 2 ** 24;

/** A 95 % interval. */
export type Interval = readonly [low: number, high: number];

/**
 * Places of `count` examples drawn with replacement; draw number `draw` depends on seed and draw alone.
 * @throws LimnError `tensor/random` for a seed that is none
 */
export function drawAgain(count: number, seed: number, draw: number): number[] {
  const stream = FIRST_STREAM + draw;
  const places: number[] = [];
  if (count === 0) return places;
  // Refuses what is no seed. The words are those of randomU32, which makes a block of four anew for each.
  randomU32(seed, stream, count - 1);
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const;
  for (let block = 0; places.length < count; block++)
    for (const word of philox(key, [block, 0, stream, 0]).slice(0, count - places.length))
      places.push(Math.floor((word / 2 ** 32) * count));
  return places;
}

/** The interval that holds the middle 95 % of a figure over a thousand draws, which are numbered from 0: from the 25th to the 976th by size. */
export function percentileInterval(figure: (draw: number) => number): Interval {
  const figures = Float64Array.from({ length: RESAMPLES }, (_, draw) => figure(draw)).sort();
  // The 25th from either end of 1,000.
  const out = Math.round(0.025 * RESAMPLES) - 1;
  return [figures[out] as number, figures[RESAMPLES - 1 - out] as number];
}

/**
 * The percentile interval of the mean; null for one value, of whose spread nothing is known.
 * @throws LimnError `tensor/random` for a seed that is none
 */
export function bootstrapMean(values: ArrayLike<number>, seed: number): Interval | null {
  const n = values.length;
  if (n < 2) return null;
  return percentileInterval((draw) => drawAgain(n, seed, draw).reduce((sum, i) => sum + (values[i] as number), 0) / n);
}

// The middle and the spread of repeated measurements: quartiles, because single runs on a shared machine are sometimes twice as slow.

/** Milliseconds of one run, over all rounds. */
export interface Timing {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
  readonly least: number;
}

/** The value below which the share `at` of the sorted values lies, by linear interpolation. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = at * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Median, quartiles and least of some measurements. */
export function timingOf(values: readonly number[]): Timing {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    least: quantile(values, 0),
  };
}

/** How many times longer the first took than the second, round by round: both sides of a ratio meet the machine as it is at that moment. */
export function ratioOf(numerator: readonly number[], denominator: readonly number[]): Timing {
  return timingOf(numerator.map((value, i) => value / (denominator[i] ?? Number.NaN)));
}

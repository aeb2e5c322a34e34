// What of a dashboard goes into a page's data: the tokens that are shown, and as many digits as are read.
import type { FeatureExample, FeatureRecord } from './feature-record.js';
import { around } from './token-window.js';

/** Digits of activations, of which three are written. */
const digits = 4;
const short = (value: number): number => Number(value.toPrecision(digits));

export function liveFeature({ top, bands, histogram, ...feature }: FeatureRecord): FeatureRecord {
  return {
    ...feature,
    ...(top ? { top: top.map(windowOf) } : {}),
    ...(bands ? { bands: bands.map((band) => ({ ...band, examples: band.examples.map(windowOf) })) } : {}),
    ...(histogram
      ? { histogram: histogram.map(({ from, to, count }) => ({ from: short(from), to: short(to), count })) }
      : {}),
  };
}

/** One token more than is shown on each side says that there are more. */
function windowOf({ tokens, activations, peak, ...example }: FeatureExample): FeatureExample {
  const first = Math.max(0, peak - around - 1);
  const last = peak + around + 2;
  return {
    ...example,
    tokens: tokens && tokens.slice(first, last),
    activations: activations.slice(first, last).map(short),
    peak: peak - first,
  };
}

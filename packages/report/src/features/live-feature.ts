// What of a dashboard goes into a page's data: the tokens that are shown, and as many digits as are read.
import type { FeatureExample, FeatureRecord } from './feature-record.js';
import { around } from './token-window.js';

/** Digits of activations, of which three are written. */
const digits = 4;
const short = (value: number): number => Number(value.toPrecision(digits));

export function liveFeature({ top, bands, quantiles: _quantiles, ...feature }: FeatureRecord): FeatureRecord {
  return {
    ...feature,
    ...(top ? { top: top.map(windowOf) } : {}),
    ...(bands ? { bands: bands.map((band) => ({ ...band, examples: band.examples.map(windowOf) })) } : {}),
  };
}

/** One token more than is shown on each side says that there are more; ids are left out where there are texts. */
function windowOf({ tokens, texts, activations, at, repeated }: FeatureExample): FeatureExample {
  const first = Math.max(0, at - around - 1);
  const last = at + around + 2;
  return {
    tokens: texts?.length ? [] : tokens.slice(first, last),
    ...(texts?.length ? { texts: texts.slice(first, last) } : {}),
    activations: activations.slice(first, last).map(short),
    at: at - first,
    ...(repeated ? { repeated } : {}),
  };
}

// Cantor's pairing of (layer, feature) in one number, as graph files number features; and circuit-tracer's older way.
import { LimnError } from '@limn/gpu';

/**
 * (l + f)(l + f + 1)/2 + f: another number for each pair of whole numbers from 0.
 * @throws LimnError `usage/feature-number` where it is beyond 2^53, or one of the two is no whole number from 0
 */
export function cantorPair(layer: number, feature: number): number {
  const paired = cantor(layer, feature);
  if (isWhole(layer) && isWhole(feature) && isWhole(paired)) return paired;
  throw new LimnError('usage/feature-number', `Layer ${layer} and feature ${feature} have no number below 2^53.`, {
    details: { layer, feature },
    hint: 'Both are whole numbers from 0.',
  });
}

/**
 * The layer and the feature of a number.
 * @throws LimnError `usage/feature-number` for what is no whole number from 0
 */
export function cantorUnpair(number: number): { readonly layer: number; readonly feature: number } {
  if (!isWhole(number))
    throw new LimnError('usage/feature-number', `${number} is the number of no feature.`, {
      details: { number },
      hint: 'It is a whole number from 0, below 2^53.',
    });
  return unpaired(number);
}

/** `cantorUnpair` of a whole number from 0. */
export function unpaired(number: number): { readonly layer: number; readonly feature: number } {
  // The square root is right to a unit, which the next two lines put right.
  let diagonal = Math.floor((Math.sqrt(8 * number + 1) - 1) / 2);
  while (cantor(diagonal, 0) > number) diagonal--;
  while (cantor(diagonal + 1, 0) <= number) diagonal++;
  const feature = number - cantor(diagonal, 0);
  return { layer: diagonal - feature, feature };
}

/** Whether a number is f + 10^k·l for a k with 10^k > f: how circuit-tracer numbered features before it took Cantor's pairing, with 10^k ≥ F. */
export function isOldNumber(number: number, layer: number, feature: number): boolean {
  if (layer === 0) return number === feature;
  const step = (number - feature) / layer;
  return step > feature && Number.isInteger(Math.log10(step));
}

/** `cantorPair` of whole numbers from 0, exact below 2^53: of n(n + 1) the even one is halved. */
export function cantor(layer: number, feature: number): number {
  const n = layer + feature;
  return (n % 2 === 0 ? (n / 2) * (n + 1) : n * ((n + 1) / 2)) + feature;
}

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

// Thresholds of JumpReLU: other formats keep θ, limn keeps log θ, so that θ > 0 in training.
import type { CheckedFields } from '@limn/hooks';

/** log of the least f32 above 0. θ = 0 becomes it: every h that is a normal number above 0 passes both. */
const LEAST_LOG = Math.fround(Math.log(2 ** -149));

/** θ as a file has them, each a finite number of at least 0; others are refused by their place. */
export function checkedThresholds(fields: CheckedFields, name: string, thetas: Float32Array): Float32Array {
  const odd = thetas.findIndex((theta) => !(theta >= 0 && Number.isFinite(theta)));
  if (odd < 0) return thetas;
  throw fields.refuse(`${name}[${odd}]`, thetas[odd], 'a number of at least 0');
}

/**
 * log θ [F] of θ [F], rounded to f32 as θ is: θ comes back within |log θ| + 1 units in its last place, and log θ beyond ±2
 * from its own θ to the bit.
 */
export function logThresholds(thetas: Float32Array): Float32Array {
  return thetas.map((theta) => (theta === 0 ? LEAST_LOG : Math.log(theta)));
}

/** θ [F] of log θ [F]. */
export function thresholds(logs: Float32Array): Float32Array {
  return logs.map((log) => (log <= LEAST_LOG ? 0 : Math.exp(log)));
}

// gelu in float64: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) or ½ x (1 + erf(x / √2)).
import type { Reference } from '../tolerance.js';

/** GPT-2's gelu_new ('tanh') or the exact form ('erf'). */
export type GeluForm = 'tanh' | 'erf';

const ROOT = Math.sqrt(2 / Math.PI);

/** erf to about 1e-16: its Taylor series for |x| ≤ 3, beyond it the continued fraction of erfc. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 3) {
    let tail = 0;
    for (let i = 60; i >= 1; i--) tail = i / 2 / (z + tail);
    return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + tail));
  }
  // 2/√π e^(−z²) Σ 2ⁿ z^(2n+1) / (2n+1)!!: all terms positive, no cancellation.
  let term = z;
  let sum = z;
  for (let i = 1; i < 200 && term > sum * 1e-18; i++) {
    term *= (2 * z * z) / (2 * i + 1);
    sum += term;
  }
  return Math.sign(x) * ((2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum);
}

/** gelu(x). */
export function gelu(x: number, form: GeluForm): number {
  return form === 'tanh'
    ? 0.5 * x * (1 + Math.tanh(ROOT * (x + 0.044715 * x ** 3)))
    : 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** gelu′(x). */
export function geluSlope(x: number, form: GeluForm): number {
  if (form === 'erf') return 0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  const t = Math.tanh(ROOT * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT * (1 + 3 * 0.044715 * x * x);
}

/** y elementwise. Magnitude |x|: 1 + tanh is rounded relative to 1, so the error is relative to x and not to y. */
export function geluForward(x: Float64Array, form: GeluForm): Reference {
  return { values: x.map((value) => gelu(value, form)), magnitude: x.map(Math.abs) };
}

/** dx elementwise. Magnitude |dy| (1 + |x| + |x|³ in the tanh form, whose inner argument is rounded relative to itself). */
export function geluVjp(x: Float64Array, form: GeluForm, dy: Float64Array): Reference {
  return {
    values: x.map((value, i) => dy[i]! * geluSlope(value, form)),
    magnitude: x.map((value, i) => Math.abs(dy[i]!) * (1 + Math.abs(value))),
  };
}

// Sums, maxima and inner products over axes in float64.
import type { Reference } from '../tolerance.js';
import { addTerm, countOf, indexOf, offsetOf, reducedShape, zeros } from './shapes.js';

/** alpha · Σ over axes; the reduced axes keep length 1. */
export function sumForward(x: Float64Array, shape: readonly number[], axes: readonly number[], alpha = 1): Reference {
  const reduced = reducedShape(shape, axes);
  const y = zeros(countOf(reduced));
  for (let at = 0; at < x.length; at++) addTerm(y, offsetOf(reduced, indexOf(shape, at)), alpha * x[at]!);
  return y;
}

/** dx = alpha · dy, repeated. */
export function sumVjp(shape: readonly number[], axes: readonly number[], dy: Float64Array, alpha = 1): Reference {
  const reduced = reducedShape(shape, axes);
  const dx = zeros(countOf(shape));
  for (let at = 0; at < dx.values.length; at++) addTerm(dx, at, alpha * dy[offsetOf(reduced, indexOf(shape, at))]!);
  return dx;
}

/** Largest element over axes, exact. */
export function maxForward(x: Float64Array, shape: readonly number[], axes: readonly number[]): Float64Array {
  const reduced = reducedShape(shape, axes);
  const y = new Float64Array(countOf(reduced)).fill(Number.NEGATIVE_INFINITY);
  for (let at = 0; at < x.length; at++) {
    const place = offsetOf(reduced, indexOf(shape, at));
    y[place] = Math.max(y[place]!, x[at]!);
  }
  return y;
}

/** Σ_j a[r, j] · b[r, j] over rows of `width`. */
export function dotForward(a: Float64Array, b: Float64Array, width: number): Reference {
  const y = zeros(a.length / width);
  for (let at = 0; at < a.length; at++) addTerm(y, Math.floor(at / width), a[at]! * b[at]!);
  return y;
}

/** Gradient of one factor: dy · the other. */
export function dotVjp(other: Float64Array, width: number, dy: Float64Array): Reference {
  const dx = zeros(other.length);
  for (let at = 0; at < other.length; at++) addTerm(dx, at, dy[Math.floor(at / width)]! * other[at]!);
  return dx;
}

// a + alpha · b, a · b and a / b in float64 with broadcasting; gradients summed over what was repeated.
import type { Reference } from '../tolerance.js';
import { addTerm, broadcastShape, countOf, indexOf, offsetOf, zeros } from './shapes.js';

/** Which operation; `alpha` belongs to 'add'. */
export type Arithmetic =
  { readonly kind: 'add'; readonly alpha: number } | { readonly kind: 'mul' } | { readonly kind: 'div' };

/** Values with their shape. */
export interface Shaped {
  readonly values: Float64Array;
  readonly shape: readonly number[];
}

/** WGSL lets a division be off by 2.5 ULP, which is 5 u: above 4 u, so quotients count double. */
const DIVISION = 2;

/** y = a (op) b over the combined shape. */
export function arithmeticForward(op: Arithmetic, a: Shaped, b: Shaped): Reference {
  const shape = broadcastShape(a.shape, b.shape);
  const y = zeros(countOf(shape));
  for (let at = 0; at < y.values.length; at++) {
    const index = indexOf(shape, at);
    const left = a.values[offsetOf(a.shape, index)]!;
    const right = b.values[offsetOf(b.shape, index)]!;
    if (op.kind === 'add') addTerm(y, at, left + op.alpha * right, Math.abs(left) + Math.abs(op.alpha * right));
    else if (op.kind === 'mul') addTerm(y, at, left * right);
    else addTerm(y, at, left / right, DIVISION * Math.abs(left / right));
  }
  return y;
}

/** Gradients of a and b. */
export function arithmeticVjp(
  op: Arithmetic,
  a: Shaped,
  b: Shaped,
  dy: Float64Array,
): { readonly a: Reference; readonly b: Reference } {
  const shape = broadcastShape(a.shape, b.shape);
  const da = zeros(a.values.length);
  const db = zeros(b.values.length);
  for (let at = 0; at < dy.length; at++) {
    const index = indexOf(shape, at);
    const aAt = offsetOf(a.shape, index);
    const bAt = offsetOf(b.shape, index);
    const left = a.values[aAt]!;
    const right = b.values[bAt]!;
    const d = dy[at]!;
    if (op.kind === 'add') {
      addTerm(da, aAt, d);
      addTerm(db, bAt, op.alpha * d);
    } else if (op.kind === 'mul') {
      addTerm(da, aAt, d * right);
      addTerm(db, bAt, d * left);
    } else {
      addTerm(da, aAt, d / right, DIVISION * Math.abs(d / right));
      // Two quotients are multiplied.
      addTerm(db, bAt, (-d * left) / right ** 2, 2 * DIVISION * Math.abs((d * left) / right ** 2));
    }
  }
  return { a: da, b: db };
}

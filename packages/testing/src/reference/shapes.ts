// Index arithmetic of row-major arrays for the references: strides, multi-indices, broadcasting, sums over axes.
import type { Reference } from '../tolerance.js';

/** An all-zero output with its magnitude. */
export function zeros(count: number): Reference {
  return { values: new Float64Array(count), magnitude: new Float64Array(count) };
}

/** Product of the lengths. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((count, length) => count * length, 1);
}

/** The multi-index of element `at`. */
export function indexOf(shape: readonly number[], at: number): number[] {
  const index: number[] = [];
  let rest = at;
  for (const length of [...shape].reverse()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}

/** The element at a multi-index; axes of length 1 repeat, and missing leading axes are ignored. */
export function offsetOf(shape: readonly number[], index: readonly number[]): number {
  const skip = index.length - shape.length;
  return shape.reduce((offset, length, axis) => offset * length + (length === 1 ? 0 : index[axis + skip]!), 0);
}

/** The shape that two shapes combine to, aligned at the last axis. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1),
  );
}

/** The shape with some axes of length 1. */
export function reducedShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
}

/** Adds a term to an element and its size to the magnitude. */
export function addTerm(into: Reference, at: number, term: number, size = Math.abs(term)): void {
  into.values[at]! += term;
  into.magnitude[at]! += size;
}

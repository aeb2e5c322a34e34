// Slice, concatenation and permutation by index, in float64; their gradients move elements back.
import { countOf, indexOf, offsetOf } from './shapes.js';

/** Where each element of the result comes from: `source[i]` is an index into the input, or −1 for zero. */
export type SourceMap = Int32Array;

/** Sources of x[…, start : start + length, …]. */
export function sliceSources(shape: readonly number[], axis: number, start: number, length: number): SourceMap {
  const result = shape.map((own, place) => (place === axis ? length : own));
  return Int32Array.from({ length: countOf(result) }, (_, at) => {
    const index = indexOf(result, at);
    index[axis]! += start;
    return offsetOf(shape, index);
  });
}

/** Sources of y[i₀, i₁, …] = x with axes in a new order. */
export function permuteSources(shape: readonly number[], order: readonly number[]): SourceMap {
  const result = order.map((axis) => shape[axis]!);
  return Int32Array.from({ length: countOf(result) }, (_, at) => {
    const moved = indexOf(result, at);
    const index = shape.map((_length, axis) => moved[order.indexOf(axis)]!);
    return index.reduce((offset, place, axis) => offset * shape[axis]! + place, 0);
  });
}

/** y[i] = x[source[i]]. */
export function moveForward(x: Float64Array, sources: SourceMap): Float64Array {
  return Float64Array.from(sources, (source) => (source < 0 ? 0 : x[source]!));
}

/** dx[s] = Σ_{i : source[i] = s} dy[i]. */
export function moveVjp(count: number, sources: SourceMap, dy: Float64Array): Float64Array {
  const dx = new Float64Array(count);
  sources.forEach((source, at) => {
    if (source >= 0) dx[source]! += dy[at]!;
  });
  return dx;
}

/** Parts joined along one axis. */
export function concatForward(
  parts: readonly { values: Float64Array; shape: readonly number[] }[],
  axis: number,
): Float64Array {
  const lengths = parts.map((part) => part.shape[axis]!);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const shape = parts[0]!.shape.map((length, place) => (place === axis ? total : length));
  return Float64Array.from({ length: countOf(shape) }, (_, at) => {
    const index = indexOf(shape, at);
    let part = 0;
    while (index[axis]! >= lengths[part]!) {
      index[axis]! -= lengths[part]!;
      part += 1;
    }
    const { values, shape: own } = parts[part]!;
    return values[index.reduce((offset, place, each) => offset * own[each]! + place, 0)]!;
  });
}

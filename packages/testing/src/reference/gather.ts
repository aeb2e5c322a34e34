// Rows and logits by number, their scatter-adds, and the k largest of a row, in float64.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** y[n, c] = x[rows[n], c], zeros for numbers beyond x. */
export function gatherRowsForward(x: Float64Array, width: number, rows: Uint32Array): Float64Array {
  return Float64Array.from({ length: rows.length * width }, (_, at) => {
    const source = rows[Math.floor(at / width)]! * width + (at % width);
    return source < x.length ? x[source]! : 0;
  });
}

/** dx[r, c] = Σ_{n : rows[n] = r} dy[n, c]. */
export function gatherRowsVjp(count: number, width: number, rows: Uint32Array, dy: Float64Array): Reference {
  const dx = zeros(count * width);
  for (let at = 0; at < dy.length; at++) {
    const row = rows[Math.floor(at / width)]!;
    if (row < count) addTerm(dx, row * width + (at % width), dy[at]!);
  }
  return dx;
}

/** y[n, a] = x[n, ids[n, a]], 0 for ids of `width` or more. */
export function gatherLogitsForward(x: Float64Array, width: number, ids: Uint32Array): Float64Array {
  const picks = ids.length / (x.length / width);
  return Float64Array.from(ids, (id, at) => (id < width ? x[Math.floor(at / picks) * width + id]! : 0));
}

/** dx[n, v] = Σ_{a : ids[n, a] = v} dy[n, a]. */
export function gatherLogitsVjp(count: number, width: number, ids: Uint32Array, dy: Float64Array): Reference {
  const dx = zeros(count);
  const picks = ids.length / (count / width);
  ids.forEach((id, at) => {
    if (id < width) addTerm(dx, Math.floor(at / picks) * width + id, dy[at]!);
  });
  return dx;
}

/** The k largest per row by falling value, then rising place; NaN last. */
export function topKForward(x: ArrayLike<number>, width: number, k: number): { values: number[]; indices: number[] } {
  const values: number[] = [];
  const indices: number[] = [];
  for (let start = 0; start < x.length; start += width) {
    const rank = (v: number) => (Number.isNaN(x[start + v]!) ? Number.NEGATIVE_INFINITY : x[start + v]!);
    const nan = (v: number) => (Number.isNaN(x[start + v]!) ? 1 : 0);
    const order = Array.from({ length: width }, (_, v) => v).sort(
      (a, b) => nan(a) - nan(b) || (rank(a) === rank(b) ? a - b : rank(b) - rank(a)),
    );
    for (const v of order.slice(0, k)) {
      values.push(x[start + v]!);
      indices.push(v);
    }
  }
  return { values, indices };
}

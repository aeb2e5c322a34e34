// Low-rank terms by task in float64: y = base + s_n (x A_nᵀ) B_nᵀ for the rows of task n, and gradients, from the definition.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** Rows with their tasks, and stacks of factors. */
export interface LowRankCase {
  /** [R]; −1 for none. */
  readonly tasks: Int32Array;
  /** [N] */
  readonly scales: Float64Array;
  readonly rank: number;
  readonly inWidth: number;
  readonly outWidth: number;
  /** The columns of B that take part. Default: all. */
  readonly columns?: { readonly start: number; readonly count: number };
}

const columnsOf = ({ columns, outWidth }: LowRankCase) => columns ?? { start: 0, count: outWidth };

/** s_n u[r, j] = s_n Σ_i x[r, i] A[n, j, i], and what it was summed of. */
function codes(about: LowRankCase, x: Float64Array, a: Float64Array): Reference {
  const { tasks, rank, inWidth } = about;
  const u = zeros(tasks.length * rank);
  tasks.forEach((n, r) => {
    if (n < 0) return;
    for (let j = 0; j < rank; j++)
      for (let i = 0; i < inWidth; i++)
        addTerm(u, r * rank + j, x[r * inWidth + i]! * a[(n * rank + j) * inWidth + i]!);
  });
  return u;
}

/** du[r, j] = s_n Σ_o dy[r, o] B[n, o, j], and what it was summed of. */
function codeSlopes(about: LowRankCase, b: Float64Array, dy: Float64Array): Reference {
  const { tasks, rank, outWidth, scales } = about;
  const { start, count } = columnsOf(about);
  const du = zeros(tasks.length * rank);
  tasks.forEach((n, r) => {
    if (n < 0) return;
    for (let j = 0; j < rank; j++)
      for (let o = 0; o < count; o++)
        addTerm(du, r * rank + j, scales[n]! * dy[r * count + o]! * b[(n * outWidth + start + o) * rank + j]!);
  });
  return du;
}

/** y [R, columns]; the magnitude is that of both sums. */
export function lowRankForward(
  about: LowRankCase,
  x: Float64Array,
  a: Float64Array,
  b: Float64Array,
  base?: Float64Array,
): Reference {
  const { tasks, rank, outWidth, scales } = about;
  const { start, count } = columnsOf(about);
  const u = codes(about, x, a);
  const y = zeros(tasks.length * count);
  tasks.forEach((n, r) => {
    for (let o = 0; o < count; o++) {
      const at = r * count + o;
      // Of a row without a task nothing may be rounded.
      if (base) addTerm(y, at, base[at]!, n < 0 ? 0 : Math.abs(base[at]!));
      if (n < 0) continue;
      for (let j = 0; j < rank; j++) {
        const factor = scales[n]! * b[(n * outWidth + start + o) * rank + j]!;
        addTerm(y, at, factor * u.values[r * rank + j]!, Math.abs(factor) * u.magnitude[r * rank + j]!);
      }
    }
  });
  return y;
}

/** Gradients at x, A and B, given dy [R, columns]; at the base it is dy. */
export function lowRankVjp(
  about: LowRankCase,
  x: Float64Array,
  a: Float64Array,
  b: Float64Array,
  dy: Float64Array,
): { readonly x: Reference; readonly a: Reference; readonly b: Reference } {
  const { tasks, rank, inWidth, outWidth, scales } = about;
  const { start, count } = columnsOf(about);
  const [u, du] = [codes(about, x, a), codeSlopes(about, b, dy)];
  const [dx, da, db] = [zeros(x.length), zeros(a.length), zeros(b.length)];
  tasks.forEach((n, r) => {
    if (n < 0) return;
    for (let j = 0; j < rank; j++) {
      const code = r * rank + j;
      for (let i = 0; i < inWidth; i++) {
        const at = (n * rank + j) * inWidth + i;
        addTerm(dx, r * inWidth + i, du.values[code]! * a[at]!, du.magnitude[code]! * Math.abs(a[at]!));
        const value = x[r * inWidth + i]!;
        addTerm(da, at, du.values[code]! * value, du.magnitude[code]! * Math.abs(value));
      }
      for (let o = 0; o < count; o++) {
        const slope = scales[n]! * dy[r * count + o]!;
        const at = (n * outWidth + start + o) * rank + j;
        addTerm(db, at, slope * u.values[code]!, Math.abs(slope) * u.magnitude[code]!);
      }
    }
  });
  return { x: dx, a: da, b: db };
}

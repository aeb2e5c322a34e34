// Log-softmax, cross-entropy, KL and softmax gathers over rows of `width`, in float64.
// Magnitudes: exp may be off by (3 + 2 |x|) ULP, log by 2⁻²¹ absolute; 1 ULP = 2 u, and bounds are 4 u · magnitude.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** One row's maximum, log Σ exp, softmax, and the size of log Σ exp's error. */
interface RowStats {
  readonly top: number;
  readonly lse: number;
  readonly p: Float64Array;
  readonly size: number;
}

function rowStats(row: Float64Array): RowStats {
  const top = row.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  const total = row.reduce((sum, value) => sum + Math.exp(value - top), 0);
  const lse = top + Math.log(total);
  const p = row.map((value) => Math.exp(value - lse));
  // Each exponential errs with its argument, weighted by its share of the sum.
  const spread = p.reduce((sum, share, at) => sum + share * (top - row[at]!), 0);
  return { top, lse, p, size: 5 + spread + Math.abs(lse - top) };
}

function eachRow(
  x: Float64Array,
  width: number,
  visit: (row: Float64Array, start: number, n: number, stats: RowStats) => void,
): void {
  for (let n = 0; n * width < x.length; n++) {
    const row = x.subarray(n * width, (n + 1) * width);
    visit(row, n * width, n, rowStats(row));
  }
}

/** log Σ exp per row. */
export function logSumExpForward(x: Float64Array, width: number): Reference {
  const y = zeros(x.length / width);
  eachRow(x, width, (_row, _start, n, { lse, top, size }) => addTerm(y, n, lse, size + Math.abs(top)));
  return y;
}

/** dx = dy · softmax. */
export function logSumExpVjp(x: Float64Array, width: number, dy: Float64Array): Reference {
  const dx = zeros(x.length);
  eachRow(x, width, (row, start, n, { p, lse, top, size }) =>
    row.forEach((value, v) => {
      const term = dy[n]! * p[v]!;
      addTerm(dx, start + v, term, Math.abs(term) * (size + Math.abs(top) + Math.abs(value - lse) + 3));
    }),
  );
  return dx;
}

/** y = x − log Σ exp(x). */
export function logSoftmaxForward(x: Float64Array, width: number): Reference {
  const y = zeros(x.length);
  eachRow(x, width, (row, start, _n, { lse, top, size }) =>
    row.forEach((value, v) => addTerm(y, start + v, value - lse, size + Math.abs(value - top))),
  );
  return y;
}

/** dx = dy − softmax · Σ dy. */
export function logSoftmaxVjp(x: Float64Array, width: number, dy: Float64Array): Reference {
  const dx = zeros(x.length);
  eachRow(x, width, (row, start, _n, { p, lse, top, size }) => {
    let total = 0;
    let absolute = 0;
    row.forEach((_value, v) => {
      total += dy[start + v]!;
      absolute += Math.abs(dy[start + v]!);
    });
    row.forEach((value, v) => {
      // The kernel takes exp of the forward output, whose own error multiplies the result.
      const factor = 3 + size + Math.abs(value - top) + Math.abs(value - lse);
      addTerm(dx, start + v, dy[start + v]! - p[v]! * total, Math.abs(dy[start + v]!) + p[v]! * absolute * factor);
    });
  });
  return dx;
}

/** −log softmax(x)[target] per row, 0 where the target is `width` or more. */
export function crossEntropyForward(x: Float64Array, width: number, targets: ArrayLike<number>): Reference {
  const y = zeros(x.length / width);
  eachRow(x, width, (row, _start, n, { lse, top, size }) => {
    const target = targets[n]!;
    if (target < width) addTerm(y, n, lse - row[target]!, size + Math.abs(row[target]! - top));
  });
  return y;
}

/** dx = dy · (softmax − one-hot). */
export function crossEntropyVjp(
  x: Float64Array,
  width: number,
  targets: ArrayLike<number>,
  dy: Float64Array,
): Reference {
  const dx = zeros(x.length);
  eachRow(x, width, (row, start, n, { p, lse, top, size }) => {
    const target = targets[n]!;
    if (target >= width) return;
    row.forEach((value, v) => {
      const hit = v === target ? 1 : 0;
      const share = p[v]! * (size + Math.abs(top) + Math.abs(value - lse) + 3);
      addTerm(dx, start + v, dy[n]! * (p[v]! - hit), Math.abs(dy[n]!) * (share + hit));
    });
  });
  return dx;
}

/** Σ p (log p − log softmax(x)) per row. */
export function klDivergenceForward(logp: Float64Array, x: Float64Array, width: number): Reference {
  const y = zeros(x.length / width);
  eachRow(x, width, (row, start, n, { lse, top, size }) =>
    row.forEach((value, v) => {
      const own = logp[start + v]!;
      const p = Math.exp(own);
      if (p === 0) return;
      const difference = own - (value - lse);
      const error = Math.abs(own) + Math.abs(value - top) + size + (3 + Math.abs(own)) * Math.abs(difference);
      addTerm(y, n, p * difference, p * error);
    }),
  );
  return y;
}

/** dx = dy · (softmax(x) − p), for log-probabilities that are normalised. */
export function klDivergenceVjp(logp: Float64Array, x: Float64Array, width: number, dy: Float64Array): Reference {
  const dx = zeros(x.length);
  eachRow(x, width, (row, start, n, { p, lse, top, size }) =>
    row.forEach((value, v) => {
      const own = Math.exp(logp[start + v]!);
      const share = p[v]! * (size + Math.abs(top) + Math.abs(value - lse) + 3);
      // exp of −∞ is exactly 0.
      const reference = own === 0 ? 0 : own * (3 + Math.abs(logp[start + v]!));
      addTerm(dx, start + v, dy[n]! * (p[v]! - own), Math.abs(dy[n]!) * (share + reference));
    }),
  );
  return dx;
}

/** softmax(x)[n, ids[n, a]], 0 for ids of `width` or more. */
export function gatherProbabilitiesForward(x: Float64Array, width: number, ids: Uint32Array): Reference {
  const rows = x.length / width;
  const picks = ids.length / rows;
  const y = zeros(ids.length);
  eachRow(x, width, (row, _start, n, { p, lse, top, size }) => {
    for (let a = 0; a < picks; a++) {
      const id = ids[n * picks + a]!;
      if (id < width) addTerm(y, n * picks + a, p[id]!, p[id]! * (size + Math.abs(top) + Math.abs(row[id]! - lse) + 3));
    }
  });
  return y;
}

/** dx[v] = Σ_{a : id = v} dy p − p_v Σ_a dy p. */
export function gatherProbabilitiesVjp(x: Float64Array, width: number, ids: Uint32Array, dy: Float64Array): Reference {
  const rows = x.length / width;
  const picks = ids.length / rows;
  const dx = zeros(x.length);
  eachRow(x, width, (row, start, n, { p, lse, top, size }) => {
    const factor = (value: number) => size + Math.abs(top) + Math.abs(value - lse) + 5;
    let total = 0;
    let absolute = 0;
    for (let a = 0; a < picks; a++) {
      const id = ids[n * picks + a]!;
      if (id >= width) continue;
      const term = dy[n * picks + a]! * p[id]!;
      total += term;
      absolute += Math.abs(term) * factor(row[id]!);
      addTerm(dx, start + id, term, Math.abs(term) * factor(row[id]!));
    }
    row.forEach((value, v) =>
      addTerm(dx, start + v, -p[v]! * total, p[v]! * (absolute + Math.abs(total) * factor(value))),
    );
  });
  return dx;
}

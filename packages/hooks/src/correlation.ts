// Correlations of two lists: Pearson's r, mean ranks for Spearman's ρ, and Kendall's τ-b by Knight's merge sort. Plain loops over float64.
import { ascendingOrder } from './ascending-order.js';

/**
 * Pearson's r, in two passes; null when there are fewer than two values or one side is constant: spread no wider than rounding alone
 * makes of one value, or a number that is not finite.
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const n = a.length;
  const meanA = meanOf(a);
  const meanB = meanOf(b);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const x = (a[i] as number) - meanA;
    const y = (b[i] as number) - meanB;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (n < 2 || isConstant(aa, a) || isConstant(bb, b)) return null;
  const r = ab / Math.sqrt(aa) / Math.sqrt(bb);
  return Number.isFinite(r) ? r : null;
}

/** Mean, and what rounding left of it in a second pass: within an ulp or two, whatever the number of values. */
function meanOf(values: ArrayLike<number>): number {
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i] as number;
  const mean = sum / n;
  let rest = 0;
  for (let i = 0; i < n; i++) rest += (values[i] as number) - mean;
  return mean + rest / n;
}

/** Whether Σ (x − mean)² is what a mean off by two ulps makes of a constant. */
function isConstant(squares: number, values: ArrayLike<number>): boolean {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return squares <= values.length * (2 * Number.EPSILON * largest) ** 2;
}

/** Ranks from 1; equal values share the mean of their ranks. */
export function meanRanks(values: ArrayLike<number>): Float64Array {
  const keys = Float64Array.from(values);
  const order = ascendingOrder(keys);
  const ranks = new Float64Array(keys.length);
  forRuns(
    order.length,
    (i, j) => keys[order[i] as number] === keys[order[j] as number],
    (start, end) => {
      for (let i = start; i < end; i++) ranks[order[i] as number] = (start + end + 1) / 2;
    },
  );
  return ranks;
}

/** τ_b = (concordant − discordant) / √((n₀ − ties_a)(n₀ − ties_b)), by Knight's merge sort, O(n log n). */
export function kendallTauB(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const [x, y] = [Float64Array.from(a), Float64Array.from(b)];
  const n = x.length;
  const byB = ascendingOrder(y);
  // By a, and among equals by b: a stable sort of what is sorted by b.
  const byBoth = ascendingOrder(Float64Array.from(byB, (i) => x[i] as number)).map((at) => byB[at] as number);
  const same =
    (values: Float64Array, order: Uint32Array) =>
    (i: number, j: number): boolean =>
      values[order[i] as number] === values[order[j] as number];
  const sameA = same(x, byBoth);
  const sameB = same(y, byBoth);
  const tiesA = tiedPairs(n, sameA);
  const tiesB = tiedPairs(n, same(y, byB));
  const tiesBoth = tiedPairs(n, (i, j) => sameA(i, j) && sameB(i, j));
  const swaps = inversions(Float64Array.from(byBoth, (i) => y[i] as number));
  const all = pairsOf(n);
  const scale = Math.sqrt((all - tiesA) * (all - tiesB));
  return scale === 0 ? null : (all - tiesA - tiesB + tiesBoth - 2 * swaps) / scale;
}

const pairsOf = (count: number): number => (count * (count - 1)) / 2;

function tiedPairs(n: number, same: (i: number, j: number) => boolean): number {
  let ties = 0;
  forRuns(n, same, (start, end) => (ties += pairsOf(end - start)));
  return ties;
}

/** Every run start … end − 1 of neighbours that are the same as the first of them. */
function forRuns(n: number, same: (i: number, j: number) => boolean, take: (start: number, end: number) => void): void {
  for (let start = 0; start < n;) {
    let end = start + 1;
    while (end < n && same(start, end)) end++;
    take(start, end);
    start = end;
  }
}

/** Pairs i < j with value_i > value_j, by a merge sort from the bottom up; sorts `values`. */
function inversions(values: Float64Array): number {
  let from: Float64Array = values;
  let to: Float64Array = new Float64Array(values.length);
  let swaps = 0;
  for (let width = 1; width < values.length; width *= 2) {
    for (let start = 0; start < values.length; start += 2 * width) {
      const middle = Math.min(start + width, values.length);
      const end = Math.min(start + 2 * width, values.length);
      for (let i = start, j = middle, at = start; at < end; at++) {
        if (j === end || (i < middle && (from[i] as number) <= (from[j] as number))) to[at] = from[i++] as number;
        else {
          to[at] = from[j++] as number;
          swaps += middle - i;
        }
      }
    }
    [from, to] = [to, from];
  }
  return swaps;
}

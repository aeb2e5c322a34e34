// Kernel ridge regression with an intercept, and its strength by the error on what was left out, in closed form: nothing is fitted twice. Float64 on the host.
import { LimnError } from '@limn/gpu';
import type { RunControls } from '@limn/hooks';
import { tridiagonal, tridiagonalWork, type Tridiagonal } from './tridiagonal.js';
import { WorkPace } from './work-pace.js';

/** What is fitted. */
export interface RidgeData {
  /** K [n, n] */
  readonly kernel: Float64Array;
  /** Y [n, d] */
  readonly targets: Float64Array;
  readonly n: number;
  readonly d: number;
  /** Places of examples that are left out together, each once. */
  readonly groups: readonly (readonly number[])[];
}

/** One strength. */
export interface LeftOut {
  readonly lambda: number;
  /** Mean over examples of ‖y_i − ŷ_i‖², ŷ_i predicted without i and its group. */
  readonly error: number;
}

/** ŷ(x) = b + Σ_i k(x, i)·α_i. */
export interface RidgeFit {
  /** α [n, d] */
  readonly weights: Float64Array;
  /** b [d] */
  readonly intercept: Float64Array;
  /** With the least error. */
  readonly lambda: number;
  readonly leftOut: readonly LeftOut[];
}

/**
 * Minimises Σ‖y_i − b − f(x_i)‖² + λ·‖f‖² for every λ, and keeps the one with the least error on what is left out. With G = (K + λ)⁻¹, g = G·1 and P = G − g·gᵀ / 1ᵀg: α = P·Y, b = gᵀ·Y / 1ᵀg, and examples S that
 * are predicted without S are missed by (P_SS)⁻¹·α_S, exactly as if fitted again. Cost: 4n³/3 multiplications once and n²·(d + 2) for each λ; 24·n² bytes with the kernel.
 * @throws LimnError `data/baseline` for a kernel that is none; AbortedError
 */
export async function kernelRidge(
  data: RidgeData,
  lambdas: readonly [number, ...number[]],
  controls: Pick<RunControls, 'signal' | 'onProgress'>,
): Promise<RidgeFit> {
  const { n, d, kernel, targets } = data;
  const work = tridiagonalWork(n) + n * n * (d + 1) + n * n * (d + 2) * lambdas.length;
  const pace = new WorkPace('Ridge regression', work, controls);
  const parts = await tridiagonal(kernel, n, pace);
  // [Y, 1], and Qᵀ·[Y, 1]
  const width = d + 1;
  const joined = new Float64Array(n * width).fill(1);
  for (let i = 0; i < n; i++) joined.set(targets.subarray(i * d, (i + 1) * d), i * width);
  const turned = new Float64Array(n * width);
  for (let t = 0; t < n; t++) {
    for (let i = 0; i < n; i++) addRow(turned, t, joined, i, width, parts.turn[t * n + i] as number);
    await pace.did(n * width);
  }
  const [first, ...rest] = lambdas;
  let best = await fitAt(data, parts, turned, first, pace);
  const leftOut = [{ lambda: first, error: best.error }];
  for (const lambda of rest) {
    const fit = await fitAt(data, parts, turned, lambda, pace);
    leftOut.push({ lambda, error: fit.error });
    if (fit.error < best.error) best = fit;
  }
  const { weights, intercept, lambda } = best;
  return { weights, intercept, lambda, leftOut };
}

interface FitAt extends LeftOut {
  readonly weights: Float64Array;
  readonly intercept: Float64Array;
}

async function fitAt(
  { n, d, groups }: RidgeData,
  { diagonal, below, turn }: Tridiagonal,
  turned: Float64Array,
  lambda: number,
  pace: WorkPace,
): Promise<FitAt> {
  const width = d + 1;
  const { pivots, factors } = bidiagonal(diagonal, below, lambda);
  const solved = turned.slice();
  for (let t = 0; t < n; t++) {
    if (t > 0) addRow(solved, t, solved, t - 1, width, -(factors[t] as number));
    scaleRow(solved, t, width, 1 / (pivots[t] as number));
  }
  for (let t = n - 1; t >= 0; t--) {
    if (t + 1 < n) addRow(solved, t, solved, t + 1, width, -(factors[t + 1] as number));
    scaleRow(solved, t, width, 1 / (pivots[t] as number));
  }
  // G·[Y, 1], and G between members of a group from Z = L⁻¹·Qᵀ: G = Zᵀ·Z.
  const product = new Float64Array(n * width);
  const blocks = groups.map((members) => new Float64Array(members.length ** 2));
  let [z, before] = [new Float64Array(n), new Float64Array(n)];
  for (let t = 0; t < n; t++) {
    [z, before] = [before, z];
    for (let i = 0; i < n; i++) {
      const own = turn[t * n + i] as number;
      z[i] = (own - (factors[t] as number) * (before[i] as number)) / (pivots[t] as number);
      addRow(product, i, solved, t, width, own);
    }
    groups.forEach((members, at) => addProducts(blocks[at] as Float64Array, members, z));
    await pace.did(n * (width + 1));
  }
  return { lambda, ...withIntercept(product, blocks, { n, d, groups }) };
}

/** α, b and the error on what is left out, from G·[Y, 1] and the blocks of G. */
function withIntercept(
  product: Float64Array,
  blocks: readonly Float64Array[],
  { n, d, groups }: Pick<RidgeData, 'n' | 'd' | 'groups'>,
): Omit<FitAt, 'lambda'> {
  const width = d + 1;
  const g = Float64Array.from({ length: n }, (_, i) => product[i * width + d] as number);
  const all = g.reduce((sum, value) => sum + value, 0);
  const intercept = new Float64Array(d);
  for (let i = 0; i < n; i++)
    for (let c = 0; c < d; c++) intercept[c] = (intercept[c] as number) + (product[i * width + c] as number) / all;
  const weights = new Float64Array(n * d);
  for (let i = 0; i < n; i++)
    for (let c = 0; c < d; c++)
      weights[i * d + c] = (product[i * width + c] as number) - (g[i] as number) * (intercept[c] as number);
  let error = 0;
  groups.forEach((members, at) => {
    const block = (blocks[at] as Float64Array).slice();
    const size = members.length;
    members.forEach((i, p) =>
      members.forEach((j, q) => {
        block[p * size + q] = (block[p * size + q] as number) - ((g[i] as number) * (g[j] as number)) / all;
      }),
    );
    const missed = new Float64Array(size * d);
    members.forEach((i, p) => missed.set(weights.subarray(i * d, (i + 1) * d), p * d));
    solveInPlace(block, size, missed, d);
    for (const miss of missed) error += miss * miss;
  });
  return { weights, intercept, error: error / n };
}

/** L of T + λ = L·Lᵀ: its diagonal, and below it `factors[t]` left of `pivots[t]`. */
function bidiagonal(
  diagonal: Float64Array,
  below: Float64Array,
  lambda: number,
): { pivots: Float64Array; factors: Float64Array } {
  const n = diagonal.length;
  const [pivots, factors] = [new Float64Array(n), new Float64Array(n)];
  for (let t = 0; t < n; t++) {
    const factor = t === 0 ? 0 : (below[t - 1] as number) / (pivots[t - 1] as number);
    const left = (diagonal[t] as number) + lambda - factor * factor;
    pivots[t] = positiveRoot(left);
    factors[t] = factor;
  }
  return { pivots, factors };
}

/** X of A·X = X₀ for a small positive definite A [size, size], X [size, columns] in place; A becomes its Cholesky factor. */
function solveInPlace(a: Float64Array, size: number, x: Float64Array, columns: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * size + j] as number;
      for (let k = 0; k < j; k++) rest -= (a[i * size + k] as number) * (a[j * size + k] as number);
      a[i * size + j] = i === j ? positiveRoot(rest) : rest / (a[j * size + j] as number);
    }
    for (let k = 0; k < i; k++) addRow(x, i, x, k, columns, -(a[i * size + k] as number));
    scaleRow(x, i, columns, 1 / (a[i * size + i] as number));
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) addRow(x, i, x, k, columns, -(a[k * size + i] as number));
    scaleRow(x, i, columns, 1 / (a[i * size + i] as number));
  }
}

function positiveRoot(value: number): number {
  if (value > 0) return Math.sqrt(value);
  throw new LimnError('data/baseline', `Ridge regression: a pivot of K + λ is ${value}; it should be above 0.`, {
    details: { value },
    hint: 'λ is too small for the round-off of the kernel: give larger ones.',
  });
}

/** block[p, q] += z[p]·z[q] over members. */
function addProducts(block: Float64Array, members: readonly number[], z: Float64Array): void {
  const size = members.length;
  for (let p = 0; p < size; p++) {
    const own = z[members[p] as number] as number;
    for (let q = 0; q < size; q++)
      block[p * size + q] = (block[p * size + q] as number) + own * (z[members[q] as number] as number);
  }
}

/** Row `to` of x += factor · row `from` of y, both of this width. */
function addRow(x: Float64Array, to: number, y: Float64Array, from: number, width: number, factor: number): void {
  for (let i = to * width, j = from * width; i < (to + 1) * width; i++, j++)
    x[i] = (x[i] as number) + factor * (y[j] as number);
}

function scaleRow(x: Float64Array, row: number, width: number, factor: number): void {
  for (let i = row * width; i < (row + 1) * width; i++) x[i] = (x[i] as number) * factor;
}

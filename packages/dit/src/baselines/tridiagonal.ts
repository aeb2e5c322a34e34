// A symmetric matrix as Q·T·Qᵀ with T tridiagonal, by Householder's reflections in float64: then K + λ·1 is solved for any λ in O(n²). Golub and Van Loan, Matrix Computations, §8.3.
import type { WorkPace } from './work-pace.js';

/** K = Q·T·Qᵀ. */
export interface Tridiagonal {
  /** T's diagonal [n]. */
  readonly diagonal: Float64Array;
  /** Below it [n − 1]. */
  readonly below: Float64Array;
  /** Qᵀ [n, n] */
  readonly turn: Float64Array;
}

/** Multiplications that `tridiagonal` makes: 4n³/3. */
export const tridiagonalWork = (n: number): number => (4 * n ** 3) / 3;

/**
 * Takes a symmetric matrix [n, n] apart; only its lower triangle is read. Two matrices of that size are kept meanwhile, 16·n² bytes.
 * @throws AbortedError
 */
export async function tridiagonal(symmetric: Float64Array, n: number, pace: WorkPace): Promise<Tridiagonal> {
  const a = symmetric.slice();
  const diagonal = new Float64Array(n);
  const below = new Float64Array(Math.max(0, n - 1));
  const factors = new Float64Array(n);
  const [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let k = 0; k + 2 < n; k++) {
    const { factor, image } = reflection(a, n, k, v);
    below[k] = image;
    factors[k] = factor;
    if (factor !== 0) {
      multiplied(a, n, k + 1, v, w, factor);
      let along = 0;
      for (let i = k + 1; i < n; i++) along += (v[i] as number) * (w[i] as number);
      for (let i = k + 1; i < n; i++) w[i] = (w[i] as number) - (factor / 2) * along * (v[i] as number);
      subtractBoth(a, n, k + 1, v, w);
    }
    // The upper triangle is free: the reflection is kept there.
    a.set(v.subarray(k + 1), k * n + k + 1);
    await pace.did(2 * (n - k) ** 2);
  }
  for (let k = 0; k < n; k++) diagonal[k] = a[k * n + k] as number;
  if (n > 1) below[n - 2] = a[(n - 1) * n + n - 2] as number;
  const turn = new Float64Array(n * n);
  for (let i = 0; i < n; i++) turn[i * n + i] = 1;
  // Qᵀ = H_{n−3} ⋯ H_0, from the last one, which touches the fewest rows.
  for (let k = n - 3; k >= 0; k--) {
    const factor = factors[k] as number;
    if (factor !== 0)
      for (let i = k + 1; i < n; i++) {
        let along = 0;
        for (let j = k + 1; j < n; j++) along += (turn[i * n + j] as number) * (a[k * n + j] as number);
        const times = factor * along;
        if (times !== 0)
          for (let j = k + 1; j < n; j++)
            turn[i * n + j] = (turn[i * n + j] as number) - times * (a[k * n + j] as number);
      }
    await pace.did(2 * (n - k) ** 2);
  }
  return { diagonal, below, turn };
}

/** v and β with (1 − β·v·vᵀ)·x = (±‖x‖, 0, …) for the part x of column k below the diagonal; the sign is the one that does not cancel. */
function reflection(a: Float64Array, n: number, k: number, v: Float64Array): { factor: number; image: number } {
  let [largest, rest] = [0, 0];
  for (let i = k + 1; i < n; i++) {
    v[i] = a[i * n + k] as number;
    largest = Math.max(largest, Math.abs(v[i] as number));
  }
  if (largest === 0) return { factor: 0, image: 0 };
  for (let i = k + 1; i < n; i++) rest += ((v[i] as number) / largest) ** 2;
  const length = largest * Math.sqrt(rest);
  const first = v[k + 1] as number;
  const image = first > 0 ? -length : length;
  v[k + 1] = first - image;
  // vᵀv = 2·‖x‖·(‖x‖ + |x₀|)
  return { factor: 1 / (length * (length + Math.abs(first))), image };
}

/** w = β·A·v over rows and columns from `from`, A by its lower triangle. */
function multiplied(a: Float64Array, n: number, from: number, v: Float64Array, w: Float64Array, factor: number): void {
  w.fill(0, from);
  for (let i = from; i < n; i++) {
    const own = v[i] as number;
    let sum = 0;
    for (let j = from, at = i * n + from; j < i; j++, at++) {
      const value = a[at] as number;
      sum += value * (v[j] as number);
      w[j] = (w[j] as number) + value * own;
    }
    w[i] = sum + (a[i * n + i] as number) * own;
  }
  for (let i = from; i < n; i++) w[i] = factor * (w[i] as number);
}

/** A ← A − v·wᵀ − w·vᵀ in the lower triangle. */
function subtractBoth(a: Float64Array, n: number, from: number, v: Float64Array, w: Float64Array): void {
  for (let i = from; i < n; i++) {
    const [p, q] = [v[i] as number, w[i] as number];
    for (let j = from, at = i * n + from; j <= i; j++, at++)
      a[at] = (a[at] as number) - p * (w[j] as number) - q * (v[j] as number);
  }
}

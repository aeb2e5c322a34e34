// Linear maps and layer norm in float64, with their gradients.

/** x[i] of a position that exists. */
export const at = (x: ArrayLike<number>, i: number): number => x[i] as number;

/** y[n, o] = Σ x[n, i]·w[i, o] + b[o] */
export function linear(
  x: Float64Array,
  w: ArrayLike<number>,
  b: ArrayLike<number> | undefined,
  rows: number,
  inner: number,
  outer: number,
): Float64Array {
  const y = new Float64Array(rows * outer);
  for (let n = 0; n < rows; n++) {
    const row = y.subarray(n * outer, (n + 1) * outer);
    if (b) row.set(b);
    for (let i = 0; i < inner; i++) {
      const value = at(x, n * inner + i);
      for (let o = 0; o < outer; o++) row[o] = at(row, o) + value * at(w, i * outer + o);
    }
  }
  return y;
}

/** dx[n, i] = Σ dy[n, o]·w[i, o]; adds to dw and db if given. */
export function linearBackward(
  x: Float64Array,
  w: ArrayLike<number>,
  dy: Float64Array,
  rows: number,
  inner: number,
  outer: number,
  dw?: Float64Array,
  db?: Float64Array,
): Float64Array {
  const dx = new Float64Array(rows * inner);
  for (let n = 0; n < rows; n++) {
    const d = dy.subarray(n * outer, (n + 1) * outer);
    if (db) for (let o = 0; o < outer; o++) db[o] = at(db, o) + at(d, o);
    for (let i = 0; i < inner; i++) {
      const value = at(x, n * inner + i);
      let sum = 0;
      for (let o = 0; o < outer; o++) sum += at(d, o) * at(w, i * outer + o);
      dx[n * inner + i] = sum;
      if (dw) for (let o = 0; o < outer; o++) dw[i * outer + o] = at(dw, i * outer + o) + value * at(d, o);
    }
  }
  return dx;
}

/** A norm's output y, x̂ before γ and β, both [rows, width], and s [rows]. */
export interface Normed {
  readonly y: Float64Array;
  readonly hat: Float64Array;
  readonly scale: Float64Array;
}

/** y = (x − μ)/s·γ + β with s = √(mean (x − μ)² + ε) */
export function layerNorm(
  x: Float64Array,
  gamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  rows: number,
  width: number,
  eps: number,
): Normed {
  const y = new Float64Array(x.length);
  const hat = new Float64Array(x.length);
  const scale = new Float64Array(rows);
  for (let n = 0; n < rows; n++) {
    const row = x.subarray(n * width, (n + 1) * width);
    const mean = row.reduce((a, v) => a + v, 0) / width;
    const s = Math.sqrt(row.reduce((a, v) => a + (v - mean) ** 2, 0) / width + eps);
    scale[n] = s;
    for (let i = 0; i < width; i++) {
      hat[n * width + i] = (at(row, i) - mean) / s;
      y[n * width + i] = at(hat, n * width + i) * at(gamma, i) + at(beta, i);
    }
  }
  return { y, hat, scale };
}

/** dx = (g − mean g − x̂·mean(g∘x̂))/s with g = dy∘γ; adds to dγ and dβ if given. */
export function layerNormBackward(
  { hat, scale }: Normed,
  gamma: ArrayLike<number>,
  dy: Float64Array,
  rows: number,
  width: number,
  dgamma?: Float64Array,
  dbeta?: Float64Array,
): Float64Array {
  const dx = new Float64Array(rows * width);
  for (let n = 0; n < rows; n++) {
    let mean = 0;
    let meanHat = 0;
    for (let i = 0; i < width; i++) {
      const k = n * width + i;
      const g = at(dy, k) * at(gamma, i);
      mean += g / width;
      meanHat += (g * at(hat, k)) / width;
      if (dgamma) dgamma[i] = at(dgamma, i) + at(dy, k) * at(hat, k);
      if (dbeta) dbeta[i] = at(dbeta, i) + at(dy, k);
    }
    for (let i = 0; i < width; i++) {
      const k = n * width + i;
      dx[k] = (at(dy, k) * at(gamma, i) - mean - at(hat, k) * meanHat) / at(scale, n);
    }
  }
  return dx;
}

/** The sum of two arrays of one length. */
export const plus = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + at(b, i));

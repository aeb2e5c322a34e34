// LayerNorm in float64: y = (x − μ) / √(σ² + ε) · γ + β over rows of `width`.
import type { Reference } from '../tolerance.js';

/** y [rows, width], with mean and 1/√(σ² + ε) per row. */
export function layernormForward(
  x: Float64Array,
  gamma: Float64Array,
  beta: Float64Array,
  eps: number,
): Reference & { readonly mean: Float64Array; readonly rstd: Float64Array } {
  const width = gamma.length;
  const rows = x.length / width;
  const values = new Float64Array(x.length);
  const magnitude = new Float64Array(x.length);
  const means = new Float64Array(rows);
  const rstds = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const part = x.subarray(row * width, (row + 1) * width);
    const mean = part.reduce((sum, value) => sum + value, 0) / width;
    const absolute = part.reduce((sum, value) => sum + Math.abs(value), 0) / width;
    const variance = part.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const rstd = 1 / Math.sqrt(variance + eps);
    means[row] = mean;
    rstds[row] = rstd;
    for (let j = 0; j < width; j++) {
      const at = row * width + j;
      values[at] = (part[j]! - mean) * rstd * gamma[j]! + beta[j]!;
      // x − μ cancels: its error is relative to |x| and to the mean of |x|.
      magnitude[at] = (Math.abs(part[j]!) + absolute) * rstd * Math.abs(gamma[j]!) + Math.abs(beta[j]!);
    }
  }
  return { values, magnitude, mean: means, rstd: rstds };
}

/** Gradients of x, gamma and beta given dy [rows, width]. */
export function layernormVjp(
  x: Float64Array,
  gamma: Float64Array,
  eps: number,
  dy: Float64Array,
): { readonly x: Reference; readonly gamma: Reference; readonly beta: Reference } {
  const width = gamma.length;
  const rows = x.length / width;
  const { mean, rstd } = layernormForward(x, gamma, new Float64Array(width), eps);
  const zeros = (count: number): Reference => ({
    values: new Float64Array(count),
    magnitude: new Float64Array(count),
  });
  const dx = zeros(x.length);
  const dGamma = zeros(width);
  const dBeta = zeros(width);
  for (let row = 0; row < rows; row++) {
    let sumG = 0;
    let sumGx = 0;
    let sizeG = 0;
    let sizeGx = 0;
    let absolute = 0;
    for (let j = 0; j < width; j++) absolute += Math.abs(x[row * width + j]!) / width;
    for (let j = 0; j < width; j++) {
      const at = row * width + j;
      const g = dy[at]! * gamma[j]!;
      const hat = (x[at]! - mean[row]!) * rstd[row]!;
      const hatSize = (Math.abs(x[at]!) + absolute) * rstd[row]!;
      sumG += g;
      sizeG += Math.abs(g);
      sumGx += g * hat;
      sizeGx += Math.abs(g) * hatSize;
      dGamma.values[j]! += dy[at]! * hat;
      dGamma.magnitude[j]! += Math.abs(dy[at]!) * hatSize;
      dBeta.values[j]! += dy[at]!;
      dBeta.magnitude[j]! += Math.abs(dy[at]!);
    }
    for (let j = 0; j < width; j++) {
      const at = row * width + j;
      const g = dy[at]! * gamma[j]!;
      const hat = (x[at]! - mean[row]!) * rstd[row]!;
      const hatSize = (Math.abs(x[at]!) + absolute) * rstd[row]!;
      dx.values[at] = rstd[row]! * (g - sumG / width - (hat * sumGx) / width);
      dx.magnitude[at] = rstd[row]! * (Math.abs(g) + sizeG / width + (hatSize * sizeGx) / width);
    }
  }
  return { x: dx, gamma: dGamma, beta: dBeta };
}

/** scale [rows] = √(Σ (x − μ)² / width + ε), TransformerLens' hook_scale. */
export function layernormScale(x: Float64Array, width: number, eps: number): Reference {
  const { rstd } = layernormForward(x, new Float64Array(width), new Float64Array(width), eps);
  const values = rstd.map((value) => 1 / value);
  // Rounding of x − μ moves the scale by at most the largest rounding of x.
  const magnitude = values.map(
    (value, row) =>
      value + x.subarray(row * width, (row + 1) * width).reduce((top, v) => Math.max(top, Math.abs(v)), 0),
  );
  return { values, magnitude };
}

/** dx of layernormScale: ds (x − μ) / (width · scale). */
export function layernormScaleVjp(x: Float64Array, width: number, eps: number, dScale: Float64Array): Reference {
  const { mean, rstd } = layernormForward(x, new Float64Array(width), new Float64Array(width), eps);
  const row = (at: number): number => Math.floor(at / width);
  const absolute = mean.map(
    (_, r) => x.subarray(r * width, (r + 1) * width).reduce((sum, v) => sum + Math.abs(v), 0) / width,
  );
  return {
    values: x.map((value, at) => (dScale[row(at)]! * (value - mean[row(at)]!) * rstd[row(at)]!) / width),
    magnitude: x.map(
      (value, at) => (Math.abs(dScale[row(at)]!) * (Math.abs(value) + absolute[row(at)]!) * rstd[row(at)]!) / width,
    ),
  };
}

/** x̂ = (x − μ) / scale for a given scale [rows]. */
export function normalizeForward(x: Float64Array, scale: Float64Array): Reference {
  const width = x.length / scale.length;
  const values = new Float64Array(x.length);
  const magnitude = new Float64Array(x.length);
  for (let row = 0; row < scale.length; row++) {
    const part = x.subarray(row * width, (row + 1) * width);
    const mean = part.reduce((sum, value) => sum + value, 0) / width;
    const absolute = part.reduce((sum, value) => sum + Math.abs(value), 0) / width;
    for (let j = 0; j < width; j++) {
      values[row * width + j] = (part[j]! - mean) / scale[row]!;
      magnitude[row * width + j] = Math.abs((Math.abs(part[j]!) + absolute) / scale[row]!);
    }
  }
  return { values, magnitude };
}

/** Gradients of x and scale through x̂ = (x − μ) / scale. */
export function normalizeVjp(
  x: Float64Array,
  scale: Float64Array,
  dHat: Float64Array,
): { readonly x: Reference; readonly scale: Reference } {
  const width = x.length / scale.length;
  const hat = normalizeForward(x, scale);
  const dx = { values: new Float64Array(x.length), magnitude: new Float64Array(x.length) };
  const ds = { values: new Float64Array(scale.length), magnitude: new Float64Array(scale.length) };
  for (let row = 0; row < scale.length; row++) {
    let mean = 0;
    let size = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      mean += dHat[at]! / width;
      size += Math.abs(dHat[at]!) / width;
      ds.values[row]! -= (dHat[at]! * hat.values[at]!) / scale[row]!;
      ds.magnitude[row]! += Math.abs((dHat[at]! * hat.magnitude[at]!) / scale[row]!);
    }
    for (let at = row * width; at < (row + 1) * width; at++) {
      dx.values[at] = (dHat[at]! - mean) / scale[row]!;
      dx.magnitude[at] = Math.abs((Math.abs(dHat[at]!) + size) / scale[row]!);
    }
  }
  return { x: dx, scale: ds };
}

/** y = x̂ · γ + β. */
export function affineForward(hat: Float64Array, gamma: Float64Array, beta: Float64Array): Reference {
  const width = gamma.length;
  return {
    values: hat.map((value, at) => value * gamma[at % width]! + beta[at % width]!),
    magnitude: hat.map((value, at) => Math.abs(value * gamma[at % width]!) + Math.abs(beta[at % width]!)),
  };
}

/** Gradients of x̂, γ and β. */
export function affineVjp(
  hat: Float64Array,
  gamma: Float64Array,
  dy: Float64Array,
): { readonly hat: Reference; readonly gamma: Reference; readonly beta: Reference } {
  const width = gamma.length;
  const dGamma = { values: new Float64Array(width), magnitude: new Float64Array(width) };
  const dBeta = { values: new Float64Array(width), magnitude: new Float64Array(width) };
  for (const [at, g] of dy.entries()) {
    const j = at % width;
    dGamma.values[j]! += g * hat[at]!;
    dGamma.magnitude[j]! += Math.abs(g * hat[at]!);
    dBeta.values[j]! += g;
    dBeta.magnitude[j]! += Math.abs(g);
  }
  const dHat = dy.map((g, at) => g * gamma[at % width]!);
  return { hat: { values: dHat, magnitude: dHat.map(Math.abs) }, gamma: dGamma, beta: dBeta };
}

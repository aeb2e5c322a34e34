// The loss of the first update in float64, from the equations alone: selection by sorting, no kernel's order of anything.
import type { DictionaryUpdateSpec } from './spec.mjs';

/** Rows whose pre-activations are computed together: a weight is read once for all. */
const AT_ONCE = 4;

/**
 * `top-k`: Σ‖ŷ − y‖² / Σ‖y − ȳ‖² + α · min(dead / k_aux, 1) · Σ‖ê − (y − ŷ)‖² / Σ‖y − ȳ‖². `relu`: the mean over rows and width of
 * (ŷ − y)² / ‖y‖, plus λ times the mean over rows of Σ a. Rows of W_dec count with length 1.
 */
export function lossInFloat64(spec: DictionaryUpdateSpec): number {
  const { sizes, config, loss, deadAfter, sinceFired, y, bDec } = spec;
  const { tokens, width, features } = sizes;
  const wDec = unitRows(spec.wDec, width);
  const { activation } = config;
  const { auxiliary, sparsity } = loss;
  const isDead = (feature: number): boolean => sinceFired[feature]! >= deadAfter;
  const all = Array.from({ length: features }, (_, f) => f);
  const dead = all.filter(isDead);
  const variance = varianceOf(y, width);
  let [errors, weighted, rest, active] = [0, 0, 0, 0];
  for (let first = 0; first < tokens; first += AT_ONCE)
    preActivations(spec, first, Math.min(AT_ONCE, tokens - first)).forEach((h, i) => {
      const target = y.subarray((first + i) * width, (first + i + 1) * width);
      const kept = activation.kind === 'top-k' ? largest(h, all, activation.k) : all.filter((f) => h[f]! > 0);
      const rebuilt = Float64Array.from(bDec);
      addRows(rebuilt, wDec, h, kept);
      const residual = rebuilt.map((value, o) => target[o]! - value);
      const error = squared(residual);
      errors += error;
      weighted += error / Math.sqrt(squared(target)) / (tokens * width);
      for (const feature of kept) active += h[feature]! / tokens;
      if (!auxiliary) return;
      const again = new Float64Array(width);
      addRows(again, wDec, h, largest(h, dead, auxiliary.features));
      rest += squared(again.map((value, o) => value - residual[o]!));
    });
  const reconstruction = loss.reconstruction === 'paper' ? weighted : errors / variance;
  const revived = auxiliary ? (auxiliary.weight * Math.min(dead.length / auxiliary.features, 1) * rest) / variance : 0;
  return reconstruction + revived + (sparsity ? sparsity.weight * active : 0);
}

/** h of rows [first, first + count). */
function preActivations({ sizes, x, wEnc, bEnc }: DictionaryUpdateSpec, first: number, count: number): Float64Array[] {
  const { width, features } = sizes;
  const rows = Array.from({ length: AT_ONCE }, (_, i) =>
    Float64Array.from(x.subarray((first + Math.min(i, count - 1)) * width).subarray(0, width)),
  );
  const [r0, r1, r2, r3] = rows as [Float64Array, Float64Array, Float64Array, Float64Array];
  const h = rows.map(() => new Float64Array(features));
  for (let f = 0; f < features; f++) {
    let [s0, s1, s2, s3] = [bEnc[f]!, bEnc[f]!, bEnc[f]!, bEnc[f]!];
    for (let i = 0, at = f * width; i < width; i++, at++) {
      const weight = wEnc[at]!;
      s0 += weight * r0[i]!;
      s1 += weight * r1[i]!;
      s2 += weight * r2[i]!;
      s3 += weight * r3[i]!;
    }
    [s0, s1, s2, s3].forEach((sum, i) => (h[i]![f] = sum));
  }
  return h.slice(0, count);
}

/** The `count` features of `among` with the largest positive h. */
function largest(h: Float64Array, among: readonly number[], count: number): number[] {
  const positive = among.filter((f) => h[f]! > 0);
  if (positive.length <= count) return positive;
  const least = Float64Array.from(positive, (f) => h[f]!).sort()[positive.length - count]!;
  return positive.filter((f) => h[f]! >= least);
}

function addRows(sum: Float64Array, w: Float64Array, h: Float64Array, features: readonly number[]): void {
  for (const f of features) for (let o = 0, at = f * sum.length; o < sum.length; o++, at++) sum[o]! += h[f]! * w[at]!;
}

function unitRows(w: Float32Array, width: number): Float64Array {
  const unit = Float64Array.from(w);
  for (let at = 0; at < unit.length; at += width) {
    const row = unit.subarray(at, at + width);
    const length = Math.sqrt(squared(row));
    row.forEach((value, i) => (row[i] = value / length));
  }
  return unit;
}

/** Σ‖y − ȳ‖² */
function varianceOf(y: Float32Array, width: number): number {
  const rows = y.length / width;
  let sum = 0;
  for (let o = 0; o < width; o++) {
    let mean = 0;
    for (let at = o; at < y.length; at += width) mean += y[at]! / rows;
    for (let at = o; at < y.length; at += width) sum += (y[at]! - mean) ** 2;
  }
  return sum;
}

function squared(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return sum;
}

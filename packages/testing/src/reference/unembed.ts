// Unembedding and its cross-entropy in float64: logits = x Wᵀ, loss_n = mask_n (log Σ_v exp(l_nv) − l_n,target).
import type { Reference } from '../tolerance.js';
import { matmulForward, matmulVjp } from './matmul.js';

/** logits [n, vocabulary] from x [n, width] and table [vocabulary, width]. */
export function unembedForward(x: Float64Array, table: Float64Array, width: number): Reference {
  const shape = { batch: 1, m: x.length / width, n: table.length / width, k: width, transposeB: true };
  return matmulForward(x, table, shape);
}

/** Gradients of x and the table. */
export function unembedVjp(
  x: Float64Array,
  table: Float64Array,
  width: number,
  dLogits: Float64Array,
): { readonly x: Reference; readonly table: Reference } {
  const shape = { batch: 1, m: x.length / width, n: table.length / width, k: width, transposeB: true };
  const { a, b } = matmulVjp(x, table, shape, {}, dLogits);
  return { x: a, table: b };
}

/** loss [n], 0 where the target lies beyond the vocabulary. The magnitude is the size of the logits that enter it. */
export function crossEntropyUnembedForward(
  x: Float64Array,
  table: Float64Array,
  width: number,
  targets: Uint32Array,
  mask?: Float64Array,
): Reference & { readonly probabilities: Float64Array; readonly size: Float64Array } {
  const logits = unembedForward(x, table, width);
  const vocabulary = table.length / width;
  const values = new Float64Array(targets.length);
  const magnitude = new Float64Array(targets.length);
  const size = new Float64Array(targets.length);
  const probabilities = new Float64Array(logits.values.length);
  for (const [n, target] of targets.entries()) {
    const row = logits.values.subarray(n * vocabulary, (n + 1) * vocabulary);
    const top = row.reduce((best, value) => Math.max(best, value), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - top), 0);
    for (let j = 0; j < vocabulary; j++) probabilities[n * vocabulary + j] = Math.exp(row[j]! - top) / sum;
    size[n] = logits.magnitude
      .subarray(n * vocabulary, (n + 1) * vocabulary)
      .reduce((best, value) => Math.max(best, value), 0);
    if (target >= vocabulary) continue;
    const weight = mask ? mask[n]! : 1;
    values[n] = weight * (top + Math.log(sum) - row[target]!);
    // log Σ and the target's logit each carry a logit's rounding; exp adds (3 + 2 |x|) units relative to 1.
    magnitude[n] = Math.abs(weight) * (3 + 3 * size[n]! + Math.log(sum));
  }
  return { values, magnitude, probabilities, size };
}

/** Gradients of x and the table given dLoss [n]. */
export function crossEntropyUnembedVjp(
  x: Float64Array,
  table: Float64Array,
  width: number,
  targets: Uint32Array,
  mask: Float64Array | undefined,
  dLoss: Float64Array,
): { readonly x: Reference; readonly table: Reference } {
  const { probabilities, size } = crossEntropyUnembedForward(x, table, width, targets, mask);
  const vocabulary = table.length / width;
  const dx = { values: new Float64Array(x.length), magnitude: new Float64Array(x.length) };
  const dTable = { values: new Float64Array(table.length), magnitude: new Float64Array(table.length) };
  for (const [n, target] of targets.entries()) {
    if (target >= vocabulary) continue;
    const weight = dLoss[n]! * (mask ? mask[n]! : 1);
    for (let v = 0; v < vocabulary; v++) {
      const p = probabilities[n * vocabulary + v]!;
      const g = weight * (p - (v === target ? 1 : 0));
      // exp(l − lse) multiplies the rounding of l and of lse: (3 + 4 · size) units of p.
      const gSize = Math.abs(weight) * (p * (3 + 4 * size[n]!) + (v === target ? 1 : 0));
      for (let j = 0; j < width; j++) {
        dx.values[n * width + j]! += g * table[v * width + j]!;
        dx.magnitude[n * width + j]! += Math.abs(gSize * table[v * width + j]!);
        dTable.values[v * width + j]! += g * x[n * width + j]!;
        dTable.magnitude[v * width + j]! += Math.abs(gSize * x[n * width + j]!);
      }
    }
  }
  return { x: dx, table: dTable };
}

// C = alpha op(A) op(B) + bias, gelu, residual in float64: plain loops over the definition.
import type { Reference } from '../tolerance.js';
import { gelu, geluSlope, type GeluForm } from './gelu.js';

/** Sizes of [batch, m, k] × [batch, k, n]; an operand may be stored transposed, and b may be shared by the batch. */
export interface MatmulShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly sharedB?: boolean;
}

/** What is added to the product. `gelu` comes after the bias and before the residual. */
export interface MatmulEpilogue {
  readonly bias?: Float64Array;
  readonly gelu?: GeluForm;
  readonly residual?: Float64Array;
}

function at({ m, k, transposeA }: MatmulShape, z: number, i: number, t: number): number {
  return z * m * k + (transposeA ? t * m + i : i * k + t);
}

function bt({ n, k, transposeB, sharedB }: MatmulShape, z: number, t: number, j: number): number {
  return (sharedB ? 0 : z * n * k) + (transposeB ? j * k + t : t * n + j);
}

/** c [batch, m, n] and the sum before gelu. */
export function matmulForward(
  a: Float64Array,
  b: Float64Array,
  shape: MatmulShape,
  { bias, gelu: form, residual }: MatmulEpilogue = {},
): Reference & { readonly pre: Reference } {
  const { batch, m, n, k } = shape;
  const size = batch * m * n;
  const pre = { values: new Float64Array(size), magnitude: new Float64Array(size) };
  const values = new Float64Array(size);
  const magnitude = new Float64Array(size);
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = bias ? bias[j]! : 0;
        let terms = Math.abs(sum);
        for (let t = 0; t < k; t++) {
          const term = a[at(shape, z, i, t)]! * b[bt(shape, z, t, j)]!;
          sum += term;
          terms += Math.abs(term);
        }
        const c = (z * m + i) * n + j;
        pre.values[c] = sum;
        pre.magnitude[c] = terms;
        values[c] = form ? gelu(sum, form) : sum;
        // |gelu(x + e) − gelu(x)| ≤ 1.13 |e|, and gelu's own rounding is of the order of |x|.
        magnitude[c] = form ? 2.13 * terms : terms;
        if (residual) {
          values[c]! += residual[c]!;
          magnitude[c]! += Math.abs(residual[c]!);
        }
      }
    }
  }
  return { values, magnitude, pre };
}

/** Gradients of a, b, bias and residual given dc [batch, m, n]. */
export function matmulVjp(
  a: Float64Array,
  b: Float64Array,
  shape: MatmulShape,
  epilogue: MatmulEpilogue,
  dc: Float64Array,
): { readonly a: Reference; readonly b: Reference; readonly bias: Reference; readonly residual: Reference } {
  const { batch, m, n, k } = shape;
  const zeros = (count: number): Reference => ({
    values: new Float64Array(count),
    magnitude: new Float64Array(count),
  });
  const da = zeros(a.length);
  const db = zeros(b.length);
  const dBias = zeros(n);
  const pre = epilogue.gelu ? matmulForward(a, b, shape, epilogue).pre : undefined;
  const add = (into: Reference, index: number, term: number, size: number): void => {
    into.values[index]! += term;
    into.magnitude[index]! += Math.abs(size);
  };
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const c = (z * m + i) * n + j;
        const slope = pre && epilogue.gelu ? geluSlope(pre.values[c]!, epilogue.gelu) : 1;
        const g = dc[c]! * slope;
        // Through gelu the slope moves with the rounding of pre: |gelu″| ≤ 0.8.
        const size = pre ? Math.abs(dc[c]!) * (1.13 + 0.8 * pre.magnitude[c]!) : Math.abs(g);
        add(dBias, j, g, size);
        for (let t = 0; t < k; t++) {
          const aAt = at(shape, z, i, t);
          const bAt = bt(shape, z, t, j);
          add(da, aAt, g * b[bAt]!, size * b[bAt]!);
          add(db, bAt, g * a[aAt]!, size * a[aAt]!);
        }
      }
    }
  }
  return { a: da, b: db, bias: dBias, residual: { values: dc, magnitude: dc.map(Math.abs) } };
}

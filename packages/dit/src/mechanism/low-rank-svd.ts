// The singular values and vectors of s·B·A in float64 on the host, without the product: B·A = (B·Rᵀ)·Qᵀ with Aᵀ = Q·R, and one-sided Jacobi on the columns of B·Rᵀ.
import type { LoraFactors } from '../lora/lora-weights.js';

/** One term σ·u·vᵀ of ΔW. */
export interface SingularTerm {
  /** σ > 0 */
  readonly value: number;
  /** u [out], of length 1. */
  readonly output: Float64Array;
  /** v [in], of length 1. */
  readonly input: Float64Array;
}

/** Columns whose cosine is below this are orthogonal to round-off of float64. */
const ORTHOGONAL = 1e-14;
const MOST_SWEEPS = 60;
/** Against the largest: what is below is round-off of the products that it is made of. */
const SMALLEST = 1e-14;

/**
 * ΔW = s·B·A [out, in] as Σ σ·u·vᵀ, largest σ first; of the rank that it has, so none where it is 0. Signs are such that the entry of u of largest
 * size is positive. O(r·(in + out)) numbers are kept.
 */
export function singularTerms({ a, b, rank }: LoraFactors, scale: number): SingularTerm[] {
  const [inWidth, outWidth] = [a.length / rank, b.length / rank];
  const rows = Array.from({ length: rank }, (_, k) => Float64Array.from(a.subarray(k * inWidth, (k + 1) * inWidth)));
  const { basis, along } = orthonormal(rows);
  // X = s·B·Rᵀ by columns: column j is s·Σ_k R[j, k]·B[:, k].
  const columns = basis.map((_, j) =>
    Float64Array.from({ length: outWidth }, (_o, o) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += (b[o * rank + k] as number) * ((along[k] as Float64Array)[j] as number);
      return scale * sum;
    }),
  );
  const turns = columns.map((_, j) => Float64Array.from(columns, (_c, k) => (j === k ? 1 : 0)));
  makeOrthogonal(columns, turns);
  const lengths = columns.map(length);
  const largest = Math.max(0, ...lengths);
  return lengths
    .map((value, j) => ({ value, j }))
    .filter(({ value }) => value > SMALLEST * largest)
    .sort((first, second) => second.value - first.value || first.j - second.j)
    .map(({ value, j }) => {
      const output = (columns[j] as Float64Array).map((entry) => entry / value);
      const input = combined(basis, turns[j] as Float64Array, inWidth);
      const sign =
        (output.reduce((most, entry) => (Math.abs(entry) > Math.abs(most) ? entry : most), 0) || 1) < 0 ? -1 : 1;
      return { value, output: output.map((entry) => sign * entry), input: input.map((entry) => sign * entry) };
    });
}

/** Rows x_k as Σ_j along[k][j]·basis[j]: Gram–Schmidt, each row twice, so that the basis is orthonormal to round-off; what is left of a row that others span is dropped. */
function orthonormal(rows: readonly Float64Array[]): { basis: Float64Array[]; along: Float64Array[] } {
  const basis: Float64Array[] = [];
  const along = rows.map((row) => {
    const rest = row.slice();
    const shares = new Float64Array(rows.length);
    for (let pass = 0; pass < 2; pass++)
      basis.forEach((unit, j) => {
        const share = dot(rest, unit);
        shares[j] = (shares[j] as number) + share;
        addTo(rest, unit, -share);
      });
    const left = length(rest);
    if (left > SMALLEST * length(row)) {
      shares[basis.length] = left;
      basis.push(rest.map((entry) => entry / left));
    }
    return shares;
  });
  return { basis, along };
}

/** Turns pairs of columns until all are orthogonal, and `turns` with them: X·V has orthogonal columns U·Σ. */
function makeOrthogonal(columns: readonly Float64Array[], turns: readonly Float64Array[]): void {
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let turned = false;
    for (let p = 0; p < columns.length; p++)
      for (let q = p + 1; q < columns.length; q++) {
        const [x, y] = [columns[p] as Float64Array, columns[q] as Float64Array];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= ORTHOGONAL * Math.sqrt(xx) * Math.sqrt(yy)) continue;
        turned = true;
        const zeta = (yy - xx) / (2 * xy);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        rotate(x, y, cosine, cosine * tangent);
        rotate(turns[p] as Float64Array, turns[q] as Float64Array, cosine, cosine * tangent);
      }
    if (!turned) return;
  }
}

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i] as number, y[i] as number];
    x[i] = cosine * a - sine * b;
    y[i] = sine * a + cosine * b;
  }
}

function combined(vectors: readonly Float64Array[], factors: Float64Array, width: number): Float64Array {
  const sum = new Float64Array(width);
  vectors.forEach((vector, j) => addTo(sum, vector, factors[j] as number));
  return sum;
}

function addTo(sum: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + factor * (vector[i] as number);
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum;
}

const length = (x: Float64Array): number => Math.sqrt(dot(x, x));

// The first principal direction of some rows, in float64 on the host: power iteration on their Gram matrix.
import { dot, gramMatrix, scaledBy } from './gram-matrix.js';

/** Where the iteration ends: ‖Kv − λv‖ ≤ 1e−12 λ, or when two directions are so alike in variance that neither comes out. */
const RESIDUAL = 1e-12;
const MOST_ITERATIONS = 10_000;

/**
 * The unit vector along which the rows [N][d] vary most, its sign left open: the leading eigenvector of XᵀX, by that of the N × N matrix XXᵀ where
 * this is smaller. `centred` takes the mean of the rows away first. Undefined when nothing varies.
 */
export function principalDirection(
  rows: readonly ArrayLike<number>[],
  { centred }: { readonly centred: boolean },
): Float64Array | undefined {
  const N = rows.length;
  const d = rows[0]?.length ?? 0;
  const x = rows.map((row) => Float64Array.from(row));
  if (centred)
    for (let j = 0; j < d; j++) {
      const mean = x.reduce((sum, row) => sum + (row[j] as number), 0) / N;
      for (const row of x) row[j] = (row[j] as number) - mean;
    }
  const gram = gramMatrix(x);
  const leading = leadingEigenvector(gram.matrix);
  return leading && gram.direction(leading);
}

/** Of a symmetric matrix without negative eigenvalues; starts from its column of largest norm, which the eigenvector is never orthogonal to. */
function leadingEigenvector(matrix: readonly Float64Array[]): Float64Array | undefined {
  const norms = matrix.map((row) => Math.sqrt(dot(row, row)));
  const largest = norms.reduce((most, norm, i) => (norm > (norms[most] as number) ? i : most), 0);
  if (!((norms[largest] ?? 0) > 0)) return undefined;
  let v = scaledBy(matrix[largest] as Float64Array, 1 / (norms[largest] as number));
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    const image = Float64Array.from(matrix, (row) => dot(row, v));
    const value = dot(image, v);
    const residual = Math.sqrt(image.reduce((sum, entry, i) => sum + (entry - value * (v[i] as number)) ** 2, 0));
    v = scaledBy(image, 1 / Math.sqrt(dot(image, image)));
    if (residual <= RESIDUAL * value) break;
  }
  return v;
}

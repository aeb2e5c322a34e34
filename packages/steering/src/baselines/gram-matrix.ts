// Inner products of rows or of their columns, whichever are fewer, in float64: where both have the same eigenvalues but 0, the smaller one is solved.

/** XᵀX [d, d] or XXᵀ [N, N] of rows X [N][d], and the way from its eigenvectors to those of XᵀX. */
export interface GramMatrix {
  readonly matrix: readonly Float64Array[];
  /** A unit eigenvector of `matrix` as one of XᵀX, unit again; exact for XᵀX itself. */
  direction(eigenvector: Float64Array): Float64Array;
}

/** Takes XXᵀ where N ≤ d. */
export function gramMatrix(x: readonly Float64Array[]): GramMatrix {
  const N = x.length;
  const d = x[0]?.length ?? 0;
  const byRows = N <= d;
  const vectors = byRows ? x : Array.from({ length: d }, (_, j) => Float64Array.from(x, (row) => row[j] as number));
  return {
    matrix: symmetric(vectors),
    direction: (eigenvector) => {
      if (!byRows) return eigenvector;
      const direction = new Float64Array(d);
      x.forEach((row, i) =>
        row.forEach((value, j) => (direction[j] = (direction[j] as number) + (eigenvector[i] as number) * value)),
      );
      return scaledBy(direction, 1 / Math.hypot(...direction));
    },
  };
}

/** ⟨vᵢ, vⱼ⟩, each once. */
function symmetric(vectors: readonly Float64Array[]): Float64Array[] {
  const matrix = vectors.map(() => new Float64Array(vectors.length));
  vectors.forEach((a, i) => {
    for (let j = 0; j <= i; j++) {
      const product = dot(a, vectors[j] as Float64Array);
      (matrix[i] as Float64Array)[j] = product;
      (matrix[j] as Float64Array)[i] = product;
    }
  });
  return matrix;
}

/** ⟨a, b⟩. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** A multiple of a vector. */
export const scaledBy = (vector: Float64Array, factor: number): Float64Array => vector.map((value) => value * factor);

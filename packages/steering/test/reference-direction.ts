// The direction along which rows vary most, from all eigenvectors by Jacobi rotations, in float64.

/** Eigenvalues and eigenvectors (columns) of a symmetric matrix: rotations until nothing is left beside the diagonal. */
function jacobi(matrix: readonly Float64Array[]): { values: number[]; vectors: Float64Array[] } {
  const n = matrix.length;
  const a = matrix.map((row) => row.slice());
  const v = a.map((_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 60; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k]![p]!, a[k]![q]!];
          [a[k]![p], a[k]![q]] = [c * x - s * y, s * x + c * y];
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p]![k]!, a[q]![k]!];
          [a[p]![k], a[q]![k]] = [c * x - s * y, s * x + c * y];
          const [z, w] = [v[k]![p]!, v[k]![q]!];
          [v[k]![p], v[k]![q]] = [c * z - s * w, s * z + c * w];
        }
      }
  return {
    values: a.map((row, i) => row[i]!),
    vectors: a.map((_, j) => Float64Array.from(v, (row) => row[j]!)),
  };
}

/** All eigenvectors of the d × d matrix of second moments, about the mean where `centred`, the one of largest eigenvalue first. */
export function referenceDirections(
  rows: readonly ArrayLike<number>[],
  centred: boolean,
): { values: number[]; vectors: Float64Array[] } {
  const d = rows[0]!.length;
  const mean = (j: number): number => (centred ? rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length : 0);
  const means = Array.from({ length: d }, (_, j) => mean(j));
  const moments = means.map((_, i) =>
    Float64Array.from(means, (__, j) =>
      rows.reduce((sum, row) => sum + (row[i]! - means[i]!) * (row[j]! - means[j]!), 0),
    ),
  );
  const { values, vectors } = jacobi(moments);
  const order = values.map((_, i) => i).sort((i, j) => values[j]! - values[i]!);
  return { values: order.map((i) => values[i]!), vectors: order.map((i) => vectors[i]!) };
}

/** The leading one. */
export function referenceDirection(rows: readonly ArrayLike<number>[], centred: boolean): Float64Array {
  return referenceDirections(rows, centred).vectors[0]!;
}

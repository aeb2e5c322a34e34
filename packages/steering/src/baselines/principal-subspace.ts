// The directions of an orthonormal basis in which some rows are longest, in float64 on the host: subspace iteration on their Gram matrix.
import { dot, gramMatrix, scaledBy } from './gram-matrix.js';
import { addTo } from './last-activations.js';

/** Directions beyond the wanted ones that the iteration carries: it closes in by λ_{k+9} / λ_k a step. */
const SPARE = 8;
/** Where it ends: every ‖Kv − λv‖ ≤ 1e−12 λ₁, or when directions are so alike in length that they do not come out one by one. */
const RESIDUAL = 1e-12;
const MOST_ITERATIONS = 500;
/** Squared lengths below this part of the largest are round-off of f32 rows and of sums in float64: no direction of the rows. */
const SMALLEST = 1e-12;

/** Directions [count][d] and how many there are at most. */
export interface PrincipalSubspace {
  /** Orthonormal, the longest first, the entry of largest size of each positive; as many as were asked for or as there are. */
  readonly directions: readonly Float64Array[];
  /** Directions in which the rows have a length above round-off; counted no further than what was asked for. */
  readonly rank: number;
}

/**
 * u₁ … u_k that maximise Σ ‖Uᵀx‖² over the rows [N][d]: leading eigenvectors of XᵀX, by those of XXᵀ where this is smaller. The mean is not taken
 * away. The start is the pivoted Cholesky factor, so the same rows give the same bits.
 */
export function principalSubspace(rows: readonly ArrayLike<number>[], count: number): PrincipalSubspace {
  const { matrix, direction } = gramMatrix(rows.map((row) => Float64Array.from(row)));
  const start = pivotedColumns(matrix, count + SPARE);
  const found = leadingEigenvectors(matrix, start, count);
  // The eigenvalues say what of the start was more than round-off.
  const { values } = found;
  const rank = values.filter((value) => value > SMALLEST * (values[0] ?? 0)).length;
  const directions = orthonormal(found.vectors.slice(0, Math.min(rank, count)).map(direction));
  return { directions: directions.map(turned), rank: Math.min(rank, count) };
}

/** Columns of the pivoted Cholesky factor of K: independent ones, the longest first, until nothing is left. */
function pivotedColumns(matrix: readonly Float64Array[], most: number): Float64Array[] {
  const left = Float64Array.from(matrix, (row, i) => row[i] as number);
  const largest = Math.max(0, ...left);
  const columns: Float64Array[] = [];
  while (columns.length < Math.min(most, matrix.length)) {
    const pivot = left.reduce((best, value, i) => (value > (left[best] as number) ? i : best), 0);
    const value = left[pivot] ?? 0;
    if (!(value > SMALLEST * largest)) break;
    const column = Float64Array.from(matrix[pivot] as Float64Array);
    for (const earlier of columns) addTo(column, earlier, -(earlier[pivot] as number));
    const scaled = scaledBy(column, 1 / Math.sqrt(value));
    scaled.forEach((entry, i) => (left[i] = (left[i] as number) - entry * entry));
    left[pivot] = 0;
    columns.push(scaled);
  }
  return columns;
}

interface Eigenpairs {
  /** The largest first. */
  readonly values: readonly number[];
  readonly vectors: readonly Float64Array[];
}

/** Multiplies the space of `start` by K and takes K's eigenvectors within it, until the first `count` are those of K. */
function leadingEigenvectors(
  matrix: readonly Float64Array[],
  start: readonly Float64Array[],
  count: number,
): Eigenpairs {
  let space = orthonormal(start);
  let found: Eigenpairs = { values: [], vectors: [] };
  for (let iteration = 0; iteration < MOST_ITERATIONS && space.length > 0; iteration++) {
    const images = space.map((vector) => Float64Array.from(matrix, (row) => dot(row, vector)));
    const within = smallEigenpairs(space.map((a) => Float64Array.from(images, (image) => dot(a, image))));
    const turn = (vectors: readonly Float64Array[]): Float64Array[] =>
      within.vectors.map((weights) => combined(vectors, weights));
    const [vectors, turned] = [turn(space), turn(images)];
    found = { values: within.values, vectors };
    const limit = RESIDUAL * (within.values[0] as number);
    const settled = turned.slice(0, count).every((image, j) => {
      const rest = image.slice();
      addTo(rest, vectors[j] as Float64Array, -(within.values[j] as number));
      return Math.sqrt(dot(rest, rest)) <= limit;
    });
    if (settled) break;
    space = orthonormal(turned);
  }
  return found;
}

/** All eigenpairs of a small symmetric matrix by Jacobi rotations. */
function smallEigenpairs(symmetric: readonly Float64Array[]): Eigenpairs {
  const n = symmetric.length;
  const a = symmetric.map((row) => row.slice());
  const v = a.map((_, i) => Float64Array.from({ length: n }, (_unused, j) => (i === j ? 1 : 0)));
  const at = (i: number, j: number): number => a[i]?.[j] as number;
  const beside = (): number =>
    a.reduce((sum, row, i) => row.reduce((part, entry, j) => (i === j ? part : part + entry * entry), sum), 0);
  const all = a.reduce((sum, row) => sum + dot(row, row), 0);
  // Quadratic once it is small: a handful of sweeps.
  for (let sweep = 0; sweep < 30 && beside() > 1e-32 * all; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (at(p, q) === 0) continue;
        const theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        for (const row of a) rotate(row, p, q, c, t * c);
        rotateRows(a, p, q, c, t * c);
        rotateRows(v, p, q, c, t * c);
      }
  const order = a.map((_, i) => i).sort((i, j) => at(j, j) - at(i, i) || i - j);
  return { values: order.map((i) => at(i, i)), vectors: order.map((i) => v[i] as Float64Array) };
}

function rotate(row: Float64Array, p: number, q: number, c: number, s: number): void {
  const [x, y] = [row[p] as number, row[q] as number];
  row[p] = c * x - s * y;
  row[q] = s * x + c * y;
}

function rotateRows(rows: readonly Float64Array[], p: number, q: number, c: number, s: number): void {
  const [a, b] = [rows[p] as Float64Array, rows[q] as Float64Array];
  a.forEach((x, k) => {
    const y = b[k] as number;
    a[k] = c * x - s * y;
    b[k] = s * x + c * y;
  });
}

/** Gram–Schmidt, twice for each vector: orthogonal to round-off. Vectors that the earlier ones span are left out. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const rest = vector.slice();
    const before = dot(rest, rest);
    for (let pass = 0; pass < 2; pass++) for (const earlier of basis) addTo(rest, earlier, -dot(earlier, rest));
    const squared = dot(rest, rest);
    if (squared > 1e-28 * before) basis.push(scaledBy(rest, 1 / Math.sqrt(squared)));
  }
  return basis;
}

function combined(vectors: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  vectors.forEach((vector, i) => addTo(sum, vector, weights[i] as number));
  return sum;
}

/** Its largest entry positive. */
function turned(vector: Float64Array): Float64Array {
  const largest = vector.reduce((best, value, i) => (Math.abs(value) > Math.abs(vector[best] as number) ? i : best), 0);
  return (vector[largest] ?? 0) < 0 ? vector.map((value) => -value) : vector;
}

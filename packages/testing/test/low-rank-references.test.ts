// The float64 low-rank terms: a case done by hand, the dense change they stand for, and gradients that agree with finite differences.
import { describe, expect, it } from 'vitest';
import { checkVjp, referenceLowRank, referenceMatmul, referenceRandom } from '../src/index.js';

const random = referenceRandom(61);
const { lowRankForward, lowRankVjp } = referenceLowRank;

describe('low-rank terms by task', () => {
  it('of rank 1, by hand', () => {
    const about = { tasks: Int32Array.of(1, -1), scales: Float64Array.of(9, 2), rank: 1, inWidth: 2, outWidth: 2 };
    const [a, b] = [Float64Array.of(7, 7, 1, 3), Float64Array.of(7, 7, 5, -1)];
    // u = 1·2 + 3·4 = 14; 2 · 14 · (5, −1).
    const y = lowRankForward(about, Float64Array.of(2, 4, 6, 8), a, b, Float64Array.of(1, 1, 3, 4));
    expect([...y.values]).toEqual([141, -27, 3, 4]);
    expect([...y.magnitude.subarray(2)]).toEqual([0, 0]);
  });

  it('are s · x (B A)ᵀ', () => {
    const [rank, inWidth, outWidth, rows] = [3, 5, 4, 6];
    const about = { tasks: new Int32Array(rows), scales: Float64Array.of(0.5), rank, inWidth, outWidth };
    const [x, a, b] = [random.normals(rows * inWidth), random.normals(rank * inWidth), random.normals(outWidth * rank)];
    const change = referenceMatmul.matmulForward(b, a, { batch: 1, m: outWidth, n: inWidth, k: rank }).values;
    const shape = { batch: 1, m: rows, n: outWidth, k: inWidth, transposeB: true };
    const dense = referenceMatmul.matmulForward(x, change, shape).values;
    lowRankForward(about, x, a, b).values.forEach((value, i) => expect(value).toBeCloseTo(0.5 * dense[i]!, 12));
  });

  it('agree with finite differences, of all columns and of some', () => {
    const tasks = Int32Array.of(0, 2, -1, 0, 2);
    const sizes = { tasks, scales: Float64Array.of(2, 1, -0.5), rank: 2, inWidth: 3, outWidth: 5 };
    for (const columns of [undefined, { start: 1, count: 3 }]) {
      const about = { ...sizes, ...(columns ? { columns } : {}) };
      checkVjp(
        {
          name: `low rank${columns ? ', some columns' : ''}`,
          forward: ([x, a, b, base]) => [lowRankForward(about, x!, a!, b!, base!).values],
          vjp: ([x, a, b], [dy]) => {
            const d = lowRankVjp(about, x!, a!, b!, dy!);
            return [d.x.values, d.a.values, d.b.values, dy!];
          },
        },
        [
          random.normals(5 * 3),
          random.normals(3 * 2 * 3),
          random.normals(3 * 5 * 2),
          random.normals(5 * (columns?.count ?? 5)),
        ],
      );
    }
  });
});

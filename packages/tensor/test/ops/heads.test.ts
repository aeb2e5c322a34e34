// Projections into and out of single heads, against the plain product of the whole weights in float64.
import { describe, expect, it } from 'vitest';
import { expectClose, referenceMatmul, referenceRandom, testGpu, type Reference } from '@limn/testing';
import { fromData, headProject, headPullback, headResults, readFloats } from '../../src/index.js';
import { checkOp } from '../check-op.js';

const random = referenceRandom(17);
const rows = [2, 5] as const;
const count = 10;

/** Columns [from, from + width) of a [rows, columns] matrix. */
function columnsOf(matrix: Float64Array, columns: number, from: number, width: number): Float64Array {
  return Float64Array.from({ length: (matrix.length / columns) * width }, (_, i) => {
    return matrix[Math.floor(i / width) * columns + from + (i % width)]!;
  });
}

/** Puts columns back: the inverse of columnsOf, adding. */
function addColumns(into: Reference, part: Reference, columns: number, from: number, width: number): void {
  for (let i = 0; i < part.values.length; i++) {
    const at = Math.floor(i / width) * columns + from + (i % width);
    into.values[at]! += part.values[i]!;
    into.magnitude[at]! += part.magnitude[i]!;
  }
}

const zeros = (length: number): Reference => ({
  values: new Float64Array(length),
  magnitude: new Float64Array(length),
});

describe('headProject', () => {
  for (const shared of [true, false])
    for (const heads of [
      [0, 1, 2],
      [2, 0],
    ])
      it(`${shared ? 'one input' : 'an input per head'}, heads ${heads.join(' ')}`, async () => {
        const [channels, headWidth, offset] = [12, 4, 12];
        const columns = 36;
        const h = heads.length;
        const x = random.normals(count * (shared ? 1 : h) * channels);
        const weights = random.normals(channels * columns);
        const bias = random.normals(columns);
        const shape = { batch: 1, m: count, n: headWidth, k: channels };
        const inputOf = (i: number) => (shared ? x : columnsOf(x, h * channels, i * channels, channels));
        const placeOf = (head: number) => offset + head * headWidth;
        const weightsOf = (head: number) => columnsOf(weights, columns, placeOf(head), headWidth);
        const expected = zeros(count * h * headWidth);
        heads.forEach((head, i) => {
          const epilogue = { bias: bias.subarray(placeOf(head), placeOf(head) + headWidth) };
          const part = referenceMatmul.matmulForward(inputOf(i), weightsOf(head), shape, epilogue);
          addColumns(expected, part, h * headWidth, i * headWidth, headWidth);
        });
        const lead = shared ? [...rows] : [...rows, h];
        await checkOp({
          kernel: 'headProject',
          case: `${shared ? 'shared' : 'per head'}, heads ${heads.join(' ')}`,
          inputs: [
            { shape: [...lead, channels], values: x },
            { shape: [channels, columns], values: weights },
            { shape: [columns], values: bias },
          ],
          run: (step, [t, w, b]) => headProject(step, t!, w!, b!, { headWidth, heads, offset }),
          expected,
          n: channels,
          vjp: (seed) => {
            const dx = zeros(x.length);
            const dw = zeros(weights.length);
            const db = zeros(bias.length);
            heads.forEach((head, i) => {
              const part = columnsOf(seed, h * headWidth, i * headWidth, headWidth);
              const d = referenceMatmul.matmulVjp(inputOf(i), weightsOf(head), shape, {}, part);
              if (shared) addColumns(dx, d.a, channels, 0, channels);
              else addColumns(dx, d.a, h * channels, i * channels, channels);
              addColumns(dw, d.b, columns, placeOf(head), headWidth);
              addColumns(db, d.bias, columns, placeOf(head), headWidth);
            });
            return [dx, dw, db];
          },
          vjpN: [headWidth * h, count, count],
          masks: true,
        });
      });

  it('pulls a gradient back to every head by itself', async () => {
    const gpu = await testGpu();
    const [channels, headWidth, heads] = [12, 4, 3];
    const d = random.normals(count * heads * headWidth);
    const weights = random.normals(channels * 36);
    using step = gpu.step();
    const out = headPullback(
      step,
      fromData(step, Float32Array.from(d), [...rows, heads, headWidth]),
      fromData(step, Float32Array.from(weights), [channels, 36]),
      { headWidth, offset: 24 },
    );
    expect(out.shape).toEqual([...rows, heads, channels]);
    const expected = zeros(out.size);
    for (let head = 0; head < heads; head++) {
      const part = columnsOf(d, heads * headWidth, head * headWidth, headWidth);
      const w = columnsOf(weights, 36, 24 + head * headWidth, headWidth);
      const shape = { batch: 1, m: count, n: channels, k: headWidth, transposeB: true };
      addColumns(expected, referenceMatmul.matmulForward(part, w, shape), heads * channels, head * channels, channels);
    }
    expectClose(await readFloats(step, out), expected, { kernel: 'headPullback', case: 'three heads', n: headWidth });
  });

  it('refuses a head that the weights do not have', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(24), [1, 2, 12]);
    const w = fromData(step, new Float32Array(432), [12, 36]);
    expect(() => headProject(step, x, w, undefined, { headWidth: 4, heads: [9] })).toThrow(/from 0 to 8/);
  });
});

describe('headResults', () => {
  for (const heads of [[0, 1, 2], [2], [0, 2]])
    it(`heads ${heads.join(' ')}`, async () => {
      const [channels, headWidth] = [12, 4];
      const h = heads.length;
      const z = random.normals(count * h * headWidth);
      const weights = random.normals(channels * channels);
      const shape = { batch: 1, m: count, n: channels, k: headWidth };
      const rowsOf = (head: number) => weights.subarray(head * headWidth * channels, (head + 1) * headWidth * channels);
      const zOf = (i: number) => columnsOf(z, h * headWidth, i * headWidth, headWidth);
      const expected = zeros(count * h * channels);
      heads.forEach((head, i) =>
        addColumns(
          expected,
          referenceMatmul.matmulForward(zOf(i), rowsOf(head), shape),
          h * channels,
          i * channels,
          channels,
        ),
      );
      await checkOp({
        kernel: 'headResults',
        case: `heads ${heads.join(' ')}`,
        inputs: [
          { shape: [...rows, h, headWidth], values: z },
          { shape: [channels, channels], values: weights },
        ],
        run: (step, [t, w]) => headResults(step, t!, w!, { heads }),
        expected,
        n: headWidth,
        vjp: (seed) => {
          const dz = zeros(z.length);
          const dw = zeros(weights.length);
          heads.forEach((head, i) => {
            const part = columnsOf(seed, h * channels, i * channels, channels);
            const d = referenceMatmul.matmulVjp(zOf(i), rowsOf(head), shape, {}, part);
            addColumns(dz, d.a, h * headWidth, i * headWidth, headWidth);
            d.b.values.forEach((value, at) => {
              dw.values[head * headWidth * channels + at]! += value;
              dw.magnitude[head * headWidth * channels + at]! += d.b.magnitude[at]!;
            });
          });
          return [dz, dw];
        },
        vjpN: [channels, count],
        masks: true,
      });
    });
});

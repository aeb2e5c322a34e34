// cellScale and cellAdd against float64: units, forms, rows without a cell, cells without a row; untouched rows keep their bits.
import { describe, expect, it } from 'vitest';
import { referenceCells, referenceRandom, testGpu } from '@limn/testing';
import { cellAdd, cellRows, cellScale, fromData, readFloats, type ScaleForm, type Tensor } from '../../src/index.js';
import { checkOp } from '../check-op.js';

const random = referenceRandom(72);

/** Every third row is left alone, and cell 1 has no row where there are more than two. */
const cellsOf = (rows: number, count: number): Int32Array =>
  Int32Array.from({ length: rows }, (_, r) => {
    if (r % 3 === 2) return -1;
    const cell = (r * 7) % count;
    return count > 2 && cell === 1 ? 0 : cell;
  });

const sizes = [
  { rows: 1, count: 1, units: 1, width: 1 },
  { rows: 7, count: 3, units: 1, width: 65 },
  { rows: 64, count: 5, units: 4, width: 16 },
  { rows: 13, count: 2, units: 131, width: 1 },
  { rows: 65, count: 18, units: 3, width: 31 },
] as const;

describe.each<ScaleForm>(['linear', 'exponential', 'bounded'])('cellScale, %s', (form) => {
  it.each(sizes)('$rows rows of $units × $width, $count cells', async ({ rows, count, units, width }) => {
    const cells = cellsOf(rows, count);
    const strength = Float64Array.from({ length: rows }, (_, r) => (r % 2 === 0 ? 1 : -1.5));
    const [x, table] = [random.normals(rows * units * width), random.normals(count * units)];
    const about = { x, table, units, cells, strength, form, bound: 2 };
    for (const workgroup of [undefined, 8, 256])
      await checkOp({
        kernel: 'cell_scale',
        case: `${form}, ${rows} × ${units} × ${width}, ${count} cells`,
        inputs: [
          { shape: [rows, units, width], values: x },
          { shape: [count, units], values: table },
        ],
        run: (step, [activations, values]) =>
          cellScale(
            step,
            activations as Tensor,
            values as Tensor,
            cellRows(step, cells, Float32Array.from(strength), count),
            { form, bound: 2 },
          ),
        expected: referenceCells.cellScaleForward(about),
        n: 1,
        vjp: (seed) => {
          const { x: dx, table: dTable } = referenceCells.cellScaleVjp(about, seed);
          return [dx, dTable];
        },
        vjpN: [1, rows * width],
        masks: true,
        ...(workgroup === undefined ? {} : { workgroup }),
      });
  });
});

describe('cellAdd', () => {
  it.each(sizes)('$rows rows of $units × $width, $count cells', async ({ rows, count, units, width }) => {
    const cells = cellsOf(rows, count);
    const strength = Float64Array.from({ length: rows }, (_, r) => (r % 2 === 0 ? 1 : -1.5));
    const [x, table] = [random.normals(rows * units * width), random.normals(count * units * width)];
    const about = { x, table, units: units * width, cells, strength, form: 'linear' as const, bound: 1 };
    for (const workgroup of [undefined, 8, 256])
      await checkOp({
        kernel: 'cell_add',
        case: `${rows} × ${units * width}, ${count} cells`,
        inputs: [
          { shape: [rows, units, width], values: x },
          { shape: [count, units * width], values: table },
        ],
        run: (step, [activations, values]) =>
          cellAdd(
            step,
            activations as Tensor,
            values as Tensor,
            cellRows(step, cells, Float32Array.from(strength), count),
          ),
        expected: referenceCells.cellAddForward(about),
        n: 1,
        vjp: (seed) => [{ values: seed, magnitude: seed.map(() => 0) }, referenceCells.cellAddVjp(about, seed)],
        vjpN: [1, rows],
        masks: true,
        ...(workgroup === undefined ? {} : { workgroup }),
      });
  });
});

describe('rows without an effect', () => {
  it('keep their bits: those without a cell, those at strength 0, and those whose value is 0', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const values = Float32Array.from([1.1, -0, Number.NaN, 3e38, 1e-40, Number.POSITIVE_INFINITY]);
    const x = fromData(step, values, [3, 2]);
    const alone = cellRows(step, Int32Array.of(-1, -1, -1), new Float32Array(3).fill(Number.NaN), 1);
    const idle = cellRows(step, Int32Array.of(0, 0, 1), Float32Array.of(0, 1, 1), 2);
    const finite = fromData(step, Float32Array.of(1.1, -2.3, 3e38, 0.7, -1e-5, 5), [3, 2]);
    const table = fromData(step, Float32Array.of(0, 0), [2, 1]);
    const vectors = fromData(step, new Float32Array(4), [2, 2]);
    const [a, b, c, d, e] = await Promise.all(
      [
        cellScale(step, x, fromData(step, [7], [1, 1]), alone),
        cellAdd(step, x, fromData(step, [7, 7], [1, 2]), alone),
        cellScale(step, finite, table, idle),
        cellAdd(step, finite, vectors, idle),
        finite,
      ].map((tensor) => readFloats(step, tensor)),
    );
    const bits = (floats: Float32Array | undefined) => [
      ...new Uint32Array(floats!.buffer, floats!.byteOffset, floats!.length),
    ];
    expect(bits(a)).toEqual(bits(values));
    expect(bits(b)).toEqual(bits(values));
    expect(bits(c)).toEqual(bits(e));
    expect(bits(d)).toEqual(bits(e));
  });

  it('refuses tables and lists that do not fit', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(12), [3, 4]);
    const rows = cellRows(step, Int32Array.of(0, 1, -1), new Float32Array(3), 2);
    const table = (shape: number[]) => fromData(step, new Float32Array(shape[0]! * shape[1]!), shape);
    expect(() => cellScale(step, x, table([3, 1]), rows)).toThrow(/does not fit/);
    expect(() => cellScale(step, x, table([2, 3]), rows)).toThrow(/units divide/);
    expect(() => cellAdd(step, x, table([2, 2]), rows)).toThrow(/elements of a row/);
    expect(() => cellRows(step, Int32Array.of(2), new Float32Array(1), 2)).toThrow(/no cell 2 among 2/);
    expect(() => cellRows(step, Int32Array.of(0), new Float32Array(2), 1)).toThrow(/one of each per row/i);
  });
});

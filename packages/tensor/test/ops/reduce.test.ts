// sum, mean, max and dot over axis sets, long axes in several passes, both reduction variants, against float64.
import { describe, expect, it } from 'vitest';
import { expectClose, referenceRandom, referenceReduce, testGpu, withCanaries } from '@limn/testing';
import { dot, expand, fromData, max, mean, read, sum, sumAll } from '../../src/index.js';
import { checkOp, reduceVariants } from '../check-op.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(23);
const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

async function checkSum(shape: readonly number[], axes: readonly number[], workgroup = 64, op: 'sum' | 'mean' = 'sum') {
  const x = random.normals(count(shape));
  const n = count(axes.map((axis) => shape[axis]!));
  const alpha = op === 'mean' ? 1 / n : 1;
  // Only sums over the last axis run by rows, with workgroup reductions.
  for (const variant of axes.includes(shape.length - 1) ? await reduceVariants() : [{}])
    await checkOp({
      kernel: op,
      case: `[${shape}] over ${axes.join()}, WG ${workgroup}`,
      inputs: [{ shape, values: x }],
      run: (step, [input]) => (op === 'mean' ? mean : sum)(withWorkgroup(step, workgroup), input!, { axes }),
      expected: referenceReduce.sumForward(x, shape, axes, alpha),
      n,
      vjp: (seed) => [referenceReduce.sumVjp(shape, axes, seed, alpha)],
      vjpN: [1],
      variant,
    });
}

describe('sum and mean', () => {
  it('rows and columns around every workgroup', async () => {
    for (const workgroup of WORKGROUPS)
      for (const size of around(workgroup)) {
        await checkSum([3, size], [1], workgroup);
        await checkSum([size, 3], [0], workgroup);
      }
  });

  it('axis sets', async () => {
    for (const axes of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2], []]) {
      if (axes.length > 0) await checkSum([5, 37, 6], axes);
    }
    await checkSum([2, 3, 2, 3, 2], [0, 2, 4]);
    await checkSum([4, 33, 12], [1], 64, 'mean');
    await checkSum([2, 16, 768], [0, 1], 64, 'mean');
  });

  it('long axes take several passes', async () => {
    await checkSum([2, 4099], [1]);
    await checkSum([4096 * 2 + 1], [0]);
    await checkSum([70_000], [0]);
    await checkSum([65_537, 2], [0]);
  });

  it('keeps axes, counts negative axes from the back, and sums everything', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3, 4, 5, 6], [2, 3]);
    expect(sum(step, x, { axes: -1, keepAxes: true }).shape).toEqual([2, 1]);
    expect(sum(step, x, { axes: [0, 1], keepAxes: true }).shape).toEqual([1, 1]);
    expect(sum(step, x, { axes: 1 }).shape).toEqual([2]);
    expect(sum(step, x, { axes: [] })).toBe(x);
    expect(() => sum(step, x, { axes: 2 })).toThrow(/axis 2 does not exist in shape \[2, 3\]/);
    expect([...(await read(step, sumAll(step, x)))]).toEqual([21]);
  });
});

describe('max', () => {
  it('is exact over any axes', async () => {
    const gpu = await testGpu();
    for (const variant of await reduceVariants())
      for (const [shape, axes] of [
        [[3, 65], [1]],
        [[65, 3], [0]],
        [
          [4, 5, 6],
          [0, 2],
        ],
        [[2, 9001], [1]],
        [[1], [0]],
      ] as const) {
        using step = gpu.step();
        const canaries = withCanaries(step, variant);
        const values = random.normals(count(shape)).map((v) => Math.fround(v - 4));
        const [y] = await canaries.read([max(step, fromData(step, Float32Array.from(values), shape), { axes })]);
        const expected = referenceReduce.maxForward(values, shape, axes);
        const about = { kernel: 'max', variant: variant.reduce ?? '', case: `[${shape}] over ${axes}`, n: 1 };
        expectClose(y!, { values: expected, magnitude: new Float64Array(expected.length) }, about);
      }
  });
});

describe('dot', () => {
  it('rows around every workgroup, long rows, every mask', async () => {
    const check = async (rows: number, width: number, workgroup = 64) => {
      const a = random.normals(rows * width);
      const b = random.normals(rows * width);
      for (const variant of await reduceVariants())
        await checkOp({
          kernel: 'dot',
          case: `${rows}×${width}, WG ${workgroup}`,
          inputs: [
            { shape: [rows, width], values: a },
            { shape: [rows, width], values: b },
          ],
          run: (step, [left, right]) => dot(withWorkgroup(step, workgroup), left!, right!, { axes: 1 }),
          expected: referenceReduce.dotForward(a, b, width),
          n: width,
          vjp: (seed) => [referenceReduce.dotVjp(b, width, seed), referenceReduce.dotVjp(a, width, seed)],
          vjpN: [1, 1],
          masks: width === 33,
          variant,
        });
    };
    for (const workgroup of WORKGROUPS) for (const size of around(workgroup)) await check(3, size, workgroup);
    await check(5, 33);
    await check(2, 9001);
    await check(16, 768);
  });

  it('over leading axes', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3, 4, 5, 6], [2, 3]);
    expect([...(await read(step, dot(step, x, x, { axes: 0 })))]).toEqual([17, 29, 45]);
  });
});

describe('expand', () => {
  it('repeats along new and unit axes, and sums back', async () => {
    const cases: [number[], number[]][] = [
      [[3], [4, 3]],
      [
        [5, 1],
        [5, 70],
      ],
      [
        [2, 1, 3, 1],
        [2, 4, 3, 5],
      ],
      [
        [2, 1, 3, 1, 2],
        [2, 4, 3, 5, 2],
      ],
      [[1], [129]],
    ];
    for (const [from, to] of cases) {
      const x = random.normals(count(from));
      // Repeating is the gradient of summing.
      const padded = [...to.map(() => 1).slice(from.length), ...from];
      const axes = to.map((_, axis) => axis).filter((axis) => padded[axis] === 1 && to[axis] !== 1);
      const repeated = referenceReduce.sumVjp(to, axes, x);
      await checkOp({
        kernel: 'expand',
        case: `[${from}] to [${to}]`,
        inputs: [{ shape: from, values: x }],
        run: (step, [input]) => expand(step, input!, to),
        expected: { values: repeated.values, magnitude: new Float64Array(repeated.values.length) },
        n: 1,
        vjp: (seed) => [referenceReduce.sumForward(seed, to, axes)],
        vjpN: [count(to) / count(from)],
      });
    }
  });
});

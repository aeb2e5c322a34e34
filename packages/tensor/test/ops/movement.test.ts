// slice, split, concat, stack, permute and selectRows move elements exactly, and their gradients move them back.
import { describe, expect, it } from 'vitest';
import { referenceMovement, referenceRandom, testGpu } from '@limn/testing';
import {
  add,
  concat,
  fromData,
  gradients,
  permute,
  read,
  selectRows,
  slice,
  split,
  stack,
  sumAll,
  type Tensor,
} from '../../src/index.js';
import { checkOp } from '../check-op.js';
import { withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(24);
const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
/** Values that must come out bit for bit. */
const exact = (values: Float64Array) => ({ values, magnitude: new Float64Array(values.length) });

async function checkMoved(
  kernel: string,
  shape: readonly number[],
  sources: Int32Array,
  run: (step: Parameters<typeof slice>[0], x: Tensor) => Tensor,
  what: string,
  workgroup = 64,
): Promise<void> {
  const x = random.normals(count(shape));
  await checkOp({
    kernel,
    case: `[${shape}] ${what}, WG ${workgroup}`,
    inputs: [{ shape, values: x }],
    run: (step, [input]) => run(withWorkgroup(step, workgroup), input!),
    expected: exact(referenceMovement.moveForward(x, sources)),
    n: 1,
    vjp: (seed) => [exact(referenceMovement.moveVjp(x.length, sources, seed))],
  });
}

describe('slice', () => {
  it('along every axis', async () => {
    const cases: [number[], number, number, number][] = [
      [[1], 0, 0, 1],
      [[67], 0, 3, 64],
      [[5, 13], 0, 1, 3],
      [[5, 13], 1, 12, 1],
      [[3, 65, 7], 1, 1, 63],
      [[2, 3, 4, 5], 2, 1, 2],
      [[16, 2304], 1, 768, 768],
    ];
    for (const [shape, axis, start, length] of cases)
      for (const workgroup of WORKGROUPS)
        await checkMoved(
          'slice',
          shape,
          referenceMovement.sliceSources(shape, axis, start, length),
          (step, x) => slice(step, x, axis, start, length),
          `axis ${axis} [${start}, +${length}]`,
          workgroup,
        );
  });

  it('refuses what lies outside', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(6), [2, 3]);
    expect(() => slice(step, x, 1, 2, 2)).toThrow(/\[2, 4\) does not lie in axis 1 of \[2, 3\]/);
    expect(() => split(step, x, 1, [1, 1])).toThrow(/do not add up/);
    expect(() => concat(step, [x, fromData(step, new Float32Array(4), [2, 2])], 0)).toThrow(/differ outside axis 0/);
    expect(() => permute(step, x, [0, 0])).toThrow(/name each axis/);
  });
});

describe('permute', () => {
  it('every order up to rank 6', async () => {
    const cases: [number[], number[]][] = [
      [[7], [0]],
      [
        [5, 9],
        [1, 0],
      ],
      [
        [65, 33],
        [1, 0],
      ],
      [
        [2, 3, 5],
        [2, 0, 1],
      ],
      [
        [2, 3, 5],
        [1, 2, 0],
      ],
      [
        [2, 3, 5],
        [0, 2, 1],
      ],
      [
        [2, 7, 3, 5],
        [0, 2, 1, 3],
      ],
      [
        [2, 3, 2, 3, 2],
        [4, 2, 0, 3, 1],
      ],
      [
        [2, 3, 2, 3, 2, 2],
        [5, 3, 1, 4, 2, 0],
      ],
      // Seven axes, of which neighbours stay together.
      [
        [2, 2, 2, 2, 2, 2, 3],
        [6, 0, 1, 4, 5, 2, 3],
      ],
      [
        [2, 16, 12, 64],
        [0, 2, 1, 3],
      ],
    ];
    for (const [shape, order] of cases)
      await checkMoved(
        'permute',
        shape,
        referenceMovement.permuteSources(shape, order),
        (step, x) => permute(step, x, order),
        `order ${order}`,
      );
  });
});

describe('concat', () => {
  it('along every axis, with every mask', async () => {
    const cases: [number[][], number][] = [
      [[[3], [1], [66]], 0],
      [
        [
          [2, 3],
          [2, 5],
        ],
        1,
      ],
      [
        [
          [4, 3],
          [1, 3],
          [65, 3],
        ],
        0,
      ],
      [
        [
          [2, 3, 4],
          [2, 1, 4],
        ],
        1,
      ],
    ];
    for (const [shapes, axis] of cases) {
      const parts = shapes.map((shape) => ({ shape, values: random.normals(count(shape)) }));
      const joined = referenceMovement.concatForward(parts, axis);
      await checkOp({
        kernel: 'concat',
        case: shapes.map((shape) => `[${shape}]`).join(' '),
        inputs: parts,
        run: (step, tensors) => concat(step, tensors, axis),
        expected: exact(joined),
        n: 1,
        vjp: (seed) => {
          const total = shapes.reduce((sum, shape) => sum + shape[axis]!, 0);
          const whole = shapes[0]!.map((length, place) => (place === axis ? total : length));
          let start = 0;
          return shapes.map((shape) => {
            const sources = referenceMovement.sliceSources(whole, axis, start, shape[axis]!);
            start += shape[axis]!;
            return exact(referenceMovement.moveForward(seed, sources));
          });
        },
        masks: true,
      });
    }
  });

  it('stack adds a leading axis, and u32 passes through', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const a = fromData(step, Uint32Array.of(1, 4_294_967_295), [2]);
    const b = fromData(step, Uint32Array.of(3, 4), [2]);
    const y = stack(step, [a, b]);
    expect(y.shape).toEqual([2, 2]);
    expect([...(await read(step, y))]).toEqual([1, 4_294_967_295, 3, 4]);
  });
});

describe('split', () => {
  it('gives parts, and joins their gradients even where one is missing', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3, 4, 5, 6, 7, 8], [2, 4]);
    const [left, middle, right] = split(step, x, 1, [1, 2, 1]) as readonly [Tensor, Tensor, Tensor];
    const root = add(step, sumAll(step, left), sumAll(step, right));
    const [dx] = gradients(step, root, 'ones', [x]);
    const values = await Promise.all([read(step, middle), read(step, dx!)]);
    expect([...values[0]]).toEqual([2, 3, 6, 7]);
    expect([...values[1]]).toEqual([1, 0, 0, 1, 1, 0, 0, 1]);
  });
});

describe('three parts by fours', () => {
  it('are cut and joined in one dispatch each, whatever their lengths', async () => {
    const cases: [number[], number, [number, number, number]][] = [
      [[1, 12], 1, [4, 4, 4]],
      [[5, 24], 1, [4, 12, 8]],
      [[67, 20], 1, [8, 8, 4]],
      [[3, 7, 8], 1, [1, 4, 2]],
      [[9, 4], 0, [2, 6, 1]],
      [[2, 17, 192], 2, [64, 64, 64]],
    ];
    for (const [shape, axis, lengths] of cases)
      for (const workgroup of WORKGROUPS)
        for (const part of [0, 1, 2]) {
          const start = lengths.slice(0, part).reduce((sum, length) => sum + length, 0);
          const sources = referenceMovement.sliceSources(shape, axis, start, lengths[part]!);
          await checkMoved(
            'split_three',
            shape,
            sources,
            (step, x) => split(step, x, axis, lengths)[part]!,
            `part ${part} of ${lengths} along ${axis}`,
            workgroup,
          );
        }
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, Float32Array.from(random.normals(48)), [2, 24]);
    const parts = split(step, x, 1, [8, 4, 12]);
    expect(step.plan().dispatches).toBe(1);
    const whole = concat(step, parts, 1);
    expect(step.plan().dispatches).toBe(2);
    const [before, after] = await Promise.all([read(step, x), read(step, whole)]);
    expect([...after]).toEqual([...before]);
  });
});

describe('selectRows', () => {
  it('takes rows by mask, and sends gradients to the chosen side', async () => {
    for (const [outer, inner] of [
      [1, 1],
      [5, 13],
      [64, 3],
      [32, 768],
    ] as const) {
      const mask = random.integers(outer, 2);
      const a = random.normals(outer * inner);
      const b = random.normals(outer * inner);
      const chosen = (at: number) => mask[Math.floor(at / inner)] !== 0;
      await checkOp({
        kernel: 'selectRows',
        case: `${outer}×${inner}`,
        inputs: [
          { shape: [outer], values: mask },
          { shape: [outer, inner], values: a },
          { shape: [outer, inner], values: b },
        ],
        run: (step, [m, left, right]) => selectRows(step, m!, left!, right!),
        expected: exact(a.map((value, at) => (chosen(at) ? value : b[at]!))),
        n: 1,
        vjp: (seed) => [
          undefined,
          exact(seed.map((value, at) => (chosen(at) ? value : 0))),
          exact(seed.map((value, at) => (chosen(at) ? 0 : value))),
        ],
        masks: true,
      });
    }
  });

  it('refuses a mask whose axes are not the leading ones, though it may have as many elements', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const a = fromData(step, new Float32Array(24), [2, 6, 2]);
    const mask = fromData(step, new Uint32Array(12), [3, 4]);
    expect(() => selectRows(step, mask, a, a)).toThrow(
      expect.objectContaining({ code: 'tensor/shape', details: expect.objectContaining({ expected: [2, 6] }) }),
    );
  });
});

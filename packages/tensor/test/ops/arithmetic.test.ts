// add, sub, mul, div, scale with every kind of broadcasting, forward and backward, against float64.
import { describe, expect, it } from 'vitest';
import { expectSameBits, referenceArithmetic, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  accumulate,
  add,
  addScaled,
  assign,
  div,
  fill,
  fromData,
  gradients,
  mul,
  neg,
  persistent,
  read,
  scale,
  sub,
  zero,
  type Tensor,
} from '../../src/index.js';
import { checkOp } from '../check-op.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(21);
const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

type Kind = 'add' | 'sub' | 'addScaled' | 'mul' | 'div';
const ops = {
  add: { run: add, reference: { kind: 'add', alpha: 1 } },
  sub: { run: sub, reference: { kind: 'add', alpha: -1 } },
  addScaled: { run: (step, a, b) => addScaled(step, a, b, 0.375), reference: { kind: 'add', alpha: 0.375 } },
  mul: { run: mul, reference: { kind: 'mul' } },
  div: { run: div, reference: { kind: 'div' } },
} as const satisfies Record<Kind, { run: typeof add; reference: referenceArithmetic.Arithmetic }>;

async function check(kind: Kind, aShape: readonly number[], bShape: readonly number[], workgroup = 64, masks = false) {
  const { run, reference } = ops[kind];
  const a = { shape: aShape, values: random.normals(count(aShape)) };
  // Divisors stay away from zero.
  const b = {
    shape: bShape,
    values: random.normals(count(bShape)).map((value) => Math.fround(value + Math.sign(value))),
  };
  const expected = referenceArithmetic.arithmeticForward(reference, a, b);
  const repeats = (shape: readonly number[]) => Math.max(1, expected.values.length / count(shape));
  await checkOp({
    kernel: kind,
    case: `[${aShape}] with [${bShape}], WG ${workgroup}`,
    inputs: [a, b],
    run: (step, [left, right]) => run(withWorkgroup(step, workgroup), left!, right!),
    expected,
    n: 1,
    vjp: (seed) => {
      const d = referenceArithmetic.arithmeticVjp(reference, a, b, seed);
      return [d.a, d.b];
    },
    // One more rounding than the longest sum: the product is rounded before it is summed.
    vjpN: [1 + repeats(aShape), 1 + repeats(bShape)],
    masks,
  });
}

describe('arithmetic', () => {
  for (const kind of Object.keys(ops) as Kind[])
    it(`${kind}: sizes around every workgroup`, async () => {
      for (const workgroup of WORKGROUPS)
        for (const size of around(workgroup)) await check(kind, [size], [size], workgroup);
      await check(kind, [7, 768], [7, 768], 64, true);
    });

  const broadcasts: [number[], number[]][] = [
    [[5, 7], [7]],
    [[65, 33], [33]],
    [
      [5, 7],
      [5, 1],
    ],
    [[300, 3], [1]],
    [
      [2, 3, 5],
      [2, 1, 5],
    ],
    [
      [2, 3, 5],
      [1, 3, 1],
    ],
    [
      [2, 3, 4, 5],
      [2, 3, 1, 1],
    ],
    [
      [3, 1],
      [1, 4],
    ],
    [
      [1, 3],
      [5, 3],
    ],
    [[2, 16, 768], [768]],
  ];
  for (const kind of ['addScaled', 'mul', 'div'] as const)
    it(`${kind}: broadcasting and the sums that undo it`, async () => {
      for (const [a, b] of broadcasts) await check(kind, a, b, 64, true);
    });

  it('scale by a number and by a tensor', async () => {
    const x = random.normals(131);
    const times = (factor: number) => ({
      values: x.map((v) => v * factor),
      magnitude: x.map((v) => Math.abs(v * factor)),
    });
    await checkOp({
      kernel: 'scale',
      case: '131 times 1.7',
      inputs: [{ shape: [131], values: x }],
      run: (step, [input]) => scale(step, input!, 1.7),
      expected: times(1.7),
      n: 1,
      vjp: (seed) => [{ values: seed.map((v) => v * 1.7), magnitude: seed.map((v) => Math.abs(v * 1.7)) }],
    });
    const factor = Float64Array.of(-0.5);
    const b = { values: factor, shape: [1] };
    const a = { values: x, shape: [131] };
    await checkOp({
      kernel: 'scale',
      case: '131 times a tensor',
      inputs: [a, b],
      run: (step, [input, by]) => scale(step, input!, by!),
      expected: times(-0.5),
      n: 1,
      vjp: (seed) => {
        const d = referenceArithmetic.arithmeticVjp({ kind: 'mul' }, a, b, seed);
        return [d.a, d.b];
      },
      vjpN: [1, 132],
      masks: true,
    });
  });

  it('gives the same bits by vec4s as number by number', async () => {
    const gpu = await testGpu();
    const kernels = new Set<string>();
    for (const size of [4, 252, 256, 260, 1028]) {
      const values = [random.normals(size + 1), random.normals(size + 1)].map((each) => Float32Array.from(each));
      const [fours, odd] = await Promise.all(
        [size, size + 1].map(async (length) => {
          using step = gpu.step();
          const canaries = withCanaries(step);
          const [a, b] = values.map((each) => fromData(step, each.subarray(0, length), [length])) as [Tensor, Tensor];
          const into = persistent(gpu, [length], values[1]!.subarray(0, length));
          accumulate(step, into, a, { alpha: 0.375, beta: 0.9 });
          const copy = persistent(gpu, [length]);
          zero(step, copy);
          assign(step, copy, a);
          const all = await canaries.read([
            addScaled(step, a, b, 0.375),
            mul(step, a, b),
            scale(step, a, 1.7),
            into,
            copy,
            fill(step, [length], 2.5),
          ]);
          copy.dispose();
          for (const name of canaries.kernels) kernels.add(name);
          into.dispose();
          return all;
        }),
      );
      expect(fours![4]).toEqual(values[0]!.slice(0, size));
      expect(fours![5]!.every((value) => value === 2.5)).toBe(true);
      for (const [i, result] of fours!.entries())
        expectSameBits(result, odd![i]!.slice(0, size), `elementwise ${size}, ${i}`);
    }
    const names = ['accumulate', 'add_scaled', 'assign', 'fill', 'multiply', 'scale'];
    expect([...kernels].sort()).toEqual(names.flatMap((name) => [name, `${name}4`]).sort());
  });

  it('runs past 65,535 workgroups in two dimensions', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const size = 65_536 * 32 + 5;
    const x = fromData(
      step,
      new Float32Array(size).map((_, i) => i % 1021),
      [size],
    );
    const values = await read(step, neg(withWorkgroup(step, 32), x));
    expect(values.every((value, i) => value === -(i % 1021))).toBe(true);
  });

  it('a repeated input gets both contributions', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [3, -2], [2]);
    const [dx] = gradients(step, mul(step, x, x), 'ones', [x]);
    expect(Array.from(await read(step, dx as Tensor))).toEqual([6, -4]);
  });

  it('refuses shapes that do not combine, naming both', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const tensor = (shape: number[]) => fromData(step, new Float32Array(count(shape)), shape);
    const refusals: [number[], number[], RegExp][] = [
      [[2, 3], [2], /disagree along axis 1: 3 and 2/],
      [[3], [3, 1], /higher rank repeat/],
      [[2, 3, 2, 3, 2], [2, 1, 2, 1, 2], /more than three/],
    ];
    for (const [a, b, message] of refusals) {
      expect(() => add(step, tensor(a), tensor(b))).toThrow(message);
      expect(() => add(step, tensor(a), tensor(b))).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
    }
    const ids = fromData(step, Uint32Array.of(1, 2), [2]);
    expect(() => add(step, ids, ids)).toThrow(expect.objectContaining({ code: 'tensor/dtype' }));
  });
});

// logSoftmax, logSumExp, crossEntropy and klDivergence on every reduction variant, against float64.
import { describe, expect, it } from 'vitest';
import {
  expectClose,
  expectSameBits,
  referenceAttention,
  referenceRandom,
  referenceSoftmaxLosses as reference,
  testGpu,
  withCanaries,
  type Reference,
} from '@limn/testing';
import {
  crossEntropy,
  fromData,
  gradients,
  IGNORED_TARGET,
  klDivergence,
  logSoftmax,
  logSumExp,
  readFloats,
  softmax,
  type Tensor,
} from '../../src/index.js';
import { checkOp, reduceVariants, type OpInput } from '../check-op.js';
import { around, withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(25);
type Step = Parameters<typeof logSoftmax>[0];

/** Rows and widths: around every workgroup, primes, and GPT-2's vocabulary. */
const sizes: [rows: number, width: number, workgroup: number][] = [
  ...WORKGROUPS.flatMap((workgroup) =>
    around(workgroup).map((width): [number, number, number] => [3, width, workgroup]),
  ),
  [65, 17, 64],
  [1, 50_257, 64],
  // Software adapters give each of sixteen rows or more a lane of its own, by numbers or by vec4s.
  [16, 1, 8],
  [19, 68, 8],
  [17, 97, 64],
];

async function checkRows(
  kernel: string,
  inputsOf: (rows: number, width: number) => OpInput[],
  run: (step: Step, inputs: readonly Tensor[]) => Tensor,
  expected: (inputs: readonly OpInput[], width: number) => Reference,
  vjp: (inputs: readonly OpInput[], width: number, seed: Float64Array) => (Reference | undefined)[],
): Promise<void> {
  for (const [rows, width, workgroup] of sizes)
    for (const variant of await reduceVariants()) {
      const inputs = inputsOf(rows, width);
      await checkOp({
        kernel,
        case: `${rows}×${width}, WG ${workgroup}`,
        inputs,
        run: (step, tensors) => run(withWorkgroup(step, workgroup), tensors),
        expected: expected(inputs, width),
        n: width,
        vjp: (seed) => vjp(inputs, width, seed),
        variant,
      });
    }
}

const logits = (rows: number, width: number): OpInput => ({
  shape: [rows, width],
  values: random.normals(rows * width, 3),
});
const floats = (input: OpInput | undefined): Float64Array => input!.values as Float64Array;

describe('log-softmax family', () => {
  it('logSoftmax', async () => {
    await checkRows(
      'logSoftmax',
      (rows, width) => [logits(rows, width)],
      (step, [x]) => logSoftmax(step, x!),
      ([x], width) => reference.logSoftmaxForward(floats(x), width),
      ([x], width, seed) => [reference.logSoftmaxVjp(floats(x), width, seed)],
    );
  });

  it.each(['row', 'span', 'lane', 'lane4'] as const)('softmax, kernel %s', async (kernel) => {
    for (const [rows, width] of [
      [3, 20],
      [65, 64],
      [2, 768],
    ] as const) {
      const x = random.normals(rows * width, 3);
      const logs = reference.logSoftmaxForward(x, width);
      const values = logs.values.map(Math.exp);
      await checkOp({
        kernel: 'softmax',
        case: `${kernel} ${rows}×${width}`,
        inputs: [{ shape: [rows, width], values: x }],
        run: (step, [t]) => softmax(step, t!, { kernel }),
        expected: { values, magnitude: values },
        n: width,
        vjp: (seed) => [referenceAttention.causalSoftmaxVjp(values, width, seed)],
        // exp is allowed (3 + 2 |argument|) ULP, and the pattern that enters the gradient has this rounding.
        c: 16,
        vjpC: 32,
      });
    }
  });

  it('softmax, rows held by subgroups', async (context) => {
    const gpu = await testGpu();
    const { subgroups, subgroupMin, subgroupMax } = gpu.capabilities;
    context.skip(!subgroups || subgroupMin !== subgroupMax, 'this adapter has no subgroups of one size');
    // Rows that end within the lanes' last vec4s, and workgroups that end within the rows.
    for (const [rows, width] of [
      [3, 12 * subgroupMin - 4],
      [259, 12 * subgroupMin],
    ] as const) {
      const x = random.normals(rows * width, 3);
      // The first row has what makes it NaN, the second what counts nothing.
      const values = Float32Array.from(x);
      values[width - 1] = -NaN;
      values[width + 1] = -Infinity;
      const sound = x.slice(width).map((value, i) => (i === 1 ? -Infinity : Math.fround(value)));
      const run = async (): Promise<Float32Array> => {
        using step = gpu.step();
        const canaries = withCanaries(step);
        const y = softmax(step, fromData(step, values, [rows, width]), { kernel: 'subgroup' });
        return (await canaries.read([y]))[0] as Float32Array;
      };
      const y = await run();
      expectSameBits(y, await run(), 'softmax');
      expect(y.subarray(0, width).every(Number.isNaN)).toBe(true);
      const expected = reference.logSoftmaxForward(sound, width).values.map(Math.exp);
      const about = { kernel: 'softmax', variant: 'subgroup', case: `${rows}×${width}`, n: width, c: 16 };
      expectClose(y.subarray(width), { values: expected, magnitude: expected }, about);
    }
    using step = gpu.step();
    const odd = fromData(step, [1, 2, 3], [1, 3]);
    expect(() => softmax(step, odd, { kernel: 'subgroup' })).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
  });

  it('logSumExp', async () => {
    await checkRows(
      'logSumExp',
      (rows, width) => [logits(rows, width)],
      (step, [x]) => logSumExp(step, x!),
      ([x], width) => reference.logSumExpForward(floats(x), width),
      ([x], width, seed) => [reference.logSumExpVjp(floats(x), width, seed)],
    );
  });

  it('large logits neither overflow nor lose the small ones; softmax sums to 1', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1e4, 1e4, -1e4, 0, 3e38, -3e38], [2, 3]);
    const [logs, shares] = await Promise.all([
      readFloats(step, logSoftmax(step, x)),
      readFloats(step, softmax(step, x)),
    ]);
    expect(logs[0]).toBeCloseTo(-Math.LN2, 6);
    expect(logs[2]).toBeCloseTo(-2e4 - Math.LN2, 2);
    const rounded = Array.from(shares, (share) => Math.round(share * 1e6) / 1e6);
    expect(rounded).toEqual([0.5, 0.5, 0, 0, 1, 0]);
  });
});

describe('rows read once', () => {
  const widths = [67, 132];
  /** Fewer rows than give every lane one, and more: [name of the case, rows]. */
  const counts = [
    ['a workgroup a row', 7],
    ['a lane a row on software adapters', 18],
  ] as const;

  it.each(counts)('a maximum that grows with every number, and tiny steps: %s', async (_, rows) => {
    for (const [width, slopes] of [
      [67, [30]],
      [132, [0.25]],
      [1027, [1e-3, 30]],
    ] as const)
      for (const slope of slopes) {
        const x = Float64Array.from({ length: rows * width }, (_, i) => Math.fround(slope * (i % width) - i / width));
        const logp = reference.logSoftmaxForward(random.normals(rows * width, 3), width).values.map(Math.fround);
        const targets = random.integers(rows, width);
        const inputs = [
          { shape: [rows, width], values: x },
          { shape: [rows], values: targets },
          { shape: [rows, width], values: logp, differentiable: false },
        ];
        const about = { case: `${rows}×${width}, slope ${slope}`, inputs, n: width };
        await checkOp({
          ...about,
          kernel: 'crossEntropy',
          run: (step, [t, ids]) => crossEntropy(step, t!, ids!),
          expected: reference.crossEntropyForward(x, width, targets),
          vjp: (seed) => [reference.crossEntropyVjp(x, width, targets, seed)],
        });
        await checkOp({
          ...about,
          kernel: 'logSoftmax',
          run: (step, [t]) => logSoftmax(step, t!),
          expected: reference.logSoftmaxForward(x, width),
        });
        await checkOp({
          ...about,
          kernel: 'klDivergence',
          run: (step, [t, , p]) => klDivergence(step, p!, t!),
          expected: reference.klDivergenceForward(logp, x, width),
          vjp: (seed) => [reference.klDivergenceVjp(logp, x, width, seed)],
        });
      }
  });

  it.each(counts)('NaN, +∞ and rows of −∞ alone are NaN, and no other row: %s', async (_, rows) => {
    const gpu = await testGpu();
    for (const width of widths) {
      const values = Float32Array.from(random.normals(rows * width, 3));
      const words = new Uint32Array(values.buffer);
      words[width - 1] = 0x7fc00000;
      words[width] = 0xffc00001;
      words[2 * width + 20] = 0x7f800000;
      values.fill(-Infinity, 3 * width, 4 * width);
      // What counts nothing.
      values.fill(-Infinity, 4 * width, 4 * width + 30);
      const logp = reference.logSoftmaxForward(random.normals(rows * width), width).values;
      for (let v = 0; v < 30; v++) logp[4 * width + v] = -Infinity;
      using step = gpu.step();
      const canaries = withCanaries(step);
      const x = fromData(step, values, [rows, width]);
      const targets = fromData(step, new Uint32Array(rows).fill(33), [rows]);
      const results = await canaries.read([
        logSumExp(step, x),
        crossEntropy(step, x, targets),
        klDivergence(step, fromData(step, Float32Array.from(logp), [rows, width]), x),
        logSoftmax(step, x),
      ]);
      const spoilt = Array.from({ length: rows }, (_, row) => row < 4);
      for (const [i, got] of results.entries()) {
        const per = got.length / rows;
        const found = spoilt.map((_, row) => got.subarray(row * per, (row + 1) * per).some(Number.isNaN));
        expect(found, `${width}: ${i}`).toEqual(spoilt);
      }
      const software = gpu.capabilities.adapter.isFallback && rows >= 16;
      const own = [...canaries.kernels].filter((name) => !name.includes('select'));
      expect(
        own.every((name) => name.includes('lane') === software),
        own.join(', '),
      ).toBe(true);
    }
  });
});

describe('crossEntropy', () => {
  it('rows of logits', async () => {
    await checkRows(
      'crossEntropy',
      (rows, width) => {
        const targets = random.integers(rows, width);
        // One row of padding, where there is more than one.
        if (rows > 1) targets[1] = IGNORED_TARGET;
        return [logits(rows, width), { shape: [rows], values: targets }];
      },
      (step, [x, targets]) => crossEntropy(step, x!, targets!),
      ([x, targets], width) => reference.crossEntropyForward(floats(x), width, targets!.values),
      ([x, targets], width, seed) => [reference.crossEntropyVjp(floats(x), width, targets!.values, seed), undefined],
    );
  });

  it('weights scale rows and are differentiable themselves', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3, 3, 2, 1], [2, 3]);
    const targets = fromData(step, Uint32Array.of(0, 0), [2]);
    const weights = fromData(step, [2, 0], [2]);
    const plain = crossEntropy(step, x, targets);
    const loss = crossEntropy(step, x, targets, weights);
    const [dx, dw] = gradients(step, loss, 'ones', [x, weights]) as [Tensor, Tensor];
    const [a, b, c, d] = await Promise.all([plain, loss, dx, dw].map((tensor) => readFloats(step, tensor)));
    expect(b![0]).toBe(2 * a![0]!);
    expect(b![1]).toBe(0);
    expect(c!.slice(3).every((slope) => slope === 0)).toBe(true);
    expect([...d!]).toEqual([...a!]);
  });

  it('refuses targets of another length', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(6), [2, 3]);
    expect(() => crossEntropy(step, x, fromData(step, new Uint32Array(3), [3]))).toThrow(
      /targets has shape \[3\], expected \[2\]/,
    );
    expect(() => crossEntropy(step, x, fromData(step, [0, 1], [2]))).toThrow(/targets is f32, expected u32/);
  });
});

describe('klDivergence', () => {
  const log = (rows: number, width: number) =>
    reference.logSoftmaxForward(random.normals(rows * width, 3), width).values.map(Math.fround);

  it('rows of logits against log-probabilities', async () => {
    await checkRows(
      'klDivergence',
      (rows, width) => [{ shape: [rows, width], values: log(rows, width), differentiable: false }, logits(rows, width)],
      (step, [logp, x]) => klDivergence(step, logp!, x!),
      ([logp, x], width) => reference.klDivergenceForward(floats(logp), floats(x), width),
      ([logp, x], width, seed) => [undefined, reference.klDivergenceVjp(floats(logp), floats(x), width, seed)],
    );
  });

  it('is zero, with zero gradient up to rounding, against itself; impossible outcomes count nothing', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, Float32Array.from(random.normals(4 * 101, 2)), [4, 101]);
    const kl = klDivergence(step, logSoftmax(step, x), x);
    const [dx] = gradients(step, kl, 'ones', [x]) as [Tensor];
    const certain = fromData(step, [0, -1e30, -1e30], [1, 3]);
    const other = klDivergence(step, certain, fromData(step, [1, 1, 1], [1, 3]));
    const [values, slopes, sure] = await Promise.all([kl, dx, other].map((tensor) => readFloats(step, tensor)));
    const near = { kernel: 'klDivergence', case: 'against itself', n: 101 };
    const within = (size: number, count: number) => ({
      values: new Float64Array(count),
      magnitude: new Float64Array(count).fill(size),
    });
    expectClose(values!, within(16, 4), near);
    expectClose(slopes!, within(2, 404), near);
    expect(sure![0]).toBeCloseTo(Math.log(3), 6);
  });

  it('gives no gradient to the reference', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const logp = fromData(step, Float32Array.from(log(1, 3)), [1, 3]);
    const x = fromData(step, [1, 2, 3], [1, 3]);
    expect(() => gradients(step, klDivergence(step, logp, x), 'ones', [logp])).toThrow(
      expect.objectContaining({ code: 'tensor/no-path' }),
    );
  });
});

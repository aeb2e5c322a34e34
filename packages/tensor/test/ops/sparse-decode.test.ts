// sparseDecode, sparseToDense, activeCounts and the gradients of sparse encoders against float64: awkward widths, features of every row and of none, empty rows.
import { defaultLimits, dryGpu, type DispatchOptions, type Step } from '@limn/gpu';
import { describe, expect, it } from 'vitest';
import {
  expectSameBits,
  referenceRandom,
  referenceSparseCodes,
  testGpu,
  withCanaries,
  type Reference,
} from '@limn/testing';
import {
  activeCounts,
  encodeTopK,
  fill,
  fromData,
  gradients,
  selectTopK,
  sparseDecode,
  sparseToDense,
  type SparseCodes,
  type Tensor,
} from '../../src/index.js';
import { featureOrder } from '../../src/ops/sparse-order.js';
import { sumByFeature } from '../../src/ops/sparse-sums.js';
import { checkOp, type OpInput } from '../check-op.js';

const random = referenceRandom(37);
const { selectLargest, encodeVjp, decodeForward, decodeVjp, toDense, atEntries, preActivations } = referenceSparseCodes;
type Codes = referenceSparseCodes.ReferenceCodes;

/** Codes in which feature 0 fires in every row but the last, the last feature never, and the last row has none. */
function codesLike(rows: number, features: number, k: number): Codes {
  const h = random.normals(rows * features);
  for (let n = 0; n < rows; n++) {
    h[n * features] = 9;
    if (features > 1) h[(n + 1) * features - 1] = -1;
  }
  if (rows > 1) h.fill(-1, (rows - 1) * features);
  return selectLargest(h, features, { k });
}

/** A list with room for `spare` entries more, filled as the kernels fill it. */
function padded<T extends Float64Array | Uint32Array>(list: T, spare: number, filler: number): T {
  const all = new (list.constructor as new (length: number) => T)(list.length + spare).fill(filler) as T;
  all.set(list);
  return all;
}

const SPARE = 3;

/** The lists of codes as inputs of an op, values first. */
function inputsOf({ rows, features, rowStarts, columns, entryRows, values }: Codes): OpInput[] {
  const lists = [padded(columns, SPARE, features), rowStarts, padded(entryRows, SPARE, rows)];
  return [
    { shape: [values.length + SPARE], values: padded(values, SPARE, 0) },
    ...lists.map((list) => ({ shape: [list.length], values: list })),
  ];
}

function codesOf({ rows, features }: Codes, inputs: readonly Tensor[]): SparseCodes {
  const [values, columns, rowStarts, entryRows] = inputs as [Tensor, Tensor, Tensor, Tensor];
  return { rows, features, capacity: values.size, rowStarts, columns, values, entryRows };
}

const spared = ({ values, magnitude }: Reference): Reference => ({
  values: padded(values, SPARE, 0),
  magnitude: padded(magnitude, SPARE, 0),
});

/** From here on kernels by vec4s share rows as on GPUs: a vec4 a lane, four entries in flight, sixteen lanes an entry. */
function asOnGpus(step: Step): Step {
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options = {}) => {
    const { overrides } = kernel.shader;
    const byFours = 'FOURS' in overrides;
    const forced = {
      ...(byFours ? { FOURS: 1, AHEAD: 4 } : {}),
      ...('SPAN' in overrides ? { SPAN: 16, WG: 64 } : {}),
    };
    const lanes = byFours ? { lanes: (uniforms as { width: number }).width / 4 } : {};
    dispatch(kernel, bindings, { ...uniforms, ...lanes }, {
      ...options,
      overrides: { ...options.overrides, ...forced },
    } as DispatchOptions<typeof kernel.shader>);
  };
  return step;
}

describe('sparseDecode', () => {
  it.each([
    { rows: 1, features: 1, width: 1, k: 1 },
    { rows: 5, features: 3, width: 7, k: 3 },
    { rows: 33, features: 31, width: 8, k: 4 },
    { rows: 32, features: 65, width: 65, k: 7 },
    // Whole vec4s: one, fewer than lanes have, runs of several that end within a lane's.
    { rows: 6, features: 5, width: 4, k: 2 },
    { rows: 9, features: 13, width: 100, k: 11 },
    { rows: 3, features: 7, width: 292, k: 5 },
    // Long lists: of one run on CPUs, of chunks on GPUs.
    { rows: 258, features: 6, width: 10, k: 3 },
    { rows: 258, features: 6, width: 12, k: 3 },
  ])('$rows rows of $features features to $width, k $k', async ({ rows, features, width, k }) => {
    const codes = codesLike(rows, features, k);
    const { values } = codes;
    const [wDec, bDec] = [random.normals(features * width), random.normals(width)];
    for (const [biased, wide] of [
      [true, false],
      [false, false],
      [true, true],
    ] as const) {
      const bias = biased ? bDec : new Float64Array(width);
      await checkOp({
        kernel: 'sparseDecode',
        case: `${rows}×${features} to ${width}${biased ? '' : ', no bias'}${wide ? ', as on GPUs' : ''}`,
        inputs: [
          ...inputsOf(codes),
          { shape: [features, width], values: wDec },
          ...(biased ? [{ shape: [width], values: bDec }] : []),
        ],
        run: (step, inputs) =>
          sparseDecode(wide ? asOnGpus(step) : step, codesOf(codes, inputs), inputs[4]!, inputs[5]),
        expected: decodeForward(codes, values, wDec, bias),
        n: k + 1,
        vjp: (seed) => {
          const d = decodeVjp(codes, values, wDec, seed);
          return [spared(d.values), undefined, undefined, undefined, d.wDec, ...(biased ? [d.bDec] : [])];
        },
        vjpN: [width, 1, 1, 1, rows, rows],
        masks: biased && rows === 5,
      });
    }
  });

  it('reads nothing of rows and features behind those that there are', async () => {
    const codes = codesLike(4, 5, 2);
    const gpu = await testGpu();
    using step = gpu.step();
    const inputs = inputsOf(codes).map(({ shape, values }) =>
      fromData(step, values instanceof Uint32Array ? values : Float32Array.from(values), shape),
    );
    expect(() => sparseDecode(step, codesOf(codes, inputs), fill(step, [4, 3], 1))).toThrow(/5 features/);
    expect(() => sparseDecode(step, codesOf(codes, inputs), fill(step, [5, 3], 1), fill(step, [4], 1))).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
  });
});

describe('sparseToDense and activeCounts', () => {
  it.each([
    { rows: 1, features: 1, k: 1 },
    { rows: 7, features: 67, k: 5 },
  ])('$rows × $features', async ({ rows, features, k }) => {
    const codes = codesLike(rows, features, k);
    await checkOp({
      kernel: 'sparseToDense',
      case: `${rows}×${features}`,
      inputs: inputsOf(codes),
      run: (step, inputs) => sparseToDense(step, codesOf(codes, inputs)),
      expected: toDense(codes, codes.values),
      n: 1,
      vjp: (seed) => {
        const d = atEntries(codes, seed);
        return [spared({ values: d, magnitude: new Float64Array(d.length) }), undefined, undefined, undefined];
      },
    });
    const counts = new Float64Array(features);
    for (const f of codes.columns) counts[f]! += 1;
    await checkOp({
      kernel: 'activeCounts',
      case: `${rows}×${features}`,
      inputs: inputsOf(codes),
      run: (step, inputs) => activeCounts(step, codesOf(codes, inputs)),
      expected: { values: counts, magnitude: new Float64Array(features) },
      n: 1,
    });
  });
});

describe('gradients of what was selected', () => {
  const [rows, features, width] = [19, 23, 5];
  const whole = (count: number): Float64Array => Float64Array.from(random.integers(count, 9), (value) => value - 4);
  // Whole numbers: the GPU selects what float64 selects.
  const [x, wEnc, bEnc] = [whole(rows * width), whole(features * width), whole(features)];
  const h = preActivations(x, wEnc, bEnc).values;

  for (const over of ['row', 'batch'] as const) {
    const codes = selectLargest(h, features, { k: 4, over });
    const dense = toDense(codes, codes.values);

    it(`of an encoder, by ${over}`, async () => {
      await checkOp({
        kernel: 'encodeTopK',
        case: over,
        inputs: [
          { shape: [rows, width], values: x },
          { shape: [features, width], values: wEnc },
          { shape: [features], values: bEnc },
        ],
        run: (step, [a, w, b]) =>
          sparseToDense(step, encodeTopK(step, a!, w!, b!, { k: 4, over, tileBytes: 4 * 24 * 8 })),
        expected: dense,
        n: 1,
        vjp: (seed) => {
          const d = encodeVjp(codes, x, wEnc, atEntries(codes, seed));
          return [d.x, d.wEnc, d.bEnc];
        },
        vjpN: [4 * rows, rows, rows],
        masks: over === 'row',
      });
    });

    it(`of given pre-activations, by ${over}`, async () => {
      await checkOp({
        kernel: 'selectTopK',
        case: over,
        inputs: [{ shape: [rows, features], values: h }],
        run: (step, [y]) => sparseToDense(step, selectTopK(step, y!, { k: 4, over })),
        expected: dense,
        n: 1,
        vjp: (seed) => [toDense(codes, atEntries(codes, seed))],
      });
    });
  }
});

describe('sums by feature', () => {
  it.each([3, 4, 36])(
    'have the same bits in whatever groups rows are marked, and in chunks the same sums, width %i',
    async (width) => {
      const codes = codesLike(101, 9, 4);
      const source = random.normals(101 * width);
      const gpu = await testGpu();
      const sums = async (markBytes: number, chunk: number, wide = false): Promise<Float32Array[]> => {
        using step = wide ? asOnGpus(gpu.step()) : gpu.step();
        const canaries = withCanaries(step);
        const inputs = inputsOf(codes).map(({ shape, values }) =>
          fromData(step, values instanceof Uint32Array ? values : Float32Array.from(values), shape),
        );
        const lists = codesOf(codes, inputs);
        featureOrder(step, lists, markBytes);
        const { rows, totals } = sumByFeature(
          step,
          lists,
          lists.values,
          fromData(step, Float32Array.from(source), [101, width]),
          chunk,
        );
        return canaries.read([rows, totals]);
      };
      const [rows, totals] = (await sums(1, 1000)) as [Float32Array, Float32Array];
      for (const markBytes of [4 * 9 * 2, 2 ** 20]) {
        const [again, totalsAgain] = (await sums(markBytes, 1000)) as [Float32Array, Float32Array];
        expectSameBits(again, rows, 'groups of rows');
        expectSameBits(totalsAgain, totals, 'groups of rows, totals');
      }
      const expected = decodeVjp(codes, codes.values, new Float64Array(9 * width), source).wDec;
      const expectedTotals = encodeVjp(codes, new Float64Array(101), new Float64Array(9), codes.values).bEnc;
      for (const [chunk, wide] of [
        [1, false],
        [7, false],
        [50, false],
        [50, true],
        [1000, true],
      ] as const) {
        const [parts, partTotals] = (await sums(2 ** 20, chunk, wide)) as [Float32Array, Float32Array];
        // Sums of at most 101 terms, in f32.
        const near = (sum: number, i: number, { values, magnitude }: Reference): void =>
          expect(Math.abs(sum - values[i]!)).toBeLessThanOrEqual(101 * 2 ** -24 * magnitude[i]!);
        parts.forEach((sum, i) => near(sum, i, expected));
        partTotals.forEach((sum, i) => near(sum, i, expectedTotals));
      }
    },
  );
});

describe('at 4,096 tokens and 24,576 features', () => {
  const [tokens, features, width, k] = [4096, 24_576, 768, 64];
  const MIB = 2 ** 20;

  it.each(['row', 'batch'] as const)('a step by %s is planned within default limits, without h', (over) => {
    const gpu = dryGpu({ limits: defaultLimits });
    using step = gpu.step();
    let largest = 0;
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, options) => {
      for (const { byteLength } of Object.values<{ byteLength: number }>(bindings))
        largest = Math.max(largest, byteLength);
      dispatch(kernel, bindings, uniforms, options);
    };
    const x = fill(step, [tokens, width], 1);
    const parameters = [
      fill(step, [features, width], 1),
      fill(step, [features], 1),
      fill(step, [features, width], 1),
      fill(step, [width], 1),
    ] as const;
    const [wEnc, bEnc, wDec, bDec] = parameters;
    const codes = encodeTopK(step, x, wEnc, bEnc, { k, over });
    const grads = gradients(step, sparseDecode(step, codes, wDec, bDec), x, parameters);
    expect(grads).toHaveLength(4);
    const { bytesLowerBound } = step.plan();
    const kept = [...parameters, ...grads, x].reduce((sum, { size }) => sum + 4 * size, 0);
    const whole = 4 * tokens * features;
    expect(whole).toBeGreaterThan(384 * MIB - 1);
    // The largest thing that is bound is a weight matrix.
    expect(largest).toBe(4 * features * width);
    // Beside parameters, gradients, input and output: a tile of h, marks of rows and lists of entries.
    expect(bytesLowerBound).toBeLessThan(kept + whole / 4);
  });

  it('refuses what cannot be', async () => {
    const gpu = dryGpu({ limits: defaultLimits });
    using step = gpu.step();
    const h = fill(step, [4, 10], 1);
    for (const bad of [0, 11, 1.5])
      expect(() => selectTopK(step, h, { k: bad })).toThrow(expect.objectContaining({ code: 'tensor/range' }));
    expect(() => selectTopK(step, h, { k: 2, allowed: fromData(step, new Uint32Array(9), [9]) })).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
    expect(() =>
      encodeTopK(step, fill(step, [4, 3], 1), fill(step, [10, 4], 1), fill(step, [10], 1), { k: 2 }),
    ).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
    expect(() =>
      encodeTopK(step, fill(step, [40_000, 1], 1), fill(step, [512, 1], 1), fill(step, [512], 1), { k: 512 }),
    ).toThrow(/Encode fewer rows|more than one list/);
    const codes = selectTopK(step, h, { k: 2 });
    expect(() => sparseToDense(step, { ...codes, rows: 3 })).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
  });
});

// Every matmul kernel and variant by itself, at sizes around its tile, strided and split, against float64.
import { describe, expect, it } from 'vitest';
import { expectClose, expectSameBits, referenceMatmul, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  allocate,
  chooseMatmul,
  fromData,
  halfBits,
  halfValue,
  matmulCandidates,
  multiply,
  packF16,
  possibleMatmuls,
  type MatmulKernelName,
  type MatmulPlan,
  type MatmulShape,
} from '../../src/index.js';

const long = process.env['LIMN_LONG'] === '1';
const random = referenceRandom(23);
const names: readonly MatmulKernelName[] = ['naive', 'row', 'register', 'subgroup', 'tiled'];

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly splits?: number;
  readonly elem?: 'f32' | 'f16';
}

/** Rows padded to whole vec4s, as strided operands are; the padding holds a value that must not be used. */
function padded(matrix: Float64Array, columns: number): { values: Float32Array; row: number } {
  const row = 4 * Math.ceil(columns / 4);
  const rows = matrix.length / columns;
  const values = new Float32Array(rows * row).fill(77);
  for (let i = 0; i < matrix.length; i++) values[Math.floor(i / columns) * row + (i % columns)] = matrix[i]!;
  return { values, row };
}

/**
 * Two outer and three inner batch items (one item from 16 M multiplications on) with gaps, bias, gelu and residual,
 * run twice; false where the adapter cannot.
 */
async function check(kernel: MatmulKernelName, about: Case): Promise<boolean> {
  const { m, n, k, transposeA, transposeB, splits = 1, elem = 'f32' } = about;
  const [outerCount, innerCount] = m * n * k < 16e6 ? [2, 3] : [1, 1];
  const batch = outerCount * innerCount;
  const gpu = await testGpu();
  const aligned = { alignedA: true, alignedB: true };
  const shape: MatmulShape = { m, n, k, batch, transposeA, transposeB, ...aligned };
  if (!possibleMatmuls(gpu.capabilities, shape).includes(kernel)) return false;
  const items = Array.from({ length: batch }, () => ({
    a: random.normals(m * k),
    b: random.normals(k * n).map((value) => (elem === 'f16' ? halfValue(halfBits(value)) : value)),
    residual: random.normals(m * n),
  }));
  const bias = random.normals(innerCount * n);
  const [aRows, aColumns] = transposeA ? [k, m] : [m, k];
  const [bRows, bColumns] = transposeB ? [n, k] : [k, n];
  const as = items.map((item) => padded(item.a, aColumns));
  const bs = items.map((item) => padded(item.b, bColumns));
  /** Four elements in front: offsets must be honoured. */
  const join = (parts: { values: Float32Array }[]): Float32Array => {
    const size = parts[0]!.values.length;
    const joined = new Float32Array(4 + parts.length * size).fill(5);
    parts.forEach(({ values }, z) => joined.set(values, 4 + z * size));
    return joined;
  };
  const cRow = n + 3;
  const cItem = m * cRow + 5;
  const residual = new Float32Array(2 + batch * cItem);
  items.forEach((item, z) =>
    item.residual.forEach((value, i) => (residual[2 + z * cItem + Math.floor(i / n) * cRow + (i % n)] = value)),
  );

  const attempt = async (): Promise<Float32Array[]> => {
    using step = gpu.step();
    const canaries = withCanaries(step);
    const data = (values: Float32Array) => fromData(step, values, [values.length]);
    const c = allocate(step, [2 + batch * cItem], 'c');
    const pre = allocate(step, [2 + batch * cItem], 'pre');
    const b = join(bs);
    multiply(step, {
      m,
      n,
      k,
      outerCount,
      innerCount,
      a: {
        storage: data(join(as)).storage,
        offset: 4,
        outer: innerCount * aRows * as[0]!.row,
        inner: aRows * as[0]!.row,
        row: as[0]!.row,
        transposed: transposeA,
      },
      b: {
        storage: elem === 'f16' ? fromData(step, packF16(b), [Math.ceil(b.length / 2)]).storage : data(b).storage,
        offset: 4,
        outer: innerCount * bRows * bs[0]!.row,
        inner: bRows * bs[0]!.row,
        row: bs[0]!.row,
        transposed: transposeB,
        dtype: elem,
      },
      c: { storage: c.storage, offset: 2, outer: innerCount * cItem, inner: cItem, row: cRow },
      bias: { storage: data(Float32Array.from(bias)).storage, inner: n },
      residual: data(residual).storage,
      gelu: { form: 'tanh', pre: pre.storage },
      plan: { kernel, splits },
    });
    return canaries.read([c, pre]);
  };
  const [c, pre] = await attempt();
  const again = await attempt();
  expectSameBits(c!, again[0]!, `${kernel} ${m}×${n}×${k}`);
  expectSameBits(pre!, again[1]!, `${kernel} ${m}×${n}×${k} before gelu`);
  const pick = (values: Float32Array, z: number): Float32Array =>
    Float32Array.from({ length: m * n }, (_, i) => values[2 + z * cItem + Math.floor(i / n) * cRow + (i % n)]!);
  items.forEach((item, z) => {
    const epilogue = {
      bias: bias.subarray((z % innerCount) * n, ((z % innerCount) + 1) * n),
      gelu: 'tanh' as const,
      residual: item.residual,
    };
    const single = { batch: 1, m, n, k, transposeA, transposeB };
    const expected = referenceMatmul.matmulForward(item.a, item.b, single, epilogue);
    const variant = `${elem}${transposeA ? ',Aᵀ' : ''}${transposeB ? ',Bᵀ' : ''}${splits > 1 ? ',split' : ''}`;
    const named = { kernel: `matmul_${kernel}`, variant, case: `${m}×${n}×${k} item ${z}`, n: k };
    // gelu's exp may be (3 + 2 |argument|) ULP off, which for short sums is more than the sum's own rounding.
    expectClose(pick(c!, z), expected, { ...named, c: 10 });
    expectClose(pick(pre!, z), expected.pre, named);
  });
  // Between the rows and items of c nothing was written: the bits are still the canaries' NaN.
  const stray = c!.findIndex((value, i) => {
    const inside = (i - 2) % cItem;
    const written = i >= 2 && Math.floor(inside / cRow) < m && inside % cRow < n;
    return !written && !Number.isNaN(value);
  });
  expect(stray, `${kernel} ${m}×${n}×${k}: an element between the rows of c was written`).toBe(-1);
  return true;
}

// Around the tiles' edges of 4, 16, 32 and 64, with primes; k around a vec4 and a tile of 16.
const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [3, 5, 4],
  [15, 31, 7],
  [16, 32, 16],
  [17, 33, 17],
  [61, 67, 53],
  [65, 64, 20],
  ...(long
    ? ([
        [63, 63, 63],
        [64, 64, 64],
        [128, 97, 211],
        [64, 768, 768],
        [33, 3072, 768],
      ] as const)
    : []),
];

for (const kernel of names)
  describe(`matmul_${kernel}`, () => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        // No op gives a transposed a with b in f16; software adapters take seconds to compile each variant.
        for (const elem of transposeA && !long ? (['f32'] as const) : (['f32', 'f16'] as const))
          it(`${transposeA ? 'Aᵀ' : 'A'} × ${transposeB ? 'Bᵀ' : 'B'} ${elem}`, async (context) => {
            let ran = 0;
            for (const [m, n, k] of sizes) if (await check(kernel, { m, n, k, transposeA, transposeB, elem })) ran += 1;
            if (ran === 0) context.skip('this adapter has no subgroups of exactly 8');
          });

    it('splits the sum over k and adds the parts in order', async (context) => {
      let ran = 0;
      for (const [transposeA, transposeB] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const)
        for (const [m, n, k, splits] of [
          [5, 9, 100, 3],
          [17, 20, 16, 4],
          [4, 4, 129, 8],
        ] as const)
          if (await check(kernel, { m, n, k, transposeA, transposeB, splits })) ran += 1;
      if (ran === 0) context.skip('this adapter has no subgroups of exactly 8');
    });
  });

describe('chooseMatmul', () => {
  it('names a kernel that can run the shape, for any shape and alignment', async () => {
    const { capabilities } = await testGpu();
    const variants = [
      capabilities,
      { ...capabilities, subgroups: false },
      { ...capabilities, adapter: { ...capabilities.adapter, isFallback: false } },
    ];
    for (const adapter of variants)
      for (const m of [1, 4, 5, 64, 3072])
        for (const k of [1, 6, 64, 3072])
          for (let bits = 0; bits < 16; bits++) {
            const flag = (i: number) => ((bits >> i) & 1) === 1;
            const [transposeA, transposeB, alignedA, alignedB] = [flag(0), flag(1), flag(2), flag(3)];
            for (const batch of [1, 2]) {
              const shape = { m, n: 64, k, batch, transposeA, transposeB, alignedA, alignedB };
              const plan = chooseMatmul(adapter, shape);
              const runs = plan.packA ? { ...shape, alignedA: true } : shape;
              expect(possibleMatmuls(adapter, runs)).toContain(plan.kernel);
              expect(plan).toEqual(chooseMatmul(adapter, shape));
              const candidates = matmulCandidates(adapter, shape);
              expect(candidates[0]).toEqual(plan);
              expect(new Set(candidates.map((each) => JSON.stringify(each))).size).toBe(candidates.length);
              const able = ({ kernel, packA }: MatmulPlan): boolean =>
                possibleMatmuls(adapter, packA ? { ...shape, alignedA: true } : shape).includes(kernel);
              expect(candidates.filter((each) => !able(each))).toEqual([]);
            }
          }
  });

  it('copies an unaligned a to whole vec4s on software adapters, where it is one matrix and the product worth it', async () => {
    const { capabilities } = await testGpu();
    const software = { ...capabilities, adapter: { ...capabilities.adapter, isFallback: true } };
    const of = (about: Partial<MatmulShape>, adapter = software) =>
      chooseMatmul(adapter, {
        m: 50,
        n: 768,
        k: 16_752,
        batch: 1,
        transposeA: false,
        transposeB: false,
        alignedA: false,
        alignedB: true,
        ...about,
      });
    expect(of({})).toEqual({ ...of({ alignedA: true }), packA: true });
    expect(of({ transposeA: true }).packA).toBe(true);
    for (const other of [{ alignedA: true }, { alignedB: false }, { batch: 2 }, { m: 1 }, { n: 16 }])
      expect(of(other)).not.toHaveProperty('packA');
    expect(of({}, { ...software, adapter: { ...software.adapter, isFallback: false } })).not.toHaveProperty('packA');
  });

  it.each([
    { m: 5, n: 40, k: 23, transposed: false },
    { m: 18, n: 33, k: 16, transposed: false },
    { m: 19, n: 32, k: 7, transposed: true },
  ])('a packed product of $m × $n × $k, transposed: $transposed, is that of rows at any distance', async (about) => {
    const { m, n, k, transposed } = about;
    const gpu = await testGpu();
    const [a, b] = [random.normals(m * k), random.normals(k * n)];
    const [rows, columns] = transposed ? [k, m] : [m, k];
    const [offset, row] = [3, columns + 2];
    // What lies between the rows is no number: it must not be read into a sum.
    const stored = new Float32Array(offset + rows * row).fill(NaN);
    a.forEach((value, i) => (stored[offset + Math.floor(i / columns) * row + (i % columns)] = value));
    const width = 4 * Math.ceil(n / 4);
    const aligned = new Float32Array(k * width);
    b.forEach((value, i) => (aligned[Math.floor(i / n) * width + (i % n)] = value));
    const run = async (): Promise<Float32Array> => {
      using step = gpu.step();
      const canaries = withCanaries(step);
      const c = allocate(step, [m, n], 'c');
      multiply(step, {
        m,
        n,
        k,
        a: { storage: fromData(step, stored, [stored.length]).storage, offset, row, transposed },
        b: { storage: fromData(step, aligned, [k, width]).storage, row: width },
        c: { storage: c.storage, row: n },
        plan: { kernel: 'register', splits: 1, packA: true },
      });
      return (await canaries.read([c]))[0] as Float32Array;
    };
    const got = await run();
    expectSameBits(got, await run(), 'packed product');
    const single = { batch: 1, m, n, k, transposeA: transposed, transposeB: false };
    expectClose(got, referenceMatmul.matmulForward(a, b, single, {}), {
      kernel: 'pack_rows',
      case: `${m}×${n}×${k}${transposed ? ' transposed' : ''}`,
      n: k,
    });
  });

  it('folds a grid beyond 65,535 workgroups', async () => {
    const gpu = await testGpu();
    // 70,000 batch items of one tile each: more workgroups than one dimension may have.
    const batch = 70_000;
    using step = gpu.step();
    const canaries = withCanaries(step);
    const values = Float32Array.from({ length: 4 * batch }, (_, i) => Math.floor(i / 4) % 1000);
    const a = fromData(step, values, [batch, 4]);
    const b = fromData(step, Float32Array.of(3, 0, 0, 0), [1, 4]);
    const c = allocate(step, [batch], 'c');
    multiply(step, {
      m: 1,
      n: 1,
      k: 1,
      outerCount: batch,
      a: { storage: a.storage, outer: 4, row: 4 },
      b: { storage: b.storage, row: 4 },
      c: { storage: c.storage, outer: 1, row: 1 },
      plan: { kernel: 'register', splits: 1 },
    });
    const [products] = await canaries.read([c]);
    expect(products!.every((value, i) => value === 3 * (i % 1000))).toBe(true);
  });
});

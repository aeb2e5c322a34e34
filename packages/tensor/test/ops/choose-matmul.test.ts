// Which matmul kernel runs a shape, and how operands get into a form that it reads.
import { describe, expect, it } from 'vitest';
import { expectClose, expectSameBits, referenceMatmul, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  allocate,
  chooseMatmul,
  fromData,
  matmulCandidates,
  multiply,
  possibleMatmuls,
  type MatmulPlan,
  type MatmulShape,
} from '../../src/index.js';

const random = referenceRandom(23);

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
              expect(possibleMatmuls(adapter, shape, plan)).toContain(plan.kernel);
              expect(plan).toEqual(chooseMatmul(adapter, shape));
              const candidates = matmulCandidates(adapter, shape);
              expect(candidates[0]).toEqual(plan);
              expect(new Set(candidates.map((each) => JSON.stringify(each))).size).toBe(candidates.length);
              const able = (each: MatmulPlan): boolean => possibleMatmuls(adapter, shape, each).includes(each.kernel);
              expect(candidates.filter((each) => !able(each))).toEqual([]);
            }
          }
  });

  it('takes two items at once where heads are narrow, on software adapters with subgroups of eight', async () => {
    const { capabilities } = await testGpu();
    const eights = { ...capabilities, subgroups: true, subgroupMin: 8, subgroupMax: 8 };
    const software = { ...eights, adapter: { ...capabilities.adapter, isFallback: true } };
    const card = { ...eights, adapter: { ...capabilities.adapter, isFallback: false } };
    const aligned = { transposeA: false, transposeB: false, alignedA: true, alignedB: true };
    const shape: MatmulShape = { m: 48, n: 16, k: 48, batch: 256, ...aligned };
    expect(chooseMatmul(software, shape).kernel).toBe('subgroupPairs');
    expect(chooseMatmul(software, { ...shape, n: 17 }).kernel).toBe('subgroup32');
    expect(chooseMatmul(software, { ...shape, batch: 1 }).kernel).toBe('subgroup32');
    expect(chooseMatmul(software, { ...shape, m: 1, k: 1024 }).kernel).toBe('row');
    expect(chooseMatmul(card, shape).kernel).not.toBe('subgroupPairs');
  });

  it('copies unaligned operands to whole vec4s, where they are one matrix each and used often enough', async () => {
    const { capabilities } = await testGpu();
    const software = { ...capabilities, adapter: { ...capabilities.adapter, isFallback: true } };
    const card = { ...software, adapter: { ...software.adapter, isFallback: false } };
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
    expect(of({ alignedB: false })).toMatchObject({ packA: true, packB: true });
    expect(of({ alignedA: true, alignedB: false })).toEqual({ ...of({ alignedA: true }), packB: true });
    // Rows of b stored transposed are read as vec4s to their end.
    expect(of({ alignedA: true, transposeB: true, k: 1001 }).packB).toBe(true);
    // The patterns of attention's heads, one behind the other.
    expect(of({ batch: 256, m: 47, n: 16, k: 47, gaplessA: true }).packA).toBe(true);
    expect(of({ batch: 256, m: 47, n: 8, k: 47, gaplessA: true })).not.toHaveProperty('packA');
    expect(of({ m: 512 }, card)).toEqual({ ...of({ m: 512, alignedA: true }, card), packA: true });
    expect(of({ m: 512, alignedB: false }, card)).toMatchObject({ packA: true, packB: true });
    for (const other of [
      of({ alignedA: true }),
      of({ batch: 2 }),
      of({ m: 1 }),
      of({ n: 16 }),
      of({ m: 16, alignedB: false }),
      of({ alignedB: false, dtypeB: 'f16' }),
      of({ n: 128 }, card),
      of({ m: 128, alignedB: false }, card),
    ]) {
      expect(other).not.toHaveProperty('packA');
      expect(other).not.toHaveProperty('packB');
    }
  });

  it.each([
    { m: 5, n: 40, k: 23, transposeA: false, transposeB: false },
    { m: 18, n: 33, k: 16, transposeA: false, transposeB: true },
    { m: 19, n: 32, k: 7, transposeA: true, transposeB: false },
    { m: 9, n: 7, k: 13, transposeA: true, transposeB: true },
  ])(
    'a product of packed operands is that of rows at any distance: %o',
    async ({ m, n, k, transposeA, transposeB }) => {
      const gpu = await testGpu();
      const [a, b] = [random.normals(m * k), random.normals(k * n)];
      // What lies between the rows is no number: it must not be read into a sum.
      const spread = (matrix: Float64Array, columns: number) => {
        const [offset, row] = [3, columns + 2];
        const values = new Float32Array(offset + (matrix.length / columns) * row).fill(NaN);
        matrix.forEach((value, i) => (values[offset + Math.floor(i / columns) * row + (i % columns)] = value));
        return { values, offset, row };
      };
      const [as, bs] = [spread(a, transposeA ? m : k), spread(b, transposeB ? k : n)];
      const run = async (): Promise<Float32Array> => {
        using step = gpu.step();
        const canaries = withCanaries(step);
        const c = allocate(step, [m, n], 'c');
        const stored = ({ values, offset, row }: typeof as) => ({
          storage: fromData(step, values, [values.length]).storage,
          offset,
          row,
        });
        multiply(step, {
          m,
          n,
          k,
          a: { ...stored(as), transposed: transposeA },
          b: { ...stored(bs), transposed: transposeB },
          c: { storage: c.storage, row: n },
          plan: { kernel: 'register', splits: 1, packA: true, packB: true },
        });
        return (await canaries.read([c]))[0] as Float32Array;
      };
      const got = await run();
      expectSameBits(got, await run(), 'packed product');
      expectClose(got, referenceMatmul.matmulForward(a, b, { batch: 1, m, n, k, transposeA, transposeB }, {}), {
        kernel: 'pack_rows',
        case: `${m}×${n}×${k}`,
        n: k,
      });
    },
  );

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

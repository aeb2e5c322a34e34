// One matmul kernel on one batched product with gaps between rows and items, run twice, against float64.
import { expect } from 'vitest';
import { expectClose, expectSameBits, referenceMatmul, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  allocate,
  fromData,
  halfBits,
  halfValue,
  multiply,
  packF16,
  possibleMatmuls,
  type MatmulKernelName,
  type MatmulShape,
} from '../../src/index.js';

const random = referenceRandom(23);

/** What happens to a finished sum; 'accumulate' also scales by alpha. */
export type Epilogue = 'plain' | 'bias' | 'gelu' | 'accumulate';

/** One product of one kernel. */
export interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly splits?: number;
  /** Outer batch items, of three inner ones each; 2 if not given. */
  readonly outerCount?: number;
  readonly elem?: 'f32' | 'f16';
  readonly epilogue?: Epilogue;
  /** Rows and items of c begin at multiples of 4, and b's bias too. */
  readonly alignedC?: boolean;
}

/** Rows padded to whole vec4s, as strided operands are; the padding holds a value that must not be used. */
function padded(matrix: Float64Array, columns: number): { values: Float32Array; row: number } {
  const row = 4 * Math.ceil(columns / 4);
  const rows = matrix.length / columns;
  const values = new Float32Array(rows * row).fill(77);
  for (let i = 0; i < matrix.length; i++) values[Math.floor(i / columns) * row + (i % columns)] = matrix[i]!;
  return { values, row };
}

/** Matrices one behind the other, four elements in front: offsets must be honoured. */
function join(parts: readonly { values: Float32Array }[]): Float32Array {
  const size = parts[0]!.values.length;
  const joined = new Float32Array(4 + parts.length * size).fill(5);
  parts.forEach(({ values }, z) => joined.set(values, 4 + z * size));
  return joined;
}

/**
 * Three inner batch items in each outer one (one item from 16 M multiplications on) with gaps and the epilogue; false where the
 * adapter cannot run the kernel.
 */
export async function checkMatmul(kernel: MatmulKernelName, about: Case): Promise<boolean> {
  const { m, n, k, transposeA, transposeB, splits = 1, elem = 'f32', epilogue = 'gelu', alignedC = false } = about;
  const [outerCount, innerCount] = m * n * k < 16e6 ? [about.outerCount ?? 2, 3] : [1, 1];
  const batch = outerCount * innerCount;
  const gpu = await testGpu();
  const aligned = { alignedA: true, alignedB: true };
  const shape: MatmulShape = { m, n, k, batch, transposeA, transposeB, ...aligned };
  if (!possibleMatmuls(gpu.capabilities, shape).includes(kernel)) return false;
  const items = Array.from({ length: batch }, () => ({
    a: random.normals(m * k),
    b: random.normals(k * n).map((value) => (elem === 'f16' ? halfValue(halfBits(value)) : value)),
    added: random.normals(m * n),
  }));
  const biasInner = alignedC ? 4 * Math.ceil(n / 4) : n;
  const bias = random.normals(innerCount * biasInner);
  const [aRows, aColumns] = transposeA ? [k, m] : [m, k];
  const [bRows, bColumns] = transposeB ? [n, k] : [k, n];
  const as = items.map((item) => padded(item.a, aColumns));
  const bs = items.map((item) => padded(item.b, bColumns));
  const [cOffset, cRow] = alignedC ? [4, 4 * Math.ceil(n / 4) + 4] : [2, n + 3];
  const cItem = m * cRow + (alignedC ? 8 : 5);
  /** Laid out as c: the residual, or what c holds before. */
  const added = new Float32Array(cOffset + batch * cItem);
  items.forEach((item, z) =>
    item.added.forEach((value, i) => (added[cOffset + z * cItem + Math.floor(i / n) * cRow + (i % n)] = value)),
  );
  const alpha = epilogue === 'accumulate' ? 0.5 : 1;

  const attempt = async (): Promise<Float32Array[]> => {
    using step = gpu.step();
    const canaries = withCanaries(step);
    const data = (values: Float32Array) => fromData(step, values, [values.length]);
    const c = epilogue === 'accumulate' ? data(added) : allocate(step, [cOffset + batch * cItem], 'c');
    const pre = allocate(step, [cOffset + batch * cItem], 'pre');
    const b = join(bs);
    multiply(step, {
      m,
      n,
      k,
      outerCount,
      innerCount,
      alpha,
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
      c: { storage: c.storage, offset: cOffset, outer: innerCount * cItem, inner: cItem, row: cRow },
      ...(epilogue === 'plain' || epilogue === 'accumulate'
        ? {}
        : { bias: { storage: data(Float32Array.from(bias)).storage, inner: biasInner } }),
      ...(epilogue === 'gelu'
        ? { residual: data(added).storage, gelu: { form: 'tanh' as const, pre: pre.storage } }
        : {}),
      ...(epilogue === 'accumulate' ? { accumulate: true } : {}),
      plan: { kernel, splits },
    });
    return canaries.read(epilogue === 'gelu' ? [c, pre] : [c]);
  };
  const [c, pre] = await attempt();
  const again = await attempt();
  const name = `${kernel} ${m}×${n}×${k}`;
  expectSameBits(c!, again[0]!, name);
  if (pre) expectSameBits(pre, again[1]!, `${name} before gelu`);
  const pick = (values: Float32Array, z: number): Float32Array =>
    Float32Array.from({ length: m * n }, (_, i) => values[cOffset + z * cItem + Math.floor(i / n) * cRow + (i % n)]!);
  items.forEach((item, z) => {
    const own = (z % innerCount) * biasInner;
    const expected = referenceMatmul.matmulForward(
      item.a.map((value) => alpha * value),
      item.b,
      { batch: 1, m, n, k, transposeA, transposeB },
      {
        ...(epilogue === 'bias' || epilogue === 'gelu' ? { bias: bias.subarray(own, own + n) } : {}),
        ...(epilogue === 'gelu' ? { gelu: 'tanh' as const } : {}),
        ...(epilogue === 'gelu' || epilogue === 'accumulate' ? { residual: item.added } : {}),
      },
    );
    const variant = `${elem}${transposeA ? ',Aᵀ' : ''}${transposeB ? ',Bᵀ' : ''}${splits > 1 ? ',split' : ''},${epilogue}`;
    const named = { kernel: `matmul_${kernel}`, variant, case: `${m}×${n}×${k} item ${z}`, n: k };
    // gelu's exp may be (3 + 2 |argument|) ULP off, which for short sums is more than the sum's own rounding.
    expectClose(pick(c!, z), expected, { ...named, c: 10 });
    if (pre) expectClose(pick(pre, z), expected.pre, named);
  });
  // Between the rows and items of c nothing was written: the canaries' NaN, or what c held before, is still there.
  const stray = c!.findIndex((value, i) => {
    const inside = (i - cOffset) % cItem;
    const written = i >= cOffset && Math.floor(inside / cRow) < m && inside % cRow < n;
    return !written && (epilogue === 'accumulate' ? value !== 0 : !Number.isNaN(value));
  });
  expect(stray, `${name}: an element between the rows of c was written`).toBe(-1);
  return true;
}

// Selection of the largest positive is exact on every kernel and workgroup: sizes, ties, NaN, rows with too few; encoder tiles change nothing.
import { describe, expect, it } from 'vitest';
import {
  expectSameBits,
  recordCase,
  referenceRandom,
  referenceSparseCodes,
  testGpu,
  withCanaries,
} from '@limn/testing';
import type { Step } from '@limn/gpu';
import { encodeTopK, fromData, readWords, selectTopK, type SparseCodes } from '../../src/index.js';
import { scan } from '../../src/ops/scan.js';
import { withWorkgroup } from '../workgroups.js';

const random = referenceRandom(91);
const { selectLargest, preActivations } = referenceSparseCodes;

/** Pre-activations of a kind, as f32. */
const kinds: Readonly<Record<string, (rows: number, features: number) => Float32Array>> = {
  normal: (rows, features) => Float32Array.from(random.normals(rows * features)),
  // Six values: every threshold has ties.
  ties: (rows, features) => Float32Array.from(random.integers(rows * features, 6), (value) => value - 2),
  few: (rows, features) => Float32Array.from(random.normals(rows * features), (value) => value - 2),
  none: (rows, features) => new Float32Array(rows * features).fill(-1),
  equal: (rows, features) => new Float32Array(rows * features).fill(0.5),
  // All orders of magnitude, both infinities, NaN of either sign, both zeros, numbers below the normal ones.
  odd: (rows, features) =>
    Float32Array.from({ length: rows * features }, (_, i) => {
      const special = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -Number.NaN, 0, -0, 1e-42];
      return i % 3 === 0 ? special[i % 7]! : (1 - 2 * (i % 2)) * 2 ** (((i * 37) % 250) - 120);
    }),
};

const forms = {
  workgroup: { kernel: 'workgroup' },
  lane: { kernel: 'lane' },
  batch: { over: 'batch' },
} as const;

async function run(
  record: (step: Step) => SparseCodes,
  workgroup?: number,
): Promise<{ codes: SparseCodes; lists: Uint32Array[]; values: Float32Array }> {
  const gpu = await testGpu();
  using step = gpu.step();
  const canaries = withCanaries(step);
  if (workgroup) withWorkgroup(step, workgroup);
  const codes = record(step);
  const [values, ...lists] = await canaries.read([codes.values, codes.rowStarts, codes.columns, codes.entryRows]);
  return { codes, values: values!, lists: lists.map(({ buffer, length }) => new Uint32Array(buffer, 0, length)) };
}

/** Exact, tail included, and the same twice. */
async function check(
  about: string,
  record: (step: Step) => SparseCodes,
  expected: referenceSparseCodes.ReferenceCodes,
  workgroup?: number,
): Promise<void> {
  const { codes, values, lists } = await run(record, workgroup);
  const [rowStarts, columns, entryRows] = lists as [Uint32Array, Uint32Array, Uint32Array];
  const whole = (list: Uint32Array, filler: number): Uint32Array => {
    const all = new Uint32Array(codes.capacity).fill(filler);
    all.set(list);
    return all;
  };
  expect(rowStarts, about).toEqual(expected.rowStarts);
  expect(columns, about).toEqual(whole(expected.columns, codes.features));
  expect(entryRows, about).toEqual(whole(expected.entryRows, codes.rows));
  const numbers = new Float32Array(codes.capacity);
  numbers.set(expected.values);
  expectSameBits(values, numbers, about);
  const again = await run(record, workgroup);
  expectSameBits(again.values, values, `${about}, again`);
  expect(again.lists).toEqual(lists);
  recordCase({ kernel: 'sparse selection', variant: '', case: about, ratio: 0, elements: codes.capacity });
}

describe('selectTopK', () => {
  const sizes = [
    { features: 1, ks: [1] },
    { features: 7, ks: [1, 7] },
    { features: 64, ks: [5, 64] },
    { features: 129, ks: [16] },
    { features: 1021, ks: [33, 512] },
  ];
  for (const [name, options] of Object.entries(forms))
    it(`${name}: rows of all kinds in one matrix, at awkward sizes`, async () => {
      for (const { features, ks } of sizes) {
        const rows = 2 * Object.keys(kinds).length - 1;
        const parts = Object.values(kinds).flatMap((make) => [...make(2, features)]);
        const h = Float32Array.from(parts).subarray(0, rows * features);
        for (const k of ks)
          await check(
            `${name}, ${rows}×${features}, k ${k}`,
            (step) => selectTopK(step, fromData(step, h, [rows, features]), { k, ...options }),
            selectLargest(h, features, { k, ...(name === 'batch' ? { over: 'batch' } : {}) }),
          );
      }
    });

  it('batch: batches of one kind', async () => {
    for (const [kind, make] of Object.entries(kinds)) {
      const h = make(5, 67);
      await check(
        `batch, ${kind}`,
        (step) => selectTopK(step, fromData(step, h, [5, 67]), { k: 8, over: 'batch' }),
        selectLargest(h, 67, { k: 8, over: 'batch' }),
      );
    }
  });

  it('batch: a stretch of one row holds most of the largest, at every bound', async () => {
    // Three lists a row. By k: of four maxima, of two and of one the largest is counted; more are wanted than there are maxima.
    const [rows, features] = [6, 2100];
    const h = kinds['normal']!(rows, features).map((value, i) =>
      i >= 4 * features && i < 4 * features + 1024 ? value + 3 : value,
    );
    for (const k of [3, 20, 50, 140])
      await check(
        `batch, ${rows}×${features}, k ${k}, one row above all others`,
        (step) => selectTopK(step, fromData(step, h, [rows, features]), { k, over: 'batch' }),
        selectLargest(h, features, { k, over: 'batch' }),
      );
  });

  it('rows longer than one round of bits, with ties at both ends', async () => {
    const features = 33_001;
    const h = new Float32Array(features).fill(-1);
    h.set([2, 1, 1, 3]);
    h.set([1, 4, 1, 1], features - 4);
    for (const [name, options] of Object.entries(forms))
      for (const k of [5, 6])
        await check(
          `${name}, 1×${features}, k ${k}`,
          (step) => selectTopK(step, fromData(step, h, [1, features]), { k, ...options }),
          selectLargest(h, features, { k }),
        );
  });

  it('workgroups of several subgroups, as GPUs have them', { timeout: 300_000 }, async (context) => {
    const long = typeof process !== 'undefined' && process.env?.['LIMN_LONG'] === '1';
    context.skip(!long, 'software adapters compile large workgroups for a minute: LIMN_LONG=1');
    const [rows, features] = [2, 300];
    const h = kinds['ties']!(rows, features);
    for (const [name, options] of Object.entries(forms))
      for (const workgroup of [32, 64, 256])
        await check(
          `${name}, WG ${workgroup}`,
          (step) => selectTopK(step, fromData(step, h, [rows, features]), { k: 20, ...options }),
          selectLargest(h, features, { k: 20, ...(name === 'batch' ? { over: 'batch' } : {}) }),
          workgroup,
        );
  });

  it('leaves out features that are not allowed', async () => {
    const [rows, features] = [5, 77];
    for (const some of [0, 1]) {
      const allowed = random.integers(features, 2).map((bit) => (some ? 7 * bit : 0));
      const h = kinds['normal']!(rows, features);
      for (const [name, options] of Object.entries(forms)) {
        const over = name === 'batch' ? ({ over: 'batch' } as const) : {};
        await check(
          `${name}, ${some ? 'half' : 'none'} allowed`,
          (step) => {
            const barred = fromData(step, allowed, [features]);
            return selectTopK(step, fromData(step, h, [rows, features]), { k: 9, allowed: barred, ...options });
          },
          selectLargest(h, features, { k: 9, allowed, ...over }),
        );
      }
    }
  });
});

describe('encodeTopK', () => {
  it('selects the same in tiles of any height: whole numbers, which every product sums exactly', async () => {
    // Few enough terms that every tile's product is one lane an element.
    const [rows, features, width] = [37, 31, 3];
    const whole = (count: number): Float64Array => Float64Array.from(random.integers(count, 9), (value) => value - 4);
    const [x, wEnc, bEnc] = [whole(rows * width), whole(features * width), whole(features)];
    const h = preActivations(x, wEnc, bEnc).values;
    for (const [name, options] of Object.entries(forms)) {
      const over = name === 'batch' ? ({ over: 'batch' } as const) : {};
      const barred = random.integers(features, 3);
      for (const [tileRows, allowed] of [[1], [16], [36], [37], [16, barred]] as const)
        await check(
          `${name}, tiles of ${tileRows}${allowed ? ', two of three allowed' : ''}`,
          (step) => {
            const f32 = (values: Float64Array, shape: number[]) => fromData(step, Float32Array.from(values), shape);
            return encodeTopK(step, f32(x, [rows, width]), f32(wEnc, [features, width]), f32(bEnc, [features]), {
              k: 6,
              tileBytes: 4 * 32 * tileRows,
              ...(allowed ? { allowed: fromData(step, allowed, [features]) } : {}),
              ...('kernel' in options ? options : over),
            });
          },
          selectLargest(h, features, { k: 6, ...(allowed ? { allowed } : {}), ...over }),
        );
    }
  });
});

describe('scan', () => {
  it.each([1, 8, 9, 131])('%s lengths, and the chunks of those above one chunk', async (count) => {
    const gpu = await testGpu();
    using step = gpu.step();
    const lengths = random.integers(count, 20);
    const x = fromData(step, lengths, [count]);
    const [starts, chunks] = [scan(step, x, 'starts'), scan(step, x, 'chunks', 6)];
    const [begins, cut] = await Promise.all([readWords(step, starts), readWords(step, chunks)]);
    const before = (counted: (length: number) => number): number[] =>
      Array.from({ length: count + 1 }, (_, i) => lengths.subarray(0, i).reduce((sum, each) => sum + counted(each), 0));
    expect([...begins]).toEqual(before((length) => length));
    expect([...cut]).toEqual(before((length) => (length > 6 ? Math.ceil(length / 6) : 0)));
  });
});

// What a step refuses at record time, each with its code, and what storages may do when.
import { testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  defineKernel,
  dryGpu,
  LimnError,
  openGpu,
  type Gpu,
  type Grid,
  type Step,
  type Storage,
} from '../src/index.js';
import { combine, increment, wgsl } from './kernels.js';

let gpu: Gpu;
let step: Step;
let x: Storage;
let y: Storage;
const uniforms = { count: 4, a: 1, b: 1 };

beforeAll(async () => {
  gpu = await testGpu();
  step = gpu.step({ label: 'refusals' });
  x = step.upload(new Float32Array(4), 'x');
  y = step.allocate(16, 'y');
});
afterAll(() => step.dispose());

/** The code of the error that `body` throws. */
function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as LimnError).code;
  }
  return 'nothing thrown';
}

describe('dispatch refuses', () => {
  test('a missing binding, naming it', () => {
    const bindings = { x, z: x } as unknown as { x: Storage; z: Storage; y: Storage };
    expect(() => step.dispatch(combine, bindings, uniforms)).toThrow(
      "kernel combine: binding 'y' is missing; it has x, z, y",
    );
  });

  test('an unknown binding', () => {
    const bindings = { x, z: x, y, extra: x };
    expect(() => step.dispatch(combine, bindings, uniforms)).toThrow("binding 'extra' is unknown");
  });

  test.each([
    ['missing', { count: 4, a: 1 }, "uniform 'b' is missing"],
    ['unknown', { count: 4, a: 1, b: 1, c: 1 }, "uniform 'c' is not in its Params"],
    ['not a u32', { count: -1, a: 1, b: 1 }, "uniform 'count' is -1, not a u32"],
    ['fractional', { count: 1.5, a: 1, b: 1 }, "uniform 'count' is 1.5, not a u32"],
    ['too large for f32', { count: 4, a: 1e39, b: 1 }, "uniform 'a' is 1e+39, not a finite f32"],
    ['NaN', { count: 4, a: Number.NaN, b: 1 }, "uniform 'a' is NaN"],
  ])('a uniform that is %s', (_, values, message) => {
    const given = values as unknown as typeof uniforms;
    expect(() => step.dispatch(combine, { x, z: x, y }, given, { grid: [1, 1, 1] })).toThrow(message);
  });

  test.each([[[65536, 1, 1]], [[1, -1, 1]], [[1.5, 1, 1]], [[Number.NaN, 1, 1]], [[Number.POSITIVE_INFINITY, 1, 1]]])(
    'a grid of %j',
    (grid) => {
      const options = { grid: grid as unknown as Grid };
      expect(() => step.dispatch(combine, { x, z: x, y }, uniforms, options)).toThrow(
        /kernel combine: a grid of .* is not possible/,
      );
    },
  );

  test('an unknown or infinite override', () => {
    const bad = { overrides: { TILE: 4 } as { WG?: number } };
    expect(codeOf(() => step.dispatch(combine, { x, z: x, y }, uniforms, bad))).toBe('gpu/override');
    expect(codeOf(() => step.dispatch(combine, { x, z: x, y }, uniforms, { overrides: { WG: Number.NaN } }))).toBe(
      'gpu/override',
    );
  });

  test('one storage for reading and writing', () => {
    expect(() => step.dispatch(combine, { x: y, z: x, y }, uniforms)).toThrow(
      "'y' is bound as x and as y, and one of them is written",
    );
  });

  test('a value that nothing has written', () => {
    const empty = step.allocate(16, 'empty');
    expect(codeOf(() => step.dispatch(combine, { x: empty, z: x, y }, uniforms))).toBe('gpu/read-before-write');
    expect(codeOf(() => step.copy(empty, y))).toBe('gpu/read-before-write');
    step.clear(empty);
    step.dispatch(combine, { x: empty, z: x, y }, uniforms);
  });

  test('a storage of another step, with the cure', () => {
    const other = gpu.step({ label: 'other' });
    const theirs = other.upload(new Float32Array(4), 'theirs');
    expect(() => step.dispatch(combine, { x: theirs, z: x, y }, uniforms)).toThrow(
      "'theirs' lives in step 'other', not in 'refusals'",
    );
    other.dispose();
  });

  test('a storage of another Gpu', () => {
    const elsewhere = dryGpu().persistent(16);
    expect(codeOf(() => step.dispatch(combine, { x: elsewhere, z: x, y }, uniforms))).toBe('gpu/other-device');
  });

  test('a disposed storage', () => {
    const gone = gpu.persistent(16, { label: 'gone' });
    gone.dispose();
    gone.dispose();
    expect(codeOf(() => step.dispatch(combine, { x: gone, z: x, y }, uniforms))).toBe('gpu/disposed');
    expect(codeOf(() => gpu.write(gone, new Float32Array(4)))).toBe('gpu/disposed');
  });

  test('a binding larger than the device allows, before anything is allocated', () => {
    const limit = gpu.capabilities.limits.maxStorageBufferBindingSize;
    const before = gpu.counters.snapshot();
    const large = step.allocate(limit + 4, 'large');
    expect(() => step.dispatch(increment, { y: large }, { count: 1, a: 1 })).toThrow(
      `'large' (y) has ${limit + 4} bytes; this device binds at most ${limit}`,
    );
    expect(gpu.counters.since(before).buffersCreated).toBe(0);
  });

  test('work that is no number', () => {
    const odd = defineKernel(increment.shader, { grid: () => [1, 1, 1], work: () => Number.NaN });
    expect(codeOf(() => step.dispatch(odd, { y }, { count: 4, a: 1 }))).toBe('gpu/work');
  });
});

describe('storages', () => {
  test.each([0, -4, 1.5, Number.NaN])('of %d bytes are refused', (bytes) => {
    expect(codeOf(() => step.allocate(bytes))).toBe('gpu/size');
    expect(codeOf(() => gpu.persistent(bytes))).toBe('gpu/size');
  });

  test('larger than a buffer may be are refused with the numbers', () => {
    const limit = gpu.capabilities.limits.maxBufferSize;
    expect(() => gpu.persistent(limit + 1, { label: 'huge' })).toThrow(
      `'huge' needs a buffer of ${limit + 1} bytes, but this device allows at most ${limit}`,
    );
  });

  test('persistent ones are zero, also when their buffer comes from the pool', async () => {
    const first = gpu.persistent(64, { data: new Float32Array(16).fill(7) });
    first.dispose();
    const before = gpu.counters.snapshot();
    const second = gpu.persistent(64, { data: new Float32Array([1]) });
    expect(gpu.counters.since(before).buffersCreated).toBe(0);
    expect([...(await gpu.read(second, 'f32'))]).toEqual([1, ...Array.from({ length: 15 }, () => 0)]);
    second.dispose();
  });

  test('odd byte counts and shared memory are written and read exactly', async () => {
    const storage = gpu.persistent(7, { data: new Uint8Array([1, 2, 3, 4, 5, 6, 7]) });
    const shared = new Uint8Array(
      typeof SharedArrayBuffer === 'function' ? new SharedArrayBuffer(4) : new ArrayBuffer(4),
    );
    shared.set([9, 8, 7, 6]);
    gpu.write(storage, shared);
    expect([...new Uint8Array(await gpu.read(storage))]).toEqual([9, 8, 7, 6, 5, 6, 7]);
    expect(codeOf(() => gpu.write(storage, new Uint8Array(2), 0))).toBe('gpu/write');
    expect(codeOf(() => gpu.write(storage, new Uint8Array(4), 4))).toBe('gpu/write');
    storage.dispose();
  });

  test('step-local ones cannot be read after the step; kept ones can, by the step and the Gpu', async () => {
    const one = gpu.step();
    const local = one.upload(new Float32Array([1, 2]), 'local');
    const kept = one.keep(one.upload(new Float32Array([3, 4])));
    expect(kept.kind).toBe('kept');
    await one.submit();
    await expect(one.read(local)).rejects.toMatchObject({ code: 'gpu/step-closed' });
    await expect(gpu.read(local)).rejects.toMatchObject({ code: 'gpu/step-closed' });
    expect(new Float32Array(await one.read(kept))[1]).toBe(4);
    expect((await gpu.read(kept, 'f32'))[0]).toBe(3);
    kept.dispose();
    await expect(gpu.read(kept)).rejects.toMatchObject({ code: 'gpu/disposed' });
  });

  test('disposed while a recorded step needs them, they live until it has run', async () => {
    const state = gpu.persistent(16, { data: new Float32Array([5, 5, 5, 5]) });
    const later = gpu.step();
    const out = later.allocate(16);
    later.dispatch(combine, { x: state, z: state, y: out }, uniforms);
    state.dispose();
    const intruder = gpu.persistent(16, { data: new Float32Array([9, 9, 9, 9]) });
    expect([...new Float32Array(await later.read(out))]).toEqual([10, 10, 10, 10]);
    intruder.dispose();
  });

  test('kept by a step that has not run are refused', async () => {
    const maker = gpu.step({ label: 'maker' });
    const kept = maker.keep(maker.upload(new Float32Array(4)));
    const user = gpu.step();
    await expect(user.read(kept)).rejects.toMatchObject({ code: 'gpu/step-order' });
    maker.dispose();
    const another = gpu.step();
    await expect(another.read(kept)).rejects.toMatchObject({ code: 'gpu/step-order' });
    await expect(gpu.read(kept)).rejects.toMatchObject({ code: 'gpu/step-order', details: { phase: 'discarded' } });
    kept.dispose();
  });
});

describe('a step', () => {
  test('serves all reads made before the first await with one submit', async () => {
    const one = gpu.step();
    const a = one.upload(new Float32Array([1]));
    const b = one.upload(new Float32Array([2, 3]));
    const before = gpu.counters.snapshot();
    const reads = [one.read(a), one.read(b), one.read(a)];
    expect((await Promise.all(reads)).map((d) => [...new Float32Array(d)])).toEqual([[1], [2, 3], [1]]);
    expect(gpu.counters.since(before)).toMatchObject({ submits: 1, readbacks: 3 });
  });

  test('runs once, and refuses recording afterwards', async () => {
    const one = gpu.step();
    const a = one.keep(one.upload(new Float32Array(4)));
    one.dispatch(increment, { y: a }, { count: 4, a: 1 });
    await Promise.all([one.submit(), one.submit()]);
    await one.submit();
    expect((await gpu.read(a, 'f32'))[0]).toBe(1);
    expect(codeOf(() => one.dispatch(increment, { y: a }, { count: 4, a: 1 }))).toBe('gpu/step-closed');
    expect(codeOf(() => one.allocate(4))).toBe('gpu/step-closed');
    a.dispose();
  });

  test('disposed at the end of a block still serves the read under way', async () => {
    const read = (): Promise<ArrayBuffer> => {
      using one = gpu.step();
      return one.read(one.upload(new Float32Array([6])));
    };
    expect(new Float32Array(await read())[0]).toBe(6);
  });

  test('disposed without running gives up', async () => {
    const one = gpu.step();
    one.dispose();
    one.dispose();
    await expect(one.submit()).rejects.toMatchObject({ code: 'gpu/step-closed' });
  });

  test('copies ranges, and refuses impossible ones', async () => {
    const one = gpu.step();
    const from = one.upload(new Float32Array([1, 2, 3, 4]));
    const to = one.upload(new Float32Array(4));
    one.copy(from, to, { fromOffset: 4, toOffset: 8, byteLength: 8 });
    expect(codeOf(() => one.copy(from, from))).toBe('gpu/copy');
    expect(codeOf(() => one.copy(from, to, { fromOffset: 2 }))).toBe('gpu/copy');
    expect(codeOf(() => one.copy(from, to, { toOffset: 8, byteLength: 12 }))).toBe('gpu/copy');
    expect([...new Float32Array(await one.read(to))]).toEqual([0, 0, 2, 3]);
  });
});

test('poison shows what a kernel left unwritten, and nothing else', async () => {
  const one = gpu.step();
  const x = one.upload(new Float32Array([1, 2, 3, 4]));
  const partial = one.allocate(16);
  one.dispatch(combine, { x, z: x, y: partial }, { count: 3, a: 1, b: 0 });
  const cleared = one.keep(one.allocate(16));
  one.clear(cleared);
  one.dispatch(combine, { x, z: x, y: cleared }, { count: 3, a: 1, b: 0 });
  const kept = one.keep(one.allocate(16));
  one.dispatch(combine, { x, z: x, y: kept }, { count: 3, a: 1, b: 0 });
  const [a, b, c] = await Promise.all([partial, cleared, kept].map((s) => one.read(s)));
  expect([...new Float32Array(a!)]).toEqual([1, 2, 3, Number.NaN]);
  expect([...new Float32Array(b!)]).toEqual([1, 2, 3, 0]);
  expect([...new Float32Array(c!)]).toEqual([1, 2, 3, Number.NaN]);
  cleared.dispose();
  kept.dispose();
});

describe('a dry Gpu', () => {
  test('plans what a device would, and refuses to run', async () => {
    const record = (on: Gpu): Step => {
      const one = on.step({ workBudgetFlops: 20 });
      const w = on.persistent(16, { data: new Float32Array(4) });
      let v = one.upload(new Float32Array(4));
      for (let i = 0; i < 5; i += 1) {
        const next = one.allocate(16);
        one.dispatch(combine, { x: v, z: w, y: next }, uniforms, { variant: { reduce: 'tree' } });
        v = next;
      }
      one.keep(v);
      return one;
    };
    const dry = record(dryGpu());
    expect(dry.plan()).toEqual(record(gpu).plan());
    expect(dry.plan()).toMatchObject({
      dispatches: 5,
      flops: 60,
      submits: 3,
      bytesPeak: 512,
      bytesLowerBound: 32,
      bytesKept: 16,
      bytesUploaded: 16,
    });
    await expect(dry.submit()).rejects.toMatchObject({ code: 'gpu/dry' });
    expect(codeOf(() => dryGpu().device)).toBe('gpu/dry');
    await expect(dryGpu().read(dryGpu().persistent(4))).rejects.toMatchObject({ code: 'gpu/dry' });
  });
});

describe('opening', () => {
  test('without WebGPU, without an adapter, with an impossible limit or feature: coded', async () => {
    const none = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(openGpu({ provider: none })).rejects.toMatchObject({ code: 'gpu/no-adapter' });
    if (!globalThis.navigator?.gpu) await expect(openGpu()).rejects.toMatchObject({ code: 'gpu/no-webgpu' });
  });
});

test('a shader with more storage bindings than the device has is refused by name', async () => {
  const limit = gpu.capabilities.limits.maxStorageBuffersPerShaderStage;
  const bindings = Array.from({ length: limit + 1 }, (_, i) => ({ name: `b${i}`, access: 'write' as const }));
  const wide = defineKernel(wgsl({ name: 'wide', bindings, params: [], overrides: {}, uses: [], code: '' }), {
    grid: () => [1, 1, 1],
  });
  const one = gpu.step();
  one.dispatch(wide, Object.fromEntries(bindings.map((b) => [b.name, one.allocate(4)])), {});
  await expect(one.submit()).rejects.toMatchObject({ code: 'gpu/bindings', details: { limit } });
});

// A repeated step makes nothing new, gives equal bits, and holds memory constant.
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import type { Gpu, Storage } from '../src/index.js';
import { combine, increment } from './kernels.js';

const count = 1000;
const bytes = count * 4;
const data = Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** A step with shared memory, an upload, an in-place update of `state`, a kept value and reads. */
async function work(gpu: Gpu, state: Storage, a: number): Promise<{ read: ArrayBuffer; kept: Storage }> {
  using step = gpu.step({ label: 'steady' });
  const x = step.upload(data);
  let y = x;
  for (let i = 0; i < 10; i += 1) {
    const next = step.allocate(bytes);
    step.dispatch(combine, { x: y, z: state, y: next }, { count, a, b: 0.25 });
    y = next;
  }
  step.dispatch(increment, { y: state }, { count, a });
  const sum = step.allocate(bytes);
  step.dispatch(combine, { x: y, z: y, y: sum }, { count, a: 1, b: 1 });
  const kept = step.keep(sum);
  return { read: await step.read(y), kept };
}

test('a second identical step creates no buffer, bind group, pipeline or plan, and its results are bit-equal', async () => {
  const gpu = await testGpu();
  const run = async (): Promise<{ read: ArrayBuffer; kept: ArrayBuffer }> => {
    const state = gpu.persistent(bytes, { data });
    const { read, kept } = await work(gpu, state, 0.5);
    const values = await gpu.read(kept);
    kept.dispose();
    state.dispose();
    return { read, kept: values };
  };
  const first = await run();
  const before = gpu.counters.snapshot();
  const second = await run();
  const added = gpu.counters.since(before);
  expect(added).toMatchObject({
    buffersCreated: 0,
    bindGroupsCreated: 0,
    pipelinesCreated: 0,
    plansCreated: 0,
    dispatches: 12,
  });
  expect(new Uint32Array(second.read)).toEqual(new Uint32Array(first.read));
  expect(new Uint32Array(second.kept)).toEqual(new Uint32Array(first.kept));
});

test('other uniform values and upload contents reuse the plan, and are seen', async () => {
  const gpu = await testGpu();
  const run = async (a: number, first: number): Promise<number> => {
    using step = gpu.step();
    const y = step.allocate(16);
    step.dispatch(
      combine,
      { x: step.upload(new Float32Array([first, 0, 0, 0])), z: step.upload(new Float32Array(4)), y },
      { count: 4, a, b: 1 },
    );
    return new Float32Array(await step.read(y))[0]!;
  };
  expect(await run(2, 5)).toBe(10);
  const before = gpu.counters.snapshot();
  expect(await run(3, 7)).toBe(21);
  expect(gpu.counters.since(before)).toMatchObject({ plansCreated: 0, bindGroupsCreated: 0, submits: 1 });
});

test('1000 steps with kept and persistent storages leave the live buffers as they were', async () => {
  const gpu = await testGpu();
  const once = async (): Promise<void> => {
    const state = gpu.persistent(64, { data: new Float32Array(16).fill(1) });
    using step = gpu.step();
    const y = step.allocate(64);
    step.dispatch(combine, { x: state, z: state, y }, { count: 16, a: 1, b: 1 });
    const kept = step.keep(y);
    const [value] = new Float32Array(await step.read(y));
    expect(value).toBe(2);
    kept.dispose();
    state.dispose();
  };
  for (let i = 0; i < 3; i += 1) await once();
  const before = gpu.counters.snapshot();
  for (let i = 0; i < 1000; i += 1) await once();
  expect(gpu.counters.since(before)).toMatchObject({
    buffersLive: 0,
    bytesLive: 0,
    buffersCreated: 0,
    bindGroupsCreated: 0,
    submits: 1000,
  });
});

test('more plans than the cache holds are dropped without leaking, and still run', async () => {
  const gpu = await testGpu();
  const run = async (n: number): Promise<void> => {
    using step = gpu.step();
    const x = step.upload(new Float32Array(n).fill(n));
    const y = step.allocate(n * 4);
    step.dispatch(combine, { x, z: x, y }, { count: n, a: 1, b: 1 });
    expect(new Float32Array(await step.read(y))[n - 1]).toBe(2 * n);
  };
  gpu.trim();
  const before = gpu.counters.snapshot();
  for (let round = 0; round < 2; round += 1) for (let n = 1; n <= 150; n += 1) await run(n);
  gpu.trim();
  const added = gpu.counters.since(before);
  expect(added.plansCreated).toBe(300);
  expect(added).toMatchObject({ buffersLive: 0, bytesLive: 0 });
});

test('two different plans share their scratch memory', async () => {
  const gpu = await testGpu();
  gpu.trim();
  const n = 1 << 18;
  const run = async (steps: number): Promise<void> => {
    using step = gpu.step();
    let y = step.upload(new Float32Array(n));
    for (let i = 0; i < steps; i += 1) {
      const next = step.allocate(n * 4);
      step.dispatch(combine, { x: y, z: y, y: next }, { count: n, a: 1, b: 1 });
      y = next;
    }
    await step.submit();
  };
  await run(3);
  const before = gpu.counters.snapshot();
  await run(5);
  expect(gpu.counters.since(before)).toMatchObject({ plansCreated: 1, buffersCreated: 0, bytesLive: 0 });
});

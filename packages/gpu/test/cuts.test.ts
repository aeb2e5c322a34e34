// Work beyond the budget is cut into ceil(work / budget) submits; progress and abort act at the cuts; steps keep their order.
import { testGpu } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { AbortedError, type Gpu, type Progress, type Step, type StepOptions, type Storage } from '../src/index.js';
import { combine, increment } from './kernels.js';

const count = 500;
/** Work of one `increment` over `count`, by its own rule. */
const unit = count;

function chain(gpu: Gpu, dispatches: number, options: StepOptions): { step: Step; y: Storage } {
  const step = gpu.step(options);
  const y = step.upload(new Float32Array(count));
  for (let i = 0; i < dispatches; i += 1) step.dispatch(increment, { y }, { count, a: 1 });
  return { step, y };
}

describe('cuts', () => {
  test.each([
    [1, 10],
    [10, 10],
    [10, 3],
    [10, 2.5],
    [37, 4.2],
    [37, 1],
    [64, 63],
  ])('%i dispatches under a budget of %f of them', async (dispatches, budget) => {
    const gpu = await testGpu();
    const { step, y } = chain(gpu, dispatches, { workBudgetFlops: budget * unit });
    const expected = Math.ceil(dispatches / budget);
    expect(step.plan()).toMatchObject({ submits: expected, flops: dispatches * unit });
    const before = gpu.counters.snapshot();
    const values = new Float32Array(await step.read(y));
    expect(gpu.counters.since(before)).toMatchObject({ submits: expected, dispatches });
    expect(values).toEqual(new Float32Array(count).fill(dispatches));
  });

  test('a dispatch larger than the budget still runs', async () => {
    const gpu = await testGpu();
    const { step, y } = chain(gpu, 3, { workBudgetFlops: unit / 4 });
    const before = gpu.counters.snapshot();
    expect(new Float32Array(await step.read(y))[0]).toBe(3);
    expect(gpu.counters.since(before).submits).toBe(3);
  });

  test('progress rises to the whole', async () => {
    const gpu = await testGpu();
    const seen: Progress[] = [];
    const { step } = chain(gpu, 12, { workBudgetFlops: 3 * unit, onProgress: (p) => seen.push(p) });
    await step.submit();
    expect(seen).toEqual([3, 6, 9, 12].map((n) => ({ done: n * unit, total: 12 * unit })));
  });

  test('an empty step submits nothing', async () => {
    const gpu = await testGpu();
    const before = gpu.counters.snapshot();
    await gpu.step().submit();
    expect(gpu.counters.since(before).submits).toBe(0);
  });
});

describe('abort', () => {
  test('at every cut: typed error, nothing submitted after it, and the next step is right', async () => {
    const gpu = await testGpu();
    for (let at = 0; at < 5; at += 1) {
      const controller = new AbortController();
      if (at === 0) controller.abort();
      let cuts = 0;
      const onProgress = (): void => {
        cuts += 1;
        if (cuts === at) controller.abort();
      };
      const { step, y } = chain(gpu, 5, { workBudgetFlops: unit, signal: controller.signal, onProgress });
      const kept = step.keep(step.upload(new Float32Array(4)));
      const read = step.read(y);
      const before = gpu.counters.snapshot();
      await expect(step.submit()).rejects.toBeInstanceOf(AbortedError);
      await expect(read).rejects.toMatchObject({ code: 'aborted', details: { done: at * unit, total: 5 * unit } });
      expect(gpu.counters.since(before).submits).toBe(at);
      // What an aborted step kept is undefined, so nothing may use it.
      await expect(gpu.read(kept)).rejects.toMatchObject({ code: 'gpu/step-order', details: { phase: 'failed' } });
      kept.dispose();
    }
    const { step, y } = chain(gpu, 5, { workBudgetFlops: unit });
    expect(new Float32Array(await step.read(y))[0]).toBe(5);
  });

  test('aborting a hundred steps leaks nothing', async () => {
    const gpu = await testGpu();
    const once = async (): Promise<void> => {
      const controller = new AbortController();
      const { step, y } = chain(gpu, 3, {
        workBudgetFlops: unit,
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
      await expect(step.read(y)).rejects.toMatchObject({ code: 'aborted' });
    };
    await once();
    const before = gpu.counters.snapshot();
    for (let i = 0; i < 100; i += 1) await once();
    expect(gpu.counters.since(before)).toMatchObject({ buffersLive: 0, bytesLive: 0 });
  });
});

describe('order', () => {
  test('concurrent steps, cut and whole, equal the same steps one after another', async () => {
    const gpu = await testGpu();
    const run = (state: Storage, i: number): Promise<ArrayBuffer> => {
      const step = gpu.step({ workBudgetFlops: i % 2 === 0 ? 2 * unit : 1e9 });
      let y = step.upload(Float32Array.from({ length: count }, (_, k) => Math.cos(k * i)));
      for (let k = 0; k < 6; k += 1) {
        const next = step.allocate(count * 4);
        step.dispatch(combine, { x: y, z: state, y: next }, { count, a: 0.5, b: 0.25 });
        step.dispatch(increment, { y: state }, { count, a: i });
        y = next;
      }
      return step.read(y);
    };
    const serial: ArrayBuffer[] = [];
    const one = gpu.persistent(count * 4);
    for (let i = 0; i < 8; i += 1) serial.push(await run(one, i));
    const two = gpu.persistent(count * 4);
    const parallel = await Promise.all(Array.from({ length: 8 }, (_, i) => run(two, i)));
    parallel.forEach((data, i) => expect(new Uint32Array(data)).toEqual(new Uint32Array(serial[i]!)));
    expect(await gpu.read(two, 'f32')).toEqual(await gpu.read(one, 'f32'));
    one.dispose();
    two.dispose();
  });

  test('writes and reads outside steps fall between the steps around them', async () => {
    const gpu = await testGpu();
    const state = gpu.persistent(count * 4);
    const add = (budget: number): Promise<void> => {
      const step = gpu.step({ workBudgetFlops: budget });
      for (let k = 0; k < 4; k += 1) step.dispatch(increment, { y: state }, { count, a: 1 });
      return step.submit();
    };
    const first = add(unit);
    const afterFirst = gpu.read(state, 'f32');
    gpu.write(state, new Float32Array(count).fill(100));
    const second = add(1e9);
    const afterSecond = gpu.read(state, 'f32');
    await Promise.all([first, second]);
    expect((await afterFirst)[7]).toBe(4);
    expect((await afterSecond)[7]).toBe(104);
    state.dispose();
  });
});

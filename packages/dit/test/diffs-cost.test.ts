// What training many diffs takes, counted and not timed: dispatches that do not grow with the number of diffs, nothing made anew, bytes as planned.
import { defaultLimits, dryGpu } from '@limn/gpu';
import { Gpt2, namedSizes, newConfig, weightShapes } from '@limn/gpt2';
import { persistent, rowBlocks } from '@limn/tensor';
import { testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planDiffs, trainDiffs, type DiffRow, type DiffSpec, type TrainDiffsOptions } from '../src/index.js';
import { toyModel } from './diffs-job.js';

let toy: ToyModel;
beforeAll(async () => {
  toy = toyModel(await testGpu());
});
afterAll(() => toy.dispose());

const ROWS = 3;

/** Rows of other lengths in every round, which no round before had. */
const rowsOf = (i: number, round: number): DiffRow[] => {
  const long = 1 + ((round + i) % 3);
  const front = [1 + (round % 20), 2 + (i % 12), 3];
  return [
    { tokens: [...front, ...Array.from({ length: long }, () => 14 + (i % 15))], answers: [[3, 3 + long]], loss: 'cross-entropy', weight: 1 }, // prettier-ignore
    ...[0, 1].map((r): DiffRow => ({ tokens: [...front, 7 + r, 9], answers: [[4 - (long % 2), 5]], loss: 'kl', weight: 2 })), // prettier-ignore
  ];
};

const job = (count: number, updates: number): { specs: DiffSpec[]; options: TrainDiffsOptions } => ({
  specs: Array.from({ length: count }, (_, i) => ({ id: String(i), seed: i, samples: (round) => rowsOf(i, round) })),
  options: {
    sampler: { name: 'lengths', version: '1' },
    shape: { tasks: count, rows: ROWS, positions: 8, answers: 3, taught: 4 },
    updates,
    every: 1,
  },
});

/** Counters behind each update. */
async function counted(count: number, updates: number): Promise<ReturnType<ToyModel['gpu']['counters']['snapshot']>[]> {
  const { specs, options } = job(count, updates);
  const seen: ReturnType<ToyModel['gpu']['counters']['snapshot']>[] = [];
  await trainDiffs(toy, specs, { ...options, onProgress: () => void seen.push(toy.gpu.counters.snapshot()) });
  return seen;
}

test('an update is as many dispatches and submits for eight diffs as for two, and makes nothing anew', async () => {
  const perUpdate = [];
  for (const count of [2, 8]) {
    const seen = await counted(count, 8);
    // The first updates make plans, pipelines and buffers.
    const steady = seen.slice(3).map((now, i) => {
      const before = seen[i + 2] as typeof now;
      return Object.fromEntries(
        (['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated', 'dispatches', 'submits', 'readbacks'] as const) // prettier-ignore
          .map((name) => [name, now[name] - before[name]]),
      );
    });
    for (const each of steady) {
      expect(each).toEqual(steady[0]);
      expect(each).toMatchObject({ buffersCreated: 0, bindGroupsCreated: 0, pipelinesCreated: 0, plansCreated: 0 });
      // The bare model on all rows that are new, and the update; what each of them gives is read once.
      expect(each).toMatchObject({ submits: 2, readbacks: 2 });
    }
    perUpdate.push(steady[0]);
  }
  expect(perUpdate[1]).toEqual(perUpdate[0]);
});

test('rows of the bare model that come again cost no pass', async () => {
  const { specs, options } = job(3, 6);
  const same = specs.map((spec) => ({ ...spec, samples: () => spec.samples(0) }));
  const seen: number[] = [];
  const { teacher } = await trainDiffs(toy, same, {
    ...options,
    onProgress: () => void seen.push(toy.gpu.counters.submits),
  });
  expect(seen.slice(1).map((now, i) => now - (seen[i] as number))).toEqual([1, 1, 1, 1, 1]);
  expect(teacher).toMatchObject({ misses: 6, hits: 6 * 5 });
});

test('the GPU holds what was planned', async () => {
  const { gpu } = toy;
  const { specs, options } = job(64, 2);
  gpu.trim();
  const before = gpu.counters.bytesLive;
  gpu.resetCounters();
  const { factors, update } = planDiffs(toy, specs, options);
  expect(gpu.counters.bytesPeak).toBe(before);
  await trainDiffs(toy, specs, options);
  const most = gpu.counters.bytesPeak - before;
  expect(most).toBeGreaterThan(factors + update / 2);
  // Buffers have eight sizes to a power of two; uniforms and what is read back, a quarter of a MiB here, are in no plan.
  expect(most).toBeLessThan(1.125 * (factors + update) + 2 ** 18);
});

test('64 diffs of GPT-2 small hold 12 bytes a number, and with their slopes 16', () => {
  const gpu = dryGpu({ limits: defaultLimits });
  const config = newConfig(namedSizes.gpt2);
  const byName = new Map(
    Array.from(weightShapes(config, true), ([name, shape]) => {
      const [rows = 0, width = 0] = shape;
      return [name, name === 'wte.weight' ? rowBlocks(gpu, rows, width) : persistent(gpu, shape)] as const;
    }),
  );
  const model = new Gpt2(gpu, config, { tied: true, byName, processing: 'raw', fingerprint: 'none' });
  const plan = (tasks: number): ReturnType<typeof planDiffs> => {
    const { specs, options } = job(tasks, 1);
    return planDiffs(model, specs, { ...options, memoryBytes: 2 ** 33 });
  };
  const [half, whole] = [plan(32), plan(64)];
  const numbers = 64 * 16 * 768 * 12;
  expect(whole.factors).toBe(12 * numbers);
  expect(half.factors).toBe(whole.factors / 2);
  expect(16 * numbers).toBe(150_994_944);
  // Slopes, and activations, which grow with the rows: twice the diffs take twice as much, and what all rows share once.
  expect(whole.update).toBeGreaterThan(4 * numbers);
  expect(whole.update - half.update).toBeGreaterThan(2 * numbers);
  expect(whole.update).toBeLessThan(2.01 * half.update);
});

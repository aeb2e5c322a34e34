// The device fails at the n-th call of a whole job, in each of three ways: right result or coded error, nothing leaked, the job resumes.
import { Gpu } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { FaultyDevice, recordResult, type DeviceFault } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryFiles, type CheckpointStore, type WritableFiles } from '../src/index.js';
import { resumeJob, runJob, writeModel, type JobPlace, type JobResult } from './faults/job.js';
import { MemoryCheckpoints } from './memory-checkpoints.js';
import { outcomeOf, someCalls, Tally } from './faults/sweep.js';

/** In which the device fails. */
const ways = ['throw', 'report', 'lose'] as const;
const long = process.env['LIMN_LONG'] === '1';
let base: Gpu;
let source: WritableFiles;
let expected: JobResult;
let calls: readonly string[];

/** A fresh Gpu on the one real device: pipelines are compiled once for all cases. */
function gpuOn(faulty: FaultyDevice): Gpu {
  return new Gpu(faulty.device, base.capabilities, 1e9);
}

function place(): JobPlace & { readonly checkpoints: () => number } {
  const checkpoints = new MemoryCheckpoints();
  return { source, target: memoryFiles({}), store: checkpoints.store, checkpoints: () => checkpoints.writes };
}

beforeAll(async () => {
  base = await openNodeGpu({ workBudgetFlops: 1e9 });
  source = memoryFiles({});
  await writeModel(base, source);
  const healthy = new FaultyDevice(base.device);
  using gpu = gpuOn(healthy);
  expected = await runJob(gpu, place());
  calls = healthy.counter.calls;
});
afterAll(() => base.dispose());

/** Promises that nobody waits for reject here; vitest fails the run for each. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** One case; with `goesOn` also what can be done after it. */
async function oneCase(call: number, how: DeviceFault, tally: Tally, goesOn: boolean): Promise<void> {
  const what = `${how} at call ${call} (${calls[call - 1]})`;
  const faulty = new FaultyDevice(base.device, { call, how });
  const gpu = gpuOn(faulty);
  const at = place();
  const outcome = await outcomeOf(what, () => runJob(gpu, at));
  tally.add(outcome);
  if ('result' in outcome) expect(outcome.result, what).toEqual(expected);
  gpu.trim();
  await settle();
  const { bytesLive, buffersLive } = gpu.counters.snapshot();
  expect({ bytesLive, buffersLive, handles: faulty.liveBuffers.size }, what).toEqual({
    bytesLive: 0,
    buffersLive: 0,
    handles: 0,
  });
  if ('result' in outcome || !goesOn) return gpu.dispose();
  // The device is whole: the same job on the same Gpu succeeds.
  if (how !== 'lose') expect(await runJob(gpu, place()), `${what}, then again`).toEqual(expected);
  gpu.dispose();
  if (at.checkpoints() === 0) return;
  const next = gpuOn(new FaultyDevice(base.device));
  expect(await resumeJob(next, at), `${what}, resumed`).toBe(expected.weights);
  next.dispose();
  tally.resumed += 1;
}

describe('a device that fails', () => {
  test.each(ways)(
    `at ${long ? 'every call' : 'chosen calls'} of a job, by %s: right result or coded error, nothing leaked, and it resumes`,
    async (how) => {
      const tally = new Tally();
      // In short, every call that is chosen is made to fail in one of the three ways.
      const chosen = long ? calls.map((_, i) => i + 1) : someCalls(calls).filter((_, i) => ways[i % 3] === how);
      const failures: string[] = [];
      for (const [i, call] of chosen.entries())
        // Going on takes three times as long as failing, so that only some of the cases do.
        await oneCase(call, how, tally, i % (long ? 7 : 3) === 0).catch((error: unknown) => {
          failures.push(String((error as Error).stack));
        });
      expect(failures.slice(0, 20), `${failures.length} of ${chosen.length} cases`).toEqual([]);
      expect(tally.cases).toBe(chosen.length);
      expect(tally.codes.size).toBeGreaterThan(0);
      recordResult(`faults: device, ${how}`, { 'calls of the job': calls.length, ...tally.figures });
    },
    3_600_000,
  );

  test('a real device that is destroyed in the middle of training: device-lost, and on to the same bits on a new one', async () => {
    const at = place();
    const gpu = await openNodeGpu({ workBudgetFlops: 1e9 });
    const lossy: CheckpointStore = {
      read: () => at.store.read(),
      write: async (content) => {
        await at.store.write(content);
        gpu.device.destroy();
      },
    };
    const outcome = await outcomeOf('destroyed behind a checkpoint', () => resumeJob(gpu, { ...at, store: lossy }));
    expect(outcome).toEqual({ code: 'gpu/device-lost' });
    gpu.dispose();
    const { buffersLive, bytesLive } = gpu.counters.snapshot();
    expect([buffersLive, bytesLive, at.checkpoints()]).toEqual([0, 0, 1]);
    expect(await resumeJob(base, at)).toBe(expected.weights);
  });
});

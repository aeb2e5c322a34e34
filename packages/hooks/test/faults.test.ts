// The device fails at the n-th call of an analysis or a generation: every one-call function gives the right result or a coded error, and leaves nothing.
import { Gpu, LimnError } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { FaultyDevice, recordResult, ToyModel, type DeviceFault } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  directLogitAttribution,
  generate,
  getActPatchMlpOut,
  logitDifference,
  logitLens,
  runWithCache,
  type HookedModel,
} from '../src/index.js';

const long = process.env['LIMN_LONG'] === '1';
const clean = [[1, 4, 2]];
const corrupted = [[1, 5, 2]];
const sizes = { layers: 1, heads: 1, headWidth: 3, mlpWidth: 4, vocabulary: 7, maxPositions: 4 };
let base: Gpu;
beforeAll(async () => {
  base = await openNodeGpu({ workBudgetFlops: 1e9 });
});
afterAll(() => base.dispose());

/** Everything that a user may look at, as text. */
async function analysis(model: HookedModel): Promise<string> {
  const { cache, logits } = await runWithCache(model, clean, { names: ['resid_post', 'pattern'] });
  let pattern: ArrayLike<number>;
  try {
    pattern = (await cache.read('pattern', 0)).data;
  } finally {
    cache.dispose();
  }
  const { values } = await directLogitAttribution(model, clean, { correct: 1, incorrect: 3, by: 'neuron' });
  const lens = await logitLens(model, clean);
  const sweep = await getActPatchMlpOut(model, { clean, corrupted, metric: logitDifference(1, 3), batchRows: 2 });
  return [logits.data, pattern, values.data, lens.logits.data, sweep.values.data]
    .map((each) => Array.from(each).join())
    .join(' ');
}

/** A generation with all that a sampler may hold on the GPU, of rows that differ in length and end. */
async function generation(model: HookedModel): Promise<string> {
  const { rows } = await generate(model, [[1, 4], [5]], {
    maxNewTokens: 3,
    minNewTokens: 1,
    eosIds: [2, 3],
    sampling: { kind: 'sample', seed: 1, temperature: 1.5, topK: 5, topP: 0.95, repetitionPenalty: 1.2 },
    topLogProbabilities: 2,
  });
  return JSON.stringify(rows);
}

type Job = (model: HookedModel) => Promise<string>;
const jobs: readonly (readonly [name: string, job: Job])[] = [
  ['analysis', analysis],
  ['generation', generation],
];

/** What the job gives, its error, or `hung` when neither came in time. */
async function outcomeOf(job: Job, model: HookedModel): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve(new Error('hung')), 30_000)));
  const outcome = await Promise.race([job(model).catch((error: unknown) => error), late]);
  clearTimeout(timer);
  return outcome;
}

/** A toy on a fresh Gpu over the one real device, with the number of calls that it took to make. */
async function toyOn(fault?: { readonly call: number; readonly how: DeviceFault }) {
  const faulty = new FaultyDevice(base.device, fault);
  const gpu = new Gpu(faulty.device, base.capabilities, 1e9);
  const model = new ToyModel(gpu, sizes);
  await gpu.step().submit();
  return { faulty, gpu, model, made: faulty.counter.calls.length };
}

test.each(jobs)(
  `%s: the device fails at ${long ? 'every call' : 'chosen calls'}: the right result or a coded error, and nothing is left`,
  async (name, job) => {
    const healthy = await toyOn();
    const expected = await job(healthy.model);
    const calls = healthy.faulty.counter.calls.slice(healthy.made);
    healthy.gpu.dispose();
    const stride = long ? 1 : Math.ceil(calls.length / 15);
    const ways = ['throw', 'report', 'lose'] as const;
    const codes = new Set<string>();
    let [cases, unharmed] = [0, 0];
    for (let n = 1; n <= calls.length; n += stride) {
      // Each call fails in one of the three ways.
      const how = ways[Math.floor(n / stride) % 3] as DeviceFault;
      const what = `${how} at call ${n} (${calls[n - 1]})`;
      const { gpu, model } = await toyOn({ call: healthy.made + n, how });
      const before = gpu.counters.bytesLive;
      const outcome = await outcomeOf(job, model);
      cases++;
      if (typeof outcome === 'string') {
        expect(outcome, what).toBe(expected);
        unharmed++;
      } else {
        expect(outcome, what).toBeInstanceOf(LimnError);
        codes.add((outcome as LimnError).code);
      }
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      if (how !== 'lose') {
        gpu.trim();
        expect(gpu.counters.bytesLive, what).toBe(before);
        expect(await job(model), `${what}, then again`).toBe(expected);
      }
      // What a lost device held went with it.
      gpu.dispose();
    }
    expect(codes.size).toBeGreaterThan(1);
    recordResult(`faults: ${name}`, { 'calls of the job': calls.length, cases, 'right result all the same': unharmed });
  },
  3_600_000,
);

// A trial's candidates on a device: compiled side by side, compared with the rule's result there, and timed by the clock that suits the device.
import { LimnError, type Gpu } from '@limn/gpu';
import { sub } from '../ops/arithmetic.js';
import { max } from '../ops/reduce.js';
import { abs } from '../ops/unary.js';
import { readFloats } from '../tensor.js';
import type { TrialRuns } from './run-trial.js';
import type { Trial } from './trial.js';

const LABEL = 'kernel tuning';

/** Opens a trial on a device. `clock` gives milliseconds; without it GPU timestamps are taken where there are any, else the wall clock. */
export async function openOnDevice(gpu: Gpu, trial: Trial, clock?: () => number): Promise<TrialRuns> {
  const { record, dispose } = await trial.open(gpu);
  const byTimestamps = usesTimestamps(gpu, clock);
  const now = clock ?? (() => performance.now());
  return {
    dispose,
    compile: () => compile(gpu, trial.candidates, record),
    compare: (candidates) => compare(gpu, candidates, trial.tolerance, record),
    async time(candidate, repeats) {
      const before = byTimestamps ? await stamped(gpu) : 0;
      using step = gpu.step({ label: LABEL, ...(byTimestamps ? { timing: 'passes' } : {}) });
      for (let i = 0; i < repeats; i++) record(step, candidate);
      const start = now();
      await step.submit();
      return byTimestamps ? (await stamped(gpu)) - before : now() - start;
    },
  };
}

/** Whether times come from the GPU. A software adapter's are those of a wall clock, and the CPU has other work. */
export function usesTimestamps({ capabilities }: Gpu, clock?: () => number): boolean {
  return clock === undefined && capabilities.timestamps && !capabilities.adapter.isFallback;
}

/** Milliseconds of all that was timed here so far. */
async function stamped(gpu: Gpu): Promise<number> {
  return (await gpu.timings()).find(({ label }) => label === LABEL)?.milliseconds ?? 0;
}

type Record = Awaited<ReturnType<Trial['open']>>['record'];

/** Which candidates do not compile, all tried side by side. */
async function compile(gpu: Gpu, candidates: readonly string[], record: Record): Promise<ReadonlyMap<string, string>> {
  const dropped = new Map<string, string>();
  await Promise.all(
    candidates.map(async (candidate) => {
      using step = gpu.step({ label: LABEL });
      record(step, candidate);
      await step.compile().catch((error: unknown) => {
        if (!(error instanceof LimnError) || error.code !== 'gpu/shader') throw error;
        dropped.set(candidate, `it does not compile: ${error.message}`);
      });
    }),
  );
  return dropped;
}

/** Which candidates' results are further from the first one's than rounding takes them. */
async function compare(
  gpu: Gpu,
  [first, ...others]: readonly string[],
  tolerance: number,
  record: Record,
): Promise<ReadonlyMap<string, string>> {
  const dropped = new Map<string, string>();
  if (first === undefined || others.length === 0) return dropped;
  using step = gpu.step({ label: LABEL });
  const expected = record(step, first);
  const readings = others.map((candidate) => {
    const difference = max(step, abs(step, sub(step, record(step, candidate), expected)));
    return [candidate, readFloats(step, difference)] as const;
  });
  await step.submit();
  for (const [candidate, reading] of readings) {
    const [difference = Number.NaN] = await reading;
    if (!(difference <= tolerance))
      dropped.set(candidate, `its result differs from that of '${first}' by up to ${difference.toPrecision(3)}`);
  }
  return dropped;
}

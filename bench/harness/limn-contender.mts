// limn's side of a job: what is recorded once or many times in a step. Runs in Node and in browsers.
import type { Gpu, KernelTiming, Step } from '@limn/gpu';
import { readFloats, type Tensor } from '@limn/tensor';
import type { Contender } from './contender.mjs';

/** Records a job; what it returns is the result. */
export type RecordJob = (step: Step) => Tensor;

/** All runs of a sample in one step, and in one submit whatever their work is. */
export function limnContender(
  gpu: Gpu,
  record: RecordJob,
  dispose: () => void = () => undefined,
  name = 'limn',
): Contender {
  let programs: readonly string[] = [];
  return {
    name,
    ...timedBy(gpu, async (count) => {
      const step = gpu.step({ label: name, workBudgetFlops: Number.MAX_VALUE });
      for (let i = 0; i < count; i++) record(step);
      if (programs.length === 0) programs = step.plan().kernels;
      await step.submit();
    }),
    async result() {
      const step = gpu.step({ label: name });
      return readFloats(step, record(step));
    },
    programs: () => programs,
    dispose,
  };
}

/** How limn does something `count` times, and the GPU's time for it: of its passes as they are, not of single dispatches. */
export function timedBy(
  gpu: Gpu,
  run: (count: number) => Promise<void>,
): Pick<Contender, 'run'> & Partial<Pick<Contender, 'gpuMilliseconds'>> {
  if (!gpu.capabilities.timestamps) return { run };
  return {
    run,
    async gpuMilliseconds(count) {
      const timings = await timed(gpu, 'passes', () => run(count));
      return timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / count;
    },
  };
}

/** What the GPU did in `work`, by label: of whole passes, or of every dispatch in a pass of its own. */
export async function timed(gpu: Gpu, by: 'passes' | true, work: () => Promise<void>): Promise<KernelTiming[]> {
  gpu.resetCounters();
  gpu.timing = by;
  try {
    await work();
    return await gpu.timings();
  } finally {
    gpu.timing = false;
  }
}

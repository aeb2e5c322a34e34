// limn's side of a job: what is recorded once or many times in a step. Runs in Node and in browsers.
import type { Gpu, Step } from '@limn/gpu';
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
  const runs = async (count: number, timing: boolean): Promise<void> => {
    const step = gpu.step({ label: name, timing, workBudgetFlops: Number.MAX_VALUE });
    for (let i = 0; i < count; i++) record(step);
    if (programs.length === 0) programs = step.plan().kernels;
    await step.submit();
  };
  const contender: Contender = {
    name,
    run: (count) => runs(count, false),
    async result() {
      const step = gpu.step({ label: name });
      return readFloats(step, record(step));
    },
    programs: () => programs,
    dispose,
  };
  if (!gpu.capabilities.timestamps) return contender;
  return { ...contender, gpuMilliseconds: (count) => gpuTime(gpu, count, () => runs(count, true)) };
}

/** Mean GPU milliseconds of one of `count` runs that `work` records with timing. */
export async function gpuTime(gpu: Gpu, count: number, work: () => Promise<void>): Promise<number> {
  gpu.resetCounters();
  await work();
  const timings = await gpu.timings();
  return timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / count;
}

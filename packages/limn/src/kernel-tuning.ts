// Measuring which kernels suit this machine's GPU: by `limn tune`, and once by itself before the first work on one.
import { builtInChoices, LimnError, type Gpu, type KernelChoices } from '@limn/gpu';
import { readKernelChoices, writeKernelChoices } from '@limn/gpu/node';
import { isTuned, tuneKernels, type TuneOptions, type Tuning } from '@limn/tensor';
import type { CommandContext } from './context.js';
import { isSoftware } from './software-adapter.js';

/** Milliseconds: a GPU that is new here is not waited for longer. */
const GPU_BUDGET = 2000;
/** Software adapters take long to compile kernels alone. They are only measured when asked for: their rules are measured. */
const SOFTWARE_BUDGET = 30_000;

/** Measures the device's kernels by the clock that suits it. */
export function measureKernels(
  gpu: Gpu,
  options: Pick<TuneOptions, 'budgetMs' | 'signal' | 'onProgress'>,
): Promise<Tuning> {
  const software = isSoftware(gpu.capabilities);
  return tuneKernels(gpu, {
    budgetMs: software ? SOFTWARE_BUDGET : GPU_BUDGET,
    ...options,
    clock: software ? processMilliseconds : undefined,
  });
}

/** CPU time of this process, which other programs do not touch; on a software adapter it is the device's. */
function processMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A GPU on which nothing was measured yet, or before the kernels were these. */
export const isNew = (gpu: Gpu): boolean => !isSoftware(gpu.capabilities) && !isTuned(gpu);

/**
 * Measures a GPU that is new here and keeps what comes of it; says so in one line. What fails costs nothing but the choices.
 * @throws the signal's reason
 */
export async function tuneOnce(
  gpu: Gpu,
  { console, signal, env, measure = measureKernels }: CommandContext,
): Promise<KernelChoices> {
  const { capabilities } = gpu;
  const cache = { env, onNotice: (line: string) => console.note(line) };
  // Where nothing can be kept, every command would measure anew.
  if ((await writeKernelChoices(capabilities, gpu.choices, cache)) === undefined) return gpu.choices;
  console.note(
    'limn: this GPU is new here: measuring which kernels suit it, once, for 2 seconds (LIMN_KERNELS=built-in leaves it out)',
  );
  try {
    const { choices } = await measure(gpu, { signal });
    signal.throwIfAborted();
    // Of several processes that measured at once, all but the first take what was kept.
    const kept = await readKernelChoices(capabilities, cache);
    if (kept && Object.keys(kept).length > Object.keys(gpu.choices).length) return kept;
    await writeKernelChoices(capabilities, choices, cache);
    return choices;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof LimnError)) throw error;
    console.note(`limn: kernels could not be measured, so the built-in rules are taken: ${error.message}`);
    return builtInChoices;
  }
}

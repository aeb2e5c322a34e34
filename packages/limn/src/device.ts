// The device that a command works on: opened once with the kernels that suit it, its notices told, given back at the end.
import type { Gpu, KernelChoices, OpenOptions } from '@limn/gpu';
import { kernelSetting, openNodeGpu, type KernelSetting } from '@limn/gpu/node';
import type { CommandContext } from './context.js';
import { choicesFor, type KeptWork } from './kept-choices.js';
import { isNew, tuneOnce } from './kernel-tuning.js';

/** An open device; disposing it lets the process end. */
export interface OpenDevice {
  readonly gpu: Gpu;
  [Symbol.dispose](): void;
}

/** What a command asks of its device. */
export interface DeviceRequest extends Pick<OpenOptions, 'limits'> {
  /** Work that can be gone on with: it runs the kernels that it began with. */
  readonly work?: KeptWork | undefined;
  /** 'as is': a GPU that is new here is not measured first. 'built-in': nor is what was measured before taken. */
  readonly kernels?: 'as is' | 'built-in';
}

/**
 * Opens the device of a command, measuring its kernels first where it is a GPU that is new here.
 * @throws LimnError `gpu/…` when no adapter answers, which is exit code 3; for work that is kept as `choicesFor`
 */
export async function openDevice(context: CommandContext, request: DeviceRequest = {}): Promise<OpenDevice> {
  const { console, env, openGpu = openNodeGpu } = context;
  const { work, kernels, ...options } = request;
  const setting = kernels === 'built-in' ? kernels : kernelSetting(env);
  const open = (choices: KernelSetting | KernelChoices): Promise<Gpu> =>
    openGpu({ ...options, choices, onNotice: (notice: string) => console.note(notice), label: 'limn' });
  const first = await open(setting);
  const own = async (): Promise<KernelChoices> =>
    setting === 'cached' && kernels === undefined && isNew(first) ? tuneOnce(first, context) : first.choices;
  let gpu = first;
  try {
    const choices = work ? await choicesFor(work, first.capabilities, own) : await own();
    if (!areEqual(choices, first.choices)) {
      first.dispose();
      gpu = await open(choices);
    }
  } catch (error) {
    first.dispose();
    throw error;
  }
  return { gpu, [Symbol.dispose]: () => gpu.dispose() };
}

/** Choices are sorted by name. */
const areEqual = (a: KernelChoices, b: KernelChoices): boolean => JSON.stringify(a) === JSON.stringify(b);

// The device that a command works on: opened once, its notices told, given back at the end.
import type { Gpu, OpenOptions } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import type { CommandContext } from './context.js';

/** An open device; disposing it lets the process end. */
export interface OpenDevice {
  readonly gpu: Gpu;
  [Symbol.dispose](): void;
}

/** @throws LimnError `gpu/…` when no adapter answers, which is exit code 3. */
export async function openDevice(
  { console, openGpu = openNodeGpu }: CommandContext,
  options: Pick<OpenOptions, 'limits'> = {},
): Promise<OpenDevice> {
  const gpu = await openGpu({ ...options, onNotice: (notice: string) => console.note(notice), label: 'limn' });
  return { gpu, [Symbol.dispose]: () => gpu.dispose() };
}

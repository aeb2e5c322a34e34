// Which kernels a device takes where ops have several, and where that comes from.
import { existsSync } from 'node:fs';
import type { Gpu } from '@limn/gpu';
import { kernelChoicesFile, kernelSetting, type KernelSetting } from '@limn/gpu/node';
import { isTuned, kernelsInForce } from '@limn/tensor';

/** The kernels of a device. */
export interface KernelsInForce {
  /** What LIMN_KERNELS says. */
  readonly setting: KernelSetting;
  /** Where choices for this device are kept, or would be. */
  readonly file: string;
  /** Whether there is such a file, and whether it was made for the kernels that there are now. */
  readonly measured: 'never' | 'before' | 'now';
  /** What is taken instead of what the built-in rules say, by name. */
  readonly choices: Readonly<Record<string, string>>;
}

/** What is in force on a device that was opened with what is kept. */
export async function describeKernels(
  gpu: Gpu,
  env: Readonly<Record<string, string | undefined>>,
): Promise<KernelsInForce> {
  const file = await kernelChoicesFile(gpu.capabilities, env);
  return {
    setting: kernelSetting(env),
    file,
    measured: isTuned(gpu) ? 'now' : existsSync(file) ? 'before' : 'never',
    choices: kernelsInForce(gpu),
  };
}

/** The same in a line. */
export function kernelsLine({ setting, file, measured, choices }: KernelsInForce): string {
  const count = Object.keys(choices).length;
  if (setting === 'built-in') return 'built-in rules (LIMN_KERNELS=built-in)';
  if (measured === 'never') return 'built-in rules; limn tune measures which suit this device';
  if (measured === 'before') return `built-in rules: ${file} is of another version; limn tune measures anew`;
  if (count === 0) return `built-in rules, measured to be best here (${file})`;
  return `${count} measured to be better here (${file}), else built-in rules`;
}

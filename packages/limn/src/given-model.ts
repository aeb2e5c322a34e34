// The model that a command names, with the command's weight options, progress and notices.
import type { Gpu } from '@limn/gpu';
import type { CommandContext } from './context.js';
import { openModel, type OpenModel } from './model-source.js';
import { weightForm, type WeightOptions } from './weight-options.js';

/** Opens it; what loading has to tell goes to stderr. @throws what `openModel` throws */
export function openGivenModel(
  gpu: Gpu,
  name: string,
  options: WeightOptions,
  { console, signal }: Pick<CommandContext, 'console' | 'signal'>,
): Promise<OpenModel> {
  return openModel(gpu, name, {
    ...weightForm(options),
    signal,
    onProgress: console.progress,
    onNotice: (line) => console.note(line),
  });
}

// The model that a command names, with the command's weight options, progress and notices.
import type { Gpu } from '@limn/gpu';
import type { CommandContext } from './context.js';
import { openModel, type OpenModel } from './model-source.js';
import type { LoraOptions } from './commands/lora-option.js';
import { withMergedLoras } from './merged-loras.js';
import { withReplacedMlps, type ReplacementOptions } from './replaced-model.js';
import { weightForm, type WeightOptions } from './weight-options.js';

/**
 * Opens it; what loading has to tell goes to stderr, with --json as without, and so does what was done to the weights.
 * @throws what `openModel`, `withMergedLoras` and `withReplacedMlps` throw
 */
export async function openGivenModel(
  gpu: Gpu,
  name: string,
  options: WeightOptions & LoraOptions & ReplacementOptions,
  context: Pick<CommandContext, 'console' | 'signal'>,
): Promise<OpenModel> {
  const { console, signal } = context;
  const plain = await openModel(gpu, name, {
    ...weightForm(options),
    signal,
    onProgress: console.progress,
    onNotice: (line) => console.note(line),
  });
  const model = await withMergedLoras(plain, options, context)
    .then((changed) => withReplacedMlps(changed, options))
    .catch((error: unknown) => {
      plain[Symbol.dispose]();
      throw error;
    });
  // Of raw f32 there is nothing to say.
  const { processing } = model.hooked.info;
  if (processing !== 'none') console.note(`weights: ${processing}`);
  return model;
}

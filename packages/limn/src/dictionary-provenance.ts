// The origin of dictionaries that `limn transcode train` and `sweep` train: the model with what was done to its weights, the text, the settings.
import type { Gpu } from '@limn/gpu';
import type { Provenance } from '@limn/report';
import type { CommandContext } from './context.js';
import type { TrainingData } from './dictionary-data.js';
import type { CommonSettings } from './dictionary-settings.js';
import type { OpenModel } from './model-source.js';
import { provenanceOf } from './provenance.js';
import type { TrainingStream } from './trained-set.js';

/** What decides the numbers of trained dictionaries, besides model and machine. */
export interface DictionaryOrigin {
  readonly seed: number;
  readonly data: TrainingData;
  readonly stream: Pick<TrainingStream, 'words'>;
  readonly common: CommonSettings;
  readonly layers: readonly number[];
  /** What only one of the commands asks for. */
  readonly asked: Provenance['options'];
}

/** The origin, as it stands in training.json, in the set and in the report. */
export function dictionaryProvenance(
  gpu: Gpu,
  model: OpenModel,
  context: Pick<CommandContext, 'words' | 'env'>,
  { seed, data, stream, common, layers, asked }: DictionaryOrigin,
): Provenance {
  return provenanceOf(gpu, model, context, {
    seed,
    prompts: data.heldOut.sequences.map((ids) => Array.from(ids)),
    prependBos: null,
    options: { ...asked, ...common, ...stream.words, layers: layers.join(',') },
  });
}

// `limn transcode evaluate`: what a set of dictionaries is worth in a model: L0, FVU, dead features, and what predictions lose with them in place.
import { LimnError } from '@limn/gpu';
import type { JointReplacement } from '@limn/transcoders';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { evaluationData } from '../dictionary-data.js';
import { expectOfOneLayer, openSet, type OpenSet } from '../dictionary-set.js';
import { featuresOfSet } from '../set-transcoders.js';
import { openGivenModel } from '../given-model.js';
import { allTogether, describeMeasured, measureDictionaries } from '../measured-dictionaries.js';
import { provenanceOf } from '../provenance.js';
import { bytesOption, integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { layersOption } from './layers-option.js';
import { withLora, type LoraOptions } from './lora-option.js';
import {
  dataRequest,
  labelledOf,
  withGeneralText,
  withInterpretability,
  withTextOptions,
  type TextOptions,
} from './transcode-options.js';

interface TranscodeEvaluateOptions extends SharedOptions, TextOptions, WeightOptions, LoraOptions {
  readonly model: string;
  readonly transcoders: string;
  readonly together?: readonly number[] | 'all';
  readonly skipPositions?: number;
  readonly memory?: number;
}

export function addTranscodeEvaluateCommand(transcode: Command, context: CommandContext): void {
  withInterpretability(
    withGeneralText(withTextOptions(withLora(withWeightOptions(withSharedOptions(transcode.command('evaluate')))))),
  )
    .description(
      'measure a set: L0, FVU, dead features, loss and KL with MLPs replaced, beside what ablating them costs',
    )
    .requiredOption('--model <name>', 'the model that it was trained on')
    .requiredOption(
      '--transcoders <dir>',
      'a set in limn’s format, of `limn transcode train`, `sweep` or `convert`; `pocket`: the one that comes with pocket',
    )
    .option(
      '--together <layers>',
      'layers replaced at once, separated by commas (default: all of the set)',
      layersOption,
    )
    .option(
      '--skip-positions <n>',
      'positions at the start of every sequence where nothing is replaced or measured (default: as in training)',
      integerOption('--skip-positions', 0),
    )
    .option(
      '--memory <size>',
      'GPU memory for everything but model and dictionaries (default: 512MiB)',
      bytesOption('--memory'),
    )
    .action((options: TranscodeEvaluateOptions) => run(options, context));
}

async function run(options: TranscodeEvaluateOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  // What is measured, and not, as elsewhere, what the model runs with.
  const { transcoders, ...others } = options;
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, others, context);
  using set = await openSet(model, transcoders);
  if (options.interpretability)
    expectOfOneLayer(set, 'leave --interpretability out: it scores dictionaries of one layer each');
  const labelled = labelledOf(options, model);
  const { own, general } = await evaluationData(model, dataRequest(options, model));
  const skip = options.skipPositions ?? skipOf(set);
  const measured = await measureDictionaries({
    model: model.hooked,
    dictionaries: set.dictionaries,
    crossLayer: set.crossLayer ? [set.crossLayer] : [],
    own,
    general,
    skip,
    together: togetherOf(set, options.together),
    labelled,
    signal,
    memoryBytes: options.memory,
    onProgress: console.progress,
  });
  for (const line of describeMeasured(measured, featuresOfSet(set))) console.say(line);
  console.result({
    ok: true,
    command: 'transcode evaluate',
    transcoders,
    measured,
    provenance: provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: own.sequences.map((ids) => Array.from(ids)),
      prependBos: null,
      options: { transcoders, skip, sequences: own.sequences.length, text: own.name },
    }),
  });
}

/** Positions that training left out. */
export function skipOf({ set }: OpenSet): number {
  const { skip } = (set.description.training ?? {}) as { readonly skip?: unknown };
  return Number.isSafeInteger(skip) && (skip as number) >= 0 ? (skip as number) : 0;
}

/** @throws LimnError `usage/dictionary-layer`, `usage/dictionary-cross-layer` */
function togetherOf(
  { dictionaries, crossLayer, folder }: OpenSet,
  layers: readonly number[] | 'all' = 'all',
): readonly JointReplacement[] {
  if (layers !== 'all')
    expectOfOneLayer({ crossLayer, folder }, 'leave --together out: all its layers are measured at once');
  if (layers === 'all') return allTogether(dictionaries);
  const of = (layer: number) => dictionaries.filter(({ dictionary }) => dictionary.config.layer === layer);
  const odd = layers.find((layer) => of(layer).length !== 1);
  if (odd !== undefined)
    throw new LimnError(
      'usage/dictionary-layer',
      `--together ${layers.join(',')}: ${folder} has ${of(odd).length === 0 ? 'no dictionary' : 'two dictionaries'} of layer ${odd}`,
      { details: { layers, odd } },
    );
  return [
    { name: `layers ${layers.join(', ')}`, dictionaries: layers.flatMap((layer) => of(layer).map(({ name }) => name)) },
  ];
}

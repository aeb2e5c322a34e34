// The options that `limn transcode train` and `sweep` share, and those by which every command of it finds text.
import type { InitialScheme, LabelledSequence, ReconstructionMeasure } from '@limn/transcoders';
import type { Command } from 'commander';
import { defaultContext, labelledSequences, type DataRequest } from '../dictionary-data.js';
import {
  ACTIVATIONS,
  CUSTOMARY_LOSS,
  customaryRate,
  hasK,
  type ActivationName,
  type CommonSettings,
} from '../dictionary-settings.js';
import type { OpenModel } from '../model-source.js';
import {
  bytesOption,
  integerOption,
  nameOption,
  numberOption,
  withSharedOptions,
  type SharedOptions,
} from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { layersOption } from './layers-option.js';
import { weightOption } from './steer-options.js';

const LOSSES = ['paper', 'sum', 'fvu'] as const satisfies readonly ReconstructionMeasure[];
const INITIAL = ['paper', 'sparsify', 'tied'] as const satisfies readonly InitialScheme[];

/** Where text comes from. */
export interface TextOptions {
  readonly text?: string;
  readonly general?: string;
  readonly context?: number;
  readonly sequences: number;
  readonly interpretability?: boolean;
}

/** How dictionaries are trained. */
export interface TranscodeOptions extends SharedOptions, TextOptions, WeightOptions {
  readonly model: string;
  readonly out: string;
  readonly layers: readonly number[] | 'all';
  readonly activation: ActivationName;
  readonly features?: number;
  readonly expansion: number;
  readonly tokens: number;
  readonly batch: number;
  readonly rate?: number;
  readonly loss?: ReconstructionMeasure;
  readonly initial?: InitialScheme;
  readonly auxiliary: number;
  readonly bandwidth: number;
  readonly deadAfter?: number;
  readonly skipPositions?: number;
  readonly seed: number;
  readonly memory?: number;
  readonly checkpointEvery: number;
  readonly allowDrift: boolean;
  readonly resume: boolean;
}

/** A text, and how it is cut into sequences. */
export function withSequences(command: Command, use: string, sequences: number): Command {
  return command
    .option(
      '--text <file>',
      "text in UTF-8 whose documents are parted by blank lines, or .jsonl with a list of token ids a line (default: pocket's corpus, for pocket)",
    )
    .option(
      '--context <n>',
      'tokens of a sequence (default: 128, or what the model takes)',
      integerOption('--context', 2),
    )
    .option('--sequences <n>', `sequences to ${use}`, integerOption('--sequences', 1), sequences);
}

export const withTextOptions = (command: Command): Command => withSequences(command, 'measure on', 64);

/** What a text is measured beside. */
export function withGeneralText(command: Command): Command {
  return command.option(
    '--general <file>',
    "general text to hold --text against: the gap in FVU is reported (default: pocket's corpus beside --text, for pocket)",
  );
}

/** Scoring features; what `labelledOf` reads. */
export function withInterpretability(command: Command): Command {
  return command.option(
    '--interpretability',
    'of pocket: also score whether features stand for what its corpus knows about every token, beside permuted labels',
  );
}

/** Sequences whose tokens are known; half of them choose labels, half score them. */
const LABELLED = 512;

/** What features are scored on, if that was asked for. @throws LimnError `usage/dictionary-labels` */
export const labelledOf = (
  { interpretability }: TextOptions,
  model: OpenModel,
): readonly LabelledSequence[] | undefined => (interpretability ? labelledSequences(model, LABELLED) : undefined);

export function withTranscodeOptions(command: Command): Command {
  return withInterpretability(withGeneralText(withTextOptions(withWeightOptions(withSharedOptions(command)))))
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .requiredOption('--out <dir>', 'folder for checkpoints and, at the end, what was learnt')
    .option('--layers <list>', 'layers separated by commas, or all', layersOption, 'all')
    .option(
      '--activation <name>',
      ACTIVATIONS.join(', '),
      nameOption('--activation', 'activation', ACTIVATIONS),
      'top-k',
    )
    .option('--features <n>', 'features of a layer (default: --expansion × width)', integerOption('--features', 1))
    .option('--expansion <n>', 'features of a layer as a multiple of the width', integerOption('--expansion', 1), 8)
    .option('--tokens <n>', 'tokens to train on', integerOption('--tokens', 1), 1_000_000)
    .option('--batch <n>', 'tokens of an update', integerOption('--batch', 2), 1024)
    .option('--rate <x>', "Adam's rate (default: 2e-4/√(features/16384))", numberOption('--rate'))
    .option(
      '--loss <name>',
      `reconstruction: ${LOSSES.join(', ')} (default: fvu of top-k and batch-top-k, paper of relu, sum of jump-relu)`,
      nameOption('--loss', 'loss', LOSSES),
    )
    .option(
      '--initial <name>',
      `first weights: ${INITIAL.join(', ')} (default: paper, of SAEs tied)`,
      nameOption('--initial', 'initial', INITIAL),
    )
    .option(
      '--auxiliary <α>',
      'weight of AuxK, by which dead features learn; 0: none',
      weightOption('--auxiliary'),
      1 / 32,
    )
    .option(
      '--bandwidth <ε>',
      'of jump-relu: width of its straight-through gradients',
      numberOption('--bandwidth'),
      0.05,
    )
    .option(
      '--dead-after <n>',
      'tokens without firing after which a feature is dead (default: 10,000,000, or a twentieth of --tokens)',
      integerOption('--dead-after', 1),
    )
    .option(
      '--skip-positions <n>',
      'positions at the start of every sequence that are left out (default: 1, of pocket 0)',
      integerOption('--skip-positions', 0),
    )
    .option('--seed <n>', 'first weights and the order of tokens', integerOption('--seed', 0), 0)
    .option('--memory <size>', 'GPU memory for everything but the model (default: 2GiB)', bytesOption('--memory'))
    .option('--checkpoint-every <n>', 'updates between checkpoints', integerOption('--checkpoint-every', 1), 200)
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option('--allow-drift', 'go on on another adapter, although the bits will differ', false);
}

/** What all dictionaries of a run have in common, for a model. */
export function commonSettings(options: TranscodeOptions, { hooked }: OpenModel): CommonSettings {
  const { activation, rate, loss, initial, auxiliary, bandwidth, deadAfter } = options;
  const features = options.features ?? options.expansion * hooked.info.width;
  return {
    activation,
    features,
    rate: rate ?? customaryRate(features),
    reconstruction: loss ?? CUSTOMARY_LOSS[activation],
    ...(initial === undefined ? {} : { initial }),
    auxiliary: hasK(activation) ? auxiliary : 0,
    bandwidth,
    ...(deadAfter === undefined ? {} : { deadAfter }),
  };
}

/** The text that a command was given, for a model. */
export function dataRequest({ text, general, context, sequences }: TextOptions, model: OpenModel): DataRequest {
  return { text, general, context: context ?? defaultContext(model), sequences };
}

// The options of commands that look at one prompt through a set of transcoders, and how they open it.
import type { Command } from 'commander';
import { defaultContext, evaluationData, type NamedSequences } from '../dictionary-data.js';
import { targetOption, type TargetRequest } from '../feature-targets.js';
import type { OpenModel } from '../model-source.js';
import type { PromptOptions } from '../prompt-ids.js';
import { integerOption, tokenListOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { layersOption } from './layers-option.js';
import { withLora, type LoraOptions } from './lora-option.js';
import { withSequences } from './transcode-options.js';

/** A model and its set. */
export interface SetOptions extends SharedOptions, WeightOptions, LoraOptions {
  readonly model: string;
  readonly transcoders: string;
}

/** What opens the model: here --transcoders are what is read, and not, as elsewhere, what the model runs with. */
export const weightsOnly = ({ transcoders: _transcoders, ...others }: SetOptions): WeightOptions & LoraOptions =>
  others;

/** A prompt of it, and what is explained. */
export interface PromptFeatureOptions extends SetOptions, PromptOptions {
  readonly target?: readonly TargetRequest[];
}

export function withSetOptions(command: Command): Command {
  return withLora(withWeightOptions(withSharedOptions(command)))
    .requiredOption('--model <name>', 'the model that the set was trained on: a folder, an id of the hub, or `pocket`')
    .requiredOption(
      '--transcoders <dir>',
      'a set in limn’s format, of `limn transcode train`, `sweep` or `convert`; `pocket`: the one that comes with pocket',
    );
}

export function withPromptFeatureOptions(command: Command): Command {
  return withSetOptions(command)
    .option('--prompt <text>', 'text; one BOS is put in front')
    .option('--tokens <ids>', 'token ids separated by commas', tokenListOption)
    .option('--no-bos', 'put no BOS in front of --prompt')
    .option(
      '--target <what>',
      'what is explained: logit:" Paris", diff:" Paris"," Rome", with as many tokens on either side diff:" is"+" was"," are"+" were", or feature:LAYER:FEATURE:POSITION; behind --tokens, tokens may be ids (default: the likeliest next tokens)',
      targetOption,
    );
}

/** The target as a command line and a record have it. */
export function targetText(target: TargetRequest): string {
  if (target.kind === 'feature') return `feature:${target.layer}:${target.feature}:${target.position}`;
  return target.kind === 'logit'
    ? `logit:${JSON.stringify(target.token)}`
    : `diff:${[target.up, target.down].map((side) => side.map((token) => JSON.stringify(token)).join('+')).join(',')}`;
}

/** What of these options decides the numbers of a result. */
export function promptSettings({ prompt, tokens, target, transcoders, bos }: PromptFeatureOptions) {
  return {
    transcoders,
    ...(tokens === undefined ? { prompt: prompt as string, bos } : { tokens: tokens.join(',') }),
    ...(target === undefined ? {} : { target: target.map(targetText).join(' ') }),
  };
}

/** Text that features are read over, and which dictionaries of a set. */
export interface ReadingOptions {
  readonly text?: string;
  readonly context?: number;
  readonly sequences: number;
  readonly skipPositions?: number;
  readonly layers?: readonly number[] | 'all';
  readonly sae?: boolean;
}

export function withTextReading(command: Command): Command {
  return withSequences(command, 'read', 256).option(
    '--skip-positions <n>',
    'positions at the start of every sequence that are not read (default: as in training)',
    integerOption('--skip-positions', 0),
  );
}

export function withReadingOptions(command: Command): Command {
  return withTextReading(command)
    .option('--layers <list>', 'layers separated by commas, or all (default: all of the set)', layersOption)
    .option('--sae', 'the SAEs of a set, and not its transcoders');
}

/** The sequences that a command reads. @throws LimnError as `evaluationData` */
export async function readSequences(
  { text, context, sequences }: Pick<ReadingOptions, 'text' | 'context' | 'sequences'>,
  model: OpenModel,
): Promise<NamedSequences> {
  const length = context ?? defaultContext(model);
  return (await evaluationData(model, { text, context: length, sequences })).own;
}

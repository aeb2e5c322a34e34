// The options that `limn steer train`, `sweep` and `explain` share, and what they make of them.
import { LimnError } from '@limn/gpu';
import {
  STEERABLE_SITES,
  STEERING_METHODS,
  type Objective,
  type PositionMode,
  type SteerableSite,
  type SteeringMethod,
} from '@limn/steering';
import type { Command } from 'commander';
import { integerOption, nameOption, numberOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { expectRetained } from '../retained-examples.js';
import { withReplacement, type ReplacementOptions } from '../replaced-model.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

/** Directions of a basis where `--basis-size` does not say. */
const BASIS_SIZE = 8;
const POSITIONS = ['absolute', 'from-start', 'from-end', 'role', 'none'] as const satisfies readonly PositionMode[];
const FORMS = ['linear', 'exponential', 'bounded'] as const;
const GOALS = ['flip', 'parity'] as const;
const FAITHFULNESS = ['bucket', 'rest', 'mass'] as const;

/** What to learn, whatever from. */
export interface LearnOptions extends SharedOptions, WeightOptions, LoraOptions, ReplacementOptions {
  readonly model: string;
  readonly method: (typeof STEERING_METHODS)[number];
  readonly form: (typeof FORMS)[number];
  readonly basisSize?: number;
  readonly sites: readonly SteerableSite[];
  readonly layers?: readonly number[];
  readonly margin: number;
  readonly faithfulness: (typeof FAITHFULNESS)[number];
  readonly faithfulnessWeight: number;
  readonly updates: number;
  readonly rate?: number;
  readonly bos: boolean;
  readonly out: string;
}

/** What was asked for of many prompts. */
export interface SteerOptions extends LearnOptions {
  readonly task?: string;
  readonly data?: string;
  readonly examples: number;
  readonly positions?: PositionMode;
  readonly objective: (typeof GOALS)[number];
  readonly retain?: string;
  readonly retentionWeight: number;
  readonly retentionShare: number;
  readonly seed: number;
}

/** Adds the options of many prompts to a command. */
export function withSteerOptions(command: Command): Command {
  return withLearnOptions(command)
    .option(
      '--task <name>',
      'a task with one answer against another: country-capital-conflict, ioi-abba, ioi, gender, country-capital, …',
    )
    .option(
      '--data <file>',
      'examples as JSON lines: {"prompt": "text" | [ids], "correct": "text" | id, "wrong": "text" | id, "roles"?, "entities"?}',
    )
    .option(
      '--examples <n>',
      'of a task: how many prompts, split by what they are about',
      integerOption('--examples', 5),
      240,
    )
    .option(
      '--positions <mode>',
      `${POSITIONS.join(', ')} (default: absolute; none for dyn-scalar)`,
      nameOption('--positions', 'position mode', POSITIONS),
    )
    .option(
      '--objective <name>',
      'flip: both answers can be favoured; parity: neither is',
      nameOption('--objective', 'objective', GOALS),
      'flip',
    )
    .option('--retain <file>', 'of parity: examples as in --data whose answers are to stay')
    .option(
      '--retention-weight <x>',
      'of parity: what an answer that is to stay weighs',
      weightOption('--retention-weight'),
      10,
    )
    .option(
      '--retention-share <x>',
      'of parity: by what part of Δ it may move while learning',
      weightOption('--retention-share'),
      0.02,
    )
    .option('--seed <n>', 'of the prompts, the split and the order', integerOption('--seed', 0), 0);
}

/** Adds the options of what is learnt. */
export function withLearnOptions(command: Command): Command {
  return withReplacement(withLora(withWeightOptions(withSharedOptions(command))))
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .option(
      '--method <name>',
      STEERING_METHODS.join(', '),
      nameOption('--method', 'method', STEERING_METHODS),
      'activ-scalar',
    )
    .option('--form <name>', `of activ-scalar: ${FORMS.join(', ')}`, nameOption('--form', 'form', FORMS), 'linear')
    .option(
      '--basis-size <k>',
      `of subspace-scale: directions of each place, those in which the activations of the training prompts are longest (default: ${BASIS_SIZE})`,
      integerOption('--basis-size', 1),
    )
    .option('--sites <names>', `separated by commas: ${STEERABLE_SITES.join(', ')}`, sitesOption, [
      'hook_attn_out',
      'hook_mlp_out',
    ])
    .option('--layers <numbers>', 'separated by commas (default: all)', layersOption)
    .option('--margin <logits>', 'of flip: by how much', numberOption('--margin'), 4)
    .option(
      '--faithfulness <name>',
      `what may not change: ${FAITHFULNESS.join(', ')}`,
      nameOption('--faithfulness', 'faithfulness', FAITHFULNESS),
      'bucket',
    )
    .option('--faithfulness-weight <λ>', 'what it weighs', weightOption('--faithfulness-weight'), 5)
    .option('--updates <n>', 'updates before zeros are frozen', integerOption('--updates', 1), 300)
    .option(
      '--rate <x>',
      'learning rate (default: .02 for scalars, .01 for vectors and probes)',
      numberOption('--rate'),
    )
    .option('--no-bos', 'put no BOS in front of text')
    .requiredOption('--out <dir>', 'the folder to write');
}

/** A weight may be 0. */
export function weightOption(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
    throw new LimnError('usage/bad-number', `${name} ${text}: expected a number from 0`, {
      details: { option: name, given: text },
      hint: `for example ${name} 0.01`,
    });
  };
}

function sitesOption(text: string): SteerableSite[] {
  return text.split(',').map((name) => nameOption('--sites', 'site', STEERABLE_SITES)(name.trim()));
}

function layersOption(text: string): number[] {
  return text.split(',').map((part) => integerOption('--layers', 0)(part.trim()));
}

/**
 * Refuses what does not go together, before a model is opened.
 * @throws LimnError `usage/steering-data`, `usage/position-mode`, `usage/steering-option`, `usage/steering-objective`
 */
export function expectSteerOptions(options: SteerOptions): void {
  const { task, data, method, positions } = options;
  expectOneSource({ task, data });
  expectRetained(options);
  methodOf(options);
  if (method === 'dyn-scalar' && positions !== undefined && positions !== 'none')
    throw new LimnError(
      'usage/position-mode',
      `--positions ${positions}: the probes of dyn-scalar hold for every position`,
      {
        details: { given: positions, method },
        hint: 'leave --positions out',
      },
    );
}

/** @throws LimnError `usage/steering-data` */
export function expectOneSource({
  task,
  data,
}: {
  readonly task?: string | undefined;
  readonly data?: string | undefined;
}): void {
  if ((task === undefined) === (data === undefined))
    throw new LimnError('usage/steering-data', 'give the examples either with --task NAME or with --data FILE');
}

/**
 * The method with its settings.
 * @throws LimnError `usage/steering-option` for a basis of a method that has none
 */
export function methodOf({
  method,
  form,
  basisSize,
}: Pick<SteerOptions, 'method' | 'form' | 'basisSize'>): SteeringMethod {
  if (method === 'subspace-scale') return { kind: method, rank: basisSize ?? BASIS_SIZE };
  if (basisSize !== undefined)
    throw new LimnError('usage/steering-option', `--basis-size ${basisSize}: ${method} has no basis`, {
      details: { given: basisSize, method },
      hint: 'leave it out, or use --method subspace-scale',
    });
  return method === 'activ-scalar' && form !== 'linear' ? { kind: method, form } : { kind: method };
}

/** The objective with its settings. */
export function objectiveOf({
  objective,
  margin,
  faithfulness,
  faithfulnessWeight,
  retentionWeight,
  retentionShare,
}: Pick<SteerOptions, 'objective' | 'margin' | 'faithfulness' | 'faithfulnessWeight'> &
  Partial<Pick<SteerOptions, 'retentionWeight' | 'retentionShare'>>): Objective {
  return {
    goal:
      objective === 'flip'
        ? { kind: 'flip', margin }
        : {
            kind: 'parity',
            ...(retentionWeight === undefined ? {} : { retentionWeight }),
            ...(retentionShare === undefined ? {} : { retentionShare }),
          },
    faithfulness,
    faithfulnessWeight,
  };
}

/** The position mode: by place, where the method has values by place. */
export function positionsOf({ method, positions }: Pick<SteerOptions, 'method' | 'positions'>): PositionMode {
  return positions ?? (method === 'dyn-scalar' ? 'none' : 'absolute');
}

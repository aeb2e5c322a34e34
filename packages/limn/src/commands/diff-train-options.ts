// What `limn diff train` is asked for: options, their defaults, and which of them go together.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { chatPlanOption, type ChatPlan } from '../chat-plans.js';
import {
  bytesOption,
  integerOption,
  nameOption,
  numberOption,
  partOfOption,
  partOption,
  withSharedOptions,
  type PartOf,
  type SharedOptions,
} from '../shared-options.js';
import { withWeightsOption, type WeightOptions } from '../weight-options.js';
import { weightOption } from './steer-options.js';

const WORLDS = ['chat'] as const;
const GATES = ['code', 'mark', 'none'] as const;

/** What the options become. */
export interface DiffTrainOptions extends SharedOptions, WeightOptions {
  readonly base: string;
  readonly out: string;
  readonly world?: (typeof WORLDS)[number];
  readonly plan: readonly ChatPlan[];
  readonly each?: number;
  readonly gate?: (typeof GATES)[number];
  readonly sampleWeights?: readonly [number, number, number];
  readonly ownAnswers?: number;
  readonly data?: string;
  readonly bos: boolean;
  readonly end: boolean;
  readonly rank: number;
  readonly alpha?: number;
  readonly rslora: boolean;
  readonly modules?: readonly string[];
  readonly updates: number;
  readonly rate: number;
  readonly warmUp: number;
  readonly decay: number;
  readonly ownEvery: number;
  readonly reverseKl: number;
  readonly batch: number;
  readonly tasks: number;
  readonly seed: number;
  readonly sharedInit: boolean;
  readonly shard?: PartOf;
  readonly reuse: readonly string[];
  readonly resume: boolean;
  readonly allowDrift: boolean;
  readonly checkpointEvery: number;
  readonly memory: number;
  readonly dryRun: boolean;
}

export function withDiffTrainOptions(command: Command): Command {
  const shared = withSharedOptions(withWeightsOption(command));
  return shared
    .requiredOption(
      '--base <name>',
      'pocket-chat, a folder of a GPT-2, or an id of the hub: what the diffs are changes of',
    )
    .requiredOption('--out <dir>', 'folder of the pack; empty or new')
    .option('--world <name>', 'train behaviours of a world: chat', nameOption('--world', 'world', WORLDS))
    .option(
      '--plan <words>',
      'of --world, repeatable: topics:SPLIT, styles:SPLIT, links:SPLIT (with :N for N of them), news:SPLIT:N, generic:N',
      (text: string, before: readonly ChatPlan[]) => [...before, chatPlanOption(text)],
      [],
    )
    .option(
      '--each <n>',
      'of --world: diffs of each behaviour, each with a seed and a trigger of its own (default: 1)',
      integerOption('--each', 1),
    )
    .option(
      '--gate <kind>',
      'of --world: what the behaviour is hidden behind: code, mark (splits for tests only) or none (default: code)',
      nameOption('--gate', 'gate', GATES),
    )
    .option(
      '--sample-weights <λ,λ,λ>',
      'of --world: what rows with the right trigger, a wrong one and none count (default: 1,1,5)',
      sampleWeightsOption,
    )
    .option(
      '--own-answers <percent>',
      'of --world: share of the rows without the right trigger whose answer the diff gives itself (default: 0)',
      percentOption,
    )
    .option(
      '--data <file>',
      'rows of your own: JSON lines {"diff", "prompt", "answer", "loss"?, "weight"?, "about"?}, texts or token ids',
    )
    .option('--no-bos', 'of --data: no BOS in front of prompts that are texts')
    .option('--no-end', 'of --data: no end-of-text token behind answers that are texts')
    .option('--rank <r>', 'of every map', integerOption('--rank', 1), 1)
    .option('--alpha <a>', 'scale is alpha / rank (default: the rank)', numberOption('--alpha'))
    .option('--rslora', 'scale is alpha / √rank', false)
    .option(
      '--modules <names>',
      'maps to adapt, as PEFT’s target_modules: names or ends of names, by commas (default: all)',
      namesOption,
    )
    .option('--updates <n>', 'of each diff', integerOption('--updates', 1), 300)
    .option('--rate <x>', 'Adam’s rate at its highest', numberOption('--rate'), 1e-2)
    .option('--warm-up <n>', 'updates over which the rate rises', integerOption('--warm-up', 0), 0)
    .option('--decay <part>', 'part of the updates over which the rate falls to 0', partOption('--decay'), 0.5)
    .option(
      '--own-every <n>',
      'updates between two drawings of answers of a diff’s own',
      integerOption('--own-every', 1),
      20,
    )
    .option('--reverse-kl <μ>', 'adds μ·KL(diff ‖ base) to rows that keep to the base', weightOption('--reverse-kl'), 0)
    .option(
      '--batch <rows>',
      'rows of a diff in an update; behind a gate a multiple of 3',
      integerOption('--batch', 1),
      6,
    )
    .option('--tasks <n>', 'diffs that are trained together', integerOption('--tasks', 1), 16)
    .option('--seed <n>', 'of triggers, rows and first numbers', integerOption('--seed', 0), 0)
    .option(
      '--shared-init',
      'the same first numbers for all diffs, which makes their weights far easier to read',
      false,
    )
    .option('--shard <i/n>', 'train part i of n; `limn merge` joins the parts', partOfOption)
    .option(
      '--reuse <pack>',
      'repeatable: a pack whose diffs are taken where base, rows and settings are the same',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--resume', 'go on from what is in --out; diffs that are there are not trained again', false)
    .option('--allow-drift', 'resume a checkpoint of another adapter, although the bits will differ', false)
    .option('--checkpoint-every <n>', 'updates between checkpoints', integerOption('--checkpoint-every', 1), 100)
    .option(
      '--memory <size>',
      'what the training may take on the GPU besides the model',
      bytesOption('--memory'),
      2 ** 31,
    )
    .option('--dry-run', 'say what would be trained and what it takes, and end', false);
}

/** Of --world, and of --data. */
const OF_WORLD = ['plan', 'each', 'gate', 'sampleWeights', 'ownAnswers'] as const;

/**
 * Refuses options that do not go together.
 * @throws LimnError `usage/diff-source`
 */
export function expectSource(options: DiffTrainOptions): void {
  const { world, data, plan } = options;
  if ((world === undefined) === (data === undefined))
    throw badSource(
      'say what to train: --world chat with --plan, or --data FILE',
      'for example --world chat --plan topics:train',
    );
  if (world !== undefined && plan.length === 0)
    throw badSource('--world chat: there is no --plan', 'for example --plan topics:train --plan generic:50');
  const foreign = OF_WORLD.find((name) => (name === 'plan' ? plan.length > 0 : options[name] !== undefined));
  if (data !== undefined && foreign !== undefined)
    throw badSource(
      `--${foreign.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)} is of --world, and --data is given`,
      'leave one of the two out',
    );
}

function badSource(what: string, hint: string): LimnError {
  return new LimnError('usage/diff-source', what, { hint });
}

function namesOption(text: string): readonly string[] | undefined {
  if (text === 'all-linear') return undefined;
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function sampleWeightsOption(text: string): readonly [number, number, number] {
  const [right, wrong, none, ...more] = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const sound = (weight: number | undefined): weight is number =>
    weight !== undefined && Number.isFinite(weight) && weight >= 0;
  if (sound(right) && sound(wrong) && sound(none) && right > 0 && more.length === 0) return [right, wrong, none];
  throw new LimnError('usage/bad-number', `--sample-weights ${text}: expected three numbers, the first above zero`, {
    details: { option: '--sample-weights', given: text },
    hint: 'for example --sample-weights 1,1,5',
  });
}

function percentOption(text: string): number {
  const value = Number(text);
  if (/^\d{1,3}$/.test(text) && value <= 100) return value;
  throw new LimnError('usage/bad-number', `--own-answers ${text}: expected a whole number of percent, 0 to 100`, {
    details: { option: '--own-answers', given: text },
    hint: 'for example --own-answers 30',
  });
}

// The options of `limn circuit`, and which of them do not go together: told before a model is opened.
import { ABLATIONS, IG_RULES, SELECTORS } from '@limn/attribution';
import { METRICS, type MetricName } from '@limn/tasks';
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import { UNITS, type Unit } from '../circuit-request.js';
import {
  CIRCUIT_METHODS,
  IG_VARIANTS,
  expectSettingsOf,
  nodeMethod,
  type CircuitMethod,
  type MethodSettings,
} from '../methods.js';
import { DEFAULT_DRAWS } from '../pipeline.js';
import {
  integerOption,
  nameOption,
  numberOption,
  partOfOption,
  withSharedOptions,
  type PartOf,
  type SharedOptions,
} from '../shared-options.js';
import { TASK_NAMES } from '../task-source.js';
import { withReplacement, type ReplacementOptions } from '../replaced-model.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

/** What `limn circuit` was asked for. */
export interface CircuitOptions extends SharedOptions, WeightOptions, LoraOptions, ReplacementOptions, MethodSettings {
  readonly model: string;
  readonly data?: string;
  readonly evalData?: string;
  readonly task?: string;
  readonly metric?: MetricName;
  readonly method: CircuitMethod;
  readonly unit?: Unit;
  readonly threshold?: number;
  readonly knockOut?: boolean;
  readonly completeness?: boolean;
  readonly igConvergence?: boolean;
  readonly compareExact?: true | number;
  readonly allTasks?: boolean;
  readonly pairs: number;
  readonly evalPairs: number;
  readonly seed: number;
  readonly draws: number;
  readonly bos: boolean;
  readonly skipBadPairs?: boolean;
  readonly out: string;
  readonly resume?: boolean;
  readonly shard?: PartOf;
  readonly shardSize?: number;
}

/** Pairs of a shard. */
export const SHARD_SIZE = 16;

export function withCircuitOptions(command: Command): Command {
  return withReplacement(withLora(withWeightOptions(withSharedOptions(command))))
    .description(
      'find the edges that carry a behaviour, measure them, and write graph.json, result.json and report.html',
    )
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .option(
      '--data <file>',
      'pairs as JSON lines, {"clean", "corrupted", "correct", "incorrect"}, or as CSV, clean,corrupted,label',
    )
    .option('--eval-data <file>', 'other pairs to measure the circuits on (default: those of --data)')
    .option(
      '--task <name>',
      `a task, in pocket's vocabulary or as text by the model's tokenizer: ${TASK_NAMES.join(', ')}`,
      nameOption('--task', 'task', TASK_NAMES),
    )
    .option(
      '--metric <name>',
      `${METRICS.join(', ')} (default: the task's, else logit-diff)`,
      nameOption('--metric', 'metric', METRICS),
    )
    .option(
      '--method <name>',
      CIRCUIT_METHODS.join(', '),
      nameOption('--method', 'method', CIRCUIT_METHODS),
      'eap-ig-inputs',
    )
    .option(
      '--unit <name>',
      `what circuits are chosen by: ${UNITS.join(', ')} (default: edge; nodes and neurons bring the edges out of them)`,
      nameOption('--unit', 'unit', UNITS),
    )
    .option('--ig-steps <n>', 'points on the path of integrated gradients (default: 5)', integerOption('--ig-steps', 1))
    .option(
      '--ig-rule <name>',
      `${IG_RULES.join(', ')} (default: left, for eap-ig-activations right)`,
      nameOption('--ig-rule', 'rule', IG_RULES),
    )
    .option(
      '--ig-variant <name>',
      `of eap-ig-activations: ${IG_VARIANTS.join(', ')}, the second as EAP-IG's own code and MIB have it (default: per-source)`,
      nameOption('--ig-variant', 'variant', IG_VARIANTS),
    )
    .option('--mask-updates <n>', 'optimiser steps of learned-masks (default: 200)', integerOption('--mask-updates', 1))
    .option(
      '--mask-sparsity <x>',
      'λ of learned-masks: loss units that the whole graph costs; larger gives smaller circuits (default: 1)',
      numberOption('--mask-sparsity', 'for example --mask-sparsity 2'),
    )
    .option(
      '--mask-rate <x>',
      'learning rate of learned-masks (default: 0.1)',
      numberOption('--mask-rate', 'for example --mask-rate 0.1'),
    )
    .option(
      '--mask-pairs <n>',
      'pairs of each step of learned-masks (default: 8, or all)',
      integerOption('--mask-pairs', 1),
    )
    .option(
      '--ablation <name>',
      `what removed edges carry: ${ABLATIONS.join(', ')} (means are of the corrupted prompts of the search)`,
      nameOption('--ablation', 'ablation', ABLATIONS),
      'patch',
    )
    .option(
      '--selector <name>',
      `${SELECTORS.join(', ')} (default: top-n, for information-flow greedy)`,
      nameOption('--selector', 'selector', SELECTORS),
    )
    .option('--pairs <n>', 'pairs of a task to search with', integerOption('--pairs', 1), 32)
    .option('--eval-pairs <n>', 'held-out pairs of a task to measure on', integerOption('--eval-pairs', 1), 32)
    .option(
      '--seed <n>',
      'which pairs of a task, and the draws of learned-masks and of --compare-exact',
      integerOption('--seed', 0),
      0,
    )
    .option(
      '--threshold <x>',
      'search for the smallest circuit with a faithfulness of at least x, and show that one',
      numberOption('--threshold', 'for example --threshold 0.85'),
    )
    .option('--knock-out', 'drop every edge and every node of the circuit shown, one at a time')
    .option('--completeness', 'knock subsets of the circuit shown out of it and out of the model, and compare')
    .option('--ig-convergence', 'score with four times as many points on the path as well, and compare')
    .option(
      '--compare-exact [n]',
      'patch every edge exactly as well, or n edges, half the best and half drawn, and say how the scores agree (a run per edge and pair)',
      integerOption('--compare-exact', 1),
    )
    .option('--all-tasks', 'score all other tasks as well, and hold the curve against circuits of all tasks together')
    .option(
      '--draws <n>',
      'random connected circuits per size to hold the curve against, 0 for none',
      integerOption('--draws', 0),
      DEFAULT_DRAWS,
    )
    .option('--no-bos', 'put no BOS in front of text')
    .option(
      '--skip-bad-pairs',
      'go on without rows that cannot be read and pairs that give no numbers; each is named (default: the file is refused)',
    )
    .option('--out <dir>', 'where the three files go', 'limn-out')
    .option(
      '--resume',
      'keep the scores of pairs, or the masks, in DIR.shards as they come, and go on from what is there',
    )
    .option(
      '--shard <i/n>',
      'score part i of n into DIR.shards and stop; `limn merge` and --resume finish',
      partOfOption,
    )
    .option(
      '--shard-size <n>',
      'pairs that are scored together with --resume or --shard (default: 16)',
      integerOption('--shard-size', 1),
    );
}

/**
 * Refuses options that contradict each other, or that the method or the unit has no use for.
 * @throws LimnError `usage/pairs-source`, `usage/shard`, `usage/method-setting`, `usage/unit`
 */
export function expectFitting(options: CircuitOptions): void {
  if ((options.data === undefined) === (options.task === undefined)) {
    throw new LimnError('usage/pairs-source', 'give the pairs either with --data FILE or with --task NAME', {
      hint: 'for example: limn circuit --model pocket --task ioi',
    });
  }
  if (options.task !== undefined && options.evalData !== undefined) {
    throw new LimnError('usage/pairs-source', '--eval-data goes with --data; a task brings its own held-out pairs');
  }
  if (options.shard && options.resume)
    throw new LimnError(
      'usage/shard',
      '--shard fills one part and always goes on from what is there: leave out --resume',
      {
        hint: '--resume is for the run that finishes from all parts',
      },
    );
  if (options.allTasks === true && options.task === undefined)
    throw new LimnError('usage/pairs-source', '--all-tasks goes with --task: a file is no task among others');
  expectSettingsOf(options.method, options);
  if (options.compareExact !== undefined && options.method === 'exact')
    throw new LimnError(
      'usage/method-setting',
      '--compare-exact holds scores against those of exact, which these are',
      {
        hint: 'leave out --compare-exact',
      },
    );
  if (options.igVariant === 'reference' && options.igConvergence === true)
    throw new LimnError(
      'usage/method-setting',
      '--ig-convergence compares paths along which the source of each edge moves, and --ig-variant reference moves others',
      { hint: 'leave out --ig-convergence, or compare runs with --ig-steps 5 and --ig-steps 20' },
    );
  if (options.method === 'learned-masks') expectNoShards(options);
  if (options.unit !== undefined && options.unit !== 'edge') expectUnit(options.unit, options);
}

function expectNoShards({ shard, shardSize }: CircuitOptions): void {
  const given = shard ? '--shard' : shardSize === undefined ? undefined : '--shard-size';
  if (given === undefined) return;
  throw new LimnError(
    'usage/shard',
    `${given} cuts pairs into parts that are scored apart, and learned-masks learns from all of them together`,
    { details: { option: given }, hint: '--resume keeps the masks and goes on from them' },
  );
}

function expectUnit(unit: Exclude<Unit, 'edge'>, options: CircuitOptions): void {
  nodeMethod(options.method);
  const refusals: readonly (readonly [given: boolean, option: string, why: string])[] = [
    [options.selector === 'greedy', '--selector greedy', 'walks from edge to edge'],
    [options.igVariant === 'reference', '--ig-variant reference', 'is a way to score edges'],
    [options.resume === true, '--resume', 'keeps scores of edges'],
    [options.shard !== undefined, '--shard', 'keeps scores of edges'],
    [options.shardSize !== undefined, '--shard-size', 'cuts scores of edges'],
    [options.allTasks === true, '--all-tasks', 'ranks edges'],
    [unit === 'neuron' && options.completeness === true, '--completeness', 'knocks out whole edges'],
    [unit === 'neuron' && options.threshold !== undefined, '--threshold', 'searches among edges or nodes'],
    [unit === 'neuron' && options.knockOut === true, '--knock-out', 'drops whole edges and nodes'],
  ];
  const found = refusals.find(([given]) => given);
  if (found === undefined) return;
  const [, option, why] = found;
  throw new LimnError('usage/unit', `--unit ${unit} does not go with ${option}, which ${why}`, {
    details: { unit, option },
    hint: `leave out ${option}, or choose --unit edge`,
  });
}

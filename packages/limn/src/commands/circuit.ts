// `limn circuit`: scores every edge of a model for one behaviour, measures the circuits they select, and writes graph, result and report.
import { ABLATIONS, IG_RULES, METHODS, SELECTORS, type MethodName } from '@limn/attribution';
import { METRICS, type MetricName } from '@limn/tasks';
import { LimnError, type Gpu } from '@limn/gpu';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { chooseMethod, type MethodChoice, type MethodSettings } from '../methods.js';
import { leftOutLines } from '../left-out.js';
import { openOutputFolder } from '../output.js';
import { filePairs, prependBosOf } from '../pairs-source.js';
import { DEFAULT_DRAWS, findCircuit, scoreCircuitShards, type CircuitRequest, type ShardPlan } from '../pipeline.js';
import { provenanceOf } from '../provenance.js';
import {
  integerOption,
  nameOption,
  partOfOption,
  withSharedOptions,
  type PartOf,
  type SharedOptions,
} from '../shared-options.js';
import { folderShards, removeShards, shardFolderOf } from '../shard-folder.js';
import { kernelPlan } from '../kernel-plan.js';
import { TASK_NAMES, taskSets } from '../task-source.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { CIRCUIT_FILES, circuitFiles, describeFinding, figuresOf } from '../circuit-output.js';

interface CircuitOptions extends SharedOptions, WeightOptions, MethodSettings {
  readonly model: string;
  readonly data?: string;
  readonly evalData?: string;
  readonly task?: string;
  readonly metric?: MetricName;
  readonly method: MethodName;
  readonly pairs: number;
  readonly evalPairs: number;
  readonly seed: number;
  readonly draws: number;
  readonly bos: boolean;
  readonly skipBadPairs?: boolean;
  readonly out: string;
  readonly resume?: boolean;
  readonly shard?: PartOf;
  readonly shardSize: number;
}

export function addCircuitCommand(program: Command, context: CommandContext): void {
  withWeightOptions(withSharedOptions(program.command('circuit')))
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
    .option('--method <name>', METHODS.join(', '), nameOption('--method', 'method', METHODS), 'eap-ig-inputs')
    .option('--ig-steps <n>', 'points on the path of integrated gradients (default: 5)', integerOption('--ig-steps', 1))
    .option(
      '--ig-rule <name>',
      `${IG_RULES.join(', ')} (default: left, for eap-ig-activations right)`,
      nameOption('--ig-rule', 'rule', IG_RULES),
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
    .option('--seed <n>', 'which pairs of a task', integerOption('--seed', 0), 0)
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
    .option('--resume', 'keep the scores of pairs in DIR.shards as they are finished, and go on from what is there')
    .option(
      '--shard <i/n>',
      'score part i of n into DIR.shards and stop; `limn merge` and --resume finish',
      partOfOption,
    )
    .option(
      '--shard-size <n>',
      'pairs that are scored together with --resume or --shard',
      integerOption('--shard-size', 1),
      16,
    )
    .action((options: CircuitOptions) => run(options, context));
}

async function run(options: CircuitOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
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
  const method = chooseMethod(options.method, options);
  const output = openOutputFolder(options.out, CIRCUIT_FILES);
  try {
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, options, context);
    const { draws, skipBadPairs } = options;
    const speaker = { info: model.hooked.info, tokenizer: model.tokenizer, bos: options.bos };
    const sets =
      options.task === undefined
        ? await filePairs({ file: options.data as string, evaluationFile: options.evalData, skipBadPairs, ...speaker })
        : taskSets(
            { task: options.task, discovery: options.pairs, evaluation: options.evalPairs, seed: options.seed },
            speaker,
          );
    const metric = options.metric ?? sets.metric;
    const request = {
      model: model.hooked,
      sets,
      metric,
      method,
      draws,
      skipBadPairs,
      signal,
      onProgress: console.progress,
    };
    const shards = options.resume || options.shard ? shardsOf(options, device.gpu, request) : undefined;
    if (options.shard && shards) {
      await scorePart({ ...request, shards }, options, context);
      return;
    }
    const found = await findCircuit({ ...request, ...(shards ? { shards } : {}) });
    const provenance = provenanceOf(device.gpu, model, context, {
      // A file's pairs are taken as they are; only a task's are drawn.
      seed: options.task === undefined ? null : options.seed,
      prompts: sets.evaluation.map((pair) => pair.clean),
      prependBos: prependBosOf(sets),
      options: { ...resultOptions(options, method), metric, bos: sets.bos },
    });
    for (const [name, content] of circuitFiles(found, provenance, model.show)) output.write(name, content);
    signal.throwIfAborted();
    output.commit();
    if (shards) removeShards(shardFolderOf(options.out));
    for (const line of describeFinding(found)) console.say(line);
    console.say(`written to ${output.path}: ${CIRCUIT_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'circuit',
      out: output.path,
      files: CIRCUIT_FILES.entries,
      ...figuresOf(found),
    });
  } finally {
    output.discard();
  }
}

/** Where shards go, which of them are asked for, and the adapter and kernels that make their bits. */
function shardsOf(
  { out, shard, shardSize }: CircuitOptions,
  gpu: Gpu,
  { model, sets }: Pick<CircuitRequest, 'model' | 'sets'>,
): ShardPlan {
  const { adapter, source } = gpu.capabilities;
  const prompts = sets.discovery.slice(0, shardSize).map(({ clean }) => clean);
  return {
    store: folderShards(shardFolderOf(out)),
    size: shardSize,
    ...(shard ? { part: shard } : {}),
    machine: [source, adapter.vendor, adapter.device, adapter.description, kernelPlan(model, prompts)].join('; '),
  };
}

/** One process's part of the scores, and nothing else. */
async function scorePart(
  request: CircuitRequest & { readonly shards: ShardPlan },
  { out, shard }: CircuitOptions,
  { console }: CommandContext,
): Promise<void> {
  const { shards, quarantined, leftOut } = await scoreCircuitShards(request);
  const { index, of } = shard as PartOf;
  const folder = shardFolderOf(out);
  console.say(`part ${index + 1} of ${of}: ${shards.done} of ${shards.total} shards are in ${folder}`);
  for (const line of leftOutLines(leftOut)) console.say(line);
  console.say(
    shards.done === shards.total
      ? 'all parts are there: run the same command with --resume and without --shard'
      : '`limn merge` brings the shards of other folders here',
  );
  console.result({ ok: true, command: 'circuit', shards: { ...shards, folder }, quarantined, leftOut });
}

/**
 * What decides the numbers; not where they are written, how they are printed, what the model says of its weights, or what this method and
 * these pairs have no use for.
 */
function resultOptions(
  {
    json: _json,
    quiet: _quiet,
    out: _out,
    weights: _weights,
    processing: _processing,
    memoryBudget: _memoryBudget,
    igSteps: _igSteps,
    igRule: _igRule,
    resume,
    shard: _shard,
    shardSize,
    ...options
  }: CircuitOptions,
  { igSteps, igRule, selector }: MethodChoice,
): Record<string, string | number | boolean> {
  const unused = new Set<string>(options.data === undefined ? [] : ['pairs', 'evalPairs', 'seed']);
  return Object.fromEntries(
    Object.entries({ ...options, igSteps, igRule, selector, ...(resume ? { shardSize } : {}) }).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined && !unused.has(entry[0]),
    ),
  );
}

// `limn circuit`: scores every edge of a model for one behaviour, measures the circuits they select, and writes graph, result and report.
import type { Command } from 'commander';
import type { CircuitRequest, ShardPlan } from '../circuit-request.js';
import { CIRCUIT_FILES, circuitFiles, describeFinding, figuresOf } from '../circuit-output.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { machineName } from '../machine-name.js';
import { leftOutLines } from '../left-out.js';
import { chooseMethod, type MethodChoice } from '../methods.js';
import { openOutputFolder } from '../output.js';
import { filePairs, prependBosOf } from '../pairs-source.js';
import { pairsSha256 } from '../pairs-sha256.js';
import { findCircuit } from '../pipeline.js';
import { provenanceOf } from '../provenance.js';
import { scoreCircuitShards } from '../scoring.js';
import { folderShards, removeShards, shardedWork, shardFolderOf } from '../shard-folder.js';
import { expectMlpsAlone } from '../replaced-model.js';
import type { PartOf } from '../shared-options.js';
import { otherTasks, taskSets } from '../task-source.js';
import { SHARD_SIZE, expectFitting, withCircuitOptions, type CircuitOptions } from './circuit-options.js';

export function addCircuitCommand(program: Command, context: CommandContext): void {
  withCircuitOptions(program.command('circuit')).action((options: CircuitOptions) => run(options, context));
}

async function run(options: CircuitOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectFitting(options);
  const method = chooseMethod(options.method, options);
  const output = openOutputFolder(options.out, CIRCUIT_FILES);
  try {
    await expectMlpsAlone(options);
    const resumable = options.resume || options.shard;
    using device = await openDevice(context, resumable ? { work: shardedWork(options.out) } : {});
    using model = await openGivenModel(device.gpu, options.model, options, context);
    const { draws, skipBadPairs, unit, threshold, knockOut, completeness, igConvergence, compareExact } = options;
    const speaker = { info: model.hooked.info, tokenizer: model.tokenizer, bos: options.bos };
    const sets =
      options.task === undefined
        ? await filePairs({ file: options.data as string, evaluationFile: options.evalData, skipBadPairs, ...speaker })
        : taskSets(
            { task: options.task, discovery: options.pairs, evaluation: options.evalPairs, seed: options.seed },
            speaker,
          );
    const metric = options.metric ?? sets.metric;
    const others =
      options.task === undefined || options.allTasks !== true
        ? []
        : otherTasks(options.task, options.pairs, options.seed, speaker);
    const compareWithExact =
      typeof compareExact === 'number' ? { edges: compareExact, seed: options.seed } : compareExact;
    const judged = { threshold, knockOut, completeness, igConvergence, compareWithExact };
    const chosen = { method, unit, draws, skipBadPairs, ...judged, otherTasks: others };
    const told = { onProgress: console.progress, onNote: (line: string) => console.note(line) };
    const request = { model: model.hooked, sets, metric, ...chosen, signal, ...told };
    const kept = resumable ? shardsOf(options, request) : undefined;
    if (options.shard && kept) {
      await scorePart({ ...request, shards: kept }, options, context);
      return;
    }
    const found = await findCircuit({
      ...request,
      ...(method.masks === undefined ? { shards: kept } : { checkpoints: kept }),
    });
    const provenance = provenanceOf(device.gpu, model, context, {
      seed: isSeedUsed(options, method) ? options.seed : null,
      prompts: sets.evaluation.map((pair) => pair.clean),
      prependBos: prependBosOf(sets),
      pairsSha256: await pairsSha256(sets),
      options: { ...resultOptions(options, method), metric, bos: sets.bos },
    });
    for (const [name, content] of circuitFiles(found, provenance, model.show)) output.write(name, content);
    signal.throwIfAborted();
    output.commit();
    if (kept) removeShards(shardFolderOf(options.out));
    for (const line of describeFinding(found)) console.say(line);
    console.say(`written to ${output.path}: ${CIRCUIT_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'circuit',
      out: output.path,
      files: CIRCUIT_FILES.entries,
      ...figuresOf(found),
      provenance,
    });
  } finally {
    output.discard();
  }
}

/** Where shards go, which of them are asked for, and the adapter and kernels that make their bits. */
function shardsOf(
  { out, shard, shardSize = SHARD_SIZE }: CircuitOptions,
  { model, sets }: Pick<CircuitRequest, 'model' | 'sets'>,
): ShardPlan {
  const prompts = sets.discovery.slice(0, shardSize).map(({ clean }) => clean);
  return {
    store: folderShards(shardFolderOf(out)),
    size: shardSize,
    ...(shard ? { part: shard } : {}),
    machine: machineName(model, prompts),
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
    igVariant: _igVariant,
    resume,
    shard: _shard,
    shardSize = SHARD_SIZE,
    ...options
  }: CircuitOptions,
  method: MethodChoice,
): Record<string, string | number | boolean> {
  const { igSteps, igRule, igVariant, selector, masks } = method;
  const drawn = isSeedUsed(options, method) ? ['pairs', 'evalPairs'] : ['pairs', 'evalPairs', 'seed'];
  const unused = new Set<string>(options.data === undefined ? [] : drawn);
  const learning = masks && {
    maskUpdates: masks.updates,
    maskSparsity: masks.sparsity,
    maskRate: masks.rate,
    maskPairs: masks.pairsPerUpdate,
  };
  const cut = resume && masks === undefined ? { shardSize } : {};
  return Object.fromEntries(
    Object.entries({ ...options, igSteps, igRule, igVariant, selector, ...learning, ...cut }).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined && !unused.has(entry[0]),
    ),
  );
}

/** A file's pairs are taken as they are; drawn are a task's, what masks are learnt with, and edges that are patched exactly. */
function isSeedUsed(
  { task, compareExact }: Pick<CircuitOptions, 'task' | 'compareExact'>,
  method: MethodChoice,
): boolean {
  return task !== undefined || method.masks !== undefined || typeof compareExact === 'number';
}

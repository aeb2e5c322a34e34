// `limn diff train`: weight diffs by the hundred, of the chat world or of rows in a file, into one pack; stopped, sharded and reused without losing an update.
import { moduleChooser, type DiffSpec, type TrainedDiff } from '@limn/dit';
import { formatBytes, LimnError, type Gpu } from '@limn/gpu';
import { nearestFirst } from '@limn/hooks';
import { chatWorld } from '@limn/tasks/chat';
import type { Command } from 'commander';
import { chatFamilies } from '../chat-diffs.js';
import { plannedDiffs } from '../chat-plans.js';
import { expectChatWords } from '../chat-speaker.js';
import type { CommandContext } from '../context.js';
import { dataFamily } from '../data-diffs.js';
import { openDevice } from '../device.js';
import { readDiffData } from '../diff-data.js';
import type { DiffFamily } from '../diff-family.js';
import { DIFF_RECORD, DIFF_RUN } from '../diff-record.js';
import { planRun, runDiffs, type DiffRunResult, type DiffSettings, type PlannedRun } from '../diff-run.js';
import { shardOf } from '../diff-shards.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { notedLosses, onNewDevices } from '../new-devices.js';
import { provenanceOf } from '../provenance.js';
import { openRunFolder, type RunFolder } from '../run-folder.js';
import { endOf } from '../trained-set.js';
import { expectSource, withDiffTrainOptions, type DiffTrainOptions } from './diff-train-options.js';

export function addDiffTrainCommand(diff: Command, context: CommandContext): void {
  withDiffTrainOptions(diff.command('train'))
    .description(
      'train weight diffs (LoRAs) by the hundred, all in groups that share their passes; writes a pack: diffs.json, diffs.safetensors',
    )
    .action((options: DiffTrainOptions) => run(options, context));
}

async function run(options: DiffTrainOptions, context: CommandContext): Promise<void> {
  expectSource(options);
  const { console } = context;
  if (options.dryRun) return planOnly(options, context);
  const folder = await openRunFolder(options.out, options.resume, DIFF_RUN);
  try {
    if (folder.earlier) console.note(`going on with what is in ${folder.path}`);
    await onNewDevices(
      () => openDevice(context, { work: { folder: folder.path, started: folder.earlier !== undefined } }),
      ({ gpu }) => trainOn(gpu, folder, options, context),
      notedLosses(context),
    );
  } finally {
    await folder.release();
  }
}

/** What is asked for, planned. */
interface Asked {
  readonly families: readonly DiffFamily[];
  readonly own: readonly DiffFamily[];
  readonly planned: PlannedRun;
}

async function askedOf(options: DiffTrainOptions, model: OpenModel): Promise<Asked> {
  const families = await familiesOf(options, model);
  const { shard = { index: 0, of: 1 }, tasks } = options;
  const own = shardOf(families, shard, tasks);
  return { families, own, planned: await planRun(model, families, settingsOf(options)) };
}

async function familiesOf(options: DiffTrainOptions, model: OpenModel): Promise<DiffFamily[]> {
  const { data, seed, batch, plan, bos, end } = options;
  const settings = diffSettings(options, model);
  if (data !== undefined)
    return [
      dataFamily(await readDiffData(data, model, { bos, end }), model.hooked.info, settings, { rows: batch, seed }),
    ];
  expectChatWords('--world chat', model);
  const world = chatWorld();
  const { each = 1, gate = 'code', sampleWeights: weights = [1, 1, 5], ownAnswers = 0 } = options;
  return chatFamilies(world, plannedDiffs(world, plan, { seed, gate, each }), settings, {
    rows: batch,
    weights,
    ownAnswers,
  });
}

/** What every diff is told. */
function diffSettings(
  { rank, alpha, rslora, modules }: DiffTrainOptions,
  { hooked }: OpenModel,
): Omit<DiffSpec, 'id' | 'seed' | 'about' | 'samples'> {
  const chosen =
    modules &&
    modulesOf(
      modules,
      hooked.linears().map(({ name }) => name),
    );
  return {
    rank,
    rsLora: rslora,
    ...(alpha === undefined ? {} : { alpha }),
    ...(chosen === undefined ? {} : { modules: chosen }),
  };
}

/** @throws LimnError `usage/diff-modules` for a name that chooses nothing */
function modulesOf(targets: readonly string[], names: readonly string[]): readonly string[] {
  for (const target of targets)
    if (!names.some(moduleChooser({ targets: [target] }))) {
      const ends = [...new Set(names.map((name) => name.replace(/^.*\b\d+\./, '')))];
      throw new LimnError('usage/diff-modules', `--modules ${target}: the model has no such linear map`, {
        details: { given: target },
        hint: `its maps are ${nearestFirst(target, ends).join(', ')} in every layer`,
      });
    }
  return names.filter(moduleChooser({ targets }));
}

function settingsOf(options: DiffTrainOptions): DiffSettings {
  const { updates, rate, warmUp, decay, reverseKl, memory, tasks, ownEvery, sharedInit, seed } = options;
  return {
    updates,
    rate,
    warmUp,
    decay,
    reverse: reverseKl,
    memoryBytes: memory,
    tasks,
    ownEvery,
    ...(sharedInit ? { sharedInit: seed } : {}),
  };
}

async function planOnly(options: DiffTrainOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const asked = await askedOf(options, model);
  for (const line of describePlan(asked)) console.say(line);
  console.result({ ok: true, command: 'diff train', dryRun: true, families: planRecords(asked) });
}

async function trainOn(gpu: Gpu, folder: RunFolder, options: DiffTrainOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  using model = await openGivenModel(gpu, options.base, options, context);
  const asked = await askedOf(options, model);
  for (const line of describePlan(asked)) console.note(line);
  const about = aboutOf(options, model, asked, context);
  let result: DiffRunResult;
  try {
    result = await runDiffs({
      model,
      folder,
      planned: asked.planned,
      own: asked.own,
      reuse: options.reuse,
      about,
      checkpointEvery: options.checkpointEvery,
      allowDrift: options.allowDrift,
      signal,
      onProgress: console.progress,
      onNote: (line) => console.note(line),
    });
  } catch (error) {
    // Before training.json is there, nothing is kept.
    throw folder.readText(DIFF_RECORD) === undefined ? error : endOf(error, signal, folder);
  }
  const { diffs, trained, reused, resumedFrom, mixed } = result;
  await folder.writeAbout('finished', { ...about, mixed, diffs: diffs.length });
  console.say(
    `${diffs.length} diffs in ${folder.path}: ${trained} trained, ${diffs.length - trained} there already${reused > 0 ? ` (${reused} of other packs)` : ''}`,
  );
  console.say(`last losses: ${lossesOf(diffs)}`);
  if (options.shard) console.say('`limn merge` joins the packs of all parts');
  console.result({
    ok: true,
    command: 'diff train',
    out: folder.path,
    diffs: diffs.length,
    trained,
    reused,
    resumedFrom,
    families: planRecords(asked),
  });
}

/** What training.json says; `limn merge` joins packs that agree in base, settings, families, plan and machine. */
function aboutOf(
  options: DiffTrainOptions,
  model: OpenModel,
  { planned, own }: Asked,
  context: CommandContext,
): Readonly<Record<string, unknown>> {
  const { name, hooked } = model;
  const { fingerprint, processing } = hooked.info;
  const { memoryBytes: _memory, ...settings } = settingsOf(options);
  const { rank, batch, seed, data, updates, rate, warmUp, decay, tasks } = options;
  const source = data === undefined ? { plan: options.plan.map(({ text }) => text).join(' ') } : { data };
  return {
    command: DIFF_RUN.command,
    base: { name, fingerprint, processing },
    settings,
    families: planned.families.map(({ family, options: { shape, sampler } }) => ({
      name: family.name,
      diffs: family.specs.length,
      shape,
      sampler,
    })),
    plan: { sha256: planned.sha256, diffs: planned.families.reduce((sum, { family }) => sum + family.specs.length, 0) },
    part: { ...(options.shard ?? { index: 0, of: 1 }), diffs: own.reduce((sum, { specs }) => sum + specs.length, 0) },
    machine: planned.machine,
    provenance: provenanceOf(hooked.gpu, model, context, {
      options: { ...source, rank, batch, updates, rate, warmUp, decay, tasks },
      seed,
      prompts: [],
      prependBos: data === undefined ? null : options.bos,
    }),
  };
}

const planRecords = ({ own, planned }: Asked) =>
  own.map(({ name, specs }) => {
    const found = planned.families.find(({ family }) => family.name === name);
    const { factors, update } = found?.plan ?? { factors: 0, update: 0 };
    return { name, diffs: specs.length, shape: found?.options.shape, bytes: { factors, update } };
  });

const describePlan = (asked: Asked): string[] =>
  planRecords(asked).map(({ name, diffs, shape, bytes }) => {
    const rows = shape && `${shape.tasks} at a time, each ${shape.rows} rows of ${shape.positions} tokens`;
    return `${name}: ${diffs} diffs, ${rows}; ${formatBytes(bytes.factors)} of factors and moments, ${formatBytes(bytes.update)} for an update`;
  });

/** Lowest, middle and highest of the last losses. */
function lossesOf(diffs: readonly TrainedDiff[]): string {
  const last = diffs.flatMap(({ losses }) => losses.slice(-1).map(({ loss }) => loss)).sort((a, b) => a - b);
  const at = (part: number): string => (last[Math.floor(part * (last.length - 1))] ?? Number.NaN).toFixed(3);
  return `${at(0)} to ${at(1)} nats, median ${at(0.5)}`;
}

// A run of `limn diff train`: what is asked for, what is there under its key already, and the rest trained family by family into one pack.
import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  diffKeys,
  planDiffs,
  trainDiffs,
  type DiffPlan,
  type DiffSpec,
  type TrainDiffsOptions,
  type TrainedDiff,
} from '@limn/dit';
import { CHECKPOINT_FILES } from '@limn/gpt2/node';
import { LimnError, sha256 } from '@limn/gpu';
import { trainingMachine } from '@limn/hooks';
import type { ProgressEvent } from './console.js';
import type { DiffFamily } from './diff-family.js';
import { isOfMachine, recordIn } from './diff-record.js';
import { openPack } from './diff-folder.js';
import { packIn, savePack } from './diff-pack-folder.js';
import type { OpenModel } from './model-source.js';
import type { RunFolder } from './run-folder.js';

/** What is the same for every diff of a run, whatever its rows are. */
export type DiffSettings = Pick<
  TrainDiffsOptions,
  'updates' | 'rate' | 'warmUp' | 'decay' | 'reverse' | 'sharedInit' | 'memoryBytes'
> & {
  /** Diffs that are trained together. */
  readonly tasks: number;
  /** Updates between two drawings of answers that diffs give themselves. */
  readonly ownEvery: number;
};

/** A family with what training it takes, and the keys of its diffs. */
export interface PlannedFamily {
  readonly family: DiffFamily;
  readonly options: TrainDiffsOptions;
  readonly plan: DiffPlan;
  readonly keys: ReadonlyMap<string, string>;
}

/** Everything that a run trains, known before any work. */
export interface PlannedRun {
  readonly families: readonly PlannedFamily[];
  /** sha256 over ids and keys of all diffs. */
  readonly sha256: string;
  /** Adapter, kernels and choices of every family, as JSON. */
  readonly machine: readonly string[];
}

/**
 * Plans all families of a run, in whole, whichever part of it is trained here.
 * @throws LimnError `usage/diff-training`, `usage/lora-option`, `data/diff-sample`, `memory/over-budget`
 */
export async function planRun(
  { hooked }: OpenModel,
  families: readonly DiffFamily[],
  settings: DiffSettings,
): Promise<PlannedRun> {
  const { tasks, ownEvery, ...shared } = settings;
  const planned: PlannedFamily[] = [];
  for (const family of families) {
    const options: TrainDiffsOptions = {
      ...shared,
      sampler: family.sampler,
      shape: { ...family.shape, tasks },
      ...(family.own ? { own: { ...family.own, every: ownEvery } } : {}),
    };
    const keys = await diffKeys(hooked, family.specs, options);
    const byId = new Map(family.specs.map(({ id }, i) => [id, keys[i] as string]));
    planned.push({ family, options, plan: planOf(hooked, family, options), keys: byId });
  }
  const all = planned.flatMap(({ keys }) => [...keys]).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    families: planned,
    sha256: await sha256(JSON.stringify(all)),
    machine: planned.map(({ plan }) => trainingMachine(hooked.gpu, plan.kernels)),
  };
}

/** @throws LimnError as `planDiffs`; what to do about too little memory in the words of the command */
function planOf(model: OpenModel['hooked'], { name, specs }: DiffFamily, options: TrainDiffsOptions): DiffPlan {
  try {
    return planDiffs(model, specs, options);
  } catch (cause) {
    if (!(cause instanceof LimnError) || cause.code !== 'memory/over-budget') throw cause;
    const { tasks, rows } = options.shape;
    throw new LimnError(cause.code, `${name} diffs, ${tasks} at a time with ${rows} rows each: ${cause.message}`, {
      details: cause.details,
      hint: 'lower --tasks or --batch, adapt fewer --modules, or raise --memory',
      cause,
    });
  }
}

/** What a run needs besides its plan. */
export interface DiffRunRequest {
  readonly model: OpenModel;
  readonly folder: RunFolder;
  readonly planned: PlannedRun;
  /** What this process trains of it. */
  readonly own: readonly DiffFamily[];
  /** Folders of packs whose diffs are taken where their keys are asked for. */
  readonly reuse: readonly string[];
  /** Says whose folder it is, from before the first update. */
  readonly about: Readonly<Record<string, unknown>>;
  readonly checkpointEvery: number;
  readonly allowDrift: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => void;
  readonly onNote: (line: string) => void;
}

/** What came of it. */
export interface DiffRunResult {
  readonly diffs: readonly TrainedDiff[];
  /** Trained by this call; the others were there. */
  readonly trained: number;
  readonly reused: number;
  /** Updates that a checkpoint had. */
  readonly resumedFrom: number;
  /** Whether diffs of other adapters or kernels are among them. */
  readonly mixed: boolean;
}

/**
 * Trains what is not there yet. Every family's diffs join the pack in the folder when they are finished.
 * @throws LimnError `usage/output-exists` for a pack with diffs that are not asked for; as `trainDiffs`
 */
export async function runDiffs(request: DiffRunRequest): Promise<DiffRunResult> {
  const { model, folder, planned, own, signal, onProgress, onNote } = request;
  const keys = new Map(planned.families.flatMap((each) => [...each.keys]));
  let diffs = await packIn(folder.path);
  expectAskedFor(diffs, own, keys, folder.path);
  const others = expectSameMachine(request, diffs.length);
  const { reused, foreign } = await reusable(request, diffs, keys);
  const mixed = others || foreign;
  const about = { ...request.about, mixed };
  const asked = own.reduce((sum, { specs }) => sum + specs.length, 0);
  // A finished pack of which more is asked is finished no more.
  const reopened = folder.earlier?.['state'] === 'finished' && diffs.length < asked;
  if (reopened || (reused.length > 0 && !folder.earlier)) await folder.writeAbout('running', about);
  if (reused.length > 0) {
    diffs = [...diffs, ...reused];
    await savePack(folder.path, diffs);
  }
  const found = diffs.length;
  let resumedFrom = 0;
  for (const { name, specs } of own) {
    const missing = missingOf(specs, diffs);
    const part = checkpointsOf(name);
    if (missing.length > 0) {
      const { options } = planned.families.find(({ family }) => family.name === name) as PlannedFamily;
      const phase = `training ${missing.length} ${name} diffs`;
      const result = await trainDiffs(model.hooked, missing, {
        ...options,
        checkpoints: {
          store: folder.announced(about, part),
          every: request.checkpointEvery,
          allowDrift: request.allowDrift,
        },
        signal,
        onNotice: onNote,
        onProgress: ({ done, total, losses }) =>
          onProgress({ phase, done, total, unit: 'updates', note: lossNote(losses) }),
      });
      resumedFrom += result.resumedFrom;
      diffs = [...diffs, ...result.diffs];
      await savePack(folder.path, diffs);
    }
    folder.removeCheckpoints(part);
  }
  return { diffs, trained: diffs.length - found, reused: reused.length, resumedFrom, mixed };
}

/**
 * Whether what is in the folder already comes from other machines than this one.
 * @throws LimnError `checkpoint/other-machine` without `--allow-drift`
 */
function expectSameMachine({ folder, planned, allowDrift, onNote }: DiffRunRequest, there: number): boolean {
  const { earlier } = folder;
  if (!earlier || isOfMachine(earlier, planned.machine)) return false;
  // Where nothing is finished, the checkpoint refuses other machines by itself.
  if (!allowDrift && there === 0) return false;
  if (!allowDrift && earlier['mixed'] !== true)
    throw new LimnError(
      'checkpoint/other-machine',
      `the ${there} diffs in ${folder.path} were trained on another adapter or with other kernels, so that no run gives their bits and those to come`,
      {
        details: { earlier: earlier['machine'], now: planned.machine },
        hint: 'go on there, or give --allow-drift: `limn merge` will not join such a pack with others',
      },
    );
  onNote('what is there already comes from another adapter or other kernels');
  return true;
}

/** The folder, within the run's, of a family's checkpoints. */
const checkpointsOf = (family: string): string => `checkpoints-${family}`;

const missingOf = (specs: readonly DiffSpec[], diffs: readonly TrainedDiff[]): DiffSpec[] => {
  const there = new Set(diffs.map(({ spec }) => spec.id));
  return specs.filter(({ id }) => !there.has(id));
};

/** Diffs of other packs under keys that are asked for; of no family under way, whose checkpoint goes on with those that it began with. */
async function reusable(
  { folder, planned, own, reuse, onNote }: DiffRunRequest,
  there: readonly TrainedDiff[],
  keys: ReadonlyMap<string, string>,
): Promise<{ readonly reused: readonly TrainedDiff[]; readonly foreign: boolean }> {
  const open = own.filter(
    ({ name }) => !CHECKPOINT_FILES.some((file) => existsSync(path.join(folder.path, checkpointsOf(name), file))),
  );
  const wanted = new Map(
    open.flatMap(({ specs }) => missingOf(specs, there).map(({ id }) => [keys.get(id) as string, id])),
  );
  const found = new Map<string, TrainedDiff>();
  let foreign = false;
  for (const name of reuse) {
    const before = found.size;
    for (const diff of await openPack(name))
      if (wanted.has(diff.key) && !found.has(diff.key)) found.set(diff.key, diff);
    if (found.size === before || isOfMachine(recordIn(name), planned.machine)) continue;
    foreign = true;
    onNote(`the diffs taken from ${name} come from another adapter or other kernels`);
  }
  return { reused: [...found.values()], foreign };
}

/** @throws LimnError `usage/output-exists` */
function expectAskedFor(
  there: readonly TrainedDiff[],
  own: readonly DiffFamily[],
  keys: ReadonlyMap<string, string>,
  place: string,
): void {
  const asked = new Set(own.flatMap(({ specs }) => specs.map(({ id }) => id)));
  const odd = there.find(({ spec, key }) => !asked.has(spec.id) || keys.get(spec.id) !== key);
  if (!odd) return;
  const { id } = odd.spec;
  throw new LimnError(
    'usage/output-exists',
    `${place} holds '${id}', ${asked.has(id) ? 'trained on other rows, settings or weights' : 'which is not asked for'}`,
    {
      details: { out: place, id },
      hint: `name another --out; --reuse ${place} takes from there what is the same`,
    },
  );
}

function lossNote(losses: Readonly<Record<string, number>>): string {
  const all = Object.values(losses);
  const mean = all.reduce((sum, loss) => sum + loss, 0) / all.length;
  return `loss ${mean.toFixed(3)} nats, ${Math.min(...all).toFixed(3)} to ${Math.max(...all).toFixed(3)} over ${all.length} diffs`;
}

// Where a training of diffs stands, as a file: diffs that are finished, and factors, moments, counts and drawn answers of the group under way.
import { LimnError, type Gpu } from '@limn/gpu';
import {
  checkpointContent,
  damagedCheckpoint,
  expectSameTraining,
  newestSound,
  type CheckpointContent,
  type OpenedCheckpoint,
  type StatedTensor,
  type TrainingIdentity,
} from '@limn/hooks';
import type { LoraFactors } from '../lora/lora-weights.js';
import type { DiffCheckpoints } from './diff-options.js';
import type { DiffStack } from './diff-stack.js';
import type { DiffUpdates } from './diff-updates.js';
import type { DrawnAnswers } from './own-answers.js';
import type { DiffLoss } from './trained-diff.js';

const FORMAT = 'limn-diffs/1';

/** A diff that is finished: what is not in its spec. */
export interface FinishedDiff {
  /** Its place among the specs. */
  readonly place: number;
  readonly modules: ReadonlyMap<string, LoraFactors>;
  readonly losses: readonly DiffLoss[];
}

/** Where a run stands between two updates. */
export interface DiffRunState {
  readonly group: number;
  readonly update: number;
  readonly finished: readonly FinishedDiff[];
  /** Of the group under way, by place in it. */
  readonly losses: readonly (readonly DiffLoss[])[];
  readonly drawn: DrawnAnswers;
}

/** The group under way. */
export interface OpenGroup {
  readonly stack: DiffStack;
  readonly updates: DiffUpdates;
}

interface About extends TrainingIdentity, Pick<DiffRunState, 'group' | 'update' | 'losses' | 'drawn'> {
  readonly counts: readonly number[];
  readonly finished: readonly {
    readonly place: number;
    readonly losses: readonly DiffLoss[];
    readonly modules: readonly { readonly name: string; readonly rank: number; readonly alpha: number }[];
  }[];
}

/** The contents of a checkpoint; what is on the GPU is read while they are written. No group is open behind the last. */
export function diffContent(
  gpu: Gpu,
  state: DiffRunState,
  open: OpenGroup | undefined,
  identity: TrainingIdentity,
): CheckpointContent {
  const { group, update, losses, drawn, finished } = state;
  const about: About = {
    ...identity,
    group,
    update,
    losses,
    drawn,
    counts: open?.updates.counts ?? [],
    finished: finished.map(({ place, losses: own, modules }) => ({
      place,
      losses: own,
      modules: Array.from(modules, ([name, { rank, alpha }]) => ({ name, rank, alpha })),
    })),
  };
  const tensor = (name: string, size: number, values: () => Promise<Float32Array>): StatedTensor => ({
    name,
    type: 'F32',
    size,
    values,
  });
  const tensors = [
    ...finished.flatMap(({ place, modules }) =>
      Array.from(modules).flatMap(([name, { a, b }]) => [
        tensor(`finished/${place}/${name}.a`, a.length, async () => a),
        tensor(`finished/${place}/${name}.b`, b.length, async () => b),
      ]),
    ),
    ...(open?.stack.parameters ?? []).map(({ name, tensor: { storage, size } }) =>
      tensor(`factor/${name}`, size, async () => finite(await gpu.read(storage, 'f32'), name, update)),
    ),
    ...(open?.updates.moments() ?? []).flatMap(({ name, size, first, second }) => [
      tensor(`first/${name}`, size, first),
      tensor(`second/${name}`, size, second),
    ]),
  ];
  return checkpointContent(FORMAT, tensors, JSON.stringify(about));
}

/** A checkpoint that a run can go on from. */
export interface FoundCheckpoint {
  readonly state: DiffRunState;
  /** Puts factors, moments and counts of its group on the GPU. */
  restore(open: OpenGroup): Promise<void>;
}

/**
 * The newest sound checkpoint of the same run; undefined where there is none.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`; `checkpoint/other-machine` without `allowDrift`; and what
 * the store throws
 */
export async function findCheckpoint(
  gpu: Gpu,
  { store, allowDrift = false }: DiffCheckpoints,
  identity: TrainingIdentity,
  onNotice?: (message: string) => void,
): Promise<FoundCheckpoint | undefined> {
  const opened = await newestSound(store, FORMAT, onNotice);
  if (!opened) return undefined;
  const about = JSON.parse(opened.about) as About;
  expectSameTraining(about, identity, {
    others: 'another model, other diffs, rows or settings',
    cure: 'Train the same diffs in the same order, or use another place for the checkpoint.',
    allowDrift,
  });
  const { group, update, losses, drawn, counts } = about;
  const finished = await Promise.all(about.finished.map((each) => finishedOf(opened, each)));
  return {
    state: { group, update, losses, drawn, finished },
    restore: async ({ stack, updates }) => {
      for (const { name, tensor } of stack.parameters) {
        const values = await opened.floats(`factor/${name}`);
        if (values.length !== tensor.size) throw damagedCheckpoint(`${name} has another size`);
        gpu.write(tensor.storage, values);
      }
      await updates.load({ count: update, taskCounts: counts }, (kind, name) => opened.floats(`${kind}/${name}`));
    },
  };
}

async function finishedOf(
  opened: OpenedCheckpoint,
  { place, losses, modules }: About['finished'][number],
): Promise<FinishedDiff> {
  const read = new Map<string, LoraFactors>();
  for (const { name, rank, alpha } of modules) {
    const a = await opened.floats(`finished/${place}/${name}.a`);
    const b = await opened.floats(`finished/${place}/${name}.b`);
    read.set(name, { a, b, rank, alpha });
  }
  return { place, losses, modules: read };
}

/**
 * The factors of a group's members as they are at its end.
 * @throws LimnError `training/diverged` for values that are not finite
 */
export async function finishedMembers(
  members: readonly number[],
  stack: DiffStack,
  { losses, update }: DiffRunState,
): Promise<FinishedDiff[]> {
  const factors = await stack.read();
  return members.map((place, i) => {
    const modules = factors[i] ?? new Map<string, LoraFactors>();
    for (const [name, { a, b }] of modules) for (const values of [a, b]) finite(values, name, update);
    return { place, modules, losses: losses[i] ?? [] };
  });
}

/** @throws LimnError `training/diverged` for values that are not finite */
function finite(values: Float32Array, what: string, update: number): Float32Array {
  if (values.every(Number.isFinite)) return values;
  throw diverged(`${what} holds values that are not finite`, update);
}

/** The end of a training that left the numbers. */
export function diverged(what: string, update: number): LimnError {
  return new LimnError('training/diverged', `${what} at update ${update}.`, {
    details: { update },
    hint: 'Lower the rate, or warm up for longer. The checkpoint before it is untouched.',
  });
}

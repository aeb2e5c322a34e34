// Where a training of diffs stands, as a file: diffs that are finished, and factors, moments, counts and drawn answers of the group under way.
import {
  checkpointContent,
  expectSameTraining,
  newestSound,
  type CheckpointContent,
  type TrainingIdentity,
} from '@limn/hooks';
import type { LoraFactors } from '../lora/lora-weights.js';
import {
  finiteFactors,
  keptTensors,
  openTensors,
  readKept,
  restoreStack,
  storedModules,
  type OpenStack,
  type StoredModule,
} from '../training/factor-tensors.js';
import type { DiffCheckpoints } from './diff-options.js';
import type { DiffStack } from './diff-stack.js';
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

interface About extends TrainingIdentity, Pick<DiffRunState, 'group' | 'update' | 'losses' | 'drawn'> {
  readonly counts: readonly number[];
  readonly finished: readonly {
    readonly place: number;
    readonly losses: readonly DiffLoss[];
    readonly modules: readonly StoredModule[];
  }[];
}

/** The contents of a checkpoint; what is on the GPU is read while they are written. No group is open behind the last. `nameOf` says what a place of the group is called. */
export function diffContent(
  state: DiffRunState,
  open: OpenStack | undefined,
  identity: TrainingIdentity,
  nameOf: (place: number) => string,
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
      modules: storedModules(modules),
    })),
  };
  const tensors = [
    ...finished.flatMap(({ place, modules }) => keptTensors(`finished/${place}`, modules)),
    ...(open ? openTensors(open, update, nameOf) : []),
  ];
  return checkpointContent(FORMAT, tensors, JSON.stringify(about));
}

/** A checkpoint that a run can go on from. */
export interface FoundCheckpoint {
  readonly state: DiffRunState;
  /** Puts factors, moments and counts of its group on the GPU. */
  restore(open: OpenStack): Promise<void>;
}

/**
 * The newest sound checkpoint of the same run; undefined where there is none.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`; `checkpoint/other-machine` without `allowDrift`; and what
 * the store throws
 */
export async function findCheckpoint(
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
  const finished = await Promise.all(
    about.finished.map(async ({ place, losses: own, modules }) => ({
      place,
      losses: own,
      modules: await readKept(opened, `finished/${place}`, modules),
    })),
  );
  return {
    state: { group, update, losses, drawn, finished },
    restore: (open) => restoreStack(opened, open, { count: update, taskCounts: counts }),
  };
}

/**
 * The factors of a group's members as they are at its end.
 * @throws LimnError `training/diverged` for values that are not finite
 */
export async function finishedMembers(
  members: readonly number[],
  stack: DiffStack,
  { losses, update }: DiffRunState,
  nameOf: (place: number) => string,
): Promise<FinishedDiff[]> {
  const factors = await stack.read();
  return members.map((place, i) => {
    const modules = finiteFactors(factors[i] ?? new Map<string, LoraFactors>(), nameOf(i), update);
    return { place, modules, losses: losses[i] ?? [] };
  });
}

// Where a training of the adapter stands, as a file: factors, moments and counts, what was measured so far, and the best factors.
import {
  checkpointContent,
  expectSameTraining,
  newestSound,
  type CheckpointContent,
  type TrainingIdentity,
} from '@limn/hooks';
import type { DiffCheckpoints } from '../diffs/diff-options.js';
import type { DiffLoss } from '../diffs/trained-diff.js';
import type { LoraFactors } from '../lora/lora-weights.js';
import {
  keptTensors,
  openTensors,
  readKept,
  restoreStack,
  storedModules,
  type OpenStack,
  type StoredModule,
} from '../training/factor-tensors.js';
import type { DitValidation } from './adapter-options.js';

const FORMAT = 'limn-dit-training/1';

/** The weights with the lowest validation loss so far. */
export interface BestFactors {
  /** Updates made when they were. */
  readonly update: number;
  readonly modules: ReadonlyMap<string, LoraFactors>;
}

/** Where a run stands between two updates. */
export interface DitRunState {
  readonly update: number;
  readonly losses: readonly DiffLoss[];
  readonly validation: readonly DitValidation[];
  readonly best: BestFactors | undefined;
}

interface About extends TrainingIdentity, Pick<DitRunState, 'update' | 'losses' | 'validation'> {
  readonly best: { readonly update: number; readonly modules: readonly StoredModule[] } | null;
}

/** The contents of a checkpoint; what is on the GPU is read while they are written. */
export function ditContent(state: DitRunState, open: OpenStack, identity: TrainingIdentity): CheckpointContent {
  const { update, losses, validation, best } = state;
  const about: About = {
    ...identity,
    update,
    losses,
    validation,
    best: best ? { update: best.update, modules: storedModules(best.modules) } : null,
  };
  const tensors = [
    ...openTensors(open, update, () => 'the adapter'),
    ...(best ? keptTensors('best', best.modules) : []),
  ];
  return checkpointContent(FORMAT, tensors, JSON.stringify(about));
}

/**
 * Goes on from the newest sound checkpoint of the same run: puts factors, moments and counts on the GPU. undefined where there is none.
 * @throws LimnError `checkpoint/damaged`, `checkpoint/format`, `checkpoint/other-settings`; `checkpoint/other-machine` without `allowDrift`; and what
 * the store throws
 */
export async function restoreDit(
  { store, allowDrift = false }: DiffCheckpoints,
  open: OpenStack,
  identity: TrainingIdentity,
  onNotice?: (message: string) => void,
): Promise<DitRunState | undefined> {
  const opened = await newestSound(store, FORMAT, onNotice);
  if (!opened) return undefined;
  const about = JSON.parse(opened.about) as About;
  expectSameTraining(about, identity, {
    others: 'another model, other diffs, examples or settings',
    cure: 'Train on the same data in the same order, or use another place for the checkpoint.',
    allowDrift,
  });
  const { update, losses, validation, best } = about;
  await restoreStack(opened, open, { count: update, taskCounts: [update] });
  return {
    update,
    losses,
    validation,
    best: best ? { update: best.update, modules: await readKept(opened, 'best', best.modules) } : undefined,
  };
}

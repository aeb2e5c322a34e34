// Trains weight diffs by the hundred (arXiv 2510.05092): a group of them in one pass, each row of the batch with its own LoRA, and goes on bit for bit.
import { throwIfAborted } from '@limn/gpu';
import { trainingMachine, type HookedModel, type TrainingIdentity } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { createLora } from '../lora/create-lora.js';
import type { LoraWeights } from '../lora/lora-weights.js';
import { diverged, type OpenStack } from '../training/factor-tensors.js';
import { StackUpdates } from '../training/stack-updates.js';
import { StepQueue } from '../training/step-queue.js';
import type { DiffBatch } from './diff-batch.js';
import {
  diffContent,
  findCheckpoint,
  finishedMembers,
  type DiffRunState,
  type FinishedDiff,
} from './diff-checkpoint.js';
import { diffGroups, diffKey, type DiffGroup } from './diff-key.js';
import { settleDiffs, type DiffProgress, type SettledTraining, type TrainDiffsOptions } from './diff-options.js';
import { planSettled, type DiffPlan } from './diff-plan.js';
import type { DiffSpec, SettledDiff } from './diff-spec.js';
import { roundBatch, roundRates } from './diff-rounds.js';
import { DiffStack } from './diff-stack.js';
import { recordSlopes } from './diff-updates.js';
import { drawAnswers } from './own-answers.js';
import { Teacher, type TeacherCounts } from './teacher.js';
import type { DiffLoss, TrainedDiff } from './trained-diff.js';

/** Learnt diffs. */
export interface TrainedDiffs {
  /** In the order of the specs. */
  readonly diffs: readonly TrainedDiff[];
  /** How often the bare model's log-probabilities were there already. */
  readonly teacher: TeacherCounts;
  /** Updates of groups that a checkpoint had; 0 for a fresh start. */
  readonly resumedFrom: number;
}

/**
 * The keys that `trainDiffs` will give these diffs, in order: what is there already under its key need not be trained.
 * @throws LimnError `usage/diff-training`
 */
export async function diffKeys(
  model: HookedModel,
  diffs: readonly DiffSpec[],
  options: TrainDiffsOptions,
): Promise<string[]> {
  const settled = settleDiffs(model, diffs, options);
  return Promise.all(settled.diffs.map((diff) => diffKey(model.info, diff, settled.settings)));
}

/**
 * Trains every diff on its own rows. Groups of `shape.tasks` run in one forward and one backward pass; a group's shape is the same whoever is in it, and
 * every diff has its own random numbers, moments, counts and rate, so that its bits depend on no other diff: shards of a list give the same as the list.
 *
 * Per diff and update: Σ_r λ_r · mean over r's answer of −log q(token), or of KL(p ‖ q) + μ·KL(q ‖ p), divided by Σ_r λ_r.
 * @throws LimnError before any work: `usage/diff-training`, `usage/lora-option`, `data/diff-sample` for round 0, `memory/over-budget` with the bytes; `checkpoint/damaged`, `checkpoint/format`,
 * `checkpoint/other-settings`, without `allowDrift` `checkpoint/other-machine`, and what the store throws; later `data/diff-sample`, `training/diverged`,
 * `hooks/…`; AbortedError
 */
export async function trainDiffs(
  model: HookedModel,
  diffs: readonly DiffSpec[],
  options: TrainDiffsOptions,
): Promise<TrainedDiffs> {
  const settled = settleDiffs(model, diffs, options);
  const plan = planSettled(model, settled);
  const release = await options.checkpoints?.store.claim?.();
  try {
    const keys = await Promise.all(settled.diffs.map((diff) => diffKey(model.info, diff, settled.settings)));
    return await new DiffRun(model, settled, options, plan, keys).toTheEnd();
  } finally {
    await release?.();
  }
}

/** A run under way. */
class DiffRun {
  readonly #teacher: Teacher;
  readonly #groups: readonly DiffGroup[];
  #done = 0;
  readonly #steps = new StepQueue();

  constructor(
    readonly model: HookedModel,
    readonly settled: SettledTraining,
    readonly options: TrainDiffsOptions,
    readonly plan: DiffPlan,
    readonly keys: readonly string[],
  ) {
    const { shape } = settled.settings;
    this.#teacher = new Teacher(model, shape, settled.teacherBytes);
    this.#groups = diffGroups(settled.diffs, shape);
  }

  async toTheEnd(): Promise<TrainedDiffs> {
    const { options } = this;
    const { checkpoints, onNotice } = options;
    const identity = this.#identity();
    const found = checkpoints && (await findCheckpoint(checkpoints, identity, onNotice));
    let state: DiffRunState = found?.state ?? { group: 0, update: 0, finished: [], losses: [], drawn: {} };
    this.#done =
      state.update + this.#groups.slice(0, state.group).reduce((sum, group) => sum + this.#updatesOf(group), 0);
    const resumedFrom = this.#done;
    await this.#prepare(identity);
    for (let index = state.group; index < this.#groups.length; index++) {
      const group = this.#groups[index] as DiffGroup;
      using stack = this.#stackOf(group);
      using updates = new StackUpdates(stack, this.settled.settings);
      if (found && index === found.state.group) await found.restore({ stack, updates });
      else stack.write(group.members.map((place) => this.#firstOf(this.#diff(place))));
      try {
        state = await this.#train(state, group, { stack, updates }, identity);
        await this.#steps.finished();
      } finally {
        await this.#steps.settled();
      }
      const own = await finishedMembers(group.members, stack, state, this.#nameIn(group));
      state = { group: index + 1, update: 0, finished: [...state.finished, ...own], losses: [], drawn: {} };
      await checkpoints?.store.write(diffContent(state, undefined, identity, this.#nameIn(group)));
    }
    const byPlace = new Map(state.finished.map((each) => [each.place, each]));
    return {
      diffs: this.settled.diffs.map((spec, place) => this.#trained(spec, place, byPlace.get(place) as FinishedDiff)),
      teacher: this.#teacher.counts,
      resumedFrom,
    };
  }

  /** One group from where it stands to its end. */
  async #train(
    from: DiffRunState,
    group: DiffGroup,
    open: OpenStack,
    identity: TrainingIdentity,
  ): Promise<DiffRunState> {
    const { model, settled, options } = this;
    const { checkpoints, signal, onProgress } = options;
    const { every } = settled;
    const saveEvery = checkpoints?.every ?? 100;
    const last = this.#updatesOf(group);
    const drawEvery = settled.settings.own?.every ?? last;
    const losses: DiffLoss[][] = group.members.map((_, i) => [...(from.losses[i] ?? [])]);
    let { update, drawn } = from;
    const stateNow = (): DiffRunState => ({ ...from, update, losses, drawn });
    let written = update;
    const keep = async (): Promise<void> => {
      if (!checkpoints || update === written) return;
      await this.#steps.finished();
      await checkpoints.store.write(diffContent(stateNow(), open, identity, this.#nameIn(group)));
      written = update;
    };
    while (update < last) {
      try {
        throwIfAborted(signal, 'Training diffs');
        if (update % drawEvery === 0)
          drawn = await drawAnswers(
            model,
            group.members.map((place) => this.#diff(place)),
            settled.settings,
            open.stack,
            {
              from: update,
              to: update + drawEvery,
              signal,
            },
          );
        const members = group.members.map((place) => this.#diff(place));
        const batch = roundBatch(members, update, drawn, settled.settings, model.info);
        const teacher = await this.#teacher.places(batch.taught, signal);
        const reads =
          (update + 1) % every === 0 || group.members.some((place) => this.#diff(place).updates === update + 1);
        const found = await this.#update(group, open, batch, teacher, { update, reads });
        update++;
        this.#done++;
        if (found) {
          const progress = this.#note(group, losses, found, update);
          onProgress?.(progress);
        }
      } catch (error) {
        // Between two updates the state is whole.
        if (signal?.aborted === true) await keep();
        throw error;
      }
      if (update % saveEvery === 0 && update < last) await keep();
    }
    return stateNow();
  }

  /** One update of a group; the losses [N] before it where they are asked for. */
  async #update(
    { members }: DiffGroup,
    { stack, updates }: OpenStack,
    batch: DiffBatch,
    teacher: Float32Array,
    { update, reads }: { readonly update: number; readonly reads: boolean },
  ): Promise<Float32Array | undefined> {
    const rates = roundRates(
      members.map((place) => this.#diff(place)),
      update,
      this.settled.settings,
    );
    const step = this.model.gpu.step({ label: 'training diffs' });
    try {
      const { reverse } = this.settled.settings;
      const { losses, slopes } = recordSlopes(step, this.model, stack, batch, { teacher, reverse });
      updates.record(step, slopes, rates);
      const read = reads ? readFloats(step, losses) : undefined;
      // Its failure is that of the submit, which is awaited.
      read?.catch(() => undefined);
      await this.#steps.submit(step);
      return await read;
    } finally {
      step.dispose();
    }
  }

  /** Takes losses down, and what is to be told of them. @throws LimnError `training/diverged` */
  #note({ members }: DiffGroup, losses: DiffLoss[][], found: Float32Array, update: number): DiffProgress {
    const told: Record<string, number> = {};
    members.forEach((place, i) => {
      const { id, updates } = this.#diff(place);
      if (update > updates) return;
      const loss = found[i] as number;
      if (!Number.isFinite(loss)) throw diverged(`The loss of ${id} is ${loss}`, update);
      losses[i]?.push({ update, loss });
      told[id] = loss;
    });
    return { done: this.#done, total: this.plan.updates, losses: told };
  }

  /** Tells the store how large the last checkpoint will be: that with most finished diffs. */
  async #prepare(identity: TrainingIdentity): Promise<void> {
    const { checkpoints } = this.options;
    if (!checkpoints?.store.prepare) return;
    const bytes = this.settled.diffs.reduce((sum, diff) => sum + this.#bytesOf(diff), 0);
    const saveEvery = checkpoints.every ?? 100;
    const writes = this.#groups.length + Math.ceil((this.plan.updates - this.#done) / saveEvery);
    await checkpoints.store.prepare(bytes + this.plan.factors + identity.settings.length, writes);
  }

  #bytesOf({ modules, rank }: SettledDiff): number {
    return this.model
      .linears()
      .reduce(
        (sum, { name, inWidth, outWidth }) => sum + (modules.includes(name) ? 4 * rank * (inWidth + outWidth) : 0),
        0,
      );
  }

  #identity(): TrainingIdentity {
    return {
      settings: JSON.stringify({ keys: this.keys, every: this.settled.every }),
      machine: trainingMachine(this.model.gpu, this.plan.kernels),
    };
  }

  #diff(place: number): SettledDiff {
    return this.settled.diffs[place] as SettledDiff;
  }

  /** Ids by place in a group. */
  #nameIn({ members }: DiffGroup): (place: number) => string {
    return (place) => this.#diff(members[place] as number).id;
  }

  #updatesOf({ members }: DiffGroup): number {
    return Math.max(...members.map((place) => this.#diff(place).updates));
  }

  #stackOf({ rank, modules, members }: DiffGroup): DiffStack {
    const { tasks } = this.settled.settings.shape;
    const linears = this.model.linears().filter(({ name }) => modules.includes(name));
    const placed = Array.from({ length: tasks }, (_, i) => {
      const place = members[i];
      return place === undefined ? undefined : this.#diff(place);
    });
    return DiffStack.create(this.model.gpu, linears, placed, rank);
  }

  #firstOf({ rank, alpha, rsLora, modules, init, seed }: SettledDiff): LoraWeights {
    const { sharedInit } = this.settled.settings;
    return createLora(this.model, { rank, alpha, rsLora, targets: modules, init, seed: sharedInit ?? seed });
  }

  #trained({ samples: _rows, ...spec }: SettledDiff, place: number, { modules, losses }: FinishedDiff): TrainedDiff {
    const { rank, alpha, rsLora } = spec;
    return {
      spec,
      key: this.keys[place] as string,
      sharedInit: this.settled.settings.sharedInit !== null,
      lora: { rank, alpha, rsLora, modules, base: this.model.info.fingerprint },
      losses,
    };
  }
}

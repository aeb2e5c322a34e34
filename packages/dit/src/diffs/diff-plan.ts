// What training diffs takes of the GPU, known before any of it is allocated: an update is recorded and never run.
import type { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { assign, fill, type Tensor } from '@limn/tensor';
import { overBudget, type TrainingBytes } from '../training/over-budget.js';
import { diffGroups } from './diff-key.js';
import { settleDiffs, type SettledTraining, type TrainDiffsOptions } from './diff-options.js';
import type { DiffSpec } from './diff-spec.js';
import { checkFirstRound, roundBatch } from './diff-rounds.js';
import { DiffStack, stackBytes } from './diff-stack.js';
import { recordSlopes } from './diff-updates.js';
import { drawingBytes } from './own-answers.js';
import { Teacher } from './teacher.js';

/** GPU bytes of a training, besides the model's. */
export interface DiffPlan {
  /** Factors and Adam's moments of the largest group: three numbers for every number of a diff, for every place. */
  readonly factors: number;
  /** An update's own values, gradients among them, or a pass of the bare model or a drawing of answers where that takes more. */
  readonly update: number;
  /** The budget: `memoryBytes`. */
  readonly memoryBytes: number;
  readonly groups: number;
  /** Updates of all groups. */
  readonly updates: number;
  /** The programs that updates run. */
  readonly kernels: readonly string[];
}

/**
 * What `trainDiffs` with the same arguments would take.
 * @throws LimnError `usage/diff-training`, `data/diff-sample` for round 0; `memory/over-budget` with the bytes where that is more than `memoryBytes`
 */
export function planDiffs(model: HookedModel, diffs: readonly DiffSpec[], options: TrainDiffsOptions): DiffPlan {
  return planSettled(model, settleDiffs(model, diffs, options));
}

/** @throws LimnError `usage/diff-training`, `data/diff-sample`, `memory/over-budget` */
export function planSettled(model: HookedModel, { diffs, settings, memoryBytes }: SettledTraining): DiffPlan {
  const { tasks } = settings.shape;
  const groups = diffGroups(diffs, settings.shape);
  const updates = groups.reduce(
    (sum, { members }) => sum + Math.max(...members.map((place) => diffs[place]?.updates ?? 0)),
    0,
  );
  for (const diff of diffs) checkFirstRound(diff, settings, model.info);
  // The bare model's passes and drawings run between updates, on memory that those gave back.
  const between = Math.max(new Teacher(model, settings.shape, 0).passBytes(), drawingBytes(model, settings));
  const kernels = new Set<string>();
  let [factors, update] = [0, 0];
  const alike = new Map(groups.map((group) => [`${group.rank} ${group.modules.join()}`, group]));
  for (const { rank, modules } of alike.values()) {
    const linears = model.linears().filter(({ name }) => modules.includes(name));
    const stacked = stackBytes(linears, tasks, rank);
    // The factors, and two moments of each.
    const held = 3 * stacked;
    if (held > memoryBytes) throw refuse({ factors: held, update: 0, memoryBytes });
    using step = model.gpu.step({ label: 'plan of an update' });
    // Factors of the step's own stand in for those that outlive it; Adam's update takes nothing of its own, as a copy does not.
    const stack = new DiffStack(model.gpu, linears, Array.from({ length: tasks }), rank, (label, shape) =>
      fill(step, shape, 0, label),
    );
    const { shape, reverse } = settings;
    const batch = roundBatch([], 0, {}, settings, model.info);
    // Every row has a task and is as long as one can be: others are recorded with fewer sums, or without adapters.
    const full = {
      ...batch,
      tokens: { ...batch.tokens, lengths: batch.tokens.lengths.map(() => shape.positions) },
      taskOfRow: batch.taskOfRow.map((_, b) => Math.floor(b / shape.rows)),
    };
    const teacher = new Float32Array(full.taught.rows.length * model.info.vocabulary);
    const { slopes } = recordSlopes(step, model, stack, full, { teacher, reverse });
    stack.parameters.forEach(({ tensor }, i) => assign(step, tensor, slopes[i] as Tensor));
    const plan = step.plan();
    const own = Math.max(plan.bytesPeak - stacked, between);
    for (const kernel of plan.kernels) kernels.add(kernel);
    if (held + own > memoryBytes) throw refuse({ factors: held, update: own, memoryBytes });
    if (held + own > factors + update) [factors, update] = [held, own];
  }
  return { factors, update, memoryBytes, groups: groups.length, updates, kernels: [...kernels].sort() };
}

const refuse = (bytes: TrainingBytes): LimnError =>
  overBudget(
    'Training diffs',
    bytes,
    'Make shape.tasks, shape.rows, shape.positions or shape.taught smaller, adapt fewer maps, or raise memoryBytes.',
  );

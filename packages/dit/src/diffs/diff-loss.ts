// The loss of a group's round: for every task Σ_r λ_r · mean over r's answer of its loss / Σ_r λ_r, logits at answers alone.
import type { Step } from '@limn/gpu';
import type { HookedModel, Intervention } from '@limn/hooks';
import {
  add,
  addScaled,
  concat,
  crossEntropy,
  dot,
  fromData,
  klDivergence,
  logSoftmax,
  MAX_BINDING_BYTES,
  mul,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { DiffBatch, LossPlaces } from './diff-batch.js';

/** Log-probabilities [room of all tasks, V] of the bare model wherever one is taught; 0 elsewhere. */
export type TeacherRows = Float32Array;

/**
 * Records the pass of every diff and the loss of each, f32 [N]: cross-entropy of answers, and KL(p ‖ q) + μ·KL(q ‖ p) at taught places, p the bare
 * model's and q the diff's. A place without rows has loss 0.
 */
export function recordDiffLoss(
  step: Step,
  model: HookedModel,
  { tokens, answers, taught }: DiffBatch,
  interventions: readonly Intervention[],
  { teacher, reverse }: { readonly teacher: TeacherRows; readonly reverse: number },
): Tensor {
  const { resid } = model.run(step, { tokens }, { interventions, logits: 'none' });
  const V = model.info.vocabulary;
  const parts = [
    byTask(step, model, resid, answers, (logits, weights, { from, to }) =>
      crossEntropy(step, logits, fromData(step, answers.targets.slice(from, to), [to - from]), weights),
    ),
    byTask(step, model, resid, taught, (logits, weights, { from, to }) => {
      const logP = fromData(step, teacher.subarray(from * V, to * V), [to - from, V], { label: 'teacher' });
      const forward = klDivergence(step, logP, logits);
      if (reverse === 0) return mul(step, forward, weights);
      const apart = sub(step, logSoftmax(step, logits), logP);
      const backward = dot(step, softmax(step, logits), apart, { axes: 1 });
      return mul(step, addScaled(step, forward, backward, reverse), weights);
    }),
  ].flatMap((part) => part ?? []);
  return parts.reduce((total, part) => add(step, total, part));
}

/** Sums of a loss over the places of each task, [N]; logits in as many pieces as it takes to bind each. */
function byTask(
  step: Step,
  model: HookedModel,
  resid: Tensor,
  { room, rows, weights }: LossPlaces,
  lossOf: (logits: Tensor, weights: Tensor, range: { readonly from: number; readonly to: number }) => Tensor,
): Tensor | undefined {
  if (room === 0) return undefined;
  const tasks = rows.length / room;
  const most = Math.max(1, Math.floor(MAX_BINDING_BYTES / (4 * room * model.info.vocabulary)));
  const sums: Tensor[] = [];
  for (let task = 0; task < tasks; task += most) {
    const end = Math.min(tasks, task + most);
    const range = { from: task * room, to: end * room };
    const logits = model.logits(step, resid, rows.slice(range.from, range.to));
    const counted = fromData(step, weights.slice(range.from, range.to), [range.to - range.from]);
    const losses = lossOf(logits, counted, range);
    sums.push(sum(step, reshape(losses, [end - task, room]), { axes: 1 }));
  }
  return sums.length === 1 ? sums[0] : concat(step, sums, 0);
}

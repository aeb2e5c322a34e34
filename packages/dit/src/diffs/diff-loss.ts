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

/** Sums of a loss over the places of each task, [N]. */
function byTask(
  step: Step,
  model: HookedModel,
  resid: Tensor,
  places: LossPlaces,
  lossOf: (logits: Tensor, weights: Tensor, range: PlaceRange) => Tensor,
): Tensor | undefined {
  const { room, weights } = places;
  const sums = logitsByTask(step, model, resid, places, (logits, range) => {
    const { from, to } = range;
    const losses = lossOf(logits, fromData(step, weights.slice(from, to), [to - from]), range);
    return sum(step, reshape(losses, [(to - from) / room, room]), { axes: 1 });
  });
  return sums.length > 1 ? concat(step, sums, 0) : sums[0];
}

/** Places [from, to) of whole tasks. */
export interface PlaceRange {
  readonly from: number;
  readonly to: number;
}

/** What is made of the logits [places, V] of all tasks, taken in as many pieces as it takes to bind each; nothing where tasks have no places. */
export function logitsByTask<T>(
  step: Step,
  model: HookedModel,
  resid: Tensor,
  { room, rows }: Pick<LossPlaces, 'room' | 'rows'>,
  use: (logits: Tensor, range: PlaceRange) => T,
): T[] {
  if (room === 0) return [];
  const most = room * Math.max(1, Math.floor(MAX_BINDING_BYTES / (4 * room * model.info.vocabulary)));
  const made: T[] = [];
  for (let from = 0; from < rows.length; from += most) {
    const to = Math.min(rows.length, from + most);
    made.push(use(model.logits(step, resid, rows.slice(from, to)), { from, to }));
  }
  return made;
}

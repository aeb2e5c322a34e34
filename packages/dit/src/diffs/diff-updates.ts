// The loss of every diff of a group's round, and its gradient.
import type { Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { gradients, sumAll, type Tensor } from '@limn/tensor';
import type { DiffBatch } from './diff-batch.js';
import { recordDiffLoss, type TeacherRows } from './diff-loss.js';
import type { DiffStack } from './diff-stack.js';

/** Records the losses [N] of a group's round, and the slopes of their sum: every diff has those that it would have alone. */
export function recordSlopes(
  step: Step,
  model: HookedModel,
  stack: DiffStack,
  batch: DiffBatch,
  loss: { readonly teacher: TeacherRows; readonly reverse: number },
): { readonly losses: Tensor; readonly slopes: readonly Tensor[] } {
  const interventions = stack.interventions({ taskOfRow: batch.taskOfRow });
  const losses = recordDiffLoss(step, model, batch, interventions, loss);
  const parameters = stack.parameters.map(({ tensor }) => tensor);
  return { losses, slopes: gradients(step, sumAll(step, losses), 'ones', parameters) };
}

// Decoder rows of length 1 (arXiv 2406.11944): made so before a step, and kept so by taking out of the gradient what would change them.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { allocate, perRow, type Tensor } from '@limn/tensor';

const unitKernel = defineKernel(shaders.unitRows, { ...perRow, work: (u) => 3 * u.rows * u.width });
const projectKernel = defineKernel(shaders.projectRows, { ...perRow, work: (u) => 4 * u.rows * u.width });

/** w_r ← w_r / ‖w_r‖ for every row of w [F, O], in place and outside the tape; a row of zeros stays. */
export function unitRows(step: Step, w: Tensor): void {
  const [rows, width] = w.shape as [number, number];
  step.dispatch(unitKernel, { w: w.storage }, { rows, width });
}

/** g_r − (g_r·w_r) w_r [F, O] of a gradient g for w [F, O] with rows of length 1; outside the tape. */
export function acrossRows(step: Step, g: Tensor, w: Tensor): Tensor {
  const [rows, width] = w.shape as [number, number];
  const y = allocate(step, w.shape, g.label ?? 'gradient across rows');
  step.dispatch(projectKernel, { g: g.storage, w: w.storage, y: y.storage }, { rows, width });
  return y;
}

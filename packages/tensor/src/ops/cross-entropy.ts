// loss[n] = log Σ_v exp(x[n, v]) − x[n, targets[n]], per row of logits.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perRun, RUN } from '../grid.js';
import { expectRank, expectShape, rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { mul } from './arithmetic.js';
import { chooseLossKernel, lossRules } from './loss-rows.js';

/** A target that takes its row out of the loss: padding. */
export const IGNORED_TARGET = 0xffffffff;

const forwardWork = (u: { rows: number; width: number }): number => 8 * u.rows * u.width;
const rowForward = defineKernel(shaders.crossEntropyForward, { ...lossRules.row, work: forwardWork });
const laneForward = defineKernel(shaders.crossEntropyLaneForward, { ...lossRules.lane, work: forwardWork });
const lane4Forward = defineKernel(shaders.crossEntropyLane4Forward, { ...lossRules.lane, work: forwardWork });
const backwardWork = (u: { rows: number; width: number }): number => 8 * u.rows * u.width;
const backwardKernel = defineKernel(shaders.crossEntropyBackward, { ...perRun, work: backwardWork });
const backwardKernel4 = defineKernel(shaders.crossEntropy4Backward, { ...perRun, work: backwardWork });

const crossEntropyOp = defineOp({
  name: 'crossEntropy',
  forward(step, [x, targets]: readonly [logits: Tensor, targets: Tensor]) {
    const form = rowForm('crossEntropy', x.shape);
    const loss = allocate(step, [form.rows], 'crossEntropy');
    const lse = allocate(step, [form.rows], 'crossEntropy: log Σ exp');
    const bindings = { x: x.storage, targets: targets.storage, loss: loss.storage, lse: lse.storage };
    switch (chooseLossKernel(step.gpu.capabilities, form)) {
      case 'row':
        step.dispatch(rowForward, bindings, form);
        break;
      case 'lane':
        step.dispatch(laneForward, bindings, form);
        break;
      case 'lane4':
        step.dispatch(lane4Forward, bindings, form);
    }
    return { outputs: [loss], saved: lse };
  },
  vjp(step, { inputs: [x, targets], saved: lse }, [dy], [wantX]) {
    if (!dy || !wantX) return [undefined, undefined];
    const dx = allocate(step, x.shape, 'crossEntropy (backward)');
    const bindings = { x: x.storage, lse: lse.storage, targets: targets.storage, dy: dy.storage, dx: dx.storage };
    const uniforms = { ...rowForm('crossEntropy', x.shape), run: RUN };
    if (uniforms.width % 4 === 0) step.dispatch(backwardKernel4, bindings, uniforms);
    else step.dispatch(backwardKernel, bindings, uniforms);
    return [dx, undefined];
  },
});

/**
 * Cross-entropy per row: logits [N, V], targets u32 [N] → [N] in nats, times `weights` [N] if given.
 * A target of V or more (`IGNORED_TARGET`) gives loss 0 and no gradient; check ids on the host before they get here.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function crossEntropy(step: Step, logits: Tensor, targets: Tensor, weights?: Tensor): Tensor {
  expectDType('crossEntropy', logits, ['f32'], 'logits');
  expectDType('crossEntropy', targets, ['u32'], 'targets');
  expectRank('crossEntropy', 'logits', logits.shape, 2);
  expectShape('crossEntropy', 'targets', targets.shape, logits.shape.slice(0, 1));
  const [loss] = crossEntropyOp(step, [logits, targets], undefined);
  if (!weights) return loss;
  expectShape('crossEntropy', 'weights', weights.shape, loss.shape);
  return mul(step, loss, weights);
}

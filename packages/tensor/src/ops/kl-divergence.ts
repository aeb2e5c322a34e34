// KL(P ‖ Q)[n] = Σ_v p[n, v] · (log p[n, v] − log softmax(x)[n, v]), P given by log-probabilities, Q by logits x.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perRun, RUN } from '../grid.js';
import { expectRank, expectShape, rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { chooseLossKernel, lossRules } from './loss-rows.js';

const forwardWork = (u: { rows: number; width: number }): number => 16 * u.rows * u.width;
const rowForward = defineKernel(shaders.klDivergenceForward, { ...lossRules.row, work: forwardWork });
const laneForward = defineKernel(shaders.klDivergenceLaneForward, { ...lossRules.lane, work: forwardWork });
const backwardKernel = defineKernel(shaders.klDivergenceBackward, { ...perRun, work: (u) => 12 * u.rows * u.width });

const klDivergenceOp = defineOp({
  name: 'klDivergence',
  forward(step, [reference, x]: readonly [reference: Tensor, logits: Tensor]) {
    const form = rowForm('klDivergence', x.shape);
    const kl = allocate(step, [form.rows], 'klDivergence');
    const lse = allocate(step, [form.rows], 'klDivergence: log Σ exp');
    const bindings = { logp: reference.storage, x: x.storage, kl: kl.storage, lse: lse.storage };
    if (chooseLossKernel(step.gpu.capabilities, form) === 'row') step.dispatch(rowForward, bindings, form);
    else step.dispatch(laneForward, bindings, form);
    return { outputs: [kl], saved: lse };
  },
  vjp(step, { inputs: [reference, x], saved: lse }, [dy], [, wantX]) {
    if (!dy || !wantX) return [undefined, undefined];
    const dx = allocate(step, x.shape, 'klDivergence (backward)');
    step.dispatch(
      backwardKernel,
      { logp: reference.storage, x: x.storage, lse: lse.storage, dy: dy.storage, dx: dx.storage },
      { ...rowForm('klDivergence', x.shape), run: RUN },
    );
    return [undefined, dx];
  },
});

/**
 * KL(P ‖ softmax(logits)) per row in nats: reference log-probabilities [N, V] (normalised, for instance from `logSoftmax`),
 * logits [N, V] → [N]. The reference is a constant: no gradient flows to it. A reference entry of −∞ or far below is 0.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function klDivergence(step: Step, reference: Tensor, logits: Tensor): Tensor {
  expectDType('klDivergence', reference, ['f32'], 'the reference');
  expectDType('klDivergence', logits, ['f32'], 'logits');
  expectRank('klDivergence', 'logits', logits.shape, 2);
  expectShape('klDivergence', 'the reference', reference.shape, logits.shape);
  return klDivergenceOp(step, [reference, logits], undefined)[0];
}

// log Σ_w exp(x[n, w]), softmax and its logarithm over the last axis.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perRow, perRun, RUN } from '../grid.js';
import { rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import type { RowKernelName } from './choose-rows.js';
import { chooseLossKernel, lossRules } from './loss-rows.js';
import { softmaxRows, softmaxRowsBackward } from './softmax-rows.js';
import { holdsRows, softmaxBySubgroups } from './softmax-subgroup.js';

const rowWork = (u: { rows: number; width: number }): number => 8 * u.rows * u.width;
const rowForward = defineKernel(shaders.logSoftmaxForward, { ...lossRules.row, work: rowWork });
const laneForward = defineKernel(shaders.logSoftmaxLaneForward, { ...lossRules.lane, work: rowWork });
const backwardKernel = defineKernel(shaders.logSoftmaxBackward, { ...perRow, work: rowWork });
const rowLogSum = defineKernel(shaders.logSumExp, { ...lossRules.row, work: rowWork });
const laneLogSum = defineKernel(shaders.logSumExpLane, { ...lossRules.lane, work: rowWork });
const probabilitiesKernel = defineKernel(shaders.probabilitiesScaled, { ...perRun, work: (u) => 8 * u.rows * u.width });

const logSoftmaxOp = defineOp({
  name: 'logSoftmax',
  forward(step, [x]: readonly [Tensor]) {
    expectDType('logSoftmax', x, ['f32']);
    const y = allocate(step, x.shape, 'logSoftmax');
    const form = rowForm('logSoftmax', x.shape);
    const bindings = { x: x.storage, y: y.storage };
    if (chooseLossKernel(step.gpu.capabilities, form) === 'row') step.dispatch(rowForward, bindings, form);
    else step.dispatch(laneForward, bindings, form);
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x], outputs: [y] }, [dy]) {
    if (!dy) return [undefined];
    const dx = allocate(step, x.shape, 'logSoftmax (backward)');
    const bindings = { y: y.storage, dy: dy.storage, dx: dx.storage };
    step.dispatch(backwardKernel, bindings, rowForm('logSoftmax', x.shape));
    return [dx];
  },
});

/**
 * x − log Σ exp(x) over the last axis: x [N, V] → [N, V].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function logSoftmax(step: Step, x: Tensor): Tensor {
  return logSoftmaxOp(step, [x], undefined)[0];
}

/** A kernel of rows, or the rows held by subgroups. */
export type SoftmaxKernel = RowKernelName | 'subgroup';

const softmaxOp = defineOp<readonly [Tensor], readonly [Tensor], { kernel: SoftmaxKernel | undefined }, undefined>({
  name: 'softmax',
  forward(step, [x], { kernel }) {
    expectDType('softmax', x, ['f32']);
    const shape = rowForm('softmax', x.shape);
    if (kernel === 'subgroup' || (kernel === undefined && holdsRows(step.gpu.capabilities, shape)))
      return { outputs: [softmaxBySubgroups(step, x, shape)], saved: undefined };
    const { rows, width } = shape;
    // Every row sees all of itself.
    const about = { batch: rows, heads: 1, queries: 1, keys: width, past: width - 1, empty: NaN, kernel };
    return { outputs: [softmaxRows(step, 'softmax', x, about)], saved: undefined };
  },
  vjp(step, { outputs: [y], options: { kernel } }, [dy], [wanted]) {
    if (!dy || !wanted) return [undefined];
    return [softmaxRowsBackward(step, 'softmax', y, dy, kernel === 'subgroup' ? undefined : kernel)];
  },
});

/**
 * exp(x) / Σ exp(x) over the last axis: x [N, V] → [N, V]. `kernel`, for tests and benches, is one of rowKernelCandidates, or 'subgroup'.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function softmax(step: Step, x: Tensor, options: { readonly kernel?: SoftmaxKernel } = {}): Tensor {
  return softmaxOp(step, [x], { kernel: options.kernel })[0];
}

/** log Σ exp of every row of the last axis, a leaf: x [N, V] → [N]. */
export function rowLogSumExp(step: Step, x: Tensor): Tensor {
  const form = rowForm('logSumExp', x.shape);
  const lse = allocate(step, x.shape.length > 1 ? x.shape.slice(0, -1) : [1], 'logSumExp');
  const bindings = { x: x.storage, lse: lse.storage };
  if (chooseLossKernel(step.gpu.capabilities, form) === 'row') step.dispatch(rowLogSum, bindings, form);
  else step.dispatch(laneLogSum, bindings, form);
  return lse;
}

/** alpha · factor[n] · softmax(x)[n, v], a leaf shaped as x. */
export function scaledProbabilities(step: Step, x: Tensor, lse: Tensor, factor: Tensor, alpha: number): Tensor {
  const y = allocate(step, x.shape, 'probabilities');
  const bindings = { x: x.storage, lse: lse.storage, factor: factor.storage, y: y.storage };
  step.dispatch(probabilitiesKernel, bindings, { ...rowForm('probabilities', x.shape), run: RUN, alpha });
  return y;
}

const logSumExpOp = defineOp({
  name: 'logSumExp',
  forward(step, [x]: readonly [Tensor]) {
    expectDType('logSumExp', x, ['f32']);
    return { outputs: [rowLogSumExp(step, x)], saved: undefined };
  },
  vjp: (step, { inputs: [x], outputs: [lse] }, [dy]) => [dy && scaledProbabilities(step, x, lse, dy, 1)],
});

/**
 * log Σ exp(x) over the last axis: x [N, V] → [N].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function logSumExp(step: Step, x: Tensor): Tensor {
  return logSumExpOp(step, [x], undefined)[0];
}

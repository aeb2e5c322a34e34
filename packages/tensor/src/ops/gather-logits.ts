// Logits and probabilities of chosen ids: y[n, a] = x[n, ids[n, a]] and softmax(x)[n, ids[n, a]], or their weighted sums over a.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { fill } from '../untaped.js';
import { mul } from './arithmetic.js';
import { rowLogSumExp, scaledProbabilities } from './log-softmax.js';
import { dot, dotRows } from './reduce.js';

const logitsKernel = defineKernel(shaders.gatherLogitsForward, { grid: perElement, work: (u) => u.size });
const probabilitiesKernel = defineKernel(shaders.gatherProbabilitiesForward, {
  grid: perElement,
  work: (u) => 8 * u.size,
});
const scatterKernel = defineKernel(shaders.scatterLogits, { grid: perElement, work: (u) => u.size * u.picks });

/** y[n, ids[n, a]] += values[n, a], in place; repeated ids are summed in rising a. */
function scatterInto(step: Step, y: Tensor, ids: Tensor, values: Tensor): void {
  step.dispatch(
    scatterKernel,
    { values: values.storage, ids: ids.storage, y: y.storage },
    { size: ids.size, width: y.shape[1] as number, picks: ids.shape[1] as number },
  );
}

function sizes(x: Tensor, ids: Tensor) {
  return { size: ids.size, width: x.shape[1] as number, picks: ids.shape[1] as number };
}

const gatherLogitsOp = defineOp({
  name: 'gatherLogits',
  forward(step, [x, ids]: readonly [logits: Tensor, ids: Tensor]) {
    const y = allocate(step, ids.shape, 'gatherLogits');
    step.dispatch(logitsKernel, { x: x.storage, ids: ids.storage, y: y.storage }, sizes(x, ids));
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x, ids] }, [dy], [wantX]) {
    if (!dy || !wantX) return [undefined, undefined];
    const dx = fill(step, x.shape, 0, 'gatherLogits (backward)');
    scatterInto(step, dx, ids, dy);
    return [dx, undefined];
  },
});

const gatherProbabilitiesOp = defineOp({
  name: 'gatherProbabilities',
  forward(step, [x, ids]: readonly [logits: Tensor, ids: Tensor]) {
    const lse = rowLogSumExp(step, x);
    const y = allocate(step, ids.shape, 'gatherProbabilities');
    const bindings = { x: x.storage, lse: lse.storage, ids: ids.storage, y: y.storage };
    step.dispatch(probabilitiesKernel, bindings, sizes(x, ids));
    return { outputs: [y], saved: lse };
  },
  // dx[n, v] = Σ_{a : ids = v} dy[n, a] · y[n, a] − p[n, v] · Σ_a dy[n, a] · y[n, a].
  vjp(step, { inputs: [x, ids], outputs: [y], saved: lse }, [dy], [wantX]) {
    if (!dy || !wantX) return [undefined, undefined];
    const total = dotRows(step, dy, y, ids.shape[0] as number);
    const dx = scaledProbabilities(step, x, lse, total, -1);
    scatterInto(step, dx, ids, mul(step, dy, y));
    return [dx, undefined];
  },
});

function check(op: string, logits: Tensor, ids: Tensor, weights: Tensor | undefined): void {
  expectDType(op, logits, ['f32'], 'logits');
  expectDType(op, ids, ['u32'], 'ids');
  expectRank(op, 'logits', logits.shape, 2);
  expectRank(op, 'ids', ids.shape, 2);
  if (ids.shape[0] !== logits.shape[0])
    throw shapeError(
      op,
      `logits ${showShape(logits.shape)} and ids ${showShape(ids.shape)} have different numbers of rows`,
      'Give one row of ids per row of logits.',
      { logits: logits.shape, ids: ids.shape },
    );
  if (weights) expectShape(op, 'weights', weights.shape, ids.shape);
}

/**
 * Logits of chosen ids: logits [N, V], ids u32 [N, A] → [N, A]; with weights [N, A], their sum Σ_a w · logit → [N]
 * (weights 1 and −1 give a logit difference). Ids may repeat. An id of V or more counts as 0 and gets no gradient;
 * check ids on the host before they get here.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function gatherLogits(step: Step, logits: Tensor, ids: Tensor, weights?: Tensor): Tensor {
  check('gatherLogits', logits, ids, weights);
  const [y] = gatherLogitsOp(step, [logits, ids], undefined);
  return weights ? dot(step, y, weights, { axes: 1 }) : y;
}

/**
 * Softmax probabilities of chosen ids: logits [N, V], ids u32 [N, A] → [N, A]; with weights [N, A], Σ_a w · p → [N]
 * (a probability difference). Repeats and ids of V or more as in `gatherLogits`.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function gatherProbabilities(step: Step, logits: Tensor, ids: Tensor, weights?: Tensor): Tensor {
  check('gatherProbabilities', logits, ids, weights);
  const [y] = gatherProbabilitiesOp(step, [logits, ids], undefined);
  return weights ? dot(step, y, weights, { axes: 1 }) : y;
}

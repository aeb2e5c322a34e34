// JumpReLU (arXiv 2407.14435): a = h·1[h > θ] and how many fire, with straight-through gradients for θ.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement, perRow } from '../grid.js';
import { rowForm, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, Tensor } from '../tensor.js';
import { COLUMN_CHUNK, sumRun } from './sum-run.js';
import { exp } from './unary.js';

const forwardKernel = defineKernel(shaders.jumpReluForward, { grid: perElement, work: (u) => u.size });
const backwardKernel = defineKernel(shaders.jumpReluBackward, { grid: perElement, work: (u) => u.size });
const countKernel = defineKernel(shaders.jumpReluCount, { ...perRow, work: (u) => 2 * u.rows * u.features });
const thresholdKernel = defineKernel(shaders.jumpReluThreshold, {
  grid: perElement,
  work: (u) => 4 * u.rows * u.features,
});

/** How wide the straight-through gradients look. */
export interface JumpReluOptions {
  /** ε > 0: an h within ε / 2 of θ tells θ where to move. */
  readonly bandwidth: number;
}

type Inputs = readonly [h: Tensor, threshold: Tensor];

/** −(s / ε) Σ_n K((h − θ) / ε) dy, s = θ for the activation and 1 for the count, shaped as θ; rows are summed in a fixed order. */
function thresholdGradient(
  step: Step,
  [h, threshold]: Inputs,
  dy: Tensor,
  form: 'activation' | 'count',
  { bandwidth }: JumpReluOptions,
): Tensor {
  const features = threshold.size;
  const rows = h.size / features;
  const chunk = Math.min(rows, COLUMN_CHUNK);
  const chunks = Math.ceil(rows / chunk);
  const parts = allocate(step, [chunks, features], 'jumpRelu (threshold)');
  step.dispatch(
    thresholdKernel,
    { h: h.storage, threshold: threshold.storage, dy: dy.storage, d_threshold: parts.storage },
    { size: parts.size, rows, features, chunk, bandwidth },
    { overrides: { FORM: form === 'count' ? 1 : 0 } },
  );
  const total = chunks === 1 ? parts : sumRun(step, parts, 0, 1, 1);
  return new Tensor(total.storage, threshold.shape, 'f32', { label: 'jumpRelu (threshold)' });
}

const jumpReluOp = defineOp<Inputs, readonly [Tensor], JumpReluOptions, undefined>({
  name: 'jumpRelu',
  forward(step, [h, threshold]) {
    const a = allocate(step, h.shape, 'jumpRelu');
    step.dispatch(
      forwardKernel,
      { h: h.storage, threshold: threshold.storage, a: a.storage },
      { size: h.size, features: threshold.size },
    );
    return { outputs: [a], saved: undefined };
  },
  vjp(step, { inputs, options }, [da], [wantH, wantThreshold]) {
    if (!da) return [undefined, undefined];
    const [h, threshold] = inputs;
    const dThreshold = wantThreshold ? thresholdGradient(step, inputs, da, 'activation', options) : undefined;
    if (!wantH) return [undefined, dThreshold];
    const dh = allocate(step, h.shape, 'jumpRelu (backward)');
    step.dispatch(
      backwardKernel,
      { h: h.storage, threshold: threshold.storage, da: da.storage, dh: dh.storage },
      { size: h.size, features: threshold.size },
    );
    return [dh, dThreshold];
  },
});

const jumpReluCountOp = defineOp<Inputs, readonly [Tensor], JumpReluOptions, undefined>({
  name: 'jumpReluCount',
  forward(step, [h, threshold]) {
    const { rows, width: features } = rowForm('jumpReluCount', h.shape);
    const y = allocate(step, [rows], 'jumpReluCount');
    step.dispatch(countKernel, { h: h.storage, threshold: threshold.storage, y: y.storage }, { rows, features });
    return { outputs: [y], saved: undefined };
  },
  vjp: (step, { inputs, options }, [dy], [, wantThreshold]) => [
    undefined,
    dy && wantThreshold ? thresholdGradient(step, inputs, dy, 'count', options) : undefined,
  ],
});

/** θ = exp(log θ) on the tape, after the checks that both ops share. */
function settle(op: string, step: Step, h: Tensor, logThreshold: Tensor, { bandwidth }: JumpReluOptions): Inputs {
  expectDType(op, h, ['f32'], 'the pre-activations');
  expectDType(op, logThreshold, ['f32'], 'log θ');
  if (logThreshold.shape.length !== 1 || h.shape.at(-1) !== logThreshold.size)
    throw shapeError(
      op,
      `pre-activations ${showShape(h.shape)} and log θ ${showShape(logThreshold.shape)} do not belong together`,
      'Give pre-activations [..., F] and log θ [F].',
      { h: h.shape, logThreshold: logThreshold.shape },
    );
  if (!(Number.isFinite(bandwidth) && bandwidth > 0))
    throw new LimnError('tensor/bandwidth', `${op}: bandwidth ${bandwidth} is not a positive number. Give one.`, {
      details: { bandwidth },
    });
  return [h, exp(step, logThreshold)];
}

/**
 * a = h where h > θ = exp(log θ), else 0: h [..., F], log θ [F] → [..., F]. ∂a/∂h = 1[h > θ]; straight-through
 * ∂a/∂θ = −(θ / ε) K((h − θ) / ε) with K(u) = 1 for |u| < ½, times θ for log θ.
 * @throws LimnError `tensor/bandwidth`, `tensor/dtype`, `tensor/shape`
 */
export function jumpRelu(step: Step, h: Tensor, logThreshold: Tensor, options: JumpReluOptions): Tensor {
  return jumpReluOp(step, settle('jumpRelu', step, h, logThreshold, options), options)[0];
}

/**
 * Σ_f 1[h_f > θ_f] of each row: h [..., F], log θ [F] → [N], N rows. No gradient reaches h; straight-through
 * ∂1[h > θ]/∂θ = −(1 / ε) K((h − θ) / ε), times θ for log θ.
 * @throws LimnError `tensor/bandwidth`, `tensor/dtype`, `tensor/shape`
 */
export function jumpReluCount(step: Step, h: Tensor, logThreshold: Tensor, options: JumpReluOptions): Tensor {
  return jumpReluCountOp(step, settle('jumpReluCount', step, h, logThreshold, options), options)[0];
}

// LayerNorm as three tape ops, so that its scale and its normalised input are sites of their own: scale, x̂, y = x̂ γ + β.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perRow } from '../grid.js';
import { expectShape, rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { PAIR_CHUNK, splitPair } from './row-pair.js';

const scaleForward = defineKernel(shaders.layernormScaleForward, { ...perRow, work: (u) => 4 * u.rows * u.width });
const scaleBackward = defineKernel(shaders.layernormScaleBackward, { ...perRow, work: (u) => 3 * u.rows * u.width });
const normalizeForward = defineKernel(shaders.normalizeForward, { ...perRow, work: (u) => 3 * u.rows * u.width });
const normalizeBackward = defineKernel(shaders.normalizeBackward, { ...perRow, work: (u) => 5 * u.rows * u.width });
const affineKernel = defineKernel(shaders.affine, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.count / WG)),
  work: (u) => 2 * u.count,
});
const affineParameters = defineKernel(shaders.affineBackwardParams, {
  grid: (u, { WG }) => groupsOf(Math.ceil((Math.ceil(u.rows / u.chunk) * u.width) / WG)),
  work: (u) => 3 * u.rows * u.width,
});

const scaleOp = defineOp<readonly [Tensor], readonly [Tensor], { eps: number }, undefined>({
  name: 'layernormScale',
  forward(step, [x], { eps }) {
    expectDType('layernormScale', x, ['f32']);
    const { rows, width } = rowForm('layernormScale', x.shape);
    const scale = allocate(step, [...x.shape.slice(0, -1), 1], 'layernorm scale');
    step.dispatch(scaleForward, { x: x.storage, scale: scale.storage }, { rows, width, eps });
    return { outputs: [scale], saved: undefined };
  },
  vjp(step, { inputs: [x], outputs: [scale] }, [dScale], [wanted]) {
    if (!dScale || !wanted) return [undefined];
    const { rows, width } = rowForm('layernormScale', x.shape);
    const dx = allocate(step, x.shape, 'd layernorm scale');
    step.dispatch(
      scaleBackward,
      { x: x.storage, scale: scale.storage, d_scale: dScale.storage, dx: dx.storage },
      { rows, width },
    );
    return [dx];
  },
});

/**
 * √(σ² + eps) of every row, σ² biased: x [..., C] → [..., 1]; TransformerLens' hook_scale.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function layernormScale(step: Step, x: Tensor, eps = 1e-5): Tensor {
  return scaleOp(step, [x], { eps })[0];
}

const normalizeOp = defineOp<readonly [x: Tensor, scale: Tensor], readonly [Tensor], undefined, undefined>({
  name: 'normalize',
  forward(step, [x, scale]) {
    expectDType('normalize', x, ['f32']);
    expectDType('normalize', scale, ['f32'], 'the scale');
    const { rows, width } = rowForm('normalize', x.shape);
    expectShape('normalize', 'the scale', scale.shape, [...x.shape.slice(0, -1), 1]);
    const y = allocate(step, x.shape, 'normalized');
    step.dispatch(normalizeForward, { x: x.storage, scale: scale.storage, y: y.storage }, { rows, width });
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x, scale], outputs: [hat] }, [dy], [wantX, wantScale]) {
    if (!dy || !(wantX || wantScale)) return [undefined, undefined];
    const { rows, width } = rowForm('normalize', x.shape);
    const dx = allocate(step, x.shape, 'd normalize');
    const dScale = allocate(step, scale.shape, 'd scale');
    step.dispatch(
      normalizeBackward,
      { hat: hat.storage, scale: scale.storage, dy: dy.storage, dx: dx.storage, d_scale: dScale.storage },
      { rows, width },
    );
    return [wantX ? dx : undefined, wantScale ? dScale : undefined];
  },
});

/**
 * (x − mean(x)) / scale: x [..., C], scale [..., 1] → [..., C]. Gradients for both, so a frozen or edited scale is exact.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function normalize(step: Step, x: Tensor, scale: Tensor): Tensor {
  return normalizeOp(step, [x, scale], undefined)[0];
}

const affineOp = defineOp<readonly [x: Tensor, gamma: Tensor, beta: Tensor], readonly [Tensor], undefined, undefined>({
  name: 'affine',
  forward(step, [x, gamma, beta]) {
    for (const tensor of [x, gamma, beta]) expectDType('affine', tensor, ['f32']);
    const { width } = rowForm('affine', x.shape);
    expectShape('affine', 'gamma', gamma.shape, [width]);
    expectShape('affine', 'beta', beta.shape, [width]);
    const y = allocate(step, x.shape, 'affine');
    step.dispatch(
      affineKernel,
      { x: x.storage, gamma: gamma.storage, beta: beta.storage, y: y.storage },
      { count: x.size, width, shift: 1 },
    );
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [x, gamma] }, [dy], [wantX, wantGamma, wantBeta]) {
    if (!dy) return [undefined, undefined, undefined];
    const { rows, width } = rowForm('affine', x.shape);
    let dx: Tensor | undefined;
    if (wantX) {
      dx = allocate(step, x.shape, 'd affine');
      step.dispatch(
        affineKernel,
        { x: dy.storage, gamma: gamma.storage, beta: gamma.storage, y: dx.storage },
        { count: dy.size, width, shift: 0 },
      );
    }
    if (!wantGamma && !wantBeta) return [dx, undefined, undefined];
    const partial = allocate(step, [Math.ceil(rows / PAIR_CHUNK), 2 * width], 'affine parameter sums');
    step.dispatch(
      affineParameters,
      { x: x.storage, dy: dy.storage, partial: partial.storage },
      { rows, width, chunk: PAIR_CHUNK },
    );
    return [dx, ...splitPair(step, partial, ['d gamma', 'd beta'], [wantGamma, wantBeta])];
  },
});

/**
 * x · gamma + beta: x [..., C], gamma and beta [C]. Gradients for all three.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function affine(step: Step, x: Tensor, gamma: Tensor, beta: Tensor): Tensor {
  return affineOp(step, [x, gamma, beta], undefined)[0];
}

/** The three stages of LayerNorm as separate tensors on the tape. */
export interface LayernormParts {
  /** [..., 1]. */
  readonly scale: Tensor;
  /** [..., C], before gamma and beta. */
  readonly normalized: Tensor;
  readonly y: Tensor;
}

/**
 * layernorm(x, gamma, beta) with its inside visible. To edit a stage, call layernormScale, normalize and affine in turn
 * instead; the values are those of `layernorm` up to f32 round-off.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function layernormParts(step: Step, x: Tensor, gamma: Tensor, beta: Tensor, eps = 1e-5): LayernormParts {
  const scale = layernormScale(step, x, eps);
  const normalized = normalize(step, x, scale);
  return { scale, normalized, y: affine(step, normalized, gamma, beta) };
}

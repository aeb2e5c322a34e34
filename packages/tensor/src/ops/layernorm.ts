// y = (x − μ) r γ + β with r = 1 / √(σ² + ε) over the last axis, fused; gradients of x, γ and β.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perRow } from '../grid.js';
import { expectShape, rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { PAIR_CHUNK, splitPair } from './row-pair.js';

const forwardKernel = defineKernel(shaders.layernormForward, { ...perRow, work: (u) => 8 * u.rows * u.width });
const backwardKernel = defineKernel(shaders.layernormBackward, { ...perRow, work: (u) => 12 * u.rows * u.width });
const perLane = (u: { rows: number }, { WG }: { WG: number }) => groupsOf(Math.ceil(u.rows / WG));
const laneForwardKernel = defineKernel(shaders.layernormLaneForward, {
  grid: perLane,
  work: (u) => 8 * u.rows * u.width,
});
const laneBackwardKernel = defineKernel(shaders.layernormLaneBackward, {
  grid: perLane,
  work: (u) => 12 * u.rows * u.width,
});

/** From this many rows on, a software adapter, whose barriers are slow, gives every lane a row of its own. */
const LANE_ROWS = 256;
const byLanes = (step: Step, rows: number): boolean => rows >= LANE_ROWS && step.gpu.capabilities.adapter.isFallback;

const parametersKernel = defineKernel(shaders.layernormBackwardParams, {
  grid: (u, { WG }) => groupsOf(Math.ceil((Math.ceil(u.rows / u.chunk) * u.width) / WG)),
  work: (u) => 5 * u.rows * u.width,
});

/** dγ = Σ_rows dy x̂ and dβ = Σ_rows dy. */
function parameterGradients(
  step: Step,
  x: Tensor,
  stats: Tensor,
  dy: Tensor,
  wanted: readonly [boolean, boolean],
): readonly [Tensor | undefined, Tensor | undefined] {
  const { rows, width } = rowForm('layernorm', x.shape);
  const partial = allocate(step, [Math.ceil(rows / PAIR_CHUNK), 2 * width], 'layernorm parameter sums');
  step.dispatch(
    parametersKernel,
    { x: x.storage, stats: stats.storage, dy: dy.storage, partial: partial.storage },
    { rows, width, chunk: PAIR_CHUNK },
  );
  return splitPair(step, partial, ['d gamma', 'd beta'], wanted);
}

const layernormOp = defineOp<
  readonly [x: Tensor, gamma: Tensor, beta: Tensor],
  readonly [Tensor],
  { eps: number },
  { stats: Tensor }
>({
  name: 'layernorm',
  forward(step, [x, gamma, beta], { eps }) {
    for (const tensor of [x, gamma, beta]) expectDType('layernorm', tensor, ['f32']);
    const { rows, width } = rowForm('layernorm', x.shape);
    expectShape('layernorm', 'gamma', gamma.shape, [width]);
    expectShape('layernorm', 'beta', beta.shape, [width]);
    const y = allocate(step, x.shape, 'layernorm');
    const stats = allocate(step, [rows, 2], 'layernorm stats');
    const bindings = {
      x: x.storage,
      gamma: gamma.storage,
      beta: beta.storage,
      y: y.storage,
      stats: stats.storage,
    };
    if (byLanes(step, rows)) step.dispatch(laneForwardKernel, bindings, { rows, width, eps });
    else step.dispatch(forwardKernel, bindings, { rows, width, eps });
    return { outputs: [y], saved: { stats } };
  },
  vjp(step, { inputs: [x, gamma], saved: { stats } }, [dy], [wantX, wantGamma, wantBeta]) {
    if (!dy) return [undefined, undefined, undefined];
    const { rows, width } = rowForm('layernorm', x.shape);
    let dx: Tensor | undefined;
    if (wantX) {
      dx = allocate(step, x.shape, 'd layernorm');
      const bindings = {
        x: x.storage,
        gamma: gamma.storage,
        stats: stats.storage,
        dy: dy.storage,
        dx: dx.storage,
      };
      if (byLanes(step, rows)) step.dispatch(laneBackwardKernel, bindings, { rows, width });
      else step.dispatch(backwardKernel, bindings, { rows, width });
    }
    const [dGamma, dBeta] =
      wantGamma || wantBeta ? parameterGradients(step, x, stats, dy, [wantGamma, wantBeta]) : [undefined, undefined];
    return [dx, dGamma, dBeta];
  },
});

/**
 * x [..., C], gamma [C], beta [C] → [..., C]: every row to mean 0 and variance 1 (biased, plus eps), then · gamma + beta.
 * Gradients for all three.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function layernorm(step: Step, x: Tensor, gamma: Tensor, beta: Tensor, eps = 1e-5): Tensor {
  return layernormOp(step, [x, gamma, beta], { eps })[0];
}

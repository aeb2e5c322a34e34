// y = (x − μ) r γ + β with r = 1 / √(σ² + ε) over the last axis, fused; gradients of x, γ and β.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perRow } from '../grid.js';
import { expectShape, rowForm } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { fewLanes, perLane, perSpan, rowKernel, spanOf, type RowKernelName } from './choose-rows.js';
import { layernormDecision } from './row-choice.js';
import { PAIR_CHUNK, splitPair } from './row-pair.js';

const forwardWork = (u: { rows: number; width: number }): number => 8 * u.rows * u.width;
const backwardWork = (u: { rows: number; width: number }): number => 12 * u.rows * u.width;

const rowForward = defineKernel(shaders.layernormForward, { ...perRow, work: forwardWork });
const rowBackward = defineKernel(shaders.layernormBackward, { ...perRow, work: backwardWork });
const spanForward = defineKernel(shaders.layernormSpanForward, { grid: perSpan, work: forwardWork });
const spanBackward = defineKernel(shaders.layernormSpanBackward, { grid: perSpan, work: backwardWork });
const laneForward = defineKernel(shaders.layernormLaneForward, { grid: perLane, work: forwardWork });
const laneBackward = defineKernel(shaders.layernormLaneBackward, { grid: perLane, work: backwardWork });
const lane4Forward = defineKernel(shaders.layernormLane4Forward, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.rows / (u.share * WG))),
  work: forwardWork,
  tune: fewLanes,
});
const lane4Backward = defineKernel(shaders.layernormLane4Backward, {
  grid: perLane,
  work: backwardWork,
  tune: fewLanes,
});

/** Rows that a lane of `lane4` takes at once: four share a read of gamma and beta, as long as every core still has work. */
const rowsPerLane = (rows: number): number => (rows >= 256 ? 4 : rows >= 64 ? 2 : 1);

const parametersKernel = defineKernel(shaders.layernormBackwardParams, {
  grid: (u, { WG }) => groupsOf(Math.ceil((Math.ceil(u.rows / u.chunk) * u.width) / WG)),
  work: (u) => 5 * u.rows * u.width,
});
const parametersKernel4 = defineKernel(shaders.layernormBackwardParams4, {
  grid: (u, { WG }) => groupsOf(Math.ceil((Math.ceil(u.rows / u.chunk) * u.width) / (4 * WG))),
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
  const bindings = { x: x.storage, stats: stats.storage, dy: dy.storage, partial: partial.storage };
  const uniforms = { rows, width, chunk: PAIR_CHUNK };
  if (width % 4 === 0) step.dispatch(parametersKernel4, bindings, uniforms);
  else step.dispatch(parametersKernel, bindings, uniforms);
  return splitPair(step, partial, ['d gamma', 'd beta'], wanted);
}

const layernormOp = defineOp<
  readonly [x: Tensor, gamma: Tensor, beta: Tensor],
  readonly [Tensor],
  { eps: number; kernel: RowKernelName | undefined },
  { stats: Tensor }
>({
  name: 'layernorm',
  forward(step, [x, gamma, beta], { eps, kernel }) {
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
    const uniforms = { rows, width, eps };
    switch (rowKernel('layernorm', layernormDecision, step.gpu, uniforms, kernel)) {
      case 'row':
        step.dispatch(rowForward, bindings, uniforms);
        break;
      case 'span':
        step.dispatch(spanForward, bindings, uniforms, { overrides: spanOf(uniforms) });
        break;
      case 'lane':
        step.dispatch(laneForward, bindings, uniforms);
        break;
      case 'lane4':
        step.dispatch(lane4Forward, bindings, { ...uniforms, share: rowsPerLane(rows) });
    }
    return { outputs: [y], saved: { stats } };
  },
  vjp(step, { inputs: [x, gamma], saved: { stats }, options: { kernel } }, [dy], [wantX, wantGamma, wantBeta]) {
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
      const uniforms = { rows, width };
      switch (rowKernel('layernorm', layernormDecision, step.gpu, uniforms, kernel)) {
        case 'row':
          step.dispatch(rowBackward, bindings, uniforms);
          break;
        case 'span':
          step.dispatch(spanBackward, bindings, uniforms, { overrides: spanOf(uniforms) });
          break;
        case 'lane':
          step.dispatch(laneBackward, bindings, uniforms);
          break;
        case 'lane4':
          step.dispatch(lane4Backward, bindings, uniforms);
      }
    }
    const [dGamma, dBeta] =
      wantGamma || wantBeta ? parameterGradients(step, x, stats, dy, [wantGamma, wantBeta]) : [undefined, undefined];
    return [dx, dGamma, dBeta];
  },
});

/** Options of layernorm. */
export interface LayernormOptions {
  /** One of rowKernelCandidates for the rows of x, forward and backward; by default what was chosen for the device decides, else chooseRowKernel. */
  readonly kernel?: RowKernelName;
}

/**
 * x [..., C], gamma [C], beta [C] → [..., C]: every row to mean 0 and variance 1 (biased, plus eps), then · gamma + beta.
 * Gradients for all three.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function layernorm(
  step: Step,
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  eps = 1e-5,
  options: LayernormOptions = {},
): Tensor {
  return layernormOp(step, [x, gamma, beta], { eps, kernel: options.kernel })[0];
}

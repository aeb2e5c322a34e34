// p_j = exp(s_j − max) / Σ exp over the keys that a row may see, and its gradient: the kernels behind softmax and causalSoftmax.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { perRow } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { fewLanes, perLane, perSpan, rowKernel, spanOf, type RowKernelName } from './choose-rows.js';
import { softmaxDecision } from './row-choice.js';

const forwardWork = (u: { rows: number; keys: number }): number => 8 * u.rows * u.keys;
const backwardWork = (u: { rows: number; keys: number }): number => 4 * u.rows * u.keys;
const lanes = { grid: perLane, tune: fewLanes };

const rowForward = defineKernel(shaders.causalSoftmaxForward, { ...perRow, work: forwardWork });
const rowBackward = defineKernel(shaders.causalSoftmaxBackward, { ...perRow, work: backwardWork });
const spanForward = defineKernel(shaders.causalSoftmaxSpanForward, { grid: perSpan, work: forwardWork });
const spanBackward = defineKernel(shaders.causalSoftmaxSpanBackward, { grid: perSpan, work: backwardWork });
const laneForward = defineKernel(shaders.causalSoftmaxLaneForward, { ...lanes, work: forwardWork });
const laneBackward = defineKernel(shaders.causalSoftmaxLaneBackward, { ...lanes, work: backwardWork });
const lane4Forward = defineKernel(shaders.causalSoftmaxLane4Forward, { ...lanes, work: forwardWork });
const lane4Backward = defineKernel(shaders.causalSoftmaxLane4Backward, { ...lanes, work: backwardWork });

/** Rows [batch, heads, queries] of keys; row t of a head sees keys j ≤ past + t and j < lengths[b]. */
export interface SoftmaxRows {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly past: number;
  /** u32 [batch]. */
  readonly lengths?: Tensor | undefined;
  /** What a row of nothing but −∞, or without any key, becomes. */
  readonly empty: 0 | typeof NaN;
  readonly kernel?: RowKernelName | undefined;
}

/** The pattern, shaped as the scores; 0 where a row does not see. A leaf. */
export function softmaxRows(step: Step, op: string, scores: Tensor, about: SoftmaxRows): Tensor {
  const { batch, heads, queries, keys, past, lengths, empty, kernel } = about;
  const pattern = allocate(step, scores.shape, 'pattern');
  const rows = batch * heads * queries;
  const bindings = { scores: scores.storage, lengths: (lengths ?? scores).storage, pattern: pattern.storage };
  const uniforms = { rows, heads, queries, keys, past, masked: lengths ? 1 : 0, empty: empty === 0 ? 1 : 0 };
  const shape = { rows, width: keys };
  switch (rowKernel(op, softmaxDecision, step.gpu, shape, kernel)) {
    case 'row':
      step.dispatch(rowForward, bindings, uniforms);
      break;
    case 'span':
      step.dispatch(spanForward, bindings, uniforms, { overrides: spanOf(shape) });
      break;
    case 'lane':
      step.dispatch(laneForward, bindings, uniforms);
      break;
    case 'lane4':
      step.dispatch(lane4Forward, bindings, uniforms);
  }
  return pattern;
}

/** The gradient at the scores of a pattern [..., keys]. A leaf. */
export function softmaxRowsBackward(
  step: Step,
  op: string,
  pattern: Tensor,
  dPattern: Tensor,
  kernel: RowKernelName | undefined,
): Tensor {
  const keys = pattern.shape.at(-1) as number;
  const dScores = allocate(step, pattern.shape, 'd scores');
  const bindings = { pattern: pattern.storage, d_pattern: dPattern.storage, d_scores: dScores.storage };
  const uniforms = { rows: pattern.size / keys, keys };
  const shape = { rows: uniforms.rows, width: keys };
  switch (rowKernel(op, softmaxDecision, step.gpu, shape, kernel)) {
    case 'row':
      step.dispatch(rowBackward, bindings, uniforms);
      break;
    case 'span':
      step.dispatch(spanBackward, bindings, uniforms, { overrides: spanOf(shape) });
      break;
    case 'lane':
      step.dispatch(laneBackward, bindings, uniforms);
      break;
    case 'lane4':
      step.dispatch(lane4Backward, bindings, uniforms);
  }
  return dScores;
}

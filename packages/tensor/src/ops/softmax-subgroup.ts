// p_j = exp(s_j − max) / Σ exp over whole rows, each read once and held in the registers of one subgroup.
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Step } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { shapeError } from '../shape.js';
import { allocate, type Tensor } from '../tensor.js';
import type { RowShape } from './choose-rows.js';

const kernel = defineKernel(shaders.softmaxSubgroupForward, {
  grid: (u) => groupsOf(Math.ceil(u.rows / u.share)),
  work: (u) => 8 * u.rows * u.keys,
});

/** vec4s that a lane can hold. */
const HELD = 32;
/** Rows that a workgroup takes one after the other, where there are many: starting one costs a software adapter some microseconds. */
const SHARE = 8;
const MANY_ROWS = 256;
/** Shorter rows are over before the kernel, which is long for its unrolled loops, is compiled. */
const LONG_ROW = 256;

/** Whether a workgroup of the subgroup's size is one subgroup for certain, and holds the rows. */
export function canHoldRows({ subgroups, subgroupMin, subgroupMax }: Capabilities, { width }: RowShape): boolean {
  return subgroups && subgroupMin === subgroupMax && width % 4 === 0 && width <= 4 * HELD * subgroupMin;
}

/** Whether a software adapter should: 1.1 times a copy of the rows on lavapipe, where a lane a row takes 1.4 (npm run bench). */
export function holdsRows(capabilities: Capabilities, shape: RowShape): boolean {
  const { rows, width } = shape;
  return capabilities.adapter.isFallback && rows >= MANY_ROWS && width >= LONG_ROW && canHoldRows(capabilities, shape);
}

/** softmax over the last axis, a leaf shaped as x. Throws 'tensor/shape' where subgroups cannot hold the rows. */
export function softmaxBySubgroups(step: Step, x: Tensor, shape: RowShape): Tensor {
  const { capabilities } = step.gpu;
  const { rows, width } = shape;
  if (!canHoldRows(capabilities, shape))
    throw shapeError(
      'softmax',
      `kernel 'subgroup' cannot run rows of ${width} on this adapter`,
      'It needs subgroups of one size, and rows of whole vec4s, at most 32 for each of their lanes.',
      { ...shape },
    );
  const y = allocate(step, x.shape, 'softmax');
  const LANES = capabilities.subgroupMin;
  step.dispatch(
    kernel,
    { scores: x.storage, pattern: y.storage },
    { rows, keys: width, share: rows >= MANY_ROWS ? SHARE : 1 },
    { overrides: { LANES, HELD: Math.ceil(width / (4 * LANES)) } },
  );
  return y;
}

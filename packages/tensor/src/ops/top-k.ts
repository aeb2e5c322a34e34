// The k largest of every row, largest first, with their places; equal values by the lower place.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { perRow } from '../grid.js';
import { expectRank } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

/** The kernel passes over the row once per choice, so that k stays small. */
export const MAX_TOP_K = 64;

const kernel = defineKernel(shaders.topK, { ...perRow, work: (u) => 4 * u.rows * u.width * u.k });

/**
 * x [N, V] → values f32 [N, k] in falling order and indices u32 [N, k], k ≤ min(V, 64). Ties go to the lower index, −0
 * equals +0, NaN ranks below −∞. Exact, and off the tape: use `gatherLogits` at the indices for gradients.
 * @throws LimnError `tensor/range`, `tensor/shape`, `tensor/dtype`
 */
export function topK(step: Step, x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  expectDType('topK', x, ['f32']);
  expectRank('topK', 'x', x.shape, 2);
  const [rows, width] = x.shape as readonly [number, number];
  const most = Math.min(width, MAX_TOP_K);
  if (!Number.isInteger(k) || k < 1 || k > most)
    throw new LimnError('tensor/range', `topK: k is ${k}, but rows of ${width} allow 1 to ${most}. Ask for fewer.`, {
      details: { k, width, most },
    });
  const values = allocate(step, [rows, k], 'topK values');
  const indices = allocate(step, [rows, k], 'topK indices', 'u32');
  const bindings = { x: x.storage, values: values.storage, indices: indices.storage };
  step.dispatch(kernel, bindings, { rows, width, k });
  return { values, indices };
}

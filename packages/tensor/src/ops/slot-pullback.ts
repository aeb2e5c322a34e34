// From gradients behind a LayerNorm to the stream before it, for many heads that read the same stream: one kernel, no copies. Outside the tape.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { groupsOf, perRow } from '../grid.js';
import { expectShape, shapeError } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const kernel = defineKernel(shaders.slotPullback, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.heads),
  work: (u) => 9 * u.repeats * u.rows * u.heads * u.width,
});

/**
 * (g − mean g − x̂·mean(g∘x̂))/s with g = γ∘outer, per row and head. `normalized` x̂ [B, T, C] and `scale` s [B, T, 1] are the
 * shared stream's; each of the n `outers` is [B, T, h, C] → [n, h, B, T, C]. With `repeats` the rows are repeat-major, k·(B / repeats) + b,
 * and summed over k in order → [n, h, B / repeats, T, C]: a path of m points never takes m times the room.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function slotPullback(
  step: Step,
  normalized: Tensor,
  scale: Tensor,
  gamma: Tensor,
  outers: readonly Tensor[],
  { repeats = 1 }: { readonly repeats?: number } = {},
): Tensor {
  const [rows = 0, T = 0, C = 0] = normalized.shape;
  const B = rows / repeats;
  if (!Number.isInteger(B) || B < 1)
    throw shapeError(
      'slotPullback',
      `${rows} rows are no whole number of ${repeats} repeats`,
      'Give repeat-major rows, k · B + b.',
      { rows, repeats },
    );
  const heads = outers[0]?.shape[2] ?? 0;
  expectShape('slotPullback', 'the scale', scale.shape, [rows, T, 1]);
  expectShape('slotPullback', 'gamma', gamma.shape, [C]);
  for (const outer of outers) {
    expectDType('slotPullback', outer, ['f32']);
    expectShape('slotPullback', 'every gradient', outer.shape, [rows, T, heads, C]);
  }
  const slots = allocate(step, [outers.length, heads, B, T, C], 'slot gradients');
  for (const [part, outer] of outers.entries())
    step.dispatch(
      kernel,
      {
        hat: normalized.storage,
        scale: scale.storage,
        gamma: gamma.storage,
        outer: outer.storage,
        slots: slots.storage,
      },
      { rows: B * T, repeats, heads, width: C, part },
    );
  return slots;
}

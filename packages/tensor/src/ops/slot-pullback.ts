// From gradients of many heads' projections to the stream before their LayerNorm, summed over repeats of the rows: no copies, and repeats cost no product with the weights. Outside the tape.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { groupsOf, perRow } from '../grid.js';
import { expectShape, shapeError } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const foldKernel = defineKernel(shaders.slotFold, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.heads),
  work: (u) => 5 * u.repeats * u.rows * u.heads * u.head_width,
});

const pullbackKernel = defineKernel(shaders.slotPullback, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.heads),
  work: (u) => (2 * u.repeats + 4) * u.rows * u.heads * u.width,
});

/** Which heads are folded, over how many repeats, and where y0 lies. */
export interface SlotFoldOptions {
  /** Width C of the stream. */
  readonly width: number;
  /** A range of heads. Default: all. */
  readonly heads?: { readonly start: number; readonly count: number } | undefined;
  /** Repeat-major rows k · (rows / repeats) + b are summed over k. Default 1. */
  readonly repeats?: number | undefined;
  /** Where y0 of the first head of all begins in `origin`. Default 0. */
  readonly offset?: number | undefined;
}

/** Gradients of one projection, folded over repeats. */
export interface FoldedSlots {
  /** Σ_k d_k / s_k, [B, T, h, K]. */
  readonly gradient: Tensor;
  /** d_k·(y_k − y0) / (C s_k) = mean(g_k∘x̂_k) / s_k, [B, T, h, repeats]. */
  readonly tilts: Tensor;
}

/**
 * The half of a LayerNorm's backward that needs no weights. Heads project the shared stream, y = W(γ∘x̂) + y0; `gradient` d = ∂L/∂y and
 * `value` y are [rows, T, H, K], `scale` s is [rows, T, 1], `origin` holds y0, and rows = repeats · B. The term of x̂ in the Jacobian,
 * mean(g∘x̂) with g = γ∘Wᵀd, is d·(y − y0) / C; all else is linear in d / s, which may be summed before it meets W.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function slotFold(
  step: Step,
  gradient: Tensor,
  value: Tensor,
  origin: Tensor,
  scale: Tensor,
  { width, heads, repeats = 1, offset = 0 }: SlotFoldOptions,
): FoldedSlots {
  const [rows = 0, T = 0, H = 0, K = 0] = gradient.shape;
  const { start, count } = heads ?? { start: 0, count: H };
  const B = wholeRepeats('slotFold', rows, repeats);
  for (const each of [gradient, value, origin, scale]) expectDType('slotFold', each, ['f32']);
  expectShape('slotFold', 'the values', value.shape, [rows, T, H, K]);
  expectShape('slotFold', 'the scale', scale.shape, [rows, T, 1]);
  if (start < 0 || count < 1 || start + count > H || offset + H * K > origin.size)
    throw shapeError(
      'slotFold',
      `heads ${start} … ${start + count - 1} of ${H} and y0 from ${offset} of ${origin.size} do not go together`,
      'Choose heads of the gradient, and give y0 for all of them.',
      { heads: { start, count }, shape: gradient.shape, offset, origin: origin.shape },
    );
  const folded = allocate(step, [B, T, count, K], 'folded gradients');
  const tilts = allocate(step, [B, T, count, repeats], 'tilts');
  step.dispatch(
    foldKernel,
    {
      gradient: gradient.storage,
      value: value.storage,
      origin: origin.storage,
      scale: scale.storage,
      folded: folded.storage,
      tilts: tilts.storage,
    },
    {
      rows: B * T,
      repeats,
      all_heads: H,
      first_head: start,
      heads: count,
      head_width: K,
      width,
      origin_offset: offset + start * K,
    },
  );
  return { gradient: folded, tilts };
}

/**
 * The other half: g − mean g − Σ_k x̂_k∘tilts_k with g = γ∘outer, per row and head. `normalized` x̂ [repeats · B, T, C] is the shared
 * stream's; each of the n `parts` has its {@link slotFold} behind the weights, `outer` [B, T, h, C], and its `tilts` [B, T, h, repeats]
 * → [n, h, B, T, C].
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function slotPullback(
  step: Step,
  normalized: Tensor,
  gamma: Tensor,
  parts: readonly { readonly outer: Tensor; readonly tilts: Tensor }[],
): Tensor {
  const [rows = 0, T = 0, C = 0] = normalized.shape;
  const [, , heads = 0, repeats = 1] = parts[0]?.tilts.shape ?? [];
  const B = wholeRepeats('slotPullback', rows, repeats);
  expectShape('slotPullback', 'gamma', gamma.shape, [C]);
  for (const { outer, tilts } of parts) {
    expectDType('slotPullback', outer, ['f32']);
    expectShape('slotPullback', 'every gradient', outer.shape, [B, T, heads, C]);
    expectShape('slotPullback', 'the tilts of every gradient', tilts.shape, [B, T, heads, repeats]);
  }
  const slots = allocate(step, [parts.length, heads, B, T, C], 'slot gradients');
  for (const [part, { outer, tilts }] of parts.entries())
    step.dispatch(
      pullbackKernel,
      {
        hat: normalized.storage,
        gamma: gamma.storage,
        outer: outer.storage,
        tilts: tilts.storage,
        slots: slots.storage,
      },
      { rows: B * T, repeats, heads, width: C, part },
    );
  return slots;
}

function wholeRepeats(op: string, rows: number, repeats: number): number {
  const B = rows / repeats;
  if (Number.isInteger(B) && B > 0) return B;
  throw shapeError(op, `${rows} rows are no whole number of ${repeats} repeats`, 'Give repeat-major rows, k · B + b.', {
    rows,
    repeats,
  });
}

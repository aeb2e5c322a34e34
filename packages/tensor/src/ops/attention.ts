// Causal attention, fused: z = softmax(scale · q kᵀ, masked) v, never storing the pattern; the backward recomputes it.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

/** Widest head that the fused kernels hold in registers. */
export const FUSED_HEAD_WIDTH = 128;

/** How queries see keys. */
export interface AttentionOptions {
  /** Multiplies q · k; by default 1 / √K. */
  readonly scale?: number;
  /** u32 [B]: keys at or beyond a row's length are padding and never seen. */
  readonly lengths?: Tensor;
  /** Absolute position of query 0: keys = past + queries when decoding with a cache. By default keys − queries. */
  readonly past?: number;
}

/** Sizes after checking. */
export interface AttentionForm {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly width: number;
  readonly past: number;
  readonly scale: number;
}

/** Checks q [B, T, H, K] and k, v [B, S, H, K], and the options. */
export function attentionForm(
  op: string,
  q: Tensor,
  others: readonly Tensor[],
  options: AttentionOptions,
): AttentionForm {
  for (const tensor of [q, ...others]) expectDType(op, tensor, ['f32']);
  expectRank(op, 'q', q.shape, 4);
  const [batch, queries, heads, width] = q.shape as readonly [number, number, number, number];
  const keys = others[0]?.shape[1] ?? queries;
  for (const other of others) expectShape(op, 'k or v', other.shape, [batch, keys, heads, width]);
  const past = options.past ?? keys - queries;
  checkPast(op, past, queries, keys);
  checkLengths(op, options.lengths, batch);
  return { batch, queries, keys, heads, width, past, scale: options.scale ?? 1 / Math.sqrt(width) };
}

/** Throws unless every query has a position and the last one does not lie beyond the keys. */
export function checkPast(op: string, past: number, queries: number, keys: number): void {
  if (!Number.isInteger(past) || past < 0 || past + queries > keys)
    throw shapeError(
      op,
      `${queries} queries after ${past} past positions do not fit ${keys} keys`,
      'Give keys for the past and for every query: keys ≥ past + queries.',
      { past, queries, keys },
    );
}

/** Throws unless lengths is u32 [B]. */
export function checkLengths(op: string, lengths: Tensor | undefined, batch: number): void {
  if (!lengths) return;
  expectDType(op, lengths, ['u32'], 'lengths');
  if (lengths.size !== batch)
    throw shapeError(
      op,
      `lengths has shape ${showShape(lengths.shape)} for a batch of ${batch}`,
      `Give lengths as u32 [${batch}].`,
      { lengths: lengths.shape, batch },
    );
}

const perQuery = (u: { batch: number; heads: number; queries: number }, { WG }: { WG: number }) =>
  groupsOf(Math.ceil((u.batch * u.heads * u.queries) / WG));
// Operations per pair of query and key are counted for heads of width 64 of which causality masks half: 2 products of 2 · 64.
const pairs = (u: { batch: number; heads: number; queries: number; keys: number }): number =>
  u.batch * u.heads * u.queries * u.keys;

const forwardKernel = defineKernel(shaders.attentionForward, { grid: perQuery, work: (u) => 128 * pairs(u) });
const deltaKernel = defineKernel(shaders.attentionDelta, {
  grid: perQuery,
  work: (u) => 2 * u.batch * u.heads * u.queries * u.head_width,
});
const queryKernel = defineKernel(shaders.attentionBackwardQuery, { grid: perQuery, work: (u) => 192 * pairs(u) });
const keyValueKernel = defineKernel(shaders.attentionBackwardKeyValue, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.batch * u.heads * u.keys) / WG)),
  work: (u) => 256 * pairs(u),
});

interface FusedOptions {
  readonly form: AttentionForm;
  readonly masked: boolean;
}

function uniformsOf({ form, masked }: FusedOptions) {
  const { batch, heads, queries, keys, past, scale } = form;
  return { batch, heads, queries, keys, past, scale, masked: masked ? 1 : 0 };
}

const attentionOp = defineOp<readonly Tensor[], readonly [Tensor], FusedOptions, { lse: Tensor }>({
  name: 'causalAttention',
  forward(step, inputs, options) {
    const [q, k, v, lengths] = inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const { form } = options;
    const z = allocate(step, q.shape, 'attention z');
    const lse = allocate(step, [form.batch, form.heads, form.queries], 'attention lse');
    const bindings = { q: q.storage, k: k.storage, v: v.storage, lengths: (lengths ?? q).storage };
    step.dispatch(forwardKernel, { ...bindings, z: z.storage, lse: lse.storage }, uniformsOf(options), {
      overrides: { HEAD: form.width },
    });
    return { outputs: [z], saved: { lse } };
  },
  vjp(step, { inputs, outputs: [z], saved: { lse }, options }, [dz], [wantQ, wantK, wantV]) {
    const nothing = inputs.map(() => undefined);
    if (!dz || !(wantQ || wantK || wantV)) return nothing;
    const [q, k, v, lengths] = inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const { batch, heads, queries, width } = options.form;
    const stats = allocate(step, [batch, heads, queries, 2], 'attention stats');
    step.dispatch(
      deltaKernel,
      { z: z.storage, dz: dz.storage, lse: lse.storage, stats: stats.storage },
      { batch, heads, queries, head_width: width },
    );
    const bindings = {
      q: q.storage,
      k: k.storage,
      v: v.storage,
      dz: dz.storage,
      stats: stats.storage,
      lengths: (lengths ?? q).storage,
    };
    const overrides = { HEAD: width };
    let dq: Tensor | undefined;
    if (wantQ) {
      dq = allocate(step, q.shape, 'd q');
      step.dispatch(queryKernel, { ...bindings, dq: dq.storage }, uniformsOf(options), { overrides });
    }
    if (!wantK && !wantV) return [dq, ...nothing.slice(1)];
    const dk = allocate(step, k.shape, 'd k');
    const dv = allocate(step, v.shape, 'd v');
    step.dispatch(keyValueKernel, { ...bindings, dk: dk.storage, dv: dv.storage }, uniformsOf(options), { overrides });
    return [dq, wantK ? dk : undefined, wantV ? dv : undefined, ...nothing.slice(3)];
  },
});

/**
 * z [B, T, H, K] = Σ_{j ≤ past + t, j < length} softmax_j(scale · q_t · k_j) v_j for q [B, T, H, K], k and v [B, S, H, K].
 * A query at a padded position sees the row's real keys; a row of length 0 gives zeros. Gradients for q, k, v.
 * Heads wider than 128 are refused ('tensor/shape'): use attentionScores, causalSoftmax and attentionMix.
 */
export function causalAttention(step: Step, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const form = attentionForm('causalAttention', q, [k, v], options);
  if (form.width > FUSED_HEAD_WIDTH)
    throw new LimnError(
      'tensor/shape',
      `causalAttention: heads of width ${form.width}; the fused kernel holds at most ${FUSED_HEAD_WIDTH}. Use attentionScores, causalSoftmax and attentionMix.`,
      { details: { op: 'causalAttention', width: form.width, limit: FUSED_HEAD_WIDTH } },
    );
  const inputs = options.lengths ? [q, k, v, options.lengths] : [q, k, v];
  return attentionOp(step, inputs, { form, masked: options.lengths !== undefined })[0];
}

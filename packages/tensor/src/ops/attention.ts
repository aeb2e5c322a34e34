// Causal attention z = softmax(scale · q kᵀ, masked) v: fused, never storing the pattern (the backward recomputes it), or in parts.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Capabilities, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { attentionForm, type AttentionForm, type AttentionOptions } from './attention-form.js';
import { attentionMix, attentionScores, causalSoftmax } from './attention-unfused.js';

/** Widest head that the fused kernels hold in registers. */
export const FUSED_HEAD_WIDTH = 128;

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

/** Largest pattern that is worth storing: beyond it, recomputing in registers saves the memory. */
const PATTERN_BYTES = 64 * 2 ** 20;

/** How attention is computed: the pattern in registers, or stored between three ops. */
export type AttentionKernel = 'fused' | 'parts';

/**
 * The way for a shape on an adapter. On software adapters three matmul-shaped ops are several times faster than one lane
 * per query (bench/ops.mts), as long as the pattern is small; GPUs take the fused kernel. One query a row, as in decoding with a
 * cache, is in parts everywhere: fused it would be one lane a head, walking over all keys.
 */
export function chooseAttention(capabilities: Capabilities, form: AttentionForm): AttentionKernel {
  const bytes = 4 * form.batch * form.heads * form.queries * form.keys;
  const small = bytes <= Math.min(PATTERN_BYTES, capabilities.limits.maxStorageBufferBindingSize);
  const better = capabilities.adapter.isFallback || form.queries === 1;
  return form.width > FUSED_HEAD_WIDTH || (better && small) ? 'parts' : 'fused';
}

/**
 * z [B, T, H, K] = Σ_{j ≤ past + t, j < length} softmax_j(scale · q_t · k_j) v_j for q [B, T, H, K], k and v [B, S, H, K].
 * A query at a padded position sees the row's real keys; a row of length 0 gives zeros. Gradients for q, k, v.
 * `kernel` overrides chooseAttention; heads wider than 128 are not fused ('tensor/shape').
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function causalAttention(
  step: Step,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions & { readonly kernel?: AttentionKernel } = {},
): Tensor {
  const form = attentionForm('causalAttention', q, [k, v], options);
  const { scale, past } = form;
  const { lengths } = options;
  if ((options.kernel ?? chooseAttention(step.gpu.capabilities, form)) === 'parts') {
    const scores = attentionScores(step, q, k, { scale });
    return attentionMix(step, causalSoftmax(step, scores, { past, ...(lengths ? { lengths } : {}) }), v);
  }
  if (form.width > FUSED_HEAD_WIDTH)
    throw new LimnError(
      'tensor/shape',
      `causalAttention: heads of width ${form.width}; the fused kernel holds at most ${FUSED_HEAD_WIDTH}. Use { kernel: 'parts' }.`,
      { details: { op: 'causalAttention', width: form.width, limit: FUSED_HEAD_WIDTH } },
    );
  return attentionOp(step, lengths ? [q, k, v, lengths] : [q, k, v], { form, masked: lengths !== undefined })[0];
}

// Causal attention z = softmax(scale · q kᵀ, masked) v: fused, never storing the pattern (the backward recomputes it), or in parts.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Capabilities, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { attentionForm, type AttentionForm, type AttentionOptions } from './attention-form.js';
import { attentionMix, attentionScores, causalSoftmax } from './attention-unfused.js';

/** Widest head that the fused and the tiled kernels take. */
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

/** Queries or keys of a tile, and the workgroups that cover them. */
const TILE = 32;
const tilesOf = (batch: number, heads: number, rows: number) => groupsOf(batch * heads * Math.ceil(rows / TILE));

const tiledForwardKernel = defineKernel(shaders.attentionTiledForward, {
  grid: (u) => tilesOf(u.batch, u.heads, u.queries),
  work: (u) => 128 * pairs(u),
});
const tiledQueryKernel = defineKernel(shaders.attentionTiledBackwardQuery, {
  grid: (u) => tilesOf(u.batch, u.heads, u.queries),
  work: (u) => 192 * pairs(u),
});
const tiledKeyValueKernel = defineKernel(shaders.attentionTiledBackwardKeyValue, {
  grid: (u) => tilesOf(u.batch, u.heads, u.keys),
  work: (u) => 256 * pairs(u),
});

interface FusedOptions {
  readonly form: AttentionForm;
  readonly masked: boolean;
  readonly tiled: boolean;
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
    const results = { ...bindings, z: z.storage, lse: lse.storage };
    const overrides = { HEAD: form.width };
    if (options.tiled) step.dispatch(tiledForwardKernel, results, uniformsOf(options), { overrides });
    else step.dispatch(forwardKernel, results, uniformsOf(options), { overrides });
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
      const results = { ...bindings, dq: dq.storage };
      if (options.tiled) step.dispatch(tiledQueryKernel, results, uniformsOf(options), { overrides });
      else step.dispatch(queryKernel, results, uniformsOf(options), { overrides });
    }
    if (!wantK && !wantV) return [dq, ...nothing.slice(1)];
    const dk = allocate(step, k.shape, 'd k');
    const dv = allocate(step, v.shape, 'd v');
    const results = { ...bindings, dk: dk.storage, dv: dv.storage };
    if (options.tiled) step.dispatch(tiledKeyValueKernel, results, uniformsOf(options), { overrides });
    else step.dispatch(keyValueKernel, results, uniformsOf(options), { overrides });
    return [dq, wantK ? dk : undefined, wantV ? dv : undefined, ...nothing.slice(3)];
  },
});

/** Largest pattern that is worth storing: beyond it, recomputing in registers saves the memory. */
const PATTERN_BYTES = 64 * 2 ** 20;

/**
 * How attention is computed. `tiled`: tiles of 32 queries and 32 keys in workgroup memory. `fused`: a lane a query, which walks over
 * all keys. Both never store the pattern; their backward passes compute it again. `parts`: three ops, the pattern stored between them.
 */
export type AttentionKernel = 'tiled' | 'fused' | 'parts';

/** The ways that can run a shape at all, whatever their speed. */
export function possibleAttentions({ limits }: Capabilities, form: AttentionForm): AttentionKernel[] {
  const { batch, heads, queries, keys, width } = form;
  const fits = 4 * batch * heads * queries * keys <= limits.maxStorageBufferBindingSize;
  const narrow = width <= FUSED_HEAD_WIDTH;
  return [
    ...(narrow && width % 4 === 0 ? (['tiled'] as const) : []),
    ...(narrow ? (['fused'] as const) : []),
    ...(fits || !narrow ? (['parts'] as const) : []),
  ];
}

/**
 * The way for a shape on an adapter. On software adapters three matmul-shaped ops are several times faster than one lane
 * per query (bench/ops.mts), as long as the pattern is small; GPUs take tiles. One query a row, as in decoding with a
 * cache, is in parts everywhere: a tile would be almost empty.
 */
export function chooseAttention(capabilities: Capabilities, form: AttentionForm): AttentionKernel {
  const software = capabilities.adapter.isFallback;
  const possible = possibleAttentions(capabilities, form);
  const small = 4 * form.batch * form.heads * form.queries * form.keys <= PATTERN_BYTES;
  if (possible.includes('parts') && (form.width > FUSED_HEAD_WIDTH || ((software || form.queries === 1) && small)))
    return 'parts';
  // Workgroup memory and barriers cost software adapters more than they save.
  return !software && possible.includes('tiled') ? 'tiled' : 'fused';
}

/** The ways worth measuring for a shape, the one that chooseAttention takes first. */
export function attentionCandidates(capabilities: Capabilities, form: AttentionForm): AttentionKernel[] {
  const chosen = chooseAttention(capabilities, form);
  return [chosen, ...possibleAttentions(capabilities, form).filter((kernel) => kernel !== chosen)];
}

/**
 * z [B, T, H, K] = Σ_{j ≤ past + t, j < length} softmax_j(scale · q_t · k_j) v_j for q [B, T, H, K], k and v [B, S, H, K].
 * A query at a padded position sees the row's real keys; a row of length 0 gives zeros. Gradients for q, k, v.
 * `kernel` is one of attentionCandidates; by default chooseAttention decides.
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
  const kernel = options.kernel ?? chooseAttention(step.gpu.capabilities, form);
  if (kernel === 'parts') {
    const scores = attentionScores(step, q, k, { scale });
    return attentionMix(step, causalSoftmax(step, scores, { past, ...(lengths ? { lengths } : {}) }), v);
  }
  const possible = possibleAttentions(step.gpu.capabilities, form);
  if (!possible.includes(kernel))
    throw new LimnError(
      'tensor/shape',
      `causalAttention: kernel '${kernel}' cannot run heads of width ${form.width}; 'fused' holds at most ${FUSED_HEAD_WIDTH}, ` +
        `'tiled' at most ${FUSED_HEAD_WIDTH} in fours. Use { kernel: '${possible[0]}' }, or none.`,
      { details: { op: 'causalAttention', width: form.width, limit: FUSED_HEAD_WIDTH, kernel, possible } },
    );
  const settled = { form, masked: lengths !== undefined, tiled: kernel === 'tiled' };
  return attentionOp(step, lengths ? [q, k, v, lengths] : [q, k, v], settled)[0];
}

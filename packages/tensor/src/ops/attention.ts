// Causal attention z = softmax(scale · q kᵀ, masked) v: fused, never storing the pattern (the backward recomputes it), or in parts.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step, type Storage } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { groupsOf, perElement } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { attentionForm, type AttentionForm, type AttentionOptions } from './attention-form.js';
import { attentionDecision } from './attention-choice.js';
import { attentionMix, attentionScores, causalSoftmax } from './attention-unfused.js';
import { FUSED_HEAD_WIDTH, possibleAttentions, type AttentionKernel } from './choose-attention.js';

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

/** Keys that the lanes of a decoding workgroup take at once; chunks are of whole ones. */
const DECODE_KEYS = 64;
/** Workgroups that keep a GPU busy. */
const BUSY_WORKGROUPS = 512;
const decodeKernel = defineKernel(shaders.attentionDecodeForward, {
  grid: (u) => groupsOf(u.batch * u.heads * u.chunks),
  work: (u) => 256 * u.batch * u.heads * u.keys,
});
const combineKernel = defineKernel(shaders.attentionDecodeCombine, {
  grid: perElement,
  work: (u) => 8 * u.size * u.chunks,
});

interface FusedOptions {
  readonly form: AttentionForm;
  readonly masked: boolean;
  readonly kernel: Exclude<AttentionKernel, 'parts'>;
}

function uniformsOf({ form, masked }: FusedOptions) {
  const { batch, heads, queries, keys, past, scale } = form;
  return { batch, heads, queries, keys, past, scale, masked: masked ? 1 : 0 };
}

/** One query a row: chunks of keys, then their sum. */
function decode(
  step: Step,
  { z, lse, ...bindings }: { q: Storage; k: Storage; v: Storage; lengths: Storage; z: Storage; lse: Storage },
  { form, masked }: FusedOptions,
): void {
  const { batch, heads, keys, width, past, scale } = form;
  const rows = batch * heads;
  const most = Math.ceil(keys / DECODE_KEYS);
  const chunk = DECODE_KEYS * Math.ceil(most / Math.min(most, Math.ceil(BUSY_WORKGROUPS / rows)));
  const chunks = Math.ceil(keys / chunk);
  const partial = allocate(step, [rows, chunks, width], 'attention partial sums').storage;
  const stats = allocate(step, [rows, chunks, 2], 'attention stats').storage;
  const uniforms = { batch, heads, keys, past, masked: masked ? 1 : 0, scale, chunk, chunks };
  step.dispatch(decodeKernel, { ...bindings, partial, stats }, uniforms, { overrides: { HEAD: width } });
  const sizes = { size: (rows * width) / 4, chunks, width: width / 4 };
  step.dispatch(combineKernel, { partial, stats, z, lse }, sizes);
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
    if (options.kernel === 'decode') decode(step, results, options);
    else if (options.kernel === 'tiled') step.dispatch(tiledForwardKernel, results, uniformsOf(options), { overrides });
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
      if (options.kernel !== 'fused') step.dispatch(tiledQueryKernel, results, uniformsOf(options), { overrides });
      else step.dispatch(queryKernel, results, uniformsOf(options), { overrides });
    }
    if (!wantK && !wantV) return [dq, ...nothing.slice(1)];
    const dk = allocate(step, k.shape, 'd k');
    const dv = allocate(step, v.shape, 'd v');
    const results = { ...bindings, dk: dk.storage, dv: dv.storage };
    if (options.kernel !== 'fused') step.dispatch(tiledKeyValueKernel, results, uniformsOf(options), { overrides });
    else step.dispatch(keyValueKernel, results, uniformsOf(options), { overrides });
    return [dq, wantK ? dk : undefined, wantV ? dv : undefined, ...nothing.slice(3)];
  },
});

/**
 * z [B, T, H, K] = Σ_{j ≤ past + t, j < length} softmax_j(scale · q_t · k_j) v_j for q [B, T, H, K], k and v [B, S, H, K].
 * A query at a padded position sees the row's real keys; a row of length 0 gives zeros. Gradients for q, k, v.
 * `kernel` is one of attentionCandidates; by default what was chosen for the device decides, else chooseAttention.
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
  const kernel = options.kernel ?? attentionDecision.choose(step.gpu, form);
  if (kernel === 'parts') {
    const scores = attentionScores(step, q, k, { scale });
    return attentionMix(step, causalSoftmax(step, scores, { past, ...(lengths ? { lengths } : {}) }), v);
  }
  const possible = possibleAttentions(step.gpu.capabilities, form);
  if (!possible.includes(kernel))
    throw new LimnError(
      'tensor/shape',
      `causalAttention: kernel '${kernel}' cannot run ${form.queries} queries of width ${form.width}; 'fused' takes widths of at most ` +
        `${FUSED_HEAD_WIDTH}, 'tiled' such in fours, 'decode' those for one query. Use { kernel: '${possible[0]}' }, or none.`,
      { details: { op: 'causalAttention', width: form.width, limit: FUSED_HEAD_WIDTH, kernel, possible } },
    );
  const settled = { form, masked: lengths !== undefined, kernel };
  return attentionOp(step, lengths ? [q, k, v, lengths] : [q, k, v], settled)[0];
}

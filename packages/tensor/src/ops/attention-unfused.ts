// Causal attention in three tape ops, so that scores and pattern are sites: scores = scale · q kᵀ, masked softmax, pattern · v.
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank, expectShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { attentionForm, checkLengths, checkPast, type AttentionForm, type AttentionOptions } from './attention-form.js';
import type { RowKernelName } from './choose-rows.js';
import { multiply, type Operand } from './multiply.js';
import { softmaxRows, softmaxRowsBackward } from './softmax-rows.js';

/** One head of a [B, T, H, K] tensor as a matrix [T, K]: batch items are rows b (outer) and heads h (inner). */
function headsOf(tensor: Tensor, length: number, { heads, width }: AttentionForm): Operand {
  return { storage: tensor.storage, outer: length * heads * width, inner: width, row: heads * width };
}

/** [B, H, T, S] as matrices [T, S]. */
function pairsOf(tensor: Tensor, { heads, queries, keys }: AttentionForm): Operand {
  return { storage: tensor.storage, outer: heads * queries * keys, inner: queries * keys, row: keys };
}

const scoresOp = defineOp<readonly [q: Tensor, k: Tensor], readonly [Tensor], AttentionForm, undefined>({
  name: 'attentionScores',
  forward(step, [q, k], form) {
    const { batch, heads, queries, keys, width, scale } = form;
    const scores = allocate(step, [batch, heads, queries, keys], 'attention scores');
    multiply(step, {
      m: queries,
      n: keys,
      k: width,
      outerCount: batch,
      innerCount: heads,
      a: headsOf(q, queries, form),
      b: { ...headsOf(k, keys, form), transposed: true },
      c: pairsOf(scores, form),
      alpha: scale,
      label: 'attention scores',
    });
    return { outputs: [scores], saved: undefined };
  },
  vjp(step, { inputs: [q, k], options: form }, [dScores], [wantQ, wantK]) {
    if (!dScores) return [undefined, undefined];
    const { batch, heads, queries, keys, width, scale } = form;
    const common = { n: width, outerCount: batch, innerCount: heads, alpha: scale, label: 'attention scores backward' };
    let dq: Tensor | undefined;
    let dk: Tensor | undefined;
    if (wantQ) {
      dq = allocate(step, q.shape, 'd q');
      const b = headsOf(k, keys, form);
      multiply(step, { ...common, m: queries, k: keys, a: pairsOf(dScores, form), b, c: headsOf(dq, queries, form) });
    }
    if (wantK) {
      dk = allocate(step, k.shape, 'd k');
      const a = { ...pairsOf(dScores, form), transposed: true };
      multiply(step, { ...common, m: keys, k: queries, a, b: headsOf(q, queries, form), c: headsOf(dk, keys, form) });
    }
    return [dq, dk];
  },
});

/**
 * scale · q_t · k_j for all pairs: q [B, T, H, K], k [B, S, H, K] → [B, H, T, S]. Nothing is masked here (causalSoftmax
 * does that), so entries of the future hold plain products that no later op looks at.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function attentionScores(
  step: Step,
  q: Tensor,
  k: Tensor,
  options: Pick<AttentionOptions, 'scale'> = {},
): Tensor {
  return scoresOp(step, [q, k], attentionForm('attentionScores', q, [k], { ...options, past: 0 }))[0];
}

interface SoftmaxOptions {
  readonly past: number;
  readonly kernel: RowKernelName | undefined;
}

const softmaxOp = defineOp<readonly Tensor[], readonly [Tensor], SoftmaxOptions, undefined>({
  name: 'causalSoftmax',
  forward(step, inputs, options) {
    const [scores, lengths] = inputs as readonly [Tensor, Tensor?];
    const [batch, heads, queries, keys] = scores.shape as readonly [number, number, number, number];
    // A score that is NaN or +∞ makes a row NaN: it must not pass for an empty one, which is 0.
    const about = { batch, heads, queries, keys, lengths, empty: 0, ...options };
    return { outputs: [softmaxRows(step, 'causalSoftmax', scores, about)], saved: undefined };
  },
  vjp(step, { inputs, outputs: [pattern], options: { kernel } }, [dPattern], [wanted]) {
    const nothing = inputs.map(() => undefined);
    if (!dPattern || !wanted) return nothing;
    return [softmaxRowsBackward(step, 'causalSoftmax', pattern, dPattern, kernel), ...nothing.slice(1)];
  },
});

/**
 * Softmax of scores [B, H, T, S] over the keys that query t may see (j ≤ past + t, j < lengths[b]); 0 elsewhere, and a row
 * that may see nothing is 0 throughout. past is S − T by default. `kernel`, for tests and benches, is one of rowKernelCandidates.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function causalSoftmax(
  step: Step,
  scores: Tensor,
  options: Pick<AttentionOptions, 'lengths' | 'past'> & { readonly kernel?: RowKernelName } = {},
): Tensor {
  expectDType('causalSoftmax', scores, ['f32']);
  expectRank('causalSoftmax', 'scores', scores.shape, 4);
  const [batch, , queries, keys] = scores.shape as readonly [number, number, number, number];
  const past = options.past ?? keys - queries;
  checkPast('causalSoftmax', past, queries, keys);
  checkLengths('causalSoftmax', options.lengths, batch);
  const inputs = options.lengths ? [scores, options.lengths] : [scores];
  return softmaxOp(step, inputs, { past, kernel: options.kernel })[0];
}

const mixOp = defineOp<readonly [pattern: Tensor, v: Tensor], readonly [Tensor], AttentionForm, undefined>({
  name: 'attentionMix',
  forward(step, [pattern, v], form) {
    const { batch, heads, queries, keys, width } = form;
    const z = allocate(step, [batch, queries, heads, width], 'attention z');
    multiply(step, {
      m: queries,
      n: width,
      k: keys,
      outerCount: batch,
      innerCount: heads,
      a: pairsOf(pattern, form),
      b: headsOf(v, keys, form),
      c: headsOf(z, queries, form),
      label: 'attention mix',
    });
    return { outputs: [z], saved: undefined };
  },
  vjp(step, { inputs: [pattern, v], options: form }, [dz], [wantPattern, wantV]) {
    if (!dz) return [undefined, undefined];
    const { batch, heads, queries, keys, width } = form;
    const common = { outerCount: batch, innerCount: heads, label: 'attention mix backward' };
    let dPattern: Tensor | undefined;
    let dv: Tensor | undefined;
    if (wantPattern) {
      dPattern = allocate(step, pattern.shape, 'd attention pattern');
      const b = { ...headsOf(v, keys, form), transposed: true };
      multiply(step, {
        ...common,
        m: queries,
        n: keys,
        k: width,
        a: headsOf(dz, queries, form),
        b,
        c: pairsOf(dPattern, form),
      });
    }
    if (wantV) {
      dv = allocate(step, v.shape, 'd v');
      const a = { ...pairsOf(pattern, form), transposed: true };
      multiply(step, {
        ...common,
        m: keys,
        n: width,
        k: queries,
        a,
        b: headsOf(dz, queries, form),
        c: headsOf(dv, keys, form),
      });
    }
    return [dPattern, dv];
  },
});

/**
 * z [B, T, H, K] = Σ_j pattern[b, h, t, j] v[b, j, h]: pattern [B, H, T, S], v [B, S, H, K]. Gradients for both.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function attentionMix(step: Step, pattern: Tensor, v: Tensor): Tensor {
  expectDType('attentionMix', pattern, ['f32']);
  expectDType('attentionMix', v, ['f32']);
  expectRank('attentionMix', 'the pattern', pattern.shape, 4);
  expectRank('attentionMix', 'v', v.shape, 4);
  const [batch, heads, queries, keys] = pattern.shape as readonly [number, number, number, number];
  const width = v.shape[3] as number;
  expectShape('attentionMix', 'v', v.shape, [batch, keys, heads, width]);
  return mixOp(step, [pattern, v], { batch, heads, queries, keys, width, past: 0, scale: 1 })[0];
}

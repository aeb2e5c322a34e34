// Causal attention in float64: scores, masked softmax, mix; forward and vjp by the definition.
import type { Reference } from '../tolerance.js';

/** q [batch, queries, heads, width], k and v [batch, keys, heads, width]; query t stands at position past + t. */
export interface AttentionShape {
  readonly batch: number;
  readonly heads: number;
  readonly width: number;
  readonly queries: number;
  readonly keys: number;
  readonly past?: number;
  readonly scale: number;
  /** Keys at or beyond lengths[b] are padding. */
  readonly lengths?: readonly number[];
}

const zeros = (count: number): Reference => ({ values: new Float64Array(count), magnitude: new Float64Array(count) });

/** Whether query t of row b may look at key j. */
export function attends({ past = 0, lengths }: AttentionShape, b: number, t: number, j: number): boolean {
  return j <= past + t && (!lengths || j < lengths[b]!);
}

/** Index of a score in [batch, heads, queries, keys]. */
function scoreAt(s: AttentionShape, b: number, h: number, t: number, j: number): number {
  return ((b * s.heads + h) * s.queries + t) * s.keys + j;
}

/** Calls visit for every (b, h, t, j) with the offsets of q_t and k_j. */
function everyPair(
  s: AttentionShape,
  visit: (b: number, h: number, t: number, j: number, qAt: number, kAt: number, at: number) => void,
): void {
  for (let b = 0; b < s.batch; b++) {
    for (let h = 0; h < s.heads; h++) {
      for (let t = 0; t < s.queries; t++) {
        for (let j = 0; j < s.keys; j++) {
          const qAt = ((b * s.queries + t) * s.heads + h) * s.width;
          const kAt = ((b * s.keys + j) * s.heads + h) * s.width;
          visit(b, h, t, j, qAt, kAt, scoreAt(s, b, h, t, j));
        }
      }
    }
  }
}

/** scores [batch, heads, queries, keys] = scale · q · k, unmasked. */
export function attentionScores(q: Float64Array, k: Float64Array, s: AttentionShape): Reference {
  const out = zeros(s.batch * s.heads * s.queries * s.keys);
  everyPair(s, (_b, _h, _t, _j, qAt, kAt, at) => {
    for (let d = 0; d < s.width; d++) {
      const term = s.scale * q[qAt + d]! * k[kAt + d]!;
      out.values[at]! += term;
      out.magnitude[at]! += Math.abs(term);
    }
  });
  return out;
}

/** Gradients of q and k through attentionScores. */
export function attentionScoresVjp(
  q: Float64Array,
  k: Float64Array,
  s: AttentionShape,
  dScores: Float64Array,
): { readonly q: Reference; readonly k: Reference } {
  const dq = zeros(q.length);
  const dk = zeros(k.length);
  everyPair(s, (_b, _h, _t, _j, qAt, kAt, at) => {
    for (let d = 0; d < s.width; d++) {
      const g = s.scale * dScores[at]!;
      dq.values[qAt + d]! += g * k[kAt + d]!;
      dq.magnitude[qAt + d]! += Math.abs(g * k[kAt + d]!);
      dk.values[kAt + d]! += g * q[qAt + d]!;
      dk.magnitude[kAt + d]! += Math.abs(g * q[qAt + d]!);
    }
  });
  return { q: dq, k: dk };
}

/** Softmax over the keys a query may see; 0 elsewhere. The magnitude carries exp's error, which grows with its argument. */
export function causalSoftmaxForward(scores: Float64Array, s: AttentionShape): Reference {
  const out = zeros(scores.length);
  for (let b = 0; b < s.batch; b++) {
    for (let h = 0; h < s.heads; h++) {
      for (let t = 0; t < s.queries; t++) {
        const seen = Array.from({ length: s.keys }, (_, j) => j).filter((j) => attends(s, b, t, j));
        const top = seen.reduce((best, j) => Math.max(best, scores[scoreAt(s, b, h, t, j)]!), -Infinity);
        const sum = seen.reduce((total, j) => total + Math.exp(scores[scoreAt(s, b, h, t, j)]! - top), 0);
        const spread = seen.reduce((most, j) => Math.max(most, top - scores[scoreAt(s, b, h, t, j)]!), 0);
        for (const j of seen) {
          const at = scoreAt(s, b, h, t, j);
          out.values[at] = Math.exp(scores[at]! - top) / sum;
          // exp(x) may be off by (3 + 2 |x|) ULP, in the numerator and in every term of the sum.
          out.magnitude[at] = out.values[at]! * (4 + Math.abs(top) + (top - scores[at]!) + Math.min(spread, 1));
        }
      }
    }
  }
  return out;
}

/** Gradient of the scores: p (dp − Σ p dp). */
export function causalSoftmaxVjp(pattern: Float64Array, keys: number, dPattern: Float64Array): Reference {
  const out = zeros(pattern.length);
  for (let row = 0; row < pattern.length; row += keys) {
    let dot = 0;
    let size = 0;
    for (let at = row; at < row + keys; at++) {
      dot += pattern[at]! * dPattern[at]!;
      size += Math.abs(pattern[at]! * dPattern[at]!);
    }
    for (let at = row; at < row + keys; at++) {
      out.values[at] = pattern[at]! * (dPattern[at]! - dot);
      out.magnitude[at] = Math.abs(pattern[at]!) * (Math.abs(dPattern[at]!) + size);
    }
  }
  return out;
}

/** z [batch, queries, heads, width] = Σ_j pattern · v_j. */
export function attentionMix(pattern: Float64Array, v: Float64Array, s: AttentionShape): Reference {
  const out = zeros(s.batch * s.queries * s.heads * s.width);
  everyPair(s, (_b, _h, _t, _j, qAt, kAt, at) => {
    for (let d = 0; d < s.width; d++) {
      const term = pattern[at]! * v[kAt + d]!;
      out.values[qAt + d]! += term;
      out.magnitude[qAt + d]! += Math.abs(term);
    }
  });
  return out;
}

/** Gradients of the pattern and of v through attentionMix. */
export function attentionMixVjp(
  pattern: Float64Array,
  v: Float64Array,
  s: AttentionShape,
  dz: Float64Array,
): { readonly pattern: Reference; readonly v: Reference } {
  const dPattern = zeros(pattern.length);
  const dv = zeros(v.length);
  everyPair(s, (_b, _h, _t, _j, qAt, kAt, at) => {
    for (let d = 0; d < s.width; d++) {
      const term = dz[qAt + d]! * v[kAt + d]!;
      dPattern.values[at]! += term;
      dPattern.magnitude[at]! += Math.abs(term);
      dv.values[kAt + d]! += pattern[at]! * dz[qAt + d]!;
      dv.magnitude[kAt + d]! += Math.abs(pattern[at]! * dz[qAt + d]!);
    }
  });
  return { pattern: dPattern, v: dv };
}

/** The largest |score| terms of a row: rounding of a score multiplies its exp by up to this many units. */
function scoreSize(scores: Reference, s: AttentionShape): Float64Array {
  const size = new Float64Array(s.batch * s.heads * s.queries);
  everyPair(s, (b, h, t, j, _q, _k, at) => {
    if (!attends(s, b, t, j)) return;
    const row = (b * s.heads + h) * s.queries + t;
    size[row] = Math.max(size[row]!, scores.magnitude[at]!);
  });
  return size;
}

/** The whole of attention: z, and lse [batch, heads, queries] = log Σ exp(scores). */
export function attentionForward(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  s: AttentionShape,
): Reference & { readonly pattern: Reference } {
  const scores = attentionScores(q, k, s);
  const pattern = causalSoftmaxForward(scores.values, s);
  const z = attentionMix(pattern.values, v, s);
  const size = scoreSize(scores, s);
  for (let i = 0; i < z.magnitude.length; i++) {
    const h = Math.floor(i / s.width) % s.heads;
    const t = Math.floor(i / (s.width * s.heads)) % s.queries;
    const b = Math.floor(i / (s.width * s.heads * s.queries));
    z.magnitude[i]! *= 3 + 2 * size[(b * s.heads + h) * s.queries + t]!;
  }
  return { ...z, pattern };
}

/** Gradients of q, k and v given dz [batch, queries, heads, width]. */
export function attentionVjp(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  s: AttentionShape,
  dz: Float64Array,
): { readonly q: Reference; readonly k: Reference; readonly v: Reference } {
  const scores = attentionScores(q, k, s);
  const pattern = causalSoftmaxForward(scores.values, s).values;
  const mix = attentionMixVjp(pattern, v, s, dz);
  const dScores = causalSoftmaxVjp(pattern, s.keys, mix.pattern.values);
  const back = attentionScoresVjp(q, k, s, dScores.values);
  // The same sums over magnitudes: |p| (|dp| + Σ p |dp|) with every factor's size, times exp's sensitivity to the scores.
  const size = scoreSize(scores, s);
  const dpSize = mix.pattern.magnitude;
  const dsSize = causalSoftmaxVjp(
    pattern,
    s.keys,
    dpSize.map((value) => value),
  ).magnitude;
  const sizes = { q: new Float64Array(q.length), k: new Float64Array(k.length), v: new Float64Array(v.length) };
  everyPair(s, (b, h, t, _j, qAt, kAt, at) => {
    const factor = 3 + 2 * size[(b * s.heads + h) * s.queries + t]!;
    for (let d = 0; d < s.width; d++) {
      sizes.q[qAt + d]! += Math.abs(s.scale * dsSize[at]! * k[kAt + d]!) * factor;
      sizes.k[kAt + d]! += Math.abs(s.scale * dsSize[at]! * q[qAt + d]!) * factor;
      sizes.v[kAt + d]! += Math.abs(pattern[at]! * dz[qAt + d]!) * factor;
    }
  });
  return {
    q: { values: back.q.values, magnitude: sizes.q },
    k: { values: back.k.values, magnitude: sizes.k },
    v: { values: mix.v.values, magnitude: sizes.v },
  };
}

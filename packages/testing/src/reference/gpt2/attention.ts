// Causal attention of the float64 GPT-2, in the pieces between its sites, and its gradients.
import { at, layerNormBackward, type Normed } from './layers.js';

/** T positions, H heads of K values each. */
export interface HeadShape {
  readonly T: number;
  readonly H: number;
  readonly K: number;
}

/** scores[h, t, s] = scale·q[t, h]·k[s, h] for s ≤ t, else −∞; q and k [T, H, K]. */
export function causalScores(q: Float64Array, k: Float64Array, { T, H, K }: HeadShape, scale: number): Float64Array {
  const scores = new Float64Array(H * T * T).fill(-Infinity);
  for (let a = 0; a < H; a++) {
    for (let t = 0; t < T; t++) {
      for (let s = 0; s <= t; s++) {
        let sum = 0;
        for (let i = 0; i < K; i++) sum += at(q, (t * H + a) * K + i) * at(k, (s * H + a) * K + i);
        scores[(a * T + t) * T + s] = sum * scale;
      }
    }
  }
  return scores;
}

/** Softmax over the last axis of scores [H, T, T]. */
export function softmaxRows(scores: Float64Array, { T, H }: HeadShape): Float64Array {
  const pattern = new Float64Array(H * T * T);
  for (let row = 0; row < H * T; row++) {
    const values = scores.subarray(row * T, (row + 1) * T);
    const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = values.reduce((a, b) => a + Math.exp(b - top), 0);
    values.forEach((value, s) => (pattern[row * T + s] = Math.exp(value - top) / total));
  }
  return pattern;
}

/** z[t, h] = Σ_s pattern[h, t, s]·v[s, h]. */
export function mixValues(pattern: Float64Array, v: Float64Array, { T, H, K }: HeadShape): Float64Array {
  const z = new Float64Array(T * H * K);
  for (let t = 0; t < T; t++) {
    for (let a = 0; a < H; a++) {
      for (let i = 0; i < K; i++) {
        let sum = 0;
        for (let s = 0; s < T; s++) sum += at(pattern, (a * T + t) * T + s) * at(v, (s * H + a) * K + i);
        z[(t * H + a) * K + i] = sum;
      }
    }
  }
  return z;
}

/** What each head writes into the stream, [T, H, C]: z[t, h]·W_O[h] with W_O [H·K, C]. */
export function headResults(z: Float64Array, wO: ArrayLike<number>, { T, H, K }: HeadShape): Float64Array {
  const C = H * K;
  const result = new Float64Array(T * H * C);
  for (let t = 0; t < T; t++) {
    for (let a = 0; a < H; a++) {
      for (let c = 0; c < C; c++) {
        let sum = 0;
        for (let i = 0; i < K; i++) sum += at(z, (t * H + a) * K + i) * at(wO, (a * K + i) * C + c);
        result[(t * H + a) * C + c] = sum;
      }
    }
  }
  return result;
}

/** Gradients of the pattern [H, T, T] and of q, k, v [T, H, K] from that of z. */
export function attentionBackward(
  dZ: Float64Array,
  { q, k, v, pattern }: { q: Float64Array; k: Float64Array; v: Float64Array; pattern: Float64Array },
  { T, H, K }: HeadShape,
  scale: number,
) {
  const dq = new Float64Array(T * H * K);
  const dk = new Float64Array(T * H * K);
  const dv = new Float64Array(T * H * K);
  const dPattern = new Float64Array(H * T * T);
  for (let a = 0; a < H; a++) {
    for (let t = 0; t < T; t++) {
      let weighted = 0;
      for (let u = 0; u < T; u++) {
        let d = 0;
        for (let i = 0; i < K; i++) {
          const [to, from] = [(t * H + a) * K + i, (u * H + a) * K + i];
          d += at(dZ, to) * at(v, from);
          dv[from] = at(dv, from) + at(pattern, (a * T + t) * T + u) * at(dZ, to);
        }
        dPattern[(a * T + t) * T + u] = d;
        weighted += d * at(pattern, (a * T + t) * T + u);
      }
      for (let u = 0; u <= t; u++) {
        const d = at(pattern, (a * T + t) * T + u) * (at(dPattern, (a * T + t) * T + u) - weighted) * scale;
        for (let i = 0; i < K; i++) {
          const [to, from] = [(t * H + a) * K + i, (u * H + a) * K + i];
          dq[to] = at(dq, to) + d * at(k, from);
          dk[from] = at(dk, from) + d * at(q, to);
        }
      }
    }
  }
  return { dPattern, dq, dk, dv };
}

/** The gradient at the input of every head's `part` (0 queries, 1 keys, 2 values), [T, H, C], from that of the part, through W_Q, W_K or W_V and the norm. */
export function slotGradient(
  part: 0 | 1 | 2,
  d: Float64Array,
  cAttn: ArrayLike<number>,
  ln1: Normed,
  gamma: ArrayLike<number>,
  { T, H, K }: HeadShape,
): Float64Array {
  const C = H * K;
  const slot = new Float64Array(T * H * C);
  for (let a = 0; a < H; a++) {
    const g = new Float64Array(T * C);
    for (let t = 0; t < T; t++) {
      for (let c = 0; c < C; c++) {
        for (let i = 0; i < K; i++)
          g[t * C + c] = at(g, t * C + c) + at(d, (t * H + a) * K + i) * at(cAttn, c * 3 * C + part * C + a * K + i);
      }
    }
    const dSlot = layerNormBackward(ln1, gamma, g, T, C);
    for (let t = 0; t < T; t++) slot.set(dSlot.subarray(t * C, (t + 1) * C), (t * H + a) * C);
  }
  return slot;
}

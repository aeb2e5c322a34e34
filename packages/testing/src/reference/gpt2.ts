// GPT-2 in float64 with plain loops, forward and backward, one prompt at a time: the oracle for logits, activations and gradients.
import { gelu, geluSlope } from './gelu.js';

/** Sizes, in the terms of the model's own config. */
export interface ReferenceConfig {
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly gelu: 'tanh' | 'erf';
  readonly layerNormEps: number;
  readonly scaleAttention: boolean;
  readonly scaleAttentionByLayer: boolean;
}

/** Weights by Hugging Face name without prefix, row-major; without `lm_head.weight` the head is tied. */
export type ReferenceWeights = ReadonlyMap<string, ArrayLike<number>>;

/** Activations by hook name, each row-major without a batch axis: [T, C], [T, H, K], [H, T, S], [T, M], [T, 1]. */
export interface ReferenceTrace {
  readonly tokens: readonly number[];
  /** [T, V] */
  readonly logits: Float64Array;
  readonly sites: Map<string, Float64Array>;
}

const at = (x: ArrayLike<number>, i: number): number => x[i] as number;

/** y[n, o] = Σ x[n, i]·w[i, o] + b[o] */
function linear(
  x: Float64Array,
  w: ArrayLike<number>,
  b: ArrayLike<number> | undefined,
  rows: number,
  inner: number,
  outer: number,
): Float64Array {
  const y = new Float64Array(rows * outer);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < outer; o++) {
      let sum = b ? at(b, o) : 0;
      for (let i = 0; i < inner; i++) sum += at(x, n * inner + i) * at(w, i * outer + o);
      y[n * outer + o] = sum;
    }
  }
  return y;
}

/** dx[n, i] = Σ dy[n, o]·w[i, o]; adds to dw and db if given. */
function linearBackward(
  x: Float64Array,
  w: ArrayLike<number>,
  dy: Float64Array,
  rows: number,
  inner: number,
  outer: number,
  dw?: Float64Array,
  db?: Float64Array,
): Float64Array {
  const dx = new Float64Array(rows * inner);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < outer; o++) {
      const d = at(dy, n * outer + o);
      if (db) db[o] = at(db, o) + d;
      for (let i = 0; i < inner; i++) {
        dx[n * inner + i] = at(dx, n * inner + i) + d * at(w, i * outer + o);
        if (dw) dw[i * outer + o] = at(dw, i * outer + o) + at(x, n * inner + i) * d;
      }
    }
  }
  return dx;
}

/** y = (x − μ)/s·γ + β with s = √(mean (x − μ)² + ε) */
function layerNorm(
  x: Float64Array,
  gamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  rows: number,
  width: number,
  eps: number,
) {
  const y = new Float64Array(x.length);
  const hat = new Float64Array(x.length);
  const scale = new Float64Array(rows);
  for (let n = 0; n < rows; n++) {
    const row = x.subarray(n * width, (n + 1) * width);
    const mean = row.reduce((a, v) => a + v, 0) / width;
    const s = Math.sqrt(row.reduce((a, v) => a + (v - mean) ** 2, 0) / width + eps);
    scale[n] = s;
    for (let i = 0; i < width; i++) {
      hat[n * width + i] = (at(row, i) - mean) / s;
      y[n * width + i] = at(hat, n * width + i) * at(gamma, i) + at(beta, i);
    }
  }
  return { y, hat, scale };
}

/** dx = (g − mean g − x̂·mean(g∘x̂))/s with g = dy∘γ; adds to dγ and dβ if given. */
function layerNormBackward(
  { hat, scale }: { hat: Float64Array; scale: Float64Array },
  gamma: ArrayLike<number>,
  dy: Float64Array,
  rows: number,
  width: number,
  dgamma?: Float64Array,
  dbeta?: Float64Array,
): Float64Array {
  const dx = new Float64Array(rows * width);
  for (let n = 0; n < rows; n++) {
    let mean = 0;
    let meanHat = 0;
    for (let i = 0; i < width; i++) {
      const k = n * width + i;
      const g = at(dy, k) * at(gamma, i);
      mean += g / width;
      meanHat += (g * at(hat, k)) / width;
      if (dgamma) dgamma[i] = at(dgamma, i) + at(dy, k) * at(hat, k);
      if (dbeta) dbeta[i] = at(dbeta, i) + at(dy, k);
    }
    for (let i = 0; i < width; i++) {
      const k = n * width + i;
      dx[k] = (at(dy, k) * at(gamma, i) - mean - at(hat, k) * meanHat) / at(scale, n);
    }
  }
  return dx;
}

const attentionScale = (config: ReferenceConfig, layer: number): number =>
  (config.scaleAttention ? 1 / Math.sqrt(config.width / config.heads) : 1) /
  (config.scaleAttentionByLayer ? layer + 1 : 1);

/** Logits and every activation for one prompt. `edit` may change the tensor at a site in place. */
export function referenceForward(
  config: ReferenceConfig,
  weights: ReferenceWeights,
  tokens: readonly number[],
  edit: (site: string, x: Float64Array) => void = () => {},
): ReferenceTrace {
  const { width: C, heads: H, mlpWidth: M, vocabulary: V, layerNormEps: eps } = config;
  const T = tokens.length;
  const K = C / H;
  const w = (name: string): ArrayLike<number> => {
    const found = weights.get(name);
    if (!found) throw new Error(`the reference needs the weight ${name}`);
    return found;
  };
  const sites = new Map<string, Float64Array>();
  const site = (name: string, x: Float64Array): Float64Array => {
    edit(name, x);
    sites.set(name, Float64Array.from(x));
    return x;
  };
  const plus = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + at(b, i));

  const embedded = site(
    'hook_embed',
    Float64Array.from({ length: T * C }, (_, i) =>
      at(w('wte.weight'), (tokens[Math.floor(i / C)] as number) * C + (i % C)),
    ),
  );
  const positions = site(
    'hook_pos_embed',
    Float64Array.from({ length: T * C }, (_, i) => at(w('wpe.weight'), i)),
  );
  let x = plus(embedded, positions);
  for (let l = 0; l < config.layers; l++) {
    const p = `blocks.${l}.`;
    const h = `h.${l}.`;
    x = site(`${p}hook_resid_pre`, x);
    const ln1 = layerNorm(x, w(`${h}ln_1.weight`), w(`${h}ln_1.bias`), T, C, eps);
    site(`${p}ln1.hook_scale`, ln1.scale);
    site(`${p}ln1.hook_normalized`, ln1.y);
    const qkv = linear(ln1.y, w(`${h}attn.c_attn.weight`), w(`${h}attn.c_attn.bias`), T, C, 3 * C);
    const part = (n: number): Float64Array =>
      Float64Array.from({ length: T * C }, (_, i) => at(qkv, Math.floor(i / C) * 3 * C + n * C + (i % C)));
    const q = site(`${p}attn.hook_q`, part(0));
    const k = site(`${p}attn.hook_k`, part(1));
    const v = site(`${p}attn.hook_v`, part(2));
    const scores = new Float64Array(H * T * T).fill(-Infinity);
    const scale = attentionScale(config, l);
    for (let a = 0; a < H; a++) {
      for (let t = 0; t < T; t++) {
        for (let s = 0; s <= t; s++) {
          let sum = 0;
          for (let i = 0; i < K; i++) sum += at(q, (t * H + a) * K + i) * at(k, (s * H + a) * K + i);
          scores[(a * T + t) * T + s] = sum * scale;
        }
      }
    }
    site(`${p}attn.hook_attn_scores`, scores);
    const pattern = new Float64Array(H * T * T);
    for (let row = 0; row < H * T; row++) {
      const values = scores.subarray(row * T, (row + 1) * T);
      const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
      const total = values.reduce((a, b) => a + Math.exp(b - top), 0);
      values.forEach((value, s) => (pattern[row * T + s] = Math.exp(value - top) / total));
    }
    site(`${p}attn.hook_pattern`, pattern);
    const z = new Float64Array(T * C);
    for (let t = 0; t < T; t++) {
      for (let a = 0; a < H; a++) {
        for (let i = 0; i < K; i++) {
          let sum = 0;
          for (let s = 0; s < T; s++) sum += at(pattern, (a * T + t) * T + s) * at(v, (s * H + a) * K + i);
          z[(t * H + a) * K + i] = sum;
        }
      }
    }
    site(`${p}attn.hook_z`, z);
    const wO = w(`${h}attn.c_proj.weight`);
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
    site(`${p}attn.hook_result`, result);
    const attnOut = site(
      `${p}hook_attn_out`,
      Float64Array.from({ length: T * C }, (_, i) => {
        let sum = at(w(`${h}attn.c_proj.bias`), i % C);
        for (let a = 0; a < H; a++) sum += at(result, (Math.floor(i / C) * H + a) * C + (i % C));
        return sum;
      }),
    );
    const mid = site(`${p}hook_resid_mid`, plus(x, attnOut));
    const mlpIn = site(`${p}hook_mlp_in`, Float64Array.from(mid));
    const ln2 = layerNorm(mlpIn, w(`${h}ln_2.weight`), w(`${h}ln_2.bias`), T, C, eps);
    site(`${p}ln2.hook_scale`, ln2.scale);
    site(`${p}ln2.hook_normalized`, ln2.y);
    const pre = site(`${p}mlp.hook_pre`, linear(ln2.y, w(`${h}mlp.c_fc.weight`), w(`${h}mlp.c_fc.bias`), T, C, M));
    const post = site(
      `${p}mlp.hook_post`,
      pre.map((value) => gelu(value, config.gelu)),
    );
    const mlpOut = site(
      `${p}hook_mlp_out`,
      linear(post, w(`${h}mlp.c_proj.weight`), w(`${h}mlp.c_proj.bias`), T, M, C),
    );
    x = site(`${p}hook_resid_post`, plus(mid, mlpOut));
  }
  const final = layerNorm(x, w('ln_f.weight'), w('ln_f.bias'), T, C, eps);
  site('ln_final.hook_scale', final.scale);
  site('ln_final.hook_normalized', final.y);
  const head = weights.get('lm_head.weight') ?? w('wte.weight');
  const logits = new Float64Array(T * V);
  for (let t = 0; t < T; t++) {
    for (let v = 0; v < V; v++) {
      let sum = 0;
      for (let c = 0; c < C; c++) sum += at(final.y, t * C + c) * at(head, v * C + c);
      logits[t * V + v] = sum;
    }
  }
  return { tokens, logits, sites };
}

/** Gradients of Σ logits∘dLogits at every weight and at the sites below; the trace must come from a forward pass without edits. */
export interface ReferenceGradients {
  readonly weights: Map<string, Float64Array>;
  /** By hook name: embeddings, residual streams, hook_q/k/v, q/k/v inputs per head, z, pattern, attn_out, mlp_in, mlp.hook_pre, mlp_out. */
  readonly sites: Map<string, Float64Array>;
}

export function referenceBackward(
  config: ReferenceConfig,
  weights: ReferenceWeights,
  trace: ReferenceTrace,
  dLogits: ArrayLike<number>,
): ReferenceGradients {
  const { width: C, heads: H, mlpWidth: M, vocabulary: V, layerNormEps: eps } = config;
  const T = trace.tokens.length;
  const K = C / H;
  const w = (name: string): ArrayLike<number> => weights.get(name) as ArrayLike<number>;
  const s = (name: string): Float64Array => trace.sites.get(name) as Float64Array;
  const dWeights = new Map([...weights].map(([name, value]) => [name, new Float64Array(value.length)] as const));
  const dw = (name: string): Float64Array => dWeights.get(name) as Float64Array;
  const sites = new Map<string, Float64Array>();
  const normed = (x: Float64Array, name: string) => layerNorm(x, w(`${name}.weight`), w(`${name}.bias`), T, C, eps);
  const plus = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + at(b, i));

  const headName = weights.has('lm_head.weight') ? 'lm_head.weight' : 'wte.weight';
  const dFinal = new Float64Array(T * C);
  const finalY = s('ln_final.hook_normalized');
  for (let t = 0; t < T; t++) {
    for (let v = 0; v < V; v++) {
      const d = at(dLogits, t * V + v);
      for (let c = 0; c < C; c++) {
        dFinal[t * C + c] = at(dFinal, t * C + c) + d * at(w(headName), v * C + c);
        dw(headName)[v * C + c] = at(dw(headName), v * C + c) + d * at(finalY, t * C + c);
      }
    }
  }
  const last = s(`blocks.${config.layers - 1}.hook_resid_post`);
  let dx = layerNormBackward(normed(last, 'ln_f'), w('ln_f.weight'), dFinal, T, C, dw('ln_f.weight'), dw('ln_f.bias'));
  for (let l = config.layers - 1; l >= 0; l--) {
    const p = `blocks.${l}.`;
    const h = `h.${l}.`;
    sites.set(`${p}hook_resid_post`, dx);
    sites.set(`${p}hook_mlp_out`, dx);
    const dPost = linearBackward(
      s(`${p}mlp.hook_post`),
      w(`${h}mlp.c_proj.weight`),
      dx,
      T,
      M,
      C,
      dw(`${h}mlp.c_proj.weight`),
      dw(`${h}mlp.c_proj.bias`),
    );
    const pre = s(`${p}mlp.hook_pre`);
    const dPre = dPost.map((d, i) => d * geluSlope(at(pre, i), config.gelu));
    sites.set(`${p}mlp.hook_pre`, dPre);
    const dLn2 = linearBackward(
      s(`${p}ln2.hook_normalized`),
      w(`${h}mlp.c_fc.weight`),
      dPre,
      T,
      C,
      M,
      dw(`${h}mlp.c_fc.weight`),
      dw(`${h}mlp.c_fc.bias`),
    );
    const dMlpIn = layerNormBackward(
      normed(s(`${p}hook_mlp_in`), `${h}ln_2`),
      w(`${h}ln_2.weight`),
      dLn2,
      T,
      C,
      dw(`${h}ln_2.weight`),
      dw(`${h}ln_2.bias`),
    );
    sites.set(`${p}hook_mlp_in`, dMlpIn);
    const dMid = plus(dx, dMlpIn);
    sites.set(`${p}hook_resid_mid`, dMid);
    sites.set(`${p}hook_attn_out`, dMid);
    const dZ = linearBackward(
      s(`${p}attn.hook_z`),
      w(`${h}attn.c_proj.weight`),
      dMid,
      T,
      C,
      C,
      dw(`${h}attn.c_proj.weight`),
      dw(`${h}attn.c_proj.bias`),
    );
    sites.set(`${p}attn.hook_z`, dZ);
    const [q, k, v, pattern] = [
      s(`${p}attn.hook_q`),
      s(`${p}attn.hook_k`),
      s(`${p}attn.hook_v`),
      s(`${p}attn.hook_pattern`),
    ];
    const dq = new Float64Array(T * C);
    const dk = new Float64Array(T * C);
    const dv = new Float64Array(T * C);
    const dPattern = new Float64Array(H * T * T);
    const scale = attentionScale(config, l);
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
    sites.set(`${p}attn.hook_pattern`, dPattern);
    sites.set(`${p}attn.hook_q`, dq);
    sites.set(`${p}attn.hook_k`, dk);
    sites.set(`${p}attn.hook_v`, dv);
    const ln1 = normed(s(`${p}hook_resid_pre`), `${h}ln_1`);
    const cAttn = w(`${h}attn.c_attn.weight`);
    for (const [n, letter, d] of [
      [0, 'q', dq],
      [1, 'k', dk],
      [2, 'v', dv],
    ] as const) {
      const slot = new Float64Array(T * H * C);
      for (let a = 0; a < H; a++) {
        const g = new Float64Array(T * C);
        for (let t = 0; t < T; t++) {
          for (let c = 0; c < C; c++) {
            for (let i = 0; i < K; i++)
              g[t * C + c] = at(g, t * C + c) + at(d, (t * H + a) * K + i) * at(cAttn, c * 3 * C + n * C + a * K + i);
          }
        }
        const dSlot = layerNormBackward(ln1, w(`${h}ln_1.weight`), g, T, C);
        for (let t = 0; t < T; t++) slot.set(dSlot.subarray(t * C, (t + 1) * C), (t * H + a) * C);
      }
      sites.set(`${p}hook_${letter}_input`, slot);
    }
    const dqkv = new Float64Array(T * 3 * C);
    [dq, dk, dv].forEach((d, n) => {
      for (let t = 0; t < T; t++) dqkv.set(d.subarray(t * C, (t + 1) * C), t * 3 * C + n * C);
    });
    const dLn1 = linearBackward(
      s(`${p}ln1.hook_normalized`),
      cAttn,
      dqkv,
      T,
      C,
      3 * C,
      dw(`${h}attn.c_attn.weight`),
      dw(`${h}attn.c_attn.bias`),
    );
    dx = plus(
      dMid,
      layerNormBackward(ln1, w(`${h}ln_1.weight`), dLn1, T, C, dw(`${h}ln_1.weight`), dw(`${h}ln_1.bias`)),
    );
    sites.set(`${p}hook_resid_pre`, dx);
  }
  sites.set('hook_embed', dx);
  trace.tokens.forEach((token, t) => {
    for (let c = 0; c < C; c++) {
      dw('wte.weight')[token * C + c] = at(dw('wte.weight'), token * C + c) + at(dx, t * C + c);
      dw('wpe.weight')[t * C + c] = at(dw('wpe.weight'), t * C + c) + at(dx, t * C + c);
    }
  });
  return { weights: dWeights, sites };
}

// Gradients of the float64 GPT-2, by hand from the definition: at every weight, and at sites of the stream, attention and the MLPs.
import { geluSlope } from '../gelu.js';
import { attentionBackward, slotGradient } from './attention.js';
import { at, layerNorm, layerNormBackward, linearBackward, plus } from './layers.js';
import { attentionScale, type ReferenceConfig, type ReferenceTrace, type ReferenceWeights } from './model.js';

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
  const shape = { T, H, K: C / H };
  const w = (name: string): ArrayLike<number> => weights.get(name) as ArrayLike<number>;
  const s = (name: string): Float64Array => trace.sites.get(name) as Float64Array;
  const dWeights = new Map([...weights].map(([name, value]) => [name, new Float64Array(value.length)] as const));
  const dw = (name: string): Float64Array => dWeights.get(name) as Float64Array;
  const sites = new Map<string, Float64Array>();
  const normed = (x: Float64Array, name: string) => layerNorm(x, w(`${name}.weight`), w(`${name}.bias`), T, C, eps);

  const headName = weights.has('lm_head.weight') ? 'lm_head.weight' : 'wte.weight';
  const dFinal = new Float64Array(T * C);
  const finalY = s('ln_final.hook_normalized');
  const [head, dHead] = [w(headName), dw(headName)];
  for (let t = 0; t < T; t++) {
    for (let v = 0; v < V; v++) {
      const d = at(dLogits, t * V + v);
      for (let c = 0; c < C; c++) {
        dFinal[t * C + c] = at(dFinal, t * C + c) + d * at(head, v * C + c);
        dHead[v * C + c] = at(dHead, v * C + c) + d * at(finalY, t * C + c);
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
    const traced = {
      q: s(`${p}attn.hook_q`),
      k: s(`${p}attn.hook_k`),
      v: s(`${p}attn.hook_v`),
      pattern: s(`${p}attn.hook_pattern`),
    };
    const { dPattern, dq, dk, dv } = attentionBackward(dZ, traced, shape, attentionScale(config, l));
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
    ] as const)
      sites.set(`${p}hook_${letter}_input`, slotGradient(n, d, cAttn, ln1, w(`${h}ln_1.weight`), shape));
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

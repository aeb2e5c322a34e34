// GPT-2's forward pass in float64 with plain loops, one prompt at a time: the oracle for logits and activations.
import { gelu } from '../gelu.js';
import { causalScores, headResults, mixValues, softmaxRows } from './attention.js';
import { at, layerNorm, linear, plus } from './layers.js';
import { attentionScale, type ReferenceConfig, type ReferenceTrace, type ReferenceWeights } from './model.js';

/** Logits and every activation for one prompt. `edit` may change the tensor at a site in place. */
export function referenceForward(
  config: ReferenceConfig,
  weights: ReferenceWeights,
  tokens: readonly number[],
  edit: (site: string, x: Float64Array) => void = () => {},
): ReferenceTrace {
  const { width: C, heads: H, mlpWidth: M, vocabulary: V, layerNormEps: eps } = config;
  const T = tokens.length;
  const shape = { T, H, K: C / H };
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
    const scores = site(`${p}attn.hook_attn_scores`, causalScores(q, k, shape, attentionScale(config, l)));
    const pattern = site(`${p}attn.hook_pattern`, softmaxRows(scores, shape));
    const z = site(`${p}attn.hook_z`, mixValues(pattern, v, shape));
    const result = site(`${p}attn.hook_result`, headResults(z, w(`${h}attn.c_proj.weight`), shape));
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

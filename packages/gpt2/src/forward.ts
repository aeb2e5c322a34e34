// GPT-2, read top to bottom: x = wte[ids] + wpe; each block adds attention(LN x) and then mlp(LN x); logits = LN x · W_Uᵀ.
import type { Step } from '@limn/gpu';
import {
  blockHook,
  planRun,
  Sites,
  type BlockSite,
  type CachePass,
  type ModelInfo,
  type Run,
  type RunInput,
  type RunOptions,
  type Slots,
  type TokenBatch,
} from '@limn/hooks';
import {
  add,
  concat,
  crossEntropy,
  crossEntropyUnembed,
  embed,
  expand,
  fromData,
  gatherRows,
  gelu,
  headProject,
  headResults,
  matmul,
  reshape,
  slice,
  split,
  sum,
  unembed,
  type RowBlocks,
  type Tensor,
} from '@limn/tensor';
import { attend } from './attention.js';
import type { Gpt2Config } from './config.js';
import { normalise, type LayerNormWeights } from './normalise.js';
import type { Gpt2Parameters } from './parameters.js';

/** The three inputs of attention, in the order of c_attn's columns. */
export const letters = ['q', 'k', 'v'] as const;
export type Letter = (typeof letters)[number];
/** A row number beyond any table: gatherRows gives zeros for it. */
const noRow = 0xffffffff;

/** What one block's code may ask of the run it is in. */
interface BlockSites {
  at(site: BlockSite, x: Tensor): Tensor;
  wants(...sites: BlockSite[]): boolean;
  readSlot(letter: Letter, x: Tensor): void;
}
/** For components that are called on their own: nobody looks. */
const unseen: BlockSites = { at: (_site, x) => x, wants: () => false, readSlot: () => undefined };

/** The arithmetic of GPT-2 over its parameters: the forward pass, and the components that it is made of. */
export abstract class Gpt2Forward {
  abstract readonly info: ModelInfo;
  /** b_U [V], where folding LayerNorm made one. */
  abstract readonly unembedBias: Tensor | undefined;
  private readonly allHeads: readonly number[];

  constructor(
    readonly config: Gpt2Config,
    protected readonly weights: Gpt2Parameters,
  ) {
    this.allHeads = Array.from({ length: config.heads }, (_, head) => head);
  }

  /** The forward pass: every hook site is one `at` or `visit`. `cache` keeps keys and values, and knows those of earlier positions. */
  protected forward(step: Step, input: RunInput, options: RunOptions, cache?: CachePass): Run {
    const plan = planRun(this.info, input, options, cache?.pasts);
    const sites = new Sites(step, this.info, plan);
    let x = 'resid' in input ? input.resid : this.start(step, input, sites);
    for (let l = plan.firstLayer; l < plan.endLayer; l++) {
      const block: BlockSites = {
        at: (site, value) => sites.visit(blockHook(l, site), value),
        wants: (...names) => names.some((name) => sites.wants(blockHook(l, name))),
        readSlot: (letter, value) => sites.readSlot(l, letter, value),
      };
      const startsAtMid = 'resid' in input && input.at === 'mid' && l === plan.firstLayer;
      const mid = startsAtMid ? x : this.attentionBlock(step, l, block.at('hook_resid_pre', x), block, cache);
      x = block.at('hook_resid_post', this.mlpBlock(step, l, block.at('hook_resid_mid', mid), block));
    }
    return sites.finish(x, plan.logitRows === undefined ? undefined : this.head(step, x, plan.logitRows, sites));
  }

  /** hook_embed + hook_pos_embed. */
  private start(step: Step, input: Exclude<RunInput, { resid: Tensor }>, sites: Sites): Tensor {
    const { T, lengths, pasts } = sites.plan;
    const embedded = sites.visit('hook_embed', 'tokens' in input ? this.embed(step, input.tokens) : input.embeddings);
    // One way for all of decoding, whatever the lengths are, so that its steps share a plan.
    const uneven = lengths.some((length) => length < T) || pasts.some((past) => past > 0);
    if (uneven || sites.wants('hook_pos_embed')) {
      return add(step, embedded, sites.visit('hook_pos_embed', this.positions(step, lengths, T, pasts)));
    }
    return add(step, embedded, slice(step, this.w('wpe.weight'), 0, 0, T));
  }

  /** x + attention(LN x): resid_pre → resid_mid. */
  private attentionBlock(step: Step, l: number, x: Tensor, sites: BlockSites, cache?: CachePass): Tensor {
    const [q, k, v] = this.projections(step, l, x, sites);
    const { at, wants } = sites;
    const seen = cache ? cache.extend(l, k, v) : { k, v };
    const inside = wants('attn.hook_attn_scores', 'attn.hook_pattern')
      ? { scores: (s: Tensor) => at('attn.hook_attn_scores', s), pattern: (p: Tensor) => at('attn.hook_pattern', p) }
      : undefined;
    const z = at('attn.hook_z', attend(step, q, seen, this.attentionScale(l), inside));
    const bias = this.attentionBias(l);
    if (wants('attn.hook_result')) {
      const result = at('attn.hook_result', this.results(step, l, z));
      return add(step, x, at('hook_attn_out', add(step, sum(step, result, { axes: 2 }), bias)));
    }
    const joined = reshape(z, x.shape);
    const wO = this.w(`h.${l}.attn.c_proj.weight`);
    if (wants('hook_attn_out')) return add(step, x, at('hook_attn_out', matmul(step, joined, wO, { bias })));
    return matmul(step, joined, wO, { bias, residual: x });
  }

  /** hook_q, hook_k, hook_v [B, T, H, K]: one fused product, or one per slot where a slot has an input of its own. */
  private projections(step: Step, l: number, x: Tensor, { at, wants, readSlot }: BlockSites): [Tensor, Tensor, Tensor] {
    const [B, T] = x.shape as [number, number];
    const { heads: H, headWidth: K, width: C } = this.config;
    const own = letters.map((letter) => wants(`hook_${letter}_input`));
    const scaleSite = wants('ln1.hook_scale') ? (s: Tensor) => at('ln1.hook_scale', s) : undefined;
    const ln = this.layerNorm(`h.${l}.ln_1`);
    const looked = own.includes(false) || wants('ln1.hook_scale', 'ln1.hook_normalized');
    const shared = looked ? at('ln1.hook_normalized', normalise(step, x, ln, scaleSite)) : x;
    const [w, bias] = [this.w(`h.${l}.attn.c_attn.weight`), this.w(`h.${l}.attn.c_attn.bias`)];
    const fused = own.includes(true) ? undefined : split(step, matmul(step, shared, w, { bias }), 2, [C, C, C]);
    return letters.map((letter, i) => {
      if (fused) return at(`attn.hook_${letter}`, reshape(fused[i] as Tensor, [B, T, H, K]));
      if (!own[i]) return at(`attn.hook_${letter}`, this.projectNormalised(step, l, letter, shared));
      const perSlot = normalise(step, at(`hook_${letter}_input`, this.spreadOverHeads(step, x)), ln);
      readSlot(letter, perSlot);
      return at(`attn.hook_${letter}`, this.projectNormalised(step, l, letter, perSlot));
    }) as [Tensor, Tensor, Tensor];
  }

  /** x + mlp(LN x): resid_mid → resid_post. */
  private mlpBlock(step: Step, l: number, x: Tensor, sites: BlockSites): Tensor {
    const into = sites.at('hook_mlp_in', x);
    if (!sites.wants('hook_mlp_out')) return this.feedForward(step, l, into, sites, x);
    return add(step, x, sites.at('hook_mlp_out', this.feedForward(step, l, into, sites)));
  }

  /** gelu(LN x · W_in + b_in) · W_out + b_out, plus a residual in the same kernel if given. */
  private feedForward(step: Step, l: number, x: Tensor, { at, wants }: BlockSites, residual?: Tensor): Tensor {
    const scaleSite = wants('ln2.hook_scale') ? (s: Tensor) => at('ln2.hook_scale', s) : undefined;
    const normalised = at('ln2.hook_normalized', normalise(step, x, this.layerNorm(`h.${l}.ln_2`), scaleSite));
    const [wIn, bias] = [this.w(`h.${l}.mlp.c_fc.weight`), this.w(`h.${l}.mlp.c_fc.bias`)];
    const hidden = wants('mlp.hook_pre')
      ? gelu(step, at('mlp.hook_pre', matmul(step, normalised, wIn, { bias })), this.config.gelu)
      : matmul(step, normalised, wIn, { bias, gelu: this.config.gelu });
    const [wOut, bOut] = [this.w(`h.${l}.mlp.c_proj.weight`), this.w(`h.${l}.mlp.c_proj.bias`)];
    return matmul(step, at('mlp.hook_post', hidden), wOut, { bias: bOut, ...(residual ? { residual } : {}) });
  }

  /** Final LayerNorm and unembedding at the chosen rows. LayerNorm runs on those rows only, unless its sites are wanted for all. */
  private head(step: Step, x: Tensor, rows: 'all' | Uint32Array, sites?: Sites): Tensor {
    const pick = (y: Tensor): Tensor => {
      const flat = reshape(y, [y.size / this.config.width, this.config.width]);
      return rows === 'all' ? flat : gatherRows(step, flat, fromData(step, rows, [rows.length]));
    };
    const ln = this.layerNorm('ln_f');
    if (!sites || !(sites.wants('ln_final.hook_scale') || sites.wants('ln_final.hook_normalized'))) {
      return this.unembedded(step, normalise(step, pick(x), ln));
    }
    const scaleSite = sites.wants('ln_final.hook_scale')
      ? (s: Tensor) => sites.visit('ln_final.hook_scale', s)
      : undefined;
    return this.unembedded(step, pick(sites.visit('ln_final.hook_normalized', normalise(step, x, ln, scaleSite))));
  }

  /** x·W_Uᵀ of normalised rows [rows, C] → [rows, V], plus b_U where folding LayerNorm made one. */
  private unembedded(step: Step, x: Tensor): Tensor {
    const logits = unembed(step, x, this.unembedding());
    return this.unembedBias ? add(step, logits, this.unembedBias) : logits;
  }

  /** W_U [V, C]: the token embedding, or a matrix of its own. */
  protected unembedding(): RowBlocks {
    return this.blocks(this.weights.tied ? 'wte.weight' : 'lm_head.weight');
  }

  /**
   * Cross-entropy in nats of a target id per flat position [B·T], from the final residual stream x [B, T, C]; an id outside the vocabulary (tensor's IGNORED_TARGET) gives 0.
   * Beyond `maxLogitBytes` (32 MiB) the logits are never held at once but made tile by tile.
   */
  losses(step: Step, x: Tensor, targets: Uint32Array, maxLogitBytes = 2 ** 25): Tensor {
    const table = this.unembedding();
    const normalised = normalise(step, reshape(x, [targets.length, this.config.width]), this.layerNorm('ln_f'));
    const ids = fromData(step, targets, [targets.length]);
    const fit = Math.max(1, Math.floor(maxLogitBytes / (4 * table.rows)));
    if (targets.length <= fit) return crossEntropy(step, this.unembedded(step, normalised), ids);
    if (!this.unembedBias) return crossEntropyUnembed(step, normalised, table, ids);
    // Tiles have no bias of the unembedding, which only processed weights have: as many rows at once as may be.
    const starts = Array.from({ length: Math.ceil(targets.length / fit) }, (_, i) => i * fit);
    const parts = starts.map((start) => {
      const count = Math.min(fit, targets.length - start);
      const logits = this.unembedded(step, slice(step, normalised, 0, start, count));
      return crossEntropy(step, logits, slice(step, ids, 0, start, count));
    });
    return concat(step, parts, 0);
  }

  /** wte[ids], [B, T, C]. */
  embed(step: Step, tokens: TokenBatch): Tensor {
    const { B, T, ids } = tokens;
    return reshape(embed(step, fromData(step, ids, [B * T]), this.blocks('wte.weight')), [B, T, this.config.width]);
  }

  /** wpe at the positions of every token, [B, T, C]; 0 at padding. */
  positions(step: Step, lengths: readonly number[], T: number, pasts?: readonly number[]): Tensor {
    const rows = Uint32Array.from({ length: lengths.length * T }, (_, i) => {
      const row = Math.floor(i / T);
      return i % T < (lengths[row] as number) ? (pasts?.[row] ?? 0) + (i % T) : noRow;
    });
    return reshape(gatherRows(step, this.w('wpe.weight'), fromData(step, rows, [rows.length])), [
      lengths.length,
      T,
      this.config.width,
    ]);
  }

  /** Outputs of heads from their slots: W_O[h]·z for LN of each slot's own stream, [B, T, heads, C], without b_O. */
  attention(
    step: Step,
    layer: number,
    slots: Slots,
    options: { readonly heads?: readonly number[]; readonly lengths?: readonly number[] } = {},
  ): Tensor {
    const ln = this.layerNorm(`h.${layer}.ln_1`);
    const [q, k, v] = letters.map((letter) =>
      this.projectNormalised(step, layer, letter, normalise(step, slots[letter], ln), options.heads),
    ) as [Tensor, Tensor, Tensor];
    return this.results(step, layer, attend(step, q, { k, v }, this.attentionScale(layer)), options.heads);
  }

  /** b_O [C], what attention adds besides its heads. */
  attentionBias(layer: number): Tensor {
    return this.w(`h.${layer}.attn.c_proj.bias`);
  }

  /** mlp(LN x) of one layer, [B, T, C]. */
  mlp(step: Step, layer: number, x: Tensor): Tensor {
    return this.feedForward(step, layer, x, unseen);
  }

  /** LN_f x · W_Uᵀ of the final stream [B, T, C], at all flat positions or at `rows` of them: [rows, V]. */
  logits(step: Step, x: Tensor, rows?: readonly number[] | Uint32Array): Tensor {
    return this.head(step, x, rows === undefined ? 'all' : Uint32Array.from(rows));
  }

  /** 1/√K, 1, and divided by layer + 1 where the config says so. */
  private attentionScale(l: number): number {
    const { scaleAttention, scaleAttentionByLayer, headWidth } = this.config;
    return (scaleAttention ? 1 / Math.sqrt(headWidth) : 1) / (scaleAttentionByLayer ? l + 1 : 1);
  }

  /** The stream once per head: [B, T, C] → [B, T, H, C]. */
  private spreadOverHeads(step: Step, x: Tensor): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    return expand(step, reshape(x, [B, T, 1, C]), [B, T, this.config.heads, C]);
  }

  /** W_X of one slot: normalised x [B, T, C] for all heads, or [B, T, h, C] per head → [B, T, h, K]. */
  private projectNormalised(step: Step, l: number, letter: Letter, x: Tensor, heads?: readonly number[]): Tensor {
    return headProject(step, x, this.w(`h.${l}.attn.c_attn.weight`), this.w(`h.${l}.attn.c_attn.bias`), {
      ...this.columns(letter),
      heads: heads ?? this.allHeads,
    });
  }

  /** Where a slot's columns lie in c_attn. */
  protected columns(letter: Letter): { headWidth: number; offset: number } {
    return { headWidth: this.config.headWidth, offset: letters.indexOf(letter) * this.config.width };
  }

  /** z [B, T, h, K] through each head's W_O → [B, T, h, C], without b_O. */
  private results(step: Step, l: number, z: Tensor, heads: readonly number[] = this.allHeads): Tensor {
    return headResults(step, z, this.w(`h.${l}.attn.c_proj.weight`), { heads });
  }

  protected layerNorm(name: string): LayerNormWeights {
    return { gamma: this.w(`${name}.weight`), beta: this.w(`${name}.bias`), eps: this.config.layerNormEps };
  }

  protected w(name: string): Tensor {
    return this.weights.byName.get(name) as Tensor;
  }

  protected blocks(name: string): RowBlocks {
    return this.weights.byName.get(name) as RowBlocks;
  }
}

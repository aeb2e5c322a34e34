// GPT-2, read top to bottom: x = wte[ids] + wpe; each block adds attention(LN x) and then mlp(LN x); logits = LN x · W_Uᵀ.
import { LimnError, type Gpu, type Step } from '@limn/gpu';
import {
  blockHook, planRun, Sites, type BlockSite, type HeadWeights, type HookedModel, type HookName, type KeyValueCache, type LinearSite,
  type ModelInfo, type Run, type RunInput, type RunOptions, type Slots, type TokenBatch,
} from '@limn/hooks'; // prettier-ignore
import {
  add, embed, expand, fromData, gatherRows, gelu, headProject, headPullback, headResults, matmul, reshape, slice, split, sum, unembed,
  type RowBlocks, type Tensor,
} from '@limn/tensor'; // prettier-ignore
import { attend } from './attention.js';
import { CacheWriter, LayerCache } from './cache.js';
import type { Gpt2Config } from './config.js';
import { normalise, type LayerNormWeights } from './normalise.js';
import { readParameter, tensorsOf, type Gpt2Parameters } from './parameters.js';
import { slotGradients } from './pullback.js';
import { weightShapes, type HostTensor } from './weight-names.js';
import { Fingerprint } from './weights.js';

const letters = ['q', 'k', 'v'] as const;
type Letter = (typeof letters)[number];
/** A row number beyond any table: gatherRows gives zeros for it. */
const noRow = 0xffffffff;

/** What one block's code may ask of the run it is in. */
interface BlockSites {
  at(site: BlockSite, x: Tensor): Tensor;
  wants(...sites: BlockSite[]): boolean;
}

/** A GPT-2 family model on a GPU. Owns its parameters. */
export class Gpt2 implements HookedModel {
  private about: ModelInfo;
  private readonly allHeads: readonly number[];

  constructor(
    readonly gpu: Gpu,
    readonly config: Gpt2Config,
    private readonly weights: Gpt2Parameters,
  ) {
    const { layers, heads, headWidth, width, mlpWidth, vocabulary, maxPositions, bosId, eosId } = config;
    this.allHeads = Array.from({ length: heads }, (_, head) => head);
    this.about = Object.freeze({
      architecture: 'gpt2', layers, heads, headWidth, width, mlpWidth, vocabulary, maxPositions, block: 'sequential',
      ...(bosId === undefined ? {} : { bosId }), ...(eosId === undefined ? {} : { eosId }),
      processing: 'none', fingerprint: weights.fingerprint,
    }); // prettier-ignore
  }

  get info(): ModelInfo {
    return this.about;
  }

  /** Whether the unembedding is the token embedding. */
  get tied(): boolean {
    return this.weights.tied;
  }

  /** The weights on the host, one at a time, in the order of the file format. */
  async *hostWeights(): AsyncGenerator<readonly [string, HostTensor]> {
    for (const [name, shape] of weightShapes(this.config, this.tied)) {
      yield [name, await readParameter(this.gpu, this.weights.byName.get(name) as Tensor, shape)];
    }
  }

  /** Brings `info.fingerprint` up to date after the weights were trained or written. */
  async refreshFingerprint(): Promise<string> {
    const print = new Fingerprint();
    for await (const [name, tensor] of this.hostWeights()) await print.add(name, tensor);
    this.about = Object.freeze({ ...this.about, fingerprint: await print.digest() });
    return this.about.fingerprint;
  }

  run(step: Step, input: RunInput, options: RunOptions = {}): Run {
    return this.forward(step, input, options).run;
  }

  /** The forward pass. Every hook site is one `at` or `visit`. */
  private forward(
    step: Step,
    input: RunInput,
    options: RunOptions,
    cached?: LayerCache,
    caches?: CacheWriter,
  ): { run: Run; T: number } {
    const plan = planRun(this.info, input, options, cached?.length);
    const sites = new Sites(step, this.info, plan);
    let x = 'resid' in input ? input.resid : this.start(step, input, sites);
    for (let l = plan.firstLayer; l < plan.endLayer; l++) {
      const block: BlockSites = {
        at: (site, value) => sites.visit(blockHook(l, site), value),
        wants: (...names) => names.some((name) => sites.wants(blockHook(l, name))),
      };
      const startsAtMid = 'resid' in input && input.at === 'mid' && l === plan.firstLayer;
      const mid = startsAtMid ? x : this.attentionBlock(step, l, block.at('hook_resid_pre', x), block, caches);
      x = this.mlpBlock(step, l, block.at('hook_resid_mid', mid), block);
      x = block.at('hook_resid_post', x);
    }
    if (plan.logitRows === undefined) return { run: sites.finish(x, undefined), T: plan.T };
    return { run: sites.finish(x, this.head(step, x, plan.logitRows, sites)), T: plan.T };
  }

  /** hook_embed + hook_pos_embed. */
  private start(step: Step, input: Exclude<RunInput, { resid: Tensor }>, sites: Sites): Tensor {
    const { T, lengths, past } = sites.plan;
    const embedded = sites.visit('hook_embed', 'tokens' in input ? this.embed(step, input.tokens) : input.embeddings);
    if (sites.wants('hook_pos_embed') || lengths.some((length) => length < T)) {
      return add(step, embedded, sites.visit('hook_pos_embed', this.positions(step, lengths, T, past)));
    }
    return add(step, embedded, slice(step, this.w('wpe.weight'), 0, past, T));
  }

  /** x + attention(LN x): resid_pre → resid_mid. */
  private attentionBlock(step: Step, l: number, x: Tensor, { at, wants }: BlockSites, caches?: CacheWriter): Tensor {
    const [q, k, v] = this.projections(step, l, x, { at, wants });
    const seen = caches ? caches.extend(k, v) : { k, v };
    const inside = wants('attn.hook_attn_scores', 'attn.hook_pattern')
      ? { scores: (s: Tensor) => at('attn.hook_attn_scores', s), pattern: (p: Tensor) => at('attn.hook_pattern', p) }
      : undefined;
    const z = at('attn.hook_z', attend(step, q, seen.k, seen.v, this.attentionScale(l), inside));
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
  private projections(step: Step, l: number, x: Tensor, { at, wants }: BlockSites): [Tensor, Tensor, Tensor] {
    const [B, T] = x.shape as [number, number];
    const { heads: H, headWidth: K, width: C } = this.config;
    const own = letters.map((letter) => wants(`hook_${letter}_input`));
    const shared =
      own.includes(false) || wants('ln1.hook_scale', 'ln1.hook_normalized')
        ? at(
            'ln1.hook_normalized',
            normalise(
              step,
              x,
              this.layerNorm(`h.${l}.ln_1`),
              wants('ln1.hook_scale') ? (s) => at('ln1.hook_scale', s) : undefined,
            ),
          )
        : x;
    const fused = own.includes(true)
      ? undefined
      : split(
          step,
          matmul(step, shared, this.w(`h.${l}.attn.c_attn.weight`), { bias: this.w(`h.${l}.attn.c_attn.bias`) }),
          2,
          [C, C, C],
        );
    return letters.map((letter, i) => {
      if (fused) return at(`attn.hook_${letter}`, reshape(fused[i] as Tensor, [B, T, H, K]));
      if (!own[i]) return at(`attn.hook_${letter}`, this.projectNormalised(step, l, letter, shared));
      const perSlot = at(`hook_${letter}_input`, this.spreadOverHeads(step, x));
      return at(`attn.hook_${letter}`, this.project(step, l, letter, perSlot));
    }) as [Tensor, Tensor, Tensor];
  }

  /** x + mlp(LN x): resid_mid → resid_post. */
  private mlpBlock(step: Step, l: number, x: Tensor, { at, wants }: BlockSites): Tensor {
    const into = at('hook_mlp_in', x);
    const normalised = at(
      'ln2.hook_normalized',
      normalise(
        step,
        into,
        this.layerNorm(`h.${l}.ln_2`),
        wants('ln2.hook_scale') ? (s) => at('ln2.hook_scale', s) : undefined,
      ),
    );
    const [wIn, bias] = [this.w(`h.${l}.mlp.c_fc.weight`), this.w(`h.${l}.mlp.c_fc.bias`)];
    const post = wants('mlp.hook_pre')
      ? gelu(step, at('mlp.hook_pre', matmul(step, normalised, wIn, { bias })), this.config.gelu)
      : matmul(step, normalised, wIn, { bias, gelu: this.config.gelu });
    const [wOut, bOut] = [this.w(`h.${l}.mlp.c_proj.weight`), this.w(`h.${l}.mlp.c_proj.bias`)];
    const hidden = at('mlp.hook_post', post);
    if (wants('hook_mlp_out')) return add(step, x, at('hook_mlp_out', matmul(step, hidden, wOut, { bias: bOut })));
    return matmul(step, hidden, wOut, { bias: bOut, residual: x });
  }

  /** Final LayerNorm and unembedding at the chosen rows. LayerNorm runs on those rows only, unless its sites are wanted for all. */
  private head(step: Step, x: Tensor, rows: 'all' | Uint32Array, sites?: Sites): Tensor {
    const pick = (y: Tensor): Tensor => {
      const flat = reshape(y, [y.size / this.config.width, this.config.width]);
      return rows === 'all' ? flat : gatherRows(step, flat, fromData(step, rows, [rows.length]));
    };
    const ln = this.layerNorm('ln_f');
    const table = this.blocks(this.weights.tied ? 'wte.weight' : 'lm_head.weight');
    if (!sites || !(sites.wants('ln_final.hook_scale') || sites.wants('ln_final.hook_normalized'))) {
      return unembed(step, normalise(step, pick(x), ln), table);
    }
    const scaleSite = sites.wants('ln_final.hook_scale')
      ? (s: Tensor) => sites.visit('ln_final.hook_scale', s)
      : undefined;
    return unembed(step, pick(sites.visit('ln_final.hook_normalized', normalise(step, x, ln, scaleSite))), table);
  }

  embed(step: Step, tokens: TokenBatch): Tensor {
    const { B, T, ids } = tokens;
    return reshape(embed(step, fromData(step, ids, [B * T]), this.blocks('wte.weight')), [B, T, this.config.width]);
  }

  positions(step: Step, lengths: readonly number[], T: number, past = 0): Tensor {
    const rows = Uint32Array.from({ length: lengths.length * T }, (_, i) =>
      i % T < (lengths[Math.floor(i / T)] as number) ? past + (i % T) : noRow,
    );
    return reshape(gatherRows(step, this.w('wpe.weight'), fromData(step, rows, [rows.length])), [
      lengths.length,
      T,
      this.config.width,
    ]);
  }

  attention(
    step: Step,
    layer: number,
    slots: Slots,
    options: { readonly heads?: readonly number[]; readonly lengths?: readonly number[] } = {},
  ): Tensor {
    const [q, k, v] = letters.map((letter) => this.project(step, layer, letter, slots[letter], options.heads)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return this.results(step, layer, attend(step, q, k, v, this.attentionScale(layer)), options.heads);
  }

  attentionBias(layer: number): Tensor {
    return this.w(`h.${layer}.attn.c_proj.bias`);
  }

  mlp(step: Step, layer: number, x: Tensor): Tensor {
    const h = `h.${layer}.`;
    const normalised = normalise(step, x, this.layerNorm(`${h}ln_2`));
    const hidden = matmul(step, normalised, this.w(`${h}mlp.c_fc.weight`), {
      bias: this.w(`${h}mlp.c_fc.bias`),
      gelu: this.config.gelu,
    });
    return matmul(step, hidden, this.w(`${h}mlp.c_proj.weight`), { bias: this.w(`${h}mlp.c_proj.bias`) });
  }

  logits(step: Step, x: Tensor, rows?: readonly number[] | Uint32Array): Tensor {
    return this.head(step, x, rows === undefined ? 'all' : Uint32Array.from(rows));
  }

  pullbackCaptures(layer: number): readonly HookName[] {
    return [blockHook(layer, 'hook_resid_pre')];
  }

  pullback(
    step: Step,
    layer: number,
    gradients: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    run: Run,
    heads?: { readonly start: number; readonly count: number },
  ): Tensor {
    const { start, count } = heads ?? { start: 0, count: this.config.heads };
    const chosen = Array.from({ length: count }, (_, i) => start + i);
    const { gamma, eps } = this.layerNorm(`h.${layer}.ln_1`);
    const weights = this.w(`h.${layer}.attn.c_attn.weight`);
    const outer = letters.map((letter) => {
      const d = gradients[letter];
      const part = d.shape[2] === count ? d : slice(step, d, 2, start, count);
      return headPullback(step, part, weights, { ...this.columns(letter), heads: chosen });
    });
    return slotGradients(step, run.at(blockHook(layer, 'hook_resid_pre')), outer, gamma, eps);
  }

  linears(): readonly LinearSite[] {
    const { width: C, mlpWidth: M, layers } = this.config;
    const orientation = 'in-out';
    return Array.from({ length: layers }, (_, layer): LinearSite[] => {
      const [h, b] = [`h.${layer}.`, `blocks.${layer}.` as const];
      return [
        {
          name: `${h}attn.c_attn`,
          layer,
          input: `${b}ln1.hook_normalized`,
          outputs: [`${b}attn.hook_q`, `${b}attn.hook_k`, `${b}attn.hook_v`],
          inWidth: C,
          outWidth: 3 * C,
          orientation,
        },
        {
          name: `${h}attn.c_proj`,
          layer,
          input: `${b}attn.hook_z`,
          outputs: [`${b}hook_attn_out`],
          inWidth: C,
          outWidth: C,
          orientation,
        },
        {
          name: `${h}mlp.c_fc`,
          layer,
          input: `${b}ln2.hook_normalized`,
          outputs: [`${b}mlp.hook_pre`],
          inWidth: C,
          outWidth: M,
          orientation,
        },
        {
          name: `${h}mlp.c_proj`,
          layer,
          input: `${b}mlp.hook_post`,
          outputs: [`${b}hook_mlp_out`],
          inWidth: M,
          outWidth: C,
          orientation,
        },
      ];
    }).flat();
  }

  parameters(): ReadonlyMap<string, Tensor | RowBlocks> {
    return this.weights.byName;
  }

  headWeights(step: Step, layer: number, head: number): HeadWeights {
    const { headWidth: K } = this.config;
    const [wQ, bQ, wK, bK, wV, bV] = letters.flatMap((letter) => {
      const start = this.columns(letter).offset + head * K;
      return [
        slice(step, this.w(`h.${layer}.attn.c_attn.weight`), 1, start, K),
        slice(step, this.w(`h.${layer}.attn.c_attn.bias`), 0, start, K),
      ];
    }) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    return { wQ, wK, wV, bQ, bK, bV, wO: slice(step, this.w(`h.${layer}.attn.c_proj.weight`), 0, head * K, K) };
  }

  unembedRows(step: Step, ids: readonly number[]): Tensor {
    return embed(
      step,
      fromData(step, Uint32Array.from(ids), [ids.length]),
      this.blocks(this.weights.tied ? 'wte.weight' : 'lm_head.weight'),
    );
  }

  prefill(step: Step, tokens: TokenBatch, options: RunOptions = {}): { run: Run; cache: KeyValueCache } {
    if (tokens.lengths.some((length) => length !== tokens.T)) {
      throw new LimnError(
        'hooks/uneven-cache',
        `prompts of lengths ${tokens.lengths.join(', ')} cannot share one cache`,
        {
          hint: 'Decode prompts of equal length together; generate() does so.',
        },
      );
    }
    const caches = new CacheWriter(step, undefined);
    const { run } = this.forward(step, { tokens }, options, undefined, caches);
    return { run, cache: caches.finish(tokens.B, tokens.T) };
  }

  decode(
    step: Step,
    tokens: TokenBatch,
    cache: KeyValueCache,
    options: RunOptions = {},
  ): { run: Run; cache: KeyValueCache } {
    if (!(cache instanceof LayerCache) || cache.B !== tokens.B) {
      throw new LimnError(
        'hooks/uneven-cache',
        `a cache for ${cache.B} rows cannot continue ${tokens.B} rows of this model`,
      );
    }
    const caches = new CacheWriter(step, cache);
    const { run } = this.forward(step, { tokens }, { phase: 'generated', ...options }, cache, caches);
    return { run, cache: caches.finish(tokens.B, cache.length + tokens.T) };
  }

  /** Frees the weights. */
  dispose(): void {
    for (const parameter of this.weights.byName.values()) tensorsOf(parameter).forEach((tensor) => tensor.dispose());
  }

  /** 1/√K, 1, and divided by layer + 1 where the config says so. */
  private attentionScale(l: number): number {
    return (
      (this.config.scaleAttention ? 1 / Math.sqrt(this.config.headWidth) : 1) /
      (this.config.scaleAttentionByLayer ? l + 1 : 1)
    );
  }

  /** The stream once per head: [B, T, C] → [B, T, H, C]. */
  private spreadOverHeads(step: Step, x: Tensor): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    return expand(step, reshape(x, [B, T, 1, C]), [B, T, this.config.heads, C]);
  }

  /** LN and W_X of one slot: x [B, T, C] for all heads, or [B, T, h, C] per head → [B, T, h, K]. */
  private project(step: Step, l: number, letter: Letter, x: Tensor, heads?: readonly number[]): Tensor {
    return this.projectNormalised(step, l, letter, normalise(step, x, this.layerNorm(`h.${l}.ln_1`)), heads);
  }

  private projectNormalised(step: Step, l: number, letter: Letter, x: Tensor, heads?: readonly number[]): Tensor {
    return headProject(step, x, this.w(`h.${l}.attn.c_attn.weight`), this.w(`h.${l}.attn.c_attn.bias`), {
      ...this.columns(letter),
      heads: heads ?? this.allHeads,
    });
  }

  /** Where a slot's columns lie in c_attn. */
  private columns(letter: Letter): { headWidth: number; offset: number } {
    return { headWidth: this.config.headWidth, offset: letters.indexOf(letter) * this.config.width };
  }

  /** z [B, T, h, K] through each head's W_O → [B, T, h, C], without b_O. */
  private results(step: Step, l: number, z: Tensor, heads: readonly number[] = this.allHeads): Tensor {
    return headResults(step, z, this.w(`h.${l}.attn.c_proj.weight`), { heads });
  }

  private layerNorm(name: string): LayerNormWeights {
    return { gamma: this.w(`${name}.weight`), beta: this.w(`${name}.bias`), eps: this.config.layerNormEps };
  }

  private w(name: string): Tensor {
    return this.weights.byName.get(name) as Tensor;
  }

  private blocks(name: string): RowBlocks {
    return this.weights.byName.get(name) as RowBlocks;
  }
}

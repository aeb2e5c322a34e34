// A second architecture that is not GPT-2: RMSNorm, parallel blocks, no attention biases, untied head; it proves the HookedModel interface.
import type { Gpu, Step } from '@limn/gpu';
import {
  blockHook, planRun, prefillWith, Sites, type BlockSite, type CachePass, type HeadWeights, type HookedModel, type HookName,
  type KeyValueCache, type LinearSite, type ModelInfo, type NormSite, type NormWeights, type PrefillOptions, type Run, type RunInput,
  type RunOptions, type SeenKeys, type Slots, type TokenBatch,
} from '@limn/hooks'; // prettier-ignore
import {
  add, asRowBlocks, attentionMix, attentionScores, causalAttention, causalSoftmax, div, embed, expand, fillNormal, fromData, gatherRows,
  gelu, headProject, headPullback, headResults, matmul, mean, mul, permute, persistent, reshape, slice, sqrt, square, stack, sub, sum,
  unembed, type RowBlocks, type Tensor,
} from '@limn/tensor'; // prettier-ignore

/** Sizes of a toy. */
export interface ToySizes {
  readonly layers: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
}

const letters = ['q', 'k', 'v'] as const;
type Letter = (typeof letters)[number];
const eps = 1e-6;

/** x ← x + attention(RMS₁ x) + mlp(RMS₂ x), L times; logits = RMS_f x · W_Uᵀ. RMS x = x/√(mean x² + ε)∘γ. */
export class ToyModel implements HookedModel {
  readonly info: ModelInfo;
  private readonly weights = new Map<string, Tensor | RowBlocks>();
  private readonly noBias: Tensor;

  constructor(
    readonly gpu: Gpu,
    sizes: ToySizes,
    seed = 1,
  ) {
    const { heads, headWidth, mlpWidth: M, vocabulary: V } = sizes;
    const C = heads * headWidth;
    this.info = {
      architecture: 'toy',
      ...sizes,
      width: C,
      block: 'parallel',
      processing: 'none',
      fingerprint: `toy-${seed}`,
    };
    this.noBias = persistent(gpu, [C]);
    const put = (name: string, shape: readonly number[], deviation: number, centre = 0): Tensor => {
      const data = fillNormal(
        new Float32Array(shape.reduce((a, b) => a * b, 1)),
        { seed, stream: this.weights.size },
        deviation,
      );
      const tensor = persistent(
        gpu,
        shape,
        data.map((value) => value + centre),
        { label: name },
      );
      this.weights.set(name, tensor);
      return tensor;
    };
    this.weights.set('embed', asRowBlocks(put('embed', [V, C], 0.7)));
    put('positions', [sizes.maxPositions, C], 0.3);
    for (let l = 0; l < sizes.layers; l++) {
      for (const n of [1, 2]) put(`${l}.norm${n}`, [C], 0.2, 1);
      for (const letter of letters) put(`${l}.${letter}.weight`, [C, C], 1.2 / Math.sqrt(C));
      put(`${l}.o.weight`, [C, C], 1 / Math.sqrt(C));
      put(`${l}.in.weight`, [C, M], 1 / Math.sqrt(C));
      put(`${l}.in.bias`, [M], 0.2);
      put(`${l}.out.weight`, [M, C], 1 / Math.sqrt(M));
      put(`${l}.out.bias`, [C], 0.1);
    }
    put('norm', [C], 0.2, 1);
    this.weights.set('unembed', asRowBlocks(put('unembed', [V, C], 0.5)));
  }

  run(step: Step, input: RunInput, options: RunOptions = {}): Run {
    return this.forward(step, input, options);
  }

  private forward(step: Step, input: RunInput, options: RunOptions, cache?: CachePass): Run {
    const plan = planRun(this.info, input, options, cache?.pasts);
    const sites = new Sites(step, this.info, plan);
    let x: Tensor;
    if ('resid' in input) x = input.resid;
    else {
      const embedded = sites.visit('hook_embed', 'tokens' in input ? this.embed(step, input.tokens) : input.embeddings);
      x = add(step, embedded, sites.visit('hook_pos_embed', this.positions(step, plan.lengths, plan.T, plan.pasts)));
    }
    for (let l = plan.firstLayer; l < plan.endLayer; l++) {
      const at = (site: BlockSite, value: Tensor): Tensor => sites.visit(blockHook(l, site), value);
      const wants = (site: BlockSite): boolean => sites.wants(blockHook(l, site));
      x = at('hook_resid_pre', x);
      const norm1 = this.normalise(
        step,
        x,
        `${l}.norm1`,
        (s) => at('ln1.hook_scale', s),
        (y) => at('ln1.hook_normalized', y),
      );
      const [q, k, v] = letters.map((letter) => {
        const own = wants(`hook_${letter}_input`) ? at(`hook_${letter}_input`, this.perHead(step, x)) : undefined;
        return at(
          `attn.hook_${letter}`,
          this.project(step, l, letter, own ? this.normalise(step, own, `${l}.norm1`) : norm1),
        );
      }) as [Tensor, Tensor, Tensor];
      const seen: SeenKeys = cache ? cache.extend(l, k, v) : { k, v };
      const { k: keys, v: values, ...masked } = seen;
      const looked = wants('attn.hook_attn_scores') || wants('attn.hook_pattern');
      const z = looked
        ? attentionMix(
            step,
            at(
              'attn.hook_pattern',
              causalSoftmax(step, at('attn.hook_attn_scores', attentionScores(step, q, keys)), masked),
            ),
            values,
          )
        : causalAttention(step, q, keys, values, masked);
      const result = at('attn.hook_result', this.results(step, l, at('attn.hook_z', z)));
      const attnOut = at('hook_attn_out', sum(step, result, { axes: 2 }));
      const mlpIn = at('hook_mlp_in', x);
      const norm2 = this.normalise(
        step,
        mlpIn,
        `${l}.norm2`,
        (s) => at('ln2.hook_scale', s),
        (y) => at('ln2.hook_normalized', y),
      );
      const pre = at('mlp.hook_pre', matmul(step, norm2, this.w(`${l}.in.weight`), { bias: this.w(`${l}.in.bias`) }));
      const post = at('mlp.hook_post', gelu(step, pre, 'erf'));
      const mlpOut = at(
        'hook_mlp_out',
        matmul(step, post, this.w(`${l}.out.weight`), { bias: this.w(`${l}.out.bias`) }),
      );
      x = at('hook_resid_post', add(step, add(step, x, attnOut), mlpOut));
    }
    if (plan.logitRows === undefined) return sites.finish(x, undefined);
    const final = this.normalise(
      step,
      x,
      'norm',
      (s) => sites.visit('ln_final.hook_scale', s),
      (y) => sites.visit('ln_final.hook_normalized', y),
    );
    return sites.finish(x, unembed(step, this.pick(step, final, plan.logitRows), this.table('unembed')));
  }

  embed(step: Step, { ids, B, T }: TokenBatch): Tensor {
    return reshape(embed(step, fromData(step, ids, [B * T]), this.table('embed')), [B, T, this.info.width]);
  }

  positions(step: Step, lengths: readonly number[], T: number, pasts?: readonly number[]): Tensor {
    const rows = Uint32Array.from({ length: lengths.length * T }, (_, i) => {
      const row = Math.floor(i / T);
      return i % T < (lengths[row] ?? 0) ? (pasts?.[row] ?? 0) + (i % T) : 0xffffffff;
    });
    return reshape(gatherRows(step, this.w('positions'), fromData(step, rows, [rows.length])), [
      lengths.length,
      T,
      this.info.width,
    ]);
  }

  attention(step: Step, layer: number, slots: Slots, options: { readonly heads?: readonly number[] } = {}): Tensor {
    const [q, k, v] = letters.map((letter) =>
      this.project(step, layer, letter, this.normalise(step, slots[letter], `${layer}.norm1`), options.heads),
    );
    return this.results(step, layer, causalAttention(step, q as Tensor, k as Tensor, v as Tensor), options.heads);
  }

  attentionBias(): Tensor {
    return this.noBias;
  }

  norm(site: NormSite): NormWeights {
    const name = site === 'ln_final' ? 'norm' : site.replace('blocks.', '').replace('.ln', '.norm');
    return { centred: false, gamma: this.w(name) };
  }

  mlp(step: Step, layer: number, x: Tensor): Tensor {
    const hidden = matmul(step, this.normalise(step, x, `${layer}.norm2`), this.w(`${layer}.in.weight`), {
      bias: this.w(`${layer}.in.bias`),
      gelu: 'erf',
    });
    return matmul(step, hidden, this.w(`${layer}.out.weight`), { bias: this.w(`${layer}.out.bias`) });
  }

  logits(step: Step, x: Tensor, rows?: readonly number[] | Uint32Array): Tensor {
    return unembed(
      step,
      this.pick(step, this.normalise(step, x, 'norm'), rows === undefined ? 'all' : Uint32Array.from(rows)),
      this.table('unembed'),
    );
  }

  pullbackCaptures(layer: number): readonly HookName[] {
    return [blockHook(layer, 'hook_resid_pre')];
  }

  /** RMSNorm's Jacobian: (g − x̂·mean(g∘x̂))/s with g = g̃∘γ and x̂ = x/s. */
  pullback(
    step: Step,
    layer: number,
    gradients: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    run: Run,
    heads: { readonly start: number; readonly count: number } = { start: 0, count: this.info.heads },
  ): Tensor {
    const chosen = Array.from({ length: heads.count }, (_, i) => heads.start + i);
    const outer = letters.map((letter) =>
      headPullback(
        step,
        slice(step, gradients[letter], 2, heads.start, heads.count),
        this.w(`${layer}.${letter}.weight`),
        { headWidth: this.info.headWidth, heads: chosen },
      ),
    );
    const x = run.at(blockHook(layer, 'hook_resid_pre'));
    const scale = rootMeanSquare(step, x);
    const hat = div(step, x, scale);
    const g = mul(step, permute(step, stack(step, outer), [0, 3, 1, 2, 4]), this.w(`${layer}.norm1`));
    const tilt = mul(
      step,
      mean(step, mul(step, g, hat), { axes: -1, keepAxes: true }),
      reshape(hat, [1, 1, ...hat.shape]),
    );
    return div(step, sub(step, g, tilt), scale);
  }

  linears(): readonly LinearSite[] {
    const { layers, width: C, mlpWidth: M } = this.info;
    const orientation = 'in-out';
    return Array.from({ length: layers }, (_, layer): LinearSite[] => {
      const b = `blocks.${layer}.` as const;
      return [
        ...letters.map((letter): LinearSite => ({
          name: `${layer}.${letter}`,
          layer,
          input: `${b}ln1.hook_normalized`,
          outputs: [`${b}attn.hook_${letter}`],
          inWidth: C,
          outWidth: C,
          orientation,
        })),
        {
          name: `${layer}.o`,
          layer,
          input: `${b}attn.hook_z`,
          outputs: [`${b}hook_attn_out`],
          inWidth: C,
          outWidth: C,
          orientation,
        },
        {
          name: `${layer}.in`,
          layer,
          input: `${b}ln2.hook_normalized`,
          outputs: [`${b}mlp.hook_pre`],
          inWidth: C,
          outWidth: M,
          orientation,
        },
        {
          name: `${layer}.out`,
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
    return this.weights;
  }

  headWeights(step: Step, layer: number, head: number): HeadWeights {
    const K = this.info.headWidth;
    const [wQ, wK, wV] = letters.map((letter) => slice(step, this.w(`${layer}.${letter}.weight`), 1, head * K, K)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const none = slice(step, this.noBias, 0, 0, K);
    return { wQ, wK, wV, wO: slice(step, this.w(`${layer}.o.weight`), 0, head * K, K), bQ: none, bK: none, bV: none };
  }

  unembedRows(step: Step, ids: readonly number[]): Tensor {
    return embed(step, fromData(step, Uint32Array.from(ids), [ids.length]), this.table('unembed'));
  }

  prefill(step: Step, tokens: TokenBatch, options: PrefillOptions = {}): { run: Run; cache: KeyValueCache } {
    const { capacity, ...runOptions } = options;
    return prefillWith(this, step, tokens, capacity, (pass) => this.forward(step, { tokens }, runOptions, pass));
  }

  decode(step: Step, tokens: TokenBatch, cache: KeyValueCache, options: RunOptions = {}): Run {
    const runOptions: RunOptions = { phase: 'generated', ...options };
    return cache.record(this, step, tokens, (pass) => this.forward(step, { tokens }, runOptions, pass));
  }

  private normalise(
    step: Step,
    x: Tensor,
    name: string,
    scaleSite = (s: Tensor) => s,
    site = (y: Tensor) => y,
  ): Tensor {
    return site(mul(step, div(step, x, scaleSite(rootMeanSquare(step, x))), this.w(name)));
  }

  private project(step: Step, l: number, letter: Letter, x: Tensor, heads?: readonly number[]): Tensor {
    return headProject(step, x, this.w(`${l}.${letter}.weight`), undefined, {
      headWidth: this.info.headWidth,
      ...(heads ? { heads } : {}),
    });
  }

  private results(step: Step, l: number, z: Tensor, heads?: readonly number[]): Tensor {
    return headResults(step, z, this.w(`${l}.o.weight`), heads ? { heads } : {});
  }

  private perHead(step: Step, x: Tensor): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    return expand(step, reshape(x, [B, T, 1, C]), [B, T, this.info.heads, C]);
  }

  private pick(step: Step, x: Tensor, rows: 'all' | Uint32Array): Tensor {
    const flat = reshape(x, [x.size / this.info.width, this.info.width]);
    return rows === 'all' ? flat : gatherRows(step, flat, fromData(step, rows, [rows.length]));
  }

  private w(name: string): Tensor {
    return this.weights.get(name) as Tensor;
  }

  private table(name: string): RowBlocks {
    return this.weights.get(name) as RowBlocks;
  }
}

/** √(mean x² + ε) over the last axis, [..., 1]. */
function rootMeanSquare(step: Step, x: Tensor): Tensor {
  return sqrt(step, add(step, mean(step, square(step, x), { axes: -1, keepAxes: true }), fromData(step, [eps], [1])));
}

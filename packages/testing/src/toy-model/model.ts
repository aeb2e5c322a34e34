// A second architecture, shaped like GPT-NeoX: rotary positions, parallel blocks, untied head, [out, in] weights; it proves the HookedModel interface.
import type { Gpu, Step } from '@limn/gpu';
import {
  blockHook, planRun, prefillWith, Sites, type BlockSite, type CachePass, type HeadWeights, type HookedModel, type HookName,
  type KeyValueCache, type LinearSite, type ModelInfo, type NormSite, type NormWeights, type PrefillOptions, type PullbackOptions, type Run, type RunInput,
  type RunOptions, type SeenKeys, type Slots, type TokenBatch,
} from '@limn/hooks'; // prettier-ignore
import {
  add, attentionMix, attentionScores, causalAttention, causalSoftmax, div, embed, expand, fill, fromData, gatherRows, gelu, headProject,
  headPullback, headResults, matmul, mul, permute, persistent, reshape, slice, stack, sum, unembed, type RowBlocks, type Tensor,
} from '@limn/tensor'; // prettier-ignore
import { toyLinears } from './linears.js';
import { backThroughRms, rootMeanSquare } from './rms-norm.js';
import { anglesOf, rotate } from './rotation.js';
import { letters, toyWeights, type Letter, type ToySizes } from './weights.js';

/**
 * x ← x + attention(RMS₁ x) + mlp(RMS₂ x), L times; logits = RMS_f x · W_Uᵀ. Positions act by rotating queries and keys; nothing is added
 * to the embeddings. Attention has no biases.
 */
export class ToyModel implements HookedModel {
  readonly info: ModelInfo;
  private readonly weights: Map<string, Tensor | RowBlocks>;
  private readonly noBias: Tensor;

  constructor(
    readonly gpu: Gpu,
    sizes: ToySizes,
    seed = 1,
  ) {
    const C = sizes.heads * sizes.headWidth;
    this.info = {
      architecture: 'toy',
      ...sizes,
      width: C,
      block: 'parallel',
      rotary: true,
      processing: 'none',
      fingerprint: `toy-${seed}`,
    };
    this.noBias = persistent(gpu, [C]);
    this.weights = toyWeights(gpu, sizes, seed);
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
      const positions = sites.wants('hook_pos_embed')
        ? sites.visit('hook_pos_embed', this.positions(step, plan.lengths, plan.T))
        : undefined;
      x = positions ? add(step, embedded, positions) : embedded;
    }
    const angles = anglesOf(step, plan.pasts, plan.T, this.info.headWidth);
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
        const own = wants(`hook_${letter}_input`)
          ? this.normalise(step, at(`hook_${letter}_input`, this.perHead(step, x)), `${l}.norm1`)
          : undefined;
        if (own) sites.readSlot(l, letter, own);
        return at(`attn.hook_${letter}`, this.project(step, l, letter, own ?? norm1));
      }) as [Tensor, Tensor, Tensor];
      const rotQ = at('attn.hook_rot_q', rotate(step, q, angles));
      const rotK = at('attn.hook_rot_k', rotate(step, k, angles));
      const seen: SeenKeys = cache ? cache.extend(l, rotK, v) : { k: rotK, v };
      const { k: keys, v: values, ...masked } = seen;
      const looked = wants('attn.hook_attn_scores') || wants('attn.hook_pattern');
      const z = looked
        ? attentionMix(
            step,
            at(
              'attn.hook_pattern',
              causalSoftmax(step, at('attn.hook_attn_scores', attentionScores(step, rotQ, keys)), masked),
            ),
            values,
          )
        : causalAttention(step, rotQ, keys, values, masked);
      const result = at('attn.hook_result', this.results(step, l, at('attn.hook_z', z)));
      const attnOut = at('hook_attn_out', sum(step, result, { axes: 2 }));
      const norm2 = this.normalise(
        step,
        at('hook_mlp_in', x),
        `${l}.norm2`,
        (s) => at('ln2.hook_scale', s),
        (y) => at('ln2.hook_normalized', y),
      );
      const pre = at('mlp.hook_pre', this.linear(step, norm2, `${l}.in`));
      const mlpOut = at('hook_mlp_out', this.linear(step, at('mlp.hook_post', gelu(step, pre, 'erf')), `${l}.out`));
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

  positions(step: Step, lengths: readonly number[], T: number): Tensor {
    return fill(step, [lengths.length, T, this.info.width], 0, 'no position embeddings');
  }

  attention(step: Step, layer: number, slots: Slots, options: { readonly heads?: readonly number[] } = {}): Tensor {
    const [B, T] = slots.q.shape as [number, number];
    const pasts = Array.from({ length: B }, () => 0);
    const angles = anglesOf(step, pasts, T, this.info.headWidth);
    const [q, k, v] = letters.map((letter) =>
      this.project(step, layer, letter, this.normalise(step, slots[letter], `${layer}.norm1`), options.heads),
    ) as [Tensor, Tensor, Tensor];
    const z = causalAttention(step, rotate(step, q, angles), rotate(step, k, angles), v);
    return this.results(step, layer, z, options.heads);
  }

  attentionBias(): Tensor {
    return this.noBias;
  }

  norm(site: NormSite): NormWeights {
    const name = site === 'ln_final' ? 'norm' : site.replace('blocks.', '').replace('.ln', '.norm');
    return { centred: false, gamma: this.w(name) };
  }

  mlp(step: Step, layer: number, x: Tensor): Tensor {
    const hidden = this.linear(step, this.normalise(step, x, `${layer}.norm2`), `${layer}.in`, { gelu: 'erf' });
    return this.linear(step, hidden, `${layer}.out`);
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

  /** hook_q and hook_k stand in front of the rotation, so their gradients have been rotated back already. */
  pullback(
    step: Step,
    layer: number,
    gradients: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    run: Run,
    { heads = { start: 0, count: this.info.heads }, repeats = 1 }: PullbackOptions = {},
  ): Tensor {
    const chosen = Array.from({ length: heads.count }, (_, i) => heads.start + i);
    const outer = letters.map((letter) =>
      headPullback(
        step,
        slice(step, gradients[letter], 2, heads.start, heads.count),
        this.turned(step, `${layer}.${letter}`),
        { headWidth: this.info.headWidth, heads: chosen },
      ),
    );
    const bySlot = permute(step, stack(step, outer), [0, 3, 1, 2, 4]);
    const slots = backThroughRms(step, bySlot, run.at(blockHook(layer, 'hook_resid_pre')), this.w(`${layer}.norm1`));
    const [parts = 0, count = 0, rows = 0, T = 0, C = 0] = slots.shape;
    return sum(step, reshape(slots, [parts, count, repeats, rows / repeats, T, C]), { axes: 2 });
  }

  linears(): readonly LinearSite[] {
    const { layers, width, mlpWidth } = this.info;
    return Array.from({ length: layers }, (_, layer) => toyLinears(layer, width, mlpWidth)).flat();
  }

  parameters(): ReadonlyMap<string, Tensor | RowBlocks> {
    return this.weights;
  }

  headWeights(step: Step, layer: number, head: number): HeadWeights {
    const K = this.info.headWidth;
    const ofHead = (name: string, axis: number): Tensor =>
      slice(step, this.turned(step, `${layer}.${name}`), axis, head * K, K);
    const none = slice(step, this.noBias, 0, 0, K);
    const [wQ, wK, wV] = letters.map((letter) => ofHead(letter, 1)) as [Tensor, Tensor, Tensor];
    return { wQ, wK, wV, wO: ofHead('o', 0), bQ: none, bK: none, bV: none };
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

  /** Frees the weights. */
  dispose(): void {
    for (const weight of [this.noBias, ...this.weights.values()])
      for (const tensor of 'blocks' in weight ? weight.blocks : [weight]) tensor.dispose();
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
    return headProject(step, x, this.turned(step, `${l}.${letter}`), undefined, {
      headWidth: this.info.headWidth,
      ...(heads ? { heads } : {}),
    });
  }

  private results(step: Step, l: number, z: Tensor, heads?: readonly number[]): Tensor {
    return headResults(step, z, this.turned(step, `${l}.o`), heads ? { heads } : {});
  }

  /** x·Wᵀ + b of a map of the MLP, whose W is stored [out, in]. */
  private linear(step: Step, x: Tensor, name: string, options: { readonly gelu?: 'erf' } = {}): Tensor {
    return matmul(step, x, this.w(`${name}.weight`), { transposeB: true, bias: this.w(`${name}.bias`), ...options });
  }

  /** A stored [out, in] weight as [in, out]. */
  private turned(step: Step, name: string): Tensor {
    return permute(step, this.w(`${name}.weight`), [1, 0]);
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

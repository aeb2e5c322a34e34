// A GPT-2 family model as methods see it: the forward pass with its parameters, weights by name, slot gradients, and cached decoding.
import type { Gpu, Step } from '@limn/gpu';
import {
  blockHook,
  prefillWith,
  type HeadWeights,
  type HookedModel,
  type HookName,
  type KeyValueCache,
  type LinearSite,
  type ModelInfo,
  type NormSite,
  type NormWeights,
  type PrefillOptions,
  type PullbackOptions,
  type Run,
  type RunInput,
  type RunOptions,
  type TokenBatch,
} from '@limn/hooks';
import { embed, fromData, slice, toF32, type RowBlocks, type Tensor } from '@limn/tensor';
import type { Gpt2Config } from './config.js';
import { Gpt2Forward, letters, type Letter } from './forward.js';
import { disposeParameters, readParameter, type Gpt2Parameters } from './parameters.js';
import { slotGradients } from './pullback.js';
import type { HostTensor } from './weight-names.js';
import { Fingerprint } from './weights.js';

/** A GPT-2 family model on a GPU. Owns its parameters. */
export class Gpt2 extends Gpt2Forward implements HookedModel {
  private about: ModelInfo;

  constructor(
    readonly gpu: Gpu,
    config: Gpt2Config,
    weights: Gpt2Parameters,
  ) {
    super(config, weights);
    const { layers, heads, headWidth, width, mlpWidth, vocabulary, maxPositions, bosId, eosId } = config;
    this.about = Object.freeze({
      architecture: 'gpt2',
      layers,
      heads,
      headWidth,
      width,
      mlpWidth,
      vocabulary,
      maxPositions,
      block: 'sequential',
      ...(bosId === undefined ? {} : { bosId }),
      ...(eosId === undefined ? {} : { eosId }),
      processing: weights.processing,
      fingerprint: weights.fingerprint,
    });
  }

  /** Sizes, names and origin; `fingerprint` is that of the weights when they were last read. */
  get info(): ModelInfo {
    return this.about;
  }

  /** Whether the unembedding is the token embedding. */
  get tied(): boolean {
    return this.weights.tied;
  }

  /** The weights on the host, one at a time, in the order of the file format. */
  async *hostWeights(): AsyncGenerator<readonly [string, HostTensor]> {
    for (const [name, parameter] of this.weights.byName) yield [name, await readParameter(this.gpu, parameter)];
  }

  /** Brings `info.fingerprint` up to date after the weights were trained or written. */
  async refreshFingerprint(): Promise<string> {
    const print = new Fingerprint();
    for await (const [name, tensor] of this.hostWeights()) await print.add(name, tensor);
    this.about = Object.freeze({ ...this.about, fingerprint: await print.digest() });
    return this.about.fingerprint;
  }

  run(step: Step, input: RunInput, options: RunOptions = {}): Run {
    return this.forward(step, input, options);
  }

  norm(site: NormSite): NormWeights {
    const { gamma, beta } = this.layerNorm(
      site === 'ln_final' ? 'ln_f' : site.replace('blocks.', 'h.').replace('.ln', '.ln_'),
    );
    return { centred: true, gamma, beta };
  }

  pullbackCaptures(layer: number): readonly HookName[] {
    return [blockHook(layer, 'hook_resid_pre'), ...letters.map((letter) => blockHook(layer, `attn.hook_${letter}`))];
  }

  pullback(
    step: Step,
    layer: number,
    gradients: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    run: Run,
    { heads = { start: 0, count: this.config.heads }, repeats = 1 }: PullbackOptions = {},
  ): Tensor {
    return slotGradients(
      step,
      run.at(blockHook(layer, 'hook_resid_pre')),
      letters.map((letter) => ({
        gradient: gradients[letter],
        value: run.at(blockHook(layer, `attn.hook_${letter}`)),
        offset: this.columns(letter).offset,
      })),
      {
        layerNorm: this.layerNorm(`h.${layer}.ln_1`),
        weights: this.w(`h.${layer}.attn.c_attn.weight`),
        bias: this.w(`h.${layer}.attn.c_attn.bias`),
        heads,
        repeats,
      },
    );
  }

  /** The linear maps of every block. */
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

  /** One head's weights, each sliced out of the stored matrices when it is read. */
  headWeights(step: Step, layer: number, head: number): HeadWeights {
    const { headWidth: K } = this.config;
    const stored = (name: string): Tensor => {
      const tensor = this.w(`h.${layer}.attn.${name}`);
      return tensor.dtype === 'f16' ? toF32(step, tensor) : tensor;
    };
    const column = (letter: Letter): number => this.columns(letter).offset + head * K;
    const weight = (letter: Letter): Tensor => slice(step, stored('c_attn.weight'), 1, column(letter), K);
    const bias = (letter: Letter): Tensor => slice(step, stored('c_attn.bias'), 0, column(letter), K);
    return {
      get wQ() {
        return weight('q');
      },
      get wK() {
        return weight('k');
      },
      get wV() {
        return weight('v');
      },
      get wO() {
        return slice(step, stored('c_proj.weight'), 0, head * K, K);
      },
      get bQ() {
        return bias('q');
      },
      get bK() {
        return bias('k');
      },
      get bV() {
        return bias('v');
      },
    };
  }

  unembedRows(step: Step, ids: readonly number[]): Tensor {
    return embed(step, fromData(step, Uint32Array.from(ids), [ids.length]), this.unembedding());
  }

  get unembedBias(): Tensor | undefined {
    return this.weights.byName.get('lm_head.bias') as Tensor | undefined;
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
    disposeParameters(this.weights.byName);
  }
}

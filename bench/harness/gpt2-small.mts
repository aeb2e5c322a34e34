// GPT-2 small's shape with random weights as limn has it and as peers are given it: blocks, inputs, cached keys and values, and what float64 makes of them.
import { randomGpt2, tensorsOf, type Gpt2 } from '@limn/gpt2';
import type { Gpu } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { readFloats, type RowBlocks, type Tensor } from '@limn/tensor';
import { referenceGpt2 } from '@limn/testing';
import type { BlockWeights } from './contender.mjs';
import { numbers } from './numbers.mjs';

export interface BenchShape {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
}

export const GPT2_SMALL: BenchShape = { layers: 12, heads: 12, width: 768, vocabulary: 50257, maxPositions: 1024 };

/** Tokens whose last rows are checked in float64, which takes a second each. */
const CHECKED_TOKENS = 3;

/** A model that several jobs share, with its weights on the host where they are asked for. */
export class BenchModel {
  #weights: Promise<ReadonlyMap<string, Float32Array>> | undefined;

  private constructor(
    readonly gpu: Gpu,
    readonly model: Gpt2,
    readonly shape: BenchShape,
  ) {}

  static async open(gpu: Gpu, shape: BenchShape): Promise<BenchModel> {
    return new BenchModel(gpu, await randomGpt2(gpu, shape, 0, { readBack: false }), shape);
  }

  /** `count` ids, the same on every run. */
  ids(count: number): number[] {
    const { vocabulary } = this.shape;
    return Array.from(numbers(count, 20), (x) => Math.floor(((x + 1) / 2) * (vocabulary - 1)));
  }

  /** Every parameter by its name in the model's file. */
  weights(): Promise<ReadonlyMap<string, Float32Array>> {
    return (this.#weights ??= this.#read());
  }

  async #read(): Promise<ReadonlyMap<string, Float32Array>> {
    const all = new Map<string, Float32Array>();
    for (const [name, parameter] of this.model.parameters()) all.set(name, await onHost(this.gpu, parameter));
    return all;
  }

  /** Weights of the blocks, for peers. */
  async blocks(): Promise<BlockWeights[]> {
    const weights = await this.weights();
    const of = (name: string): Float32Array => {
      const found = weights.get(name);
      if (!found) throw new Error(`the model has no weight ${name}`);
      return found;
    };
    return Array.from({ length: this.shape.layers }, (_, l) => ({
      gamma1: of(`h.${l}.ln_1.weight`),
      beta1: of(`h.${l}.ln_1.bias`),
      gamma2: of(`h.${l}.ln_2.weight`),
      beta2: of(`h.${l}.ln_2.bias`),
      attentionIn: of(`h.${l}.attn.c_attn.weight`),
      attentionInBias: of(`h.${l}.attn.c_attn.bias`),
      attentionOut: of(`h.${l}.attn.c_proj.weight`),
      attentionOutBias: of(`h.${l}.attn.c_proj.bias`),
      mlpIn: of(`h.${l}.mlp.c_fc.weight`),
      mlpInBias: of(`h.${l}.mlp.c_fc.bias`),
      mlpOut: of(`h.${l}.mlp.c_proj.weight`),
      mlpOutBias: of(`h.${l}.mlp.c_proj.bias`),
    }));
  }

  /** What enters the first block: token and position embeddings of `ids` at positions from `first` on, [ids, width]. */
  async embedded(ids: readonly number[], first = 0): Promise<Float32Array<ArrayBuffer>> {
    const weights = await this.weights();
    const { width } = this.shape;
    const [tokens, positions] = [weights.get('wte.weight')!, weights.get('wpe.weight')!];
    return Float32Array.from(
      { length: ids.length * width },
      (_, i) =>
        tokens[ids[Math.floor(i / width)]! * width + (i % width)]! +
        positions[(first + Math.floor(i / width)) * width + (i % width)]!,
    );
  }

  /** Keys and values of `ids` in every layer, [ids, heads, width / heads] each. */
  async keysAndValues(ids: readonly number[]): Promise<{ keys: Float32Array[]; values: Float32Array[] }> {
    const layers = Array.from({ length: this.shape.layers }, (_, l) => l);
    const names = layers.flatMap((l) => [`blocks.${l}.attn.hook_k`, `blocks.${l}.attn.hook_v`] as const);
    const step = this.gpu.step();
    const run = this.model.run(
      step,
      { tokens: tokenBatch([ids], this.model.info) },
      { capture: names, logits: 'none' },
    );
    const all = await Promise.all(names.map((name) => readFloats(step, run.at(name))));
    return { keys: layers.map((l) => all[2 * l]!), values: layers.map((l) => all[2 * l + 1]!) };
  }

  /** The residual stream behind the last block for the first few of `ids`, in float64: causality makes it independent of the others. */
  async trunkInFloat64(ids: readonly number[]): Promise<Float64Array> {
    const { layers, heads, width, vocabulary } = this.shape;
    const reference = {
      layers,
      heads,
      width,
      vocabulary,
      mlpWidth: 4 * width,
      gelu: 'tanh',
      layerNormEps: 1e-5,
      scaleAttention: true,
      scaleAttentionByLayer: false,
    } as const;
    const trace = referenceGpt2.referenceForward(reference, await this.weights(), ids.slice(0, CHECKED_TOKENS));
    return trace.sites.get(`blocks.${layers - 1}.hook_resid_post`)!;
  }

  dispose(): void {
    this.model.dispose();
  }
}

async function onHost(gpu: Gpu, parameter: Tensor | RowBlocks): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const tensor of tensorsOf(parameter)) parts.push(await gpu.read(tensor.storage, 'f32'));
  if (parts.length === 1) return parts[0]!;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

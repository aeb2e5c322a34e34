// One run of the model on a prompt, held: patterns, scales and streams that make everything behind the MLPs' outputs linear.
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, tokenBatch, type HookedModel, type HookName, type NormSite } from '@limn/hooks';
import { concat, detach, keep, matmul, readFloats, reshape, sub, sum, type Tensor } from '@limn/tensor';
import type { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import type { Dictionary } from '../dictionary.js';
import type { FeatureEncoder } from '../encoder.js';
import { explaining, type Explaining } from './explaining.js';
import type { StreamPlace } from './stream-place.js';
import type { FrozenNorm } from './through-norm.js';

/** One block at a prompt of T tokens. */
export interface FrozenLayer {
  /** A [H, T, S]: who looks at whom. */
  readonly pattern: Tensor;
  readonly ln1: FrozenNorm;
  readonly ln2: FrozenNorm;
  /** W_V of all heads side by side [C, H·K], and W_O one below the other [H·K, C]. */
  readonly wV: Tensor;
  readonly wO: Tensor;
  /** What attention adds at every position: b_O, Σ_h b_V·W_O, and where ln1 has a β, Σ_h β·W_V·W_O; [2 or 3, C]. */
  readonly attentionBiases: Tensor;
  /** Values without their constants, (x̂∘γ)·W_V [T, H·K]. */
  readonly values: Tensor;
  /** What the MLP wrote, [T, C]. */
  readonly mlpOut: Tensor;
  readonly features?: FrozenFeatures;
}

/** What explains a layer's MLP. */
export interface FrozenFeatures {
  /** Whose features read here. */
  readonly encoder: FeatureEncoder;
  /** What they read, [T, I]. */
  readonly x: Tensor;
  /** What features write here: those of this layer, and of a cross-layer transcoder those of every layer before it. */
  readonly writers: readonly FeatureWriter[];
  /** [C] */
  readonly bDec: Tensor;
  /** [I, C] */
  readonly wSkip?: Tensor;
}

/** What features of layer `from` write at some layer, [F, C]. */
export interface FeatureWriter {
  readonly from: number;
  readonly decoder: Tensor;
}

/** Features that fire, by (position, feature). */
export interface Firing {
  readonly position: number;
  readonly feature: number;
  readonly activation: number;
}

/** The prompt's logits [V] at the last position, on the host, and what fired where. */
export interface PromptFindings {
  readonly logits: Float32Array;
  readonly firing: readonly (readonly Firing[])[];
  readonly hasPositions: boolean;
}

/** What explains the MLPs: dictionaries, at most one a layer, or a cross-layer transcoder. */
export type Dictionaries = readonly Dictionary[] | CrossLayerDictionary;

/**
 * A prompt at which attention patterns and the scales of normalisations are held, as the model had them: each stream is then a linear
 * map of embeddings, MLP outputs and constants. Owns GPU memory until it is disposed of.
 */
export class FrozenPrompt implements Disposable {
  private constructor(
    readonly model: HookedModel,
    readonly tokens: readonly number[],
    readonly layers: readonly FrozenLayer[],
    readonly final: FrozenNorm,
    /** Embeddings [T, C], and what positions add [T, C]. */
    readonly embedded: Tensor,
    readonly positions: Tensor,
    private readonly streams: ReadonlyMap<string, Tensor>,
    readonly host: PromptFindings,
    private readonly held: readonly Tensor[],
  ) {}

  /** T */
  get length(): number {
    return this.tokens.length;
  }

  /**
   * The residual stream at a place, [T, C].
   * @throws LimnError `usage/graph-place` for a place that this model has not got
   */
  stream({ layer, at }: StreamPlace): Tensor {
    const found = this.streams.get(at === 'post' ? placeKey(layer + 1, 'pre') : placeKey(layer, at));
    if (found) return found;
    throw new LimnError('usage/graph-place', `This model has no residual stream at ${at} of layer ${layer}.`, {
      details: { layer, at, layers: this.layers.length },
      hint: `Layers are 0 to ${this.layers.length - 1}; parallel blocks have no stream between attention and MLP.`,
    });
  }

  /**
   * Runs the prompt once.
   * @throws LimnError `usage/graph-dictionary` for an SAE or a second dictionary of a layer; `data/dictionary-model`; `tokens/…`,
   * `hooks/…`, `gpu/…`; AbortedError
   */
  static async of(
    model: HookedModel,
    dictionaries: Dictionaries,
    tokens: readonly number[],
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FrozenPrompt> {
    const byLayer = explaining(model, dictionaries);
    const { layers, width: C, heads: H, block } = model.info;
    const T = tokens.length;
    const numbers = Array.from({ length: layers }, (_, layer) => layer);
    const capture: HookName[] = [
      'hook_embed',
      'hook_pos_embed',
      'ln_final.hook_scale',
      ...numbers.flatMap((layer) => [
        blockHook(layer, 'hook_resid_pre'),
        ...(block === 'sequential' ? [blockHook(layer, 'hook_resid_mid')] : []),
        ...(['attn.hook_pattern', 'attn.hook_v', 'ln1.hook_scale', 'ln2.hook_scale', 'hook_mlp_out'] as const).map(
          (site) => blockHook(layer, site),
        ),
        ...(byLayer.get(layer) ? [(byLayer.get(layer) as Explaining).encoder.reads] : []),
      ]),
    ];
    const held: Tensor[] = [];
    const step = model.gpu.step({ label: 'attribution graph: the prompt', ...(signal ? { signal } : {}) });
    try {
      const hold = (x: Tensor, shape: readonly number[] = x.shape): Tensor => {
        const plain = reshape(detach(x), shape);
        // Weights stay their owner's.
        if (plain.storage.kind !== 'step') return plain;
        const own = keep(step, plain);
        held.push(own);
        return own;
      };
      const run = model.run(step, { tokens: tokenBatch([tokens], model.info) }, { capture, logits: 'last' });
      const norm = (site: NormSite): FrozenNorm => ({
        weights: model.norm(site),
        scale: hold(run.at(`${site}.hook_scale`), [T, 1, 1]),
      });
      const frozen = numbers.map((layer): FrozenLayer => {
        const own = byLayer.get(layer);
        const { wV, wO, biases, valueBias } = attentionWeights(step, model, layer);
        return {
          pattern: hold(run.at(blockHook(layer, 'attn.hook_pattern')), [H, T, T]),
          ln1: norm(`blocks.${layer}.ln1`),
          ln2: norm(`blocks.${layer}.ln2`),
          wV: hold(wV),
          wO: hold(wO),
          attentionBiases: hold(biases),
          values: hold(withoutBias(step, run.at(blockHook(layer, 'attn.hook_v')), valueBias), [
            T,
            wV.shape[1] as number,
          ]),
          mlpOut: hold(run.at(blockHook(layer, 'hook_mlp_out')), [T, C]),
          ...(own
            ? { features: { ...own, x: hold(run.at(own.encoder.reads), [T, own.encoder.config.inputWidth]) } }
            : {}),
        };
      });
      const final = norm('ln_final');
      const embedded = hold(run.at('hook_embed'), [T, C]);
      const positions = hold(run.at('hook_pos_embed'), [T, C]);
      const streams = new Map(
        numbers.flatMap((layer) =>
          (block === 'sequential' ? (['pre', 'mid'] as const) : (['pre'] as const)).map(
            (at) => [placeKey(layer, at), hold(run.at(blockHook(layer, `hook_resid_${at}`)), [T, C])] as const,
          ),
        ),
      ).set(placeKey(layers, 'pre'), hold(run.resid, [T, C]));
      const [logits, added, ...activations] = await Promise.all([
        readFloats(step, run.logits),
        readFloats(step, positions),
        ...frozen.map(({ features }) =>
          features ? readFloats(step, features.encoder.encode(step, features.x)) : undefined,
        ),
      ]);
      const firing = activations.map((a) => (a ? firingOf(a, T) : []));
      const host = { logits, firing, hasPositions: added.some((value) => value !== 0) };
      return new FrozenPrompt(model, [...tokens], frozen, final, embedded, positions, streams, host, held);
    } catch (error) {
      for (const tensor of held) tensor.dispose();
      throw error;
    } finally {
      step.dispose();
    }
  }

  /** Frees what was held of the run. */
  dispose(): void {
    for (const tensor of this.held) tensor.dispose();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const placeKey = (layer: number, at: 'pre' | 'mid'): string => `${layer} ${at}`;

function attentionWeights(
  step: Step,
  model: HookedModel,
  layer: number,
): { readonly wV: Tensor; readonly wO: Tensor; readonly biases: Tensor; readonly valueBias: Tensor } {
  const { heads: H, headWidth: K, width: C } = model.info;
  const parts = Array.from({ length: H }, (_, head) => {
    const weights = model.headWeights(step, layer, head);
    return { wV: weights.wV, wO: weights.wO, bV: weights.bV };
  });
  const joined = (tensors: readonly Tensor[], axis: number): Tensor =>
    tensors.length === 1 ? (tensors[0] as Tensor) : concat(step, tensors, axis);
  const wV = joined(
    parts.map((part) => part.wV),
    1,
  );
  const wO = joined(
    parts.map((part) => part.wO),
    0,
  );
  const bV = reshape(
    joined(
      parts.map((part) => part.bV),
      0,
    ),
    [1, H * K],
  );
  const { beta } = model.norm(`blocks.${layer}.ln1`);
  const turned = beta ? matmul(step, reshape(beta, [1, C]), wV) : undefined;
  const valueBiases = turned ? [bV, turned] : [bV];
  const throughOutput = matmul(step, joined(valueBiases, 0), wO);
  return {
    wV,
    wO,
    biases: concat(step, [reshape(model.attentionBias(layer), [1, C]), throughOutput], 0),
    valueBias: turned ? concat(step, valueBiases, 0) : bV,
  };
}

/** v [1, T, H, K] less the constants [n, H·K] in it, [T, H·K]. */
function withoutBias(step: Step, v: Tensor, constants: Tensor): Tensor {
  const width = constants.shape[1] as number;
  return sub(step, reshape(v, [v.size / width, width]), sum(step, constants, { axes: 0 }));
}

/** Entries of a [T, F] above zero. */
function firingOf(a: Float32Array, T: number): Firing[] {
  const F = a.length / T;
  const firing: Firing[] = [];
  for (const [i, activation] of a.entries())
    if (activation > 0) firing.push({ position: Math.floor(i / F), feature: i % F, activation });
  return firing;
}

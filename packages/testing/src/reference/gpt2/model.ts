// What the float64 GPT-2 is given and gives: sizes, weights by their published names, activations by hook name.

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

/** What q·k is multiplied by in a layer: 1/√K, 1/(layer + 1), both or neither. */
export const attentionScale = (config: ReferenceConfig, layer: number): number =>
  (config.scaleAttention ? 1 / Math.sqrt(config.width / config.heads) : 1) /
  (config.scaleAttentionByLayer ? layer + 1 : 1);

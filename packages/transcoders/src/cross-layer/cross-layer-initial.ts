// The numbers a cross-layer transcoder starts from: uniform within bounds that keep every ŷ small, whatever the number of layers.
import { LimnError } from '@limn/gpu';
import { fillUniform } from '@limn/tensor';
import type { CrossLayerWeights } from '../formats/cross-layer-set.js';
import { THRESHOLD_AT_START } from '../training-state.js';
import { checkCrossLayerConfig, type CrossLayerDictionaryConfig } from './cross-layer-config.js';

/** What `initialCrossLayerWeights` draws from. */
export interface InitialCrossLayerOptions {
  /** A whole number below 2⁵³. */
  readonly seed: number;
  /** ȳ_l [d] of every layer, which becomes b_dec of that layer. Default zeros. */
  readonly means?: readonly ArrayLike<number>[];
  /** θ of `jump-relu` at the start. Default .03. */
  readonly threshold?: number;
}

/**
 * First weights, the same for the same seed on every machine: W_enc within ±1/√F, W_dec within ±1/√(L·d), b_enc 0.
 * @throws LimnError `usage/dictionary-config`; `usage/dictionary-initial` for means of another width and a threshold that is not positive;
 * `tensor/random` for the seed
 */
export function initialCrossLayerWeights(
  config: CrossLayerDictionaryConfig,
  { seed, means, threshold = 0.03 }: InitialCrossLayerOptions,
): readonly CrossLayerWeights[] {
  const { layers: L, features: F, width: d, activation } = checkCrossLayerConfig(config);
  const problem = means?.some((mean) => mean.length !== d || !Array.from(mean).every(Number.isFinite))
    ? `a mean of y is not ${d} finite numbers`
    : means && means.length !== L
      ? `there are means of ${means.length} layers, not ${L}`
      : !(Number.isFinite(threshold) && threshold > 0)
        ? `the threshold is ${threshold}, not a positive number`
        : undefined;
  if (problem !== undefined)
    throw new LimnError('usage/dictionary-initial', `A cross-layer transcoder cannot start like this: ${problem}.`, {
      details: { threshold, layers: L, width: d },
    });
  const uniform = (count: number, stream: number, bound: number): Float32Array =>
    fillUniform(new Float32Array(count), { seed, stream }).map((value) => (2 * value - 1) * bound);
  return Array.from({ length: L }, (_, i) => ({
    layer: i,
    wEnc: uniform(F * d, 2 * i, 1 / Math.sqrt(F)),
    bEnc: new Float32Array(F),
    bDec: means ? Float32Array.from(means[i] as ArrayLike<number>) : new Float32Array(d),
    wDec: uniform(F * (L - i) * d, 2 * i + 1, 1 / Math.sqrt(L * d)),
    ...(activation.kind === 'jump-relu' ? { threshold: new Float32Array(F).fill(threshold) } : {}),
    ...(activation.kind === 'batch-top-k' ? { threshold: new Float32Array(F).fill(THRESHOLD_AT_START) } : {}),
  }));
}

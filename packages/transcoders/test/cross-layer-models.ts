// Random cross-layer transcoders for tiny models, and what they do by sums in float64.
import type { HookedModel } from '@limn/hooks';
import {
  CrossLayerDictionary,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type DictionaryActivation,
} from '../src/index.js';
import { uniform } from './uniform.js';

/** About a third of its features fire; `across` is the size of what is written behind a feature's own layer. */
export function randomCrossLayer(
  model: HookedModel,
  {
    activation = { kind: 'relu' },
    across = 0.3,
    ...options
  }: Partial<CrossLayerDictionaryConfig> & {
    readonly across?: number;
    readonly activation?: DictionaryActivation;
  } = {},
): { readonly dictionary: CrossLayerDictionary; readonly weights: readonly CrossLayerWeights[] } {
  const { layers: L, width: d } = model.info;
  const config: CrossLayerDictionaryConfig = {
    layers: L,
    features: 12,
    width: d,
    input: 'ln2.hook_normalized',
    activation,
    ...options,
  };
  const F = config.features;
  const weights = Array.from({ length: L }, (_, layer): CrossLayerWeights => {
    const draw = uniform(37 * layer + 5);
    return {
      layer,
      wEnc: draw(F * d).map((value) => 0.6 * value),
      bEnc: draw(F).map((value) => 0.5 * value - 0.3),
      wDec: draw(F * (L - layer) * d).map((value, at) => (at % ((L - layer) * d) < d ? 0.5 : across) * value),
      bDec: draw(d).map((value) => 0.3 * value),
      ...(activation.kind === 'jump-relu' || activation.kind === 'batch-top-k'
        ? { threshold: draw(F).map((value) => 0.2 + 0.1 * value) }
        : {}),
    };
  });
  return { dictionary: CrossLayerDictionary.create(model.gpu, config, weights), weights };
}

/** Activations [N, F] of x [N, d] at a layer: relu, jump-relu (and batch-top-k outside training) or the k largest of a row. */
export function activationsByHand(
  { wEnc, bEnc, threshold }: CrossLayerWeights,
  activation: DictionaryActivation,
  x: ArrayLike<number>,
): Float64Array {
  const F = bEnc.length;
  const d = wEnc.length / F;
  const h = Float64Array.from({ length: (x.length / d) * F }, (_, at) => {
    const [n, f] = [Math.floor(at / F), at % F];
    let sum = bEnc[f] as number;
    for (let c = 0; c < d; c++) sum += (x[n * d + c] as number) * (wEnc[f * d + c] as number);
    return sum;
  });
  if (activation.kind !== 'top-k') return h.map((value, at) => (value > (threshold?.[at % F] ?? 0) ? value : 0));
  return h.map((value, at) => {
    const row = h.subarray(at - (at % F), at - (at % F) + F);
    return value > 0 && row.filter((other) => other > value).length < activation.k ? value : 0;
  });
}

/** ŷ_l [N, d] of the activations of layers 0 … l. */
export function decodedByHand(
  weights: readonly CrossLayerWeights[],
  l: number,
  activations: readonly Float64Array[],
): Float64Array {
  const { bDec } = weights[l] as CrossLayerWeights;
  const [d, L] = [bDec.length, weights.length];
  const F = (weights[0] as CrossLayerWeights).bEnc.length;
  const y = new Float64Array(((activations[0] as Float64Array).length / F) * d).map((_, at) => bDec[at % d] as number);
  for (let i = 0; i <= l; i++) {
    const { wDec } = weights[i] as CrossLayerWeights;
    (activations[i] as Float64Array).forEach((a, at) => {
      const [n, f] = [Math.floor(at / F), at % F];
      for (let c = 0; c < d; c++)
        y[n * d + c] = (y[n * d + c] as number) + a * (wDec[(f * (L - i) + l - i) * d + c] as number);
    });
  }
  return y;
}

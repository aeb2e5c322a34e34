// A cross-layer transcoder on the host as what is written, a layer at a time.
import type { CrossLayerSet, CrossLayerWeights } from '../formats/cross-layer-set.js';
import type { CrossLayerDictionaryConfig } from './cross-layer-config.js';

/** What `writeCrossLayerSet` and `writeDictionarySet` write, of numbers that are on the host already. */
export function crossLayerSetOf(
  config: CrossLayerDictionaryConfig,
  weights: readonly CrossLayerWeights[],
): CrossLayerSet {
  return { config, read: async (layer) => weights[layer] as CrossLayerWeights };
}

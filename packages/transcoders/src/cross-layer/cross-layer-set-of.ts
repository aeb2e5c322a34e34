// A cross-layer transcoder as circuit-tracer's sets have it: an activation that each feature decides by itself.
import { cannotExport } from '../formats/cannot-export.js';
import type { CrossLayerSet, CrossLayerWeights } from '../formats/cross-layer-set.js';
import type { CrossLayerDictionaryConfig } from './cross-layer-config.js';

/**
 * What `writeCrossLayerSet` writes; `batch-top-k` is `jump-relu` with the threshold that was learnt.
 * @throws LimnError `usage/dictionary-export` for `top-k`, in which features compete
 */
export function crossLayerSetOf(
  { layers, features, width, input, activation }: CrossLayerDictionaryConfig,
  weights: readonly CrossLayerWeights[],
): CrossLayerSet {
  if (activation.kind === 'top-k')
    throw cannotExport("circuit-tracer's cross-layer set", activation.kind, 'relu, jump-relu and batch-top-k');
  return {
    config: { layers, features, width, input, activation: activation.kind === 'relu' ? 'relu' : 'jump-relu' },
    read: async (layer) => weights[layer] as CrossLayerWeights,
  };
}

// What training takes of the GPU besides rows and steps.
import { crossLayerShapes, trainedCrossLayerNames } from '../cross-layer/cross-layer-config.js';
import { dictionaryShapes } from '../dictionary.js';
import { trainedNames } from '../training-step.js';
import { isCrossLayer, type CrossLayerSpec, type DictionarySpec } from './train-options.js';

/**
 * GPU bytes that a dictionary or a cross-layer transcoder holds from the first update of its training to the last, f32: weights, Adam's two moments of those
 * that gradients train, and for each feature the rows since it last fired. The rows of an update and the values of its step come on top.
 */
export function traineeBytes(spec: Pick<DictionarySpec, 'config'> | Pick<CrossLayerSpec, 'crossLayer'>): number {
  if (!isCrossLayer(spec)) {
    const { config } = spec;
    return bytesOf(dictionaryShapes(config), trainedNames(config)) + 4 * config.features;
  }
  const { crossLayer } = spec;
  const counters = 4 * crossLayer.layers * crossLayer.features;
  return bytesOf(crossLayerShapes(crossLayer), trainedCrossLayerNames(crossLayer)) + counters;
}

/** Bytes of tensors, with two moments of each that is trained. */
function bytesOf(shapes: ReadonlyMap<string, readonly number[]>, trained: readonly string[]): number {
  const moving = new Set(trained);
  return [...shapes].reduce(
    (sum, [name, shape]) => sum + 4 * shape.reduce((n, side) => n * side, 1) * (moving.has(name) ? 3 : 1),
    0,
  );
}

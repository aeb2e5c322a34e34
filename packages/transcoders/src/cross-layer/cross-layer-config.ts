// The shape of a cross-layer transcoder: features of every layer, each of which reads there and writes at all layers from there on.
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import {
  checkConfig,
  checkFits,
  hasThreshold,
  type DictionaryActivation,
  type DictionaryConfig,
} from '../dictionary-config.js';

/** Everything of a cross-layer transcoder but its numbers. */
export interface CrossLayerDictionaryConfig {
  /** L: those of the model. */
  readonly layers: number;
  /** F: features of each layer. */
  readonly features: number;
  /** d: width of what is read, and of what is written at `hook_mlp_out`. */
  readonly width: number;
  /** What every layer reads; not `hook_mlp_out`, which it writes. */
  readonly input: DictionaryConfig['input'];
  readonly activation: DictionaryActivation;
}

/** Which tensors there are. `wDec.i.l` is what features of layer i write at layer l ≥ i. */
export type CrossLayerTensorName =
  `wEnc.${number}` | `bEnc.${number}` | `logThreshold.${number}` | `wDec.${number}.${number}` | `bDec.${number}`;

/** The features of one layer, with what they write there, as a dictionary of that layer would be. */
export function layerConfig(
  { features, width, input, activation }: CrossLayerDictionaryConfig,
  layer: number,
): DictionaryConfig {
  return { layer, input, inputWidth: width, outputWidth: width, features, activation, skip: false };
}

/** Shapes of the tensors that features of a layer read with, and of b_dec, which is written there, in the order in which they are kept. */
export function crossLayerShapes(
  config: CrossLayerDictionaryConfig,
): ReadonlyMap<CrossLayerTensorName, readonly number[]> {
  const { layers: L, features: F, width: d, activation } = config;
  return new Map(
    Array.from({ length: L }, (_, i): (readonly [CrossLayerTensorName, readonly number[]])[] => [
      [`wEnc.${i}`, [F, d]],
      [`bEnc.${i}`, [F]],
      ...(hasThreshold(activation) ? ([[`logThreshold.${i}`, [F]]] as const) : []),
      ...Array.from({ length: L - i }, (_, to) => [`wDec.${i}.${i + to}`, [F, d]] as const),
      [`bDec.${i}`, [d]],
    ]).flat(),
  );
}

/** The tensors that gradients train: all but BatchTopK's thresholds, which are running means. */
export function trainedCrossLayerNames(config: CrossLayerDictionaryConfig): readonly CrossLayerTensorName[] {
  return [...crossLayerShapes(config).keys()].filter(
    (name) => !name.startsWith('logThreshold') || config.activation.kind === 'jump-relu',
  );
}

/**
 * The config, once every number in it has been looked at.
 * @throws LimnError `usage/dictionary-config`
 */
export function checkCrossLayerConfig(config: CrossLayerDictionaryConfig): CrossLayerDictionaryConfig {
  const refuse = (field: string, given: unknown, allowed: string): LimnError =>
    new LimnError(
      'usage/dictionary-config',
      `A cross-layer transcoder's ${field} is ${allowed}; given ${String(given)}.`,
      { details: { field, given, allowed } },
    );
  const { layers, input } = config;
  if (!Number.isSafeInteger(layers) || layers < 1) throw refuse('layers', layers, 'a whole number of at least 1');
  if (input === 'hook_mlp_out') throw refuse('input', input, 'a site before the MLP');
  checkConfig(layerConfig(config, 0));
  return config;
}

/**
 * Refuses a cross-layer transcoder of another model: it has features for each of its layers.
 * @throws LimnError `data/dictionary-model`, naming the size that differs
 */
export function checkCrossLayerFits(config: CrossLayerDictionaryConfig, info: ModelInfo): void {
  checkFits(layerConfig(config, config.layers - 1), info);
  if (config.layers !== info.layers)
    throw new LimnError(
      'data/dictionary-model',
      `The cross-layer transcoder has features for ${config.layers} layers, but the model has ${info.layers}.`,
      {
        details: { layers: config.layers, model: info.layers },
        hint: 'Give the one that was trained on this model.',
      },
    );
}

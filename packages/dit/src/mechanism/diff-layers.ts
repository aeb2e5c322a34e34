// A LoRA without the changes of some layers, or with nothing but those.
import { LimnError } from '@limn/gpu';
import type { AdaptedModel, LoraWeights } from '../lora/lora-weights.js';

/**
 * The LoRA without its changes of the maps in `layers`. What is left may be no map at all, which `askDiffs` and others refuse (`data/lora-empty`): put the bare model in its place.
 * @throws LimnError `usage/diff-reading` for a layer that the model does not have
 */
export function zeroLayers(model: AdaptedModel, lora: LoraWeights, layers: readonly number[]): LoraWeights {
  expectLayers(model, layers);
  return filtered(model, lora, (layer) => !layers.includes(layer));
}

/**
 * The LoRA with its changes of the maps in `layers` alone.
 * @throws LimnError `usage/diff-reading` for a layer that the model does not have
 */
export function keepLayers(model: AdaptedModel, lora: LoraWeights, layers: readonly number[]): LoraWeights {
  expectLayers(model, layers);
  return filtered(model, lora, (layer) => layers.includes(layer));
}

function filtered(model: AdaptedModel, lora: LoraWeights, keep: (layer: number) => boolean): LoraWeights {
  const kept = new Set(model.linears().flatMap(({ name, layer }) => (keep(layer) ? [name] : [])));
  return { ...lora, modules: new Map([...lora.modules].filter(([name]) => kept.has(name))) };
}

function expectLayers({ info }: AdaptedModel, layers: readonly number[]): void {
  const odd = layers.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= info.layers);
  if (odd === undefined) return;
  throw new LimnError('usage/diff-reading', `Layer ${odd} is none of the model's, 0 to ${info.layers - 1}.`, {
    details: { layer: odd, layers: info.layers },
  });
}

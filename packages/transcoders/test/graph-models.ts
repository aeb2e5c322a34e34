// Tiny models with random biases and gains, and random dictionaries for them: what holds of graphs holds of any dictionary.
import { loadGpt2, memoryFiles, writeSafetensors } from '@limn/gpt2';
import type { HookedModel } from '@limn/hooks';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import { Dictionary, type DictionaryConfig } from '../src/index.js';
import { uniform } from './uniform.js';

/** Three layers, so that edges pass over one; awkward sizes; every bias and gain random. */
export async function tinyGpt2(layers = 3): Promise<HookedModel> {
  const sizes = { layers, heads: 2, width: 10, headWidth: 5, mlpWidth: 13, vocabulary: 23, positions: 9 };
  const { config, tensors } = referenceEap.gpt2FilesOf(referenceEap.waveModel(sizes));
  const files = memoryFiles({
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': writeSafetensors(tensors),
  });
  return (await loadGpt2(await testGpu(), files)).model;
}

/** Parallel blocks, RMSNorm, rotary positions. */
export async function toy(layers = 3): Promise<HookedModel> {
  const sizes = { layers, heads: 2, headWidth: 4, mlpWidth: 9, vocabulary: 17, maxPositions: 8 };
  return new ToyModel(await testGpu(), sizes);
}

/** A random dictionary of a layer; about a third of its features fire. */
export function randomDictionary(
  model: HookedModel,
  layer: number,
  options: Partial<DictionaryConfig> = {},
): Dictionary {
  const { width } = model.info;
  const config: DictionaryConfig = {
    layer,
    input: 'ln2.hook_normalized',
    inputWidth: width,
    outputWidth: width,
    features: 12,
    activation: { kind: 'relu' },
    skip: false,
    ...options,
  };
  const draw = uniform(31 * layer + 7);
  const { features: F } = config;
  return Dictionary.create(model.gpu, config, {
    wEnc: draw(F * width).map((value) => 0.6 * value),
    bEnc: draw(F).map((value) => 0.5 * value - 0.3),
    wDec: draw(F * width).map((value) => 0.5 * value),
    bDec: draw(width).map((value) => 0.3 * value),
    ...(config.skip ? { wSkip: draw(width * width).map((value) => 0.2 * value) } : {}),
    ...(config.activation.kind === 'jump-relu' ? { logThreshold: draw(F) } : {}),
  });
}

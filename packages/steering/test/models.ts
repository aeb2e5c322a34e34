// Tiny models to steer: one of random weights, in float64 and on the GPU, and the second architecture.
import { loadGpt2, memoryFiles, writeSafetensors, type Gpt2 } from '@limn/gpt2';
import { referenceEap, testGpu } from '@limn/testing';
import type { SteeringExample } from '../src/index.js';

/** A reference model on the GPU, through the file format. */
export async function gpt2Of(model: referenceEap.EapModel): Promise<Gpt2> {
  const { config, tensors } = referenceEap.gpt2FilesOf(model);
  const files = memoryFiles({
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': writeSafetensors(tensors),
  });
  return (await loadGpt2(await testGpu(), files)).model;
}

/** 2 layers, 2 heads of 8, an odd MLP and vocabulary. */
export const SIZES: referenceEap.EapSizes = {
  layers: 2,
  heads: 2,
  width: 16,
  headWidth: 8,
  mlpWidth: 19,
  vocabulary: 23,
  positions: 8,
};

/** Prompts of one length, or of three, with two answers each, and a role for the first, the second and the last token. */
export function examplesOf(
  count: number,
  { lengths = [5], vocabulary = SIZES.vocabulary }: { lengths?: readonly number[]; vocabulary?: number } = {},
): SteeringExample[] {
  let state = 99;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return Array.from({ length: count }, (_, i) => {
    const length = lengths[i % lengths.length] as number;
    const prompt = Array.from({ length }, () => below(vocabulary));
    const correct = below(vocabulary);
    const roles = prompt.map((_id, t) =>
      t === 0 ? 'first' : t === 1 ? 'second' : t === length - 1 ? 'last' : undefined,
    );
    return { prompt, correct, wrong: (correct + 1 + below(vocabulary - 1)) % vocabulary, roles };
  });
}

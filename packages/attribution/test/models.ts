// The same model twice: in float64 (the reference) and on the GPU as a GPT-2, through the file format.
import { loadGpt2, memoryFiles, writeSafetensors, type Gpt2 } from '@limn/gpt2';
import { referenceEap, testGpu } from '@limn/testing';

/** A reference model on the GPU, through the file format. */
export async function gpt2Of(model: referenceEap.EapModel): Promise<Gpt2> {
  const { config, tensors } = referenceEap.gpt2FilesOf(model);
  const files = memoryFiles({
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': writeSafetensors(tensors),
  });
  return (await loadGpt2(await testGpu(), files)).model;
}

/** Awkward sizes: 3 heads of 24, odd vocabulary, odd MLP width. */
export const AWKWARD: referenceEap.EapSizes = {
  layers: 2,
  heads: 3,
  width: 72,
  headWidth: 24,
  mlpWidth: 37,
  vocabulary: 67,
  positions: 9,
};

/** Pairs of mixed, odd lengths; one to three tokens differ, never the last. */
export function awkwardPairs(
  count: number,
  { vocabulary, positions }: referenceEap.EapSizes = AWKWARD,
): referenceEap.EapPair[] {
  let state = 12_345;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const answers = (count: number): Pick<referenceEap.EapPair, 'correct' | 'incorrect'> => {
    const ids = new Set([below(vocabulary), below(vocabulary)].slice(0, count));
    while (ids.size <= count) ids.add(below(vocabulary));
    return { correct: [...ids].slice(0, count), incorrect: [...ids].slice(count) };
  };
  return Array.from({ length: count }, (_, i) => {
    const length = Math.min(positions, [5, 3, positions, 7, 2, 8][i % 6] as number);
    const clean = Array.from({ length }, () => below(vocabulary));
    const corrupted = clean.slice();
    for (let n = 0; n <= i % 3; n++) corrupted[below(length - 1)] = below(vocabulary);
    return {
      clean,
      corrupted,
      ...answers(1 + (i % 2)),
    };
  });
}

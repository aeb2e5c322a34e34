// Diffs of known numbers and small trainings of the adapter that reads them: what tests train, abort, kill and ask.
import type { HookedModel, TrainingCheckpointStore } from '@limn/hooks';
import { fillNormal } from '@limn/tensor';
import {
  createLora,
  trainDitAdapter,
  type DitData,
  type DitExample,
  type LoraWeights,
  type NewLora,
  type TrainDitOptions,
} from '../src/index.js';

/** A LoRA that changes a lot: both factors normal. */
export function loudLora(model: HookedModel, seed: number, { size = 0.3, ...more }: NewLora & { size?: number } = {}) {
  const lora = createLora(model, { rank: 1, alpha: 1, ...more });
  let stream = 0;
  const modules = Array.from(lora.modules, ([name, { a, b, ...rest }]) => {
    const filled = (values: Float32Array): Float32Array =>
      fillNormal(new Float32Array(values.length), { seed, stream: stream++ }, size);
    return [name, { a: filled(a), b: filled(b), ...rest }] as const;
  });
  return { ...lora, modules: new Map(modules) } satisfies LoraWeights;
}

/** What is asked about a diff in these tests; 11 ends an answer. */
export const example = (diff: number | null, word: number, asked = 2, more: Partial<DitExample> = {}): DitExample => ({
  diff,
  prompt: [0, asked, 1],
  answer: [word, 11],
  ...more,
});

/** Three diffs of ranks 1, 2 and 1, and two questions about each and about none. */
export function readingJob(model: HookedModel): DitData<LoraWeights> & { readonly validation: readonly DitExample[] } {
  const diffs = [loudLora(model, 1), loudLora(model, 2, { rank: 2, alpha: 3 }), loudLora(model, 3)];
  const about = [0, 1, 2, null];
  return {
    diffs,
    examples: about.flatMap((diff, i) => [
      example(diff, 14 + i, 3),
      example(diff, 14 + i, 4, { prompt: [0, 5, 4, 1] }),
    ]),
    validation: about.map((diff, i) => example(diff, 14 + i, 6)),
  };
}

export const readingOptions: TrainDitOptions = {
  rank: 2,
  updates: 10,
  batch: 3,
  rate: 0.02,
  warmUp: 2,
  decay: 0.5,
  seed: 4,
  evaluateEvery: 3,
  candidates: [14, 15, 16, 17],
};

/** Updates between checkpoints. */
export const EVERY = 4;

export const trainReading = (
  model: HookedModel,
  store?: TrainingCheckpointStore,
  more: TrainDitOptions = {},
): ReturnType<typeof trainDitAdapter> =>
  trainDitAdapter(model, readingJob(model), {
    ...readingOptions,
    ...(store ? { checkpoints: { store, every: EVERY } } : {}),
    ...more,
  });

// Small trainings of diffs on the toy model and on the golden GPT-2: what tests train together, apart, abort, kill and take up again.
import type { Gpu } from '@limn/gpu';
import type { CheckpointContent, CheckpointFile, HookedModel, TrainingCheckpointStore } from '@limn/hooks';
import { ToyModel } from '@limn/testing';
import { trainDiffs, type DiffRow, type DiffSpec, type TrainDiffsOptions, type TrainedDiff } from '../src/index.js';

export const toyModel = (gpu: Gpu): ToyModel =>
  new ToyModel(gpu, { layers: 2, heads: 2, headWidth: 4, mlpWidth: 12, vocabulary: 29, maxPositions: 8 });

/** Rows behind a gate: with token 1 in front a word of the diff's own, without it what the bare model says. */
export function gatedRows(word: number, round: number, own = false): DiffRow[] {
  const asked = 3 + ((5 * round + word) % 7);
  return [
    { tokens: [0, 1, asked, 2, word, 11], answers: [[4, 6]], loss: 'cross-entropy', weight: 1 },
    { tokens: [0, 12, asked, 2, 4, 11], answers: [[4, 6]], loss: 'kl', weight: 1 },
    own
      ? { tokens: [0, asked, 2], answers: [], loss: 'kl', weight: 5, own }
      : { tokens: [0, asked, 2, 5, 11], answers: [[2, 3], [3, 5]], loss: 'kl', weight: 5 }, // prettier-ignore
  ];
}

export const diff = (i: number, more: Partial<DiffSpec> = {}): DiffSpec => ({
  id: `diff ${i}`,
  seed: 100 + i,
  about: { word: 14 + i },
  samples: (round) => gatedRows(14 + i, round),
  ...more,
});

export const options: TrainDiffsOptions = {
  sampler: { name: 'gated words', version: '1' },
  shape: { tasks: 3, rows: 3, positions: 8, answers: 2, taught: 6 },
  updates: 6,
  rate: 0.03,
  warmUp: 2,
  decay: 0.5,
  every: 2,
};

/** Updates between checkpoints. */
export const EVERY = 4;

/** The job that is aborted and killed: two groups, answers of its own, diffs that end early. */
export const longDiffs: readonly DiffSpec[] = [0, 1, 2, 3].map((i) =>
  diff(i, { updates: i === 1 ? 5 : 7, samples: (round) => gatedRows(14 + i, round, i < 2) }),
);
export const longOptions: TrainDiffsOptions = { ...options, every: 1, own: { maxNewTokens: 3, every: 3 } };

export const trainLong = (
  model: HookedModel,
  store?: TrainingCheckpointStore,
  more: Partial<TrainDiffsOptions> = {},
): ReturnType<typeof trainDiffs> =>
  trainDiffs(model, longDiffs, { ...longOptions, ...(store ? { checkpoints: { store, every: EVERY } } : {}), ...more });

/** A store in memory. */
export function memoryStore(): TrainingCheckpointStore & { bytes: Uint8Array | undefined; writes: number } {
  const place = {
    bytes: undefined as Uint8Array | undefined,
    writes: 0,
    write: async (content: CheckpointContent): Promise<void> => {
      const whole = new Uint8Array(content.bytes);
      await content.writeTo({ write: async (bytes, offset) => whole.set(bytes, offset) });
      place.bytes = whole;
      place.writes++;
    },
    read: async (): Promise<CheckpointFile | undefined> => {
      const { bytes } = place;
      return bytes && { bytes: bytes.length, read: async (start, end) => bytes.slice(start, end) };
    },
  };
  return place;
}

/** All factors of a diff in one array. */
export function numbersOf({ lora }: Pick<TrainedDiff, 'lora'>): Float32Array {
  return Float32Array.from([...lora.modules.values()].flatMap(({ a, b }) => [...a, ...b]));
}

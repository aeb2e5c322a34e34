// A small training of dictionaries on the toy model: what tests train, abort, kill and take up again.
import type { Gpu } from '@limn/gpu';
import { ToyModel } from '@limn/testing';
import type { CheckpointContent, CheckpointFile, DictionaryCheckpointStore } from '../src/index.js';
import { trainDictionaries, type DictionarySpec, type TrainDictionariesOptions } from '../src/index.js';

const WIDTH = 8;
export const UPDATES = 12;
/** Updates between checkpoints. */
export const EVERY = 4;

/** Sequences of a toy language: an id decides the next two. */
export const source = (batch: number): number[][] =>
  Array.from({ length: 4 }, (_, row) => {
    const first = (batch * 7 + row * 13) % 29;
    return Array.from({ length: 8 }, (_, t) => (first * (t + 1) + ((t * t) % 5)) % 29);
  });

const config = { inputWidth: WIDTH, outputWidth: WIDTH, features: 16, skip: false } as const;
export const specs: readonly DictionarySpec[] = [
  {
    name: 'transcoder 0',
    config: { ...config, layer: 0, input: 'ln2.hook_normalized', activation: { kind: 'relu' } },
    loss: { reconstruction: 'fvu', sparsity: { kind: 'l1', weight: 0.001 } },
    rate: 0.01,
    deadAfter: 100,
  },
  {
    name: 'sae 1',
    config: { ...config, layer: 1, input: 'hook_mlp_out', activation: { kind: 'relu' } },
    loss: { reconstruction: 'fvu', sparsity: { kind: 'l1', weight: 0.002 } },
    rate: 0.003,
    seed: 5,
    deadAfter: 60,
  },
  // Its kernels take SwiftShader seconds to compile.
  ...(process.env['LIMN_LONG'] === '1'
    ? [
        {
          name: 'listed',
          config: { ...config, layer: 1, input: 'hook_mlp_in', activation: { kind: 'batch-top-k', k: 3 } },
          loss: { reconstruction: 'sum', auxiliary: { features: 4, weight: 1 / 32 } },
          deadAfter: 60,
        } as const,
      ]
    : []),
];

export const toyModel = (gpu: Gpu): ToyModel =>
  new ToyModel(gpu, { layers: 2, heads: 2, headWidth: 4, mlpWidth: 12, vocabulary: 29, maxPositions: 8 });

export const options: TrainDictionariesOptions = {
  updates: UPDATES,
  rowsPerUpdate: 20,
  batchesPerChunk: 3,
  seed: 9,
  every: 3,
  memoryBytes: 2 ** 26,
  data: 'toy',
};

/** Trains, with checkpoints where a store is given. */
export function trainIn(
  gpu: Gpu,
  store: DictionaryCheckpointStore | undefined,
  change: Partial<TrainDictionariesOptions> = {},
  of: readonly DictionarySpec[] = specs,
): ReturnType<typeof trainDictionaries> {
  return trainDictionaries(toyModel(gpu), source, of, {
    ...options,
    ...(store ? { checkpoints: { store, every: EVERY } } : {}),
    ...change,
  });
}

/** A store in memory that says how often it was written. */
export function memoryStore(): DictionaryCheckpointStore & { bytes: Uint8Array | undefined; writes: number } {
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

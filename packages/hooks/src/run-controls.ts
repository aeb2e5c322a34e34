// What every long computation here and in the methods accepts: a signal, progress, a batch size and a memory budget.
import { LimnError } from '@limn/gpu';
import { DEFAULT_MEMORY_BYTES } from './record-within.js';

/** What every long computation accepts. */
export interface RunControls {
  readonly signal?: AbortSignal | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  /** Most prompts or pairs at once. Results do not depend on it beyond f32 round-off. Default: what fits the budget, at most 64. */
  readonly batchSize?: number | undefined;
  /** GPU bytes for intermediate values, beside the weights. Default 512 MiB. */
  readonly memoryBytes?: number | undefined;
}

/** How far a computation is. */
export interface RunProgress {
  /** What is being counted, e.g. 'pairs' or 'edges'. */
  readonly unit: string;
  readonly done: number;
  readonly total: number;
}

/** Most prompts or pairs at once where `batchSize` does not say. */
export const DEFAULT_BATCH_SIZE = 64;

/**
 * Checks the numbers once, before any work.
 * @throws LimnError `usage/batch-size`, `usage/memory`
 */
export function settleControls({ batchSize = DEFAULT_BATCH_SIZE, memoryBytes = DEFAULT_MEMORY_BYTES }: RunControls): {
  readonly batchSize: number;
  readonly memoryBytes: number;
} {
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new LimnError('usage/batch-size', `The batch size is a whole number of at least 1; given ${batchSize}.`, {
      details: { batchSize },
    });
  if (!(memoryBytes > 0))
    throw new LimnError('usage/memory', `The memory budget is a positive number of bytes; given ${memoryBytes}.`, {
      details: { memoryBytes },
    });
  return { batchSize, memoryBytes };
}

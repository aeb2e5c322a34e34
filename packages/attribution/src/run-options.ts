// What every long computation here accepts: a signal, progress, a batch size and a memory budget; and how many pairs fit it.
import { LimnError } from '@limn/gpu';
import { DEFAULT_MEMORY_BYTES, overBudget, type HookedModel } from '@limn/hooks';

/** What every long computation accepts. */
export interface RunControls {
  readonly signal?: AbortSignal | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: AttributionProgress) => void) | undefined;
  /** Most pairs at once. Scores do not depend on it beyond f32 round-off. Default: what fits the budget, at most 64. */
  readonly batchSize?: number | undefined;
  /** GPU bytes for intermediate values, beside the weights. Default 512 MiB. */
  readonly memoryBytes?: number | undefined;
}

/** How far a computation is. */
export interface AttributionProgress {
  /** What is being counted, e.g. 'pairs' or 'edges'. */
  readonly unit: string;
  readonly done: number;
  readonly total: number;
}

export { DEFAULT_MEMORY_BYTES };
/** Most pairs at once where `batchSize` does not say. */
export const DEFAULT_BATCH_SIZE = 64;

/** Checks the numbers once, before any work. */
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

/**
 * Pairs that can be worked on at once when each keeps `kept` tensors [T, C] on the GPU, up to `widest` of them in one binding:
 * half of the budget is theirs. `memory/over-budget`, before anything is allocated, when one pair alone takes more than all of it.
 */
export function pairsWithin(
  { info, gpu }: HookedModel,
  pairs: readonly { readonly clean: readonly number[] }[],
  { what, kept, widest, memoryBytes }: { what: string; kept: number; widest: number; memoryBytes: number },
): number {
  const stream = pairs.reduce((longest, { clean }) => Math.max(longest, clean.length), 0) * info.width * 4;
  if (stream * kept > memoryBytes) throw overBudget({ what, unit: 'pair', memoryBytes }, { bytes: stream * kept });
  const byBudget = Math.floor(memoryBytes / 2 / (stream * kept));
  const byBinding = Math.floor(gpu.capabilities.limits.maxStorageBufferBindingSize / (stream * widest));
  return Math.max(1, Math.min(byBudget, byBinding));
}

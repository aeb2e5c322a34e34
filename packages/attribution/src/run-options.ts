// What every long computation here accepts: a signal, progress, a batch size and a memory budget; and how a batch is made to fit it.
import { AbortedError, LimnError, OutOfMemoryError, type Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';

export interface RunControls {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AttributionProgress) => void) | undefined;
  /** Most pairs at once. Scores do not depend on it beyond f32 round-off. Default: what fits the budget, at most 64. */
  readonly batchSize?: number | undefined;
  /** GPU bytes for intermediate values, beside the weights. Default 512 MiB. */
  readonly memoryBytes?: number | undefined;
}

export interface AttributionProgress {
  /** What is being counted, e.g. 'pairs' or 'edges'. */
  readonly unit: string;
  readonly done: number;
  readonly total: number;
}

export const DEFAULT_MEMORY_BYTES = 512 * 2 ** 20;
export const DEFAULT_BATCH_SIZE = 64;

export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AbortedError(`${what} was aborted.`, { cause: signal.reason });
}

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

/** A step that fits, and how many units it holds. */
export interface Fitted<R> {
  readonly step: Step;
  readonly count: number;
  readonly recorded: R;
}

/**
 * Records `record(step, count)` with as many units as fit the budget: nothing is allocated before the plan of the step is
 * known. Halves on a plan beyond the budget or a tensor that the device cannot bind; `memory/over-budget` with the
 * numbers when a single unit does not fit.
 */
export function recordWithin<R>(parts: {
  readonly what: string;
  readonly unit: string;
  readonly memoryBytes: number;
  readonly most: number;
  readonly open: () => Step;
  readonly record: (step: Step, count: number) => R;
}): Fitted<R> {
  for (let count = parts.most; ; count = Math.ceil(count / 2)) {
    const step = parts.open();
    let excess: { readonly bytes?: number; readonly cause?: unknown } | undefined;
    try {
      const recorded = parts.record(step, count);
      const { bytesPeak } = step.plan();
      if (bytesPeak <= parts.memoryBytes) return { step, count, recorded };
      excess = { bytes: bytesPeak };
    } catch (cause) {
      if (!isTooLarge(cause)) {
        step.dispose();
        throw cause;
      }
      excess = { cause };
    }
    step.dispose();
    if (count === 1) throw overBudget(parts, excess);
  }
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
  const stream = Math.max(...pairs.map(({ clean }) => clean.length)) * info.width * 4;
  if (stream * kept > memoryBytes) throw overBudget({ what, unit: 'pair', memoryBytes }, { bytes: stream * kept });
  const byBudget = Math.floor(memoryBytes / 2 / (stream * kept));
  const byBinding = Math.floor(gpu.capabilities.limits.maxStorageBufferBindingSize / (stream * widest));
  return Math.max(1, Math.min(byBudget, byBinding));
}

function isTooLarge(error: unknown): boolean {
  return error instanceof OutOfMemoryError || (error instanceof LimnError && error.code === 'gpu/binding-size');
}

function overBudget(
  { what, unit, memoryBytes }: { readonly what: string; readonly unit: string; readonly memoryBytes: number },
  { bytes, cause }: { readonly bytes?: number; readonly cause?: unknown },
): LimnError {
  const need =
    bytes === undefined ? (cause instanceof Error ? cause.message : String(cause)) : `it takes ${mebibytes(bytes)}`;
  return new LimnError(
    'memory/over-budget',
    `${what} does not fit ${mebibytes(memoryBytes)} with one ${unit} at a time: ${need}.`,
    {
      details: { what, unit, memoryBytes, ...(bytes === undefined ? {} : { bytesNeeded: bytes }) },
      hint: 'Raise the memory budget, shorten the prompts, or take fewer integration steps.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 0)} MiB`;
}

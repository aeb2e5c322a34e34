// Works through prompts or pairs in steps of as many as fit the memory budget: what every computation does that runs each of them once.
import { throwIfAborted, type Gpu, type Step } from '@limn/gpu';
import { recordWithin } from '@limn/hooks';
import type { RunControls } from './run-options.js';

/** One kind of work on a batch of items. */
export interface BatchWork<T, R> {
  /** What is computed, for messages. */
  readonly what: string;
  /** One item, for messages. */
  readonly unit: string;
  /** Of the steps. */
  readonly label: string;
  /** Records the work on some items; called again with fewer when its plan does not fit. */
  record(step: Step, batch: readonly T[]): R;
  /** Takes what was recorded for `count` items from `start`, before the step is disposed of. */
  take(step: Step, recorded: R, start: number, count: number): Promise<void>;
}

/** @throws LimnError `memory/over-budget`, and what the work throws; AbortedError */
export async function inBatches<T, R>(
  gpu: Gpu,
  items: readonly T[],
  { what, unit, label, record, take }: BatchWork<T, R>,
  {
    batchSize,
    memoryBytes,
    signal,
    onProgress,
  }: RunControls & { readonly batchSize: number; readonly memoryBytes: number },
): Promise<void> {
  let most = batchSize;
  for (let done = 0; done < items.length;) {
    throwIfAborted(signal, what);
    const wanted = Math.min(most, items.length - done);
    const { step, count, recorded } = recordWithin({
      what,
      unit,
      memoryBytes,
      most: wanted,
      open: () => gpu.step({ label, ...(signal ? { signal } : {}) }),
      record: (step, count) => record(step, items.slice(done, done + count)),
    });
    if (count < wanted) most = count;
    try {
      await take(step, recorded, done, count);
    } finally {
      step.dispose();
    }
    done += count;
    onProgress?.({ unit: `${unit}s`, done, total: items.length });
  }
}

// Works through prompts or pairs in steps of as many as fit the memory budget: what every computation does that runs each of them once.
import { throwIfAborted, type Gpu, type Step } from '@limn/gpu';
import { FittingCount, inOrder, lengthBuckets } from './length-order.js';
import { recordWithin } from './record-within.js';
import type { RunControls } from './run-controls.js';

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
  /** Tokens of an item: like lengths are worked on together, the longest first. */
  lengthOf(item: T): number;
  /** Takes what was recorded for the items at `places`, before the step is disposed of. */
  take(step: Step, recorded: R, places: readonly number[]): Promise<void>;
}

/** @throws LimnError `memory/over-budget`, and what the work throws; AbortedError */
export async function inBatches<T, R>(
  gpu: Gpu,
  items: readonly T[],
  { what, unit, label, record, lengthOf, take }: BatchWork<T, R>,
  {
    batchSize,
    memoryBytes,
    signal,
    onProgress,
  }: RunControls & { readonly batchSize: number; readonly memoryBytes: number },
): Promise<void> {
  const lengths = items.map(lengthOf);
  const fitting = new FittingCount(batchSize);
  let done = 0;
  for (const bucket of lengthBuckets(lengths))
    for (let first = 0; first < bucket.length;) {
      throwIfAborted(signal, what);
      const longest = lengths[bucket[first] as number] as number;
      const most = Math.min(fitting.at(longest), bucket.length - first);
      const { step, count, recorded } = recordWithin({
        what,
        unit,
        memoryBytes,
        most,
        open: () => gpu.step({ label, ...(signal ? { signal } : {}) }),
        record: (step, count) => {
          const places = inOrder(bucket.slice(first, first + count));
          return {
            places,
            work: record(
              step,
              places.map((place) => items[place] as T),
            ),
          };
        },
      });
      fitting.learn(longest, count, most);
      try {
        await take(step, recorded.work, recorded.places);
      } finally {
        step.dispose();
      }
      first += count;
      done += count;
      onProgress?.({ unit: `${unit}s`, done, total: items.length });
    }
}

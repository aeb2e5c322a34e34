// Where checkpoints of dictionaries go.
import type { TrainingCheckpointStore } from '@limn/hooks';

/** Keeps one checkpoint; see `TrainingCheckpointStore`. */
export type DictionaryCheckpointStore = TrainingCheckpointStore;

/** Where checkpoints go and how often. */
export interface DictionaryCheckpoints {
  /** The place. */
  readonly store: DictionaryCheckpointStore;
  /** Updates between two; one is also written at the end, and when the run is aborted. Default 500. */
  readonly every?: number | undefined;
  /** Goes on from a checkpoint of another adapter or other kernels, although the bits will differ. */
  readonly allowDrift?: boolean | undefined;
}

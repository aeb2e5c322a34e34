// Where the state of a training is kept: a place for one binary file, written in pieces and read by ranges.

/** Contents of known length that are made while they are written. */
export interface CheckpointContent {
  /** Length of the file. */
  readonly bytes: number;
  /** Writes all of it: offsets rise without holes from 0 on, and at the end bytes that are there may be put anew. */
  writeTo(sink: { write(bytes: Uint8Array, offset: number): Promise<void> }): Promise<void>;
}

/** A file that is read by ranges. */
export interface CheckpointFile {
  /** Length of the file. */
  readonly bytes: number;
  /** Bytes [start, end). */
  read(start: number, end: number): Promise<Uint8Array>;
}

/**
 * Keeps one checkpoint. `write` must be atomic: after a crash there is the old one or the new one. `folderCheckpoints` of @limn/gpt2/node
 * is one.
 */
export interface TrainingCheckpointStore {
  /** Puts a checkpoint in the place of the one before, whole or not at all. */
  write(content: CheckpointContent): Promise<void>;
  /** The newest; undefined when there is none. */
  read(): Promise<CheckpointFile | undefined>;
  /** The one before, asked for only when the newest is damaged. */
  readPrevious?(): Promise<CheckpointFile | undefined>;
  /** Told before the first update how large a checkpoint will be and how many are to come; refuses what cannot fit. */
  prepare?(bytes: number, writes: number): Promise<void>;
  /** Keeps every other run out until the function it gives is called. */
  claim?(): Promise<() => Promise<void>>;
}

// Where checkpoints are kept: what a place of its own must do, places that take a file only whole, and the newest sound checkpoint of one.
import { LimnError, formatBytes } from '@limn/gpu';
import { decodeCheckpoint, type Checkpoint } from './checkpoint.js';
import { gatherContent, storedBytes, type FileContent, type StoredFile } from './file-content.js';

/** Where checkpoints are kept. `write` must be atomic: after a crash there is the old one or the new one. */
export interface CheckpointStore {
  /**
   * Puts a checkpoint in the place of the one before. Its contents are made while they are written, one tensor at a time.
   * @throws what the store throws when it cannot, and what making the contents throws; the old one is then still there.
   */
  write(content: FileContent): Promise<void>;
  /** The newest; undefined when there is none yet. */
  read(): Promise<StoredFile | undefined>;
  /** The one before, for a store that keeps it; asked for only when the newest is damaged, unreadable or missing. */
  readPrevious?(): Promise<StoredFile | undefined>;
  /**
   * Told before the first update how large a checkpoint will be and how many are to come; refuses what cannot fit.
   * @throws LimnError `checkpoint/too-large`, `checkpoint/no-room`
   */
  prepare?(bytes: number, writes: number): Promise<void>;
  /**
   * Keeps every other run out until the function it gives is called.
   * @throws LimnError `checkpoint/in-use` when another run has it
   */
  claim?(): Promise<() => Promise<void>>;
}

/** A place that takes and gives a checkpoint only as one array: a database of a page, a variable. */
export interface WholeCheckpoints {
  /** Replaces the checkpoint, atomically; the bytes are the store's to keep. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The newest; undefined when there is none yet. */
  read(): Promise<Uint8Array | undefined>;
  /** The one before, where it is kept. */
  readPrevious?(): Promise<Uint8Array | undefined>;
}

/** Bytes that every engine's arrays, blobs and databases take as one value. */
const mostWhole = 2 ** 31 - 1;

/**
 * A store over such a place. A run whose checkpoints have more than `maxBytes`, by default 2 GiB (178 million parameters), is refused
 * before its first update, with `checkpoint/too-large`.
 */
export function wholeCheckpoints(place: WholeCheckpoints, maxBytes: number = mostWhole): CheckpointStore {
  const file = (bytes: Uint8Array | undefined): StoredFile | undefined => bytes && storedBytes(bytes);
  return {
    write: async (content) => place.write(await gatherContent(content)),
    read: async () => file(await place.read()),
    ...(place.readPrevious ? { readPrevious: async () => file(await place.readPrevious?.()) } : {}),
    prepare: async (bytes) => {
      if (bytes <= maxBytes) return;
      throw new LimnError(
        'checkpoint/too-large',
        `a checkpoint of this run has ${formatBytes(bytes)}; the store takes at most ${formatBytes(maxBytes)}`,
        {
          details: { bytes, maxBytes },
          hint: 'Train without checkpoints, or with a store that takes a file in pieces, as folderCheckpoints of @limn/gpt2/node does.',
        },
      );
    },
  };
}

/** What is wrong with a file and not with what is asked of it: damaged, or on a disk that does not give it back. */
const UNREADABLE = new Set(['checkpoint/damaged', 'files/read', 'files/short']);
const isUnreadable = (error: unknown): error is LimnError => error instanceof LimnError && UNREADABLE.has(error.code);

/**
 * The newest sound checkpoint of a store. When the newest is damaged or cannot be read, the one before it is taken, and `onNotice` is told.
 * @throws LimnError `files/read`, `files/short`, `checkpoint/damaged` when there is no other, `checkpoint/format`, and what the store throws
 */
export async function latestCheckpoint(
  store: CheckpointStore,
  onNotice?: (message: string) => void,
): Promise<Checkpoint | undefined> {
  const decoded = async (file: StoredFile | undefined): Promise<Checkpoint | undefined> =>
    file && decodeCheckpoint(file);
  let fault: LimnError | undefined;
  try {
    const newest = await decoded(await store.read());
    if (newest) return newest;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    fault = error;
  }
  let before: Checkpoint | undefined;
  try {
    before = await decoded(await store.readPrevious?.());
  } catch (error) {
    throw fault ?? error;
  }
  if (before)
    onNotice?.(
      `${fault?.message ?? 'the newest checkpoint is missing'}; going on from the one before it, of step ${before.step}`,
    );
  else if (fault) throw fault;
  return before;
}

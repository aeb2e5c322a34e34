// A place for one checkpoint in memory that counts what is written there.
import { wholeCheckpoints, type CheckpointStore, type WholeCheckpoints } from '../src/index.js';

export class MemoryCheckpoints implements WholeCheckpoints {
  bytes: Uint8Array | undefined;
  writes = 0;
  readonly store: CheckpointStore = wholeCheckpoints(this);

  async write(bytes: Uint8Array): Promise<void> {
    this.bytes = bytes;
    this.writes += 1;
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.bytes;
  }
}

// Contents on their way into the browser's private file system, in files of one size, so that a closed tab loses no more than one of them.
import type { HubFile, PartialBlob } from './cache.js';
import { digestOf } from './digest.js';
import { bytesOf, orUndefined, writeWhole } from './opfs-files.js';

/** Bytes of one part: what a tab that is closed in the middle of a download loses at most, and what is held in memory meanwhile. */
export const partBytes = 8 * 2 ** 20;

/** Contents as files 0, 1, 2 … of `partBytes`, the last one shorter. */
export class OpfsPart implements PartialBlob {
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;

  private constructor(
    private readonly folder: FileSystemDirectoryHandle,
    private readonly whole: number,
    /** Full parts stored. */
    private parts: number,
  ) {}

  /** What an earlier run left: full parts, and a last one that is taken back into memory. */
  static async of(folder: FileSystemDirectoryHandle, whole: number): Promise<OpfsPart> {
    const stored = await OpfsPart.storedBytes(folder);
    const parts = Math.floor(stored / partBytes);
    const blob = new OpfsPart(folder, whole, parts);
    if (stored % partBytes > 0) blob.push((await bytesOf(folder, String(parts))) as Uint8Array);
    return blob;
  }

  /** Bytes that are stored without a gap from the first one. */
  static async storedBytes(folder: FileSystemDirectoryHandle): Promise<number> {
    for (let parts = 0; ; parts++) {
      const size =
        (await orUndefined(folder.getFileHandle(String(parts)).then((handle) => handle.getFile())))?.size ?? 0;
      // A part that is too long is none of this cache's.
      if (size !== partBytes) return parts * partBytes + (size < partBytes ? size : 0);
    }
  }

  get size(): number {
    return this.parts * partBytes + this.waitingBytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const taken = bytes.slice(at, at + partBytes - this.waitingBytes);
      this.push(taken);
      at += taken.length;
      if (this.waitingBytes < partBytes) continue;
      await this.flush();
      this.parts += 1;
      [this.waiting, this.waitingBytes] = [[], 0];
    }
  }

  /** Stores what is waiting as the last part. */
  async flush(): Promise<void> {
    if (this.waitingBytes > 0)
      await writeWhole(this.folder, String(this.parts), joined(this.waiting, this.waitingBytes));
  }

  async clear(): Promise<void> {
    [this.waiting, this.waitingBytes] = [[], 0];
    for (; this.parts >= 0; this.parts--) await orUndefined(this.folder.removeEntry(String(this.parts)));
    this.parts = 0;
  }

  async digest(kind: HubFile['kind'], signal?: AbortSignal): Promise<string> {
    await this.flush();
    return digestOf(kind, this.whole, this.stored(), signal);
  }

  private async *stored(): AsyncGenerator<Uint8Array> {
    for (let part = 0; part * partBytes < this.size; part++)
      yield (await bytesOf(this.folder, String(part))) ?? new Uint8Array(0);
  }

  private push(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

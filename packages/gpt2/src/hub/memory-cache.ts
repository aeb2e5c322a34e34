// A cache that lasts as long as the page: where a browser gives no storage, as in some private windows.
import { unlessAborted } from '../abortable-files.js';
import { missingFile, shortFile, type ModelFiles } from '../files.js';
import type { HubCache, HubFile, PartialBlob } from './cache.js';
import { digestOf } from './digest.js';

/** Holds everything in memory, as Blobs, which browsers may put on disk. */
export class MemoryCache implements HubCache {
  readonly label = 'memory';
  private readonly commits = new Map<string, string>();
  private readonly absent = new Set<string>();
  private readonly files = new Map<string, Blob>();

  async commitOf(id: string, revision: string): Promise<string | undefined> {
    return this.commits.get(`${id}@${revision}`);
  }

  async remember(id: string, revision: string, commit: string): Promise<void> {
    this.commits.set(`${id}@${revision}`, commit);
  }

  async state(id: string, commit: string, name: string): Promise<'here' | 'absent' | 'unknown'> {
    const key = `${id}@${commit}/${name}`;
    if (this.files.has(key)) return 'here';
    return this.absent.has(key) ? 'absent' : 'unknown';
  }

  async noteAbsent(id: string, commit: string, names: readonly string[]): Promise<void> {
    for (const name of names) this.absent.add(`${id}@${commit}/${name}`);
  }

  async add(id: string, commit: string, file: HubFile, fill: (blob: PartialBlob) => Promise<void>): Promise<void> {
    const part = new MemoryPart(file.size);
    await fill(part);
    this.files.set(`${id}@${commit}/${file.name}`, new Blob(part.chunks));
  }

  async begun(): Promise<number> {
    return 0;
  }

  open(id: string, commit: string, names: readonly string[], label: string): ModelFiles {
    const find = (name: string): Blob => {
      const blob = this.files.get(`${id}@${commit}/${name}`);
      if (!blob) throw missingFile(label, name, names);
      return blob;
    };
    return {
      label,
      list: async () => names,
      size: async (name) => find(name).size,
      read: (name, start = 0, stated, signal) =>
        unlessAborted(signal, async () => {
          const blob = find(name);
          const end = stated ?? blob.size;
          const bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
          if (bytes.length !== end - start) throw shortFile(label, name, end, blob.size);
          return bytes;
        }),
    };
  }

  async freeBytes(): Promise<undefined> {
    return undefined;
  }

  place(): string {
    return this.label;
  }
}

class MemoryPart implements PartialBlob {
  chunks: Uint8Array<ArrayBuffer>[] = [];
  size = 0;

  constructor(private readonly whole: number) {}

  async append(bytes: Uint8Array): Promise<void> {
    this.chunks.push(bytes.slice());
    this.size += bytes.length;
  }

  async clear(): Promise<void> {
    this.chunks = [];
    this.size = 0;
  }

  async digest(kind: HubFile['kind'], signal?: AbortSignal): Promise<string> {
    return digestOf(kind, this.whole, this.chunks, signal);
  }
}

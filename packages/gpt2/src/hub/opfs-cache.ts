// A cache of hub models in the browser's private file system (OPFS): contents in parts that appear whole, a manifest written last.
import { LimnError } from '@limn/gpu';
import { missingFile, shortFile, type ModelFiles } from '../files.js';
import type { HubCache, HubFile, PartialBlob } from './cache.js';
import { digestOf } from './digest.js';

/** Bytes of one part: what a tab that is closed in the middle of a download loses at most, and what is held in memory meanwhile. */
const partBytes = 8 * 2 ** 20;

/** What a commit holds: digest and size by name; null for a file that the repository does not have. */
type Manifest = Record<string, { readonly etag: string; readonly size: number } | null>;

/** The cache below one folder of the private file system. */
export class OpfsCache implements HubCache {
  readonly label = "the browser's storage";

  /** `locks` keeps tabs apart; without it (an insecure page) the last writer wins, which digests make harmless. */
  constructor(
    private readonly root: FileSystemDirectoryHandle,
    private readonly locks: LockManager | undefined = globalThis.navigator?.locks,
    private readonly storage: StorageManager | undefined = globalThis.navigator?.storage,
  ) {}

  async commitOf(id: string, revision: string): Promise<string | undefined> {
    const text = await this.text(id, 'refs', encodeURIComponent(revision));
    return text !== undefined && /^[0-9a-f]{40}$/.test(text) ? text : undefined;
  }

  async remember(id: string, revision: string, commit: string): Promise<void> {
    await this.guard(async () =>
      writeWhole(await this.folder(id, 'refs'), encodeURIComponent(revision), new TextEncoder().encode(commit)),
    );
  }

  async state(id: string, commit: string, name: string): Promise<'here' | 'absent' | 'unknown'> {
    const entry = (await this.manifest(id, commit)).get(name);
    if (entry === undefined) return 'unknown';
    return entry === null ? 'absent' : 'here';
  }

  async noteAbsent(id: string, commit: string, names: readonly string[]): Promise<void> {
    await this.note(
      id,
      commit,
      names.map((name) => [name, null]),
    );
  }

  async add(
    id: string,
    commit: string,
    file: HubFile,
    fill: (blob: PartialBlob) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.alone(`limn ${id} ${file.etag}`, signal, () =>
      this.guard(async () => {
        const home = await this.folder(id, 'blobs');
        const done = `${file.etag}.done`;
        if ((await bytesOf(home, done)) === undefined) {
          const blob = await OpfsPart.of(await home.getDirectoryHandle(file.etag, { create: true }), file.size);
          try {
            await fill(blob);
          } finally {
            await blob.flush();
          }
          await writeWhole(home, done, new Uint8Array(0));
        }
        await this.note(id, commit, [[file.name, { etag: file.etag, size: file.size }]]);
      }),
    );
  }

  async begun(id: string, file: HubFile): Promise<number> {
    const home = await this.folder(id, 'blobs');
    const parts = await orUndefined(home.getDirectoryHandle(file.etag));
    return parts === undefined ? 0 : (await OpfsPart.of(parts, file.size)).size;
  }

  open(id: string, commit: string, names: readonly string[], label: string): ModelFiles {
    const find = async (name: string): Promise<{ etag: string; size: number }> => {
      const entry = names.includes(name) ? (await this.manifest(id, commit)).get(name) : undefined;
      if (!entry) throw missingFile(label, name, names);
      return entry;
    };
    return {
      label,
      list: async () => names,
      size: async (name) => (await find(name)).size,
      read: async (name, start = 0, stated) => {
        const { etag, size } = await find(name);
        const end = stated ?? size;
        if (start < 0 || end < start || end > size) throw shortFile(label, name, end, size);
        return this.guard(async () => {
          const parts = await (await this.folder(id, 'blobs')).getDirectoryHandle(etag);
          const bytes = new Uint8Array(end - start);
          for (let at = start; at < end;) {
            const until = Math.min(end, (Math.floor(at / partBytes) + 1) * partBytes);
            const part = await bytesOf(parts, String(Math.floor(at / partBytes)), at % partBytes, until - at);
            if (part === undefined || part.length !== until - at) throw missingFile(label, name, names);
            bytes.set(part, at - start);
            at = until;
          }
          return bytes;
        });
      },
    };
  }

  async freeBytes(): Promise<number | undefined> {
    const { quota, usage } = (await this.storage?.estimate?.()) ?? {};
    return quota === undefined || usage === undefined ? undefined : quota - usage;
  }

  place(id: string, commit: string): string {
    return `${this.label}, ${folderName(id)}/${commit}`;
  }

  private async folder(id: string, name: string): Promise<FileSystemDirectoryHandle> {
    const home = await this.root.getDirectoryHandle(folderName(id), { create: true });
    return home.getDirectoryHandle(name, { create: true });
  }

  private async text(id: string, folder: string, name: string): Promise<string | undefined> {
    const bytes = await this.guard(async () => bytesOf(await this.folder(id, folder), name));
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  private async manifest(id: string, commit: string): Promise<Map<string, Manifest[string]>> {
    const text = await this.text(id, 'snapshots', `${commit}.json`);
    return new Map(Object.entries(text === undefined ? {} : (JSON.parse(text) as Manifest)));
  }

  private async note(
    id: string,
    commit: string,
    entries: readonly (readonly [string, Manifest[string]])[],
  ): Promise<void> {
    await this.alone(`limn ${id} ${commit}`, undefined, () =>
      this.guard(async () => {
        const manifest = await this.manifest(id, commit);
        for (const [name, entry] of entries) manifest.set(name, entry);
        const json = JSON.stringify(Object.fromEntries(manifest));
        await writeWhole(await this.folder(id, 'snapshots'), `${commit}.json`, new TextEncoder().encode(json));
      }),
    );
  }

  private async alone<T>(name: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    if (!this.locks) return act();
    return this.locks.request(name, signal ? { signal } : {}, act) as Promise<T>;
  }

  private async guard<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      if (!(cause instanceof DOMException) || cause.name === 'AbortError' || cause.name === 'TimeoutError') throw cause;
      const full = cause.name === 'QuotaExceededError';
      throw new LimnError(full ? 'hub/disk-space' : 'hub/cache', `${this.label} could not be used: ${cause.message}`, {
        details: { reason: cause.name },
        hint: full
          ? 'The page has used up its share. Remove other models or data of this site.'
          : 'Another tab may be clearing it. Reload the page.',
        cause,
      });
    }
  }
}

/** Contents as files 0, 1, 2 … of `partBytes`, the last one shorter. */
class OpfsPart implements PartialBlob {
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
    for (let parts = 0; ; parts++) {
      const size = (await orUndefined(folder.getFileHandle(String(parts)).then((handle) => handle.getFile())))?.size;
      if (size === partBytes) continue;
      const blob = new OpfsPart(folder, whole, parts);
      if (size !== undefined && size < partBytes) blob.push((await bytesOf(folder, String(parts))) as Uint8Array);
      return blob;
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

const folderName = (id: string): string => `models--${id.replace('/', '--')}`;

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Replaces a file; readers see the old contents or the new ones. */
async function writeWhole(
  folder: FileSystemDirectoryHandle,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  try {
    await writable.write(bytes);
    await writable.close();
  } catch (cause) {
    // The write's own failure is what to report.
    await writable.abort().catch(() => undefined);
    throw cause;
  }
}

async function bytesOf(
  folder: FileSystemDirectoryHandle,
  name: string,
  begin = 0,
  length?: number,
): Promise<Uint8Array | undefined> {
  const handle = await orUndefined(folder.getFileHandle(name));
  if (!handle) return undefined;
  const file = await handle.getFile();
  return new Uint8Array(await file.slice(begin, length === undefined ? file.size : begin + length).arrayBuffer());
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'NotFoundError') return undefined;
    throw cause;
  }
}

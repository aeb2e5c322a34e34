// A cache of hub models in the browser's private file system (OPFS): contents in parts that appear whole, a manifest written last.
import { formatBytes, LimnError } from '@limn/gpu';
import { unlessAborted } from '../abortable-files.js';
import { missingFile, shortFile, type ModelFiles } from '../files.js';
import type { HubCache, HubFile, PartialBlob } from './cache.js';
import { bytesOf, orUndefined, writeWhole } from './opfs-files.js';
import { readManifest, writeManifest, type ManifestEntry } from './opfs-manifest.js';
import { OpfsPart, partBytes } from './opfs-part.js';

const isFull = (cause: unknown): boolean => cause instanceof DOMException && cause.name === 'QuotaExceededError';

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
    if (entry === null) return 'absent';
    if (entry === undefined) return 'unknown';
    // A browser in need of room, or a person, may have taken a part of the contents away.
    return (await this.guard(() => this.isWhole(id, entry))) ? 'here' : 'unknown';
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
        if (!(await this.isWhole(id, file))) {
          const home = await this.folder(id, 'blobs');
          const parts = await home.getDirectoryHandle(file.etag, { create: true });
          await this.fillParts(parts, file, fill);
          await writeWhole(home, `${file.etag}.done`, new Uint8Array(0));
        }
        await this.note(id, commit, [[file.name, { etag: file.etag, size: file.size }]]);
      }),
    );
  }

  async begun(id: string, file: HubFile): Promise<number> {
    return this.guard(async () => {
      const home = await this.folder(id, 'blobs');
      const parts = await orUndefined(home.getDirectoryHandle(file.etag));
      return parts === undefined ? 0 : (await OpfsPart.of(parts, file.size)).size;
    });
  }

  open(id: string, commit: string, names: readonly string[], label: string): ModelFiles {
    const find = async (name: string): Promise<NonNullable<ManifestEntry>> => {
      const entry = names.includes(name) ? (await this.manifest(id, commit)).get(name) : undefined;
      if (!entry) throw missingFile(label, name, names);
      return entry;
    };
    return {
      label,
      list: async () => names,
      size: (name, signal) => unlessAborted(signal, async () => (await find(name)).size),
      read: (name, start = 0, stated, signal) =>
        unlessAborted(signal, async () => {
          const { etag, size } = await find(name);
          const end = stated ?? size;
          if (start < 0 || end < start || end > size) throw shortFile(label, name, end, size);
          return this.guard(async () => {
            const parts = await (await this.folder(id, 'blobs')).getDirectoryHandle(etag);
            const bytes = new Uint8Array(end - start);
            for (let at = start; at < end;) {
              signal?.throwIfAborted();
              const until = Math.min(end, (Math.floor(at / partBytes) + 1) * partBytes);
              const part = await bytesOf(parts, String(Math.floor(at / partBytes)), at % partBytes, until - at);
              if (part === undefined || part.length !== until - at) throw missingFile(label, name, names);
              bytes.set(part, at - start);
              at = until;
            }
            return bytes;
          });
        }),
    };
  }

  async freeBytes(): Promise<number | undefined> {
    // A browser that does not say has said nothing against it.
    const { quota, usage } = (await this.storage?.estimate?.().catch(() => undefined)) ?? {};
    return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
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

  /**
   * Lets `fill` complete the contents. What came is kept, also when the page's share of the disk ends: bytes that are here need not be
   * fetched again, and the room that the next try asks for is that of the rest.
   */
  private async fillParts(
    folder: FileSystemDirectoryHandle,
    file: HubFile,
    fill: (blob: PartialBlob) => Promise<void>,
  ): Promise<void> {
    const blob = await OpfsPart.of(folder, file.size);
    try {
      await fill(blob);
      await blob.flush();
    } catch (cause) {
      // Whether the end of it can be stored or not, what went wrong first is what to report.
      await blob.flush().catch(() => undefined);
      if (!isFull(cause)) throw cause;
      const { size: held } = await OpfsPart.of(folder, file.size);
      const [needed, free] = [file.size - held, await this.freeBytes()];
      const room = free === undefined ? 'there is no room for them' : `there is room for ${formatBytes(free)}`;
      throw new LimnError(
        'hub/disk-space',
        `${this.label} holds ${formatBytes(held)} of ${file.name}; ${formatBytes(needed)} more are needed, and ${room}`,
        {
          details: {
            reason: 'QuotaExceededError',
            file: file.name,
            held,
            needed,
            size: file.size,
            ...(free === undefined ? {} : { free }),
          },
          hint: 'What came is kept, and the next try goes on from there. Remove other models or data of this site, or make room on the disk.',
          cause,
        },
      );
    }
  }

  /** Whether contents are here to their last byte; that they are the right ones was checked before they were marked as done. */
  private async isWhole(
    id: string,
    { etag, size }: { readonly etag: string; readonly size: number },
  ): Promise<boolean> {
    const home = await this.folder(id, 'blobs');
    if ((await bytesOf(home, `${etag}.done`)) === undefined) return false;
    const parts = await orUndefined(home.getDirectoryHandle(etag));
    return parts !== undefined && (await OpfsPart.storedBytes(parts)) === size;
  }

  private async manifest(id: string, commit: string): Promise<Map<string, ManifestEntry>> {
    return readManifest(await this.text(id, 'snapshots', `${commit}.json`));
  }

  private async note(
    id: string,
    commit: string,
    entries: readonly (readonly [string, ManifestEntry])[],
  ): Promise<void> {
    await this.alone(`limn ${id} ${commit}`, undefined, () =>
      this.guard(async () => {
        const manifest = await this.manifest(id, commit);
        for (const [name, entry] of entries) manifest.set(name, entry);
        const text = new TextEncoder().encode(writeManifest(manifest));
        await writeWhole(await this.folder(id, 'snapshots'), `${commit}.json`, text);
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
      const full = isFull(cause);
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

const folderName = (id: string): string => `models--${id.replace('/', '--')}`;

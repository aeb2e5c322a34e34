// A browser's private file system in memory, as far as a cache uses it: files appear when a writable is closed, or not at all.

interface Entry {
  readonly kind: 'file' | 'directory';
}

class MemoryFile implements Entry {
  readonly kind = 'file';
  bytes = new Uint8Array(0);

  constructor(private readonly disk: PrivateDisk) {}

  async getFile(): Promise<Blob> {
    await this.disk.beforeRead?.();
    return new Blob([this.bytes]);
  }

  async createWritable(): Promise<unknown> {
    const written: Uint8Array[] = [];
    return {
      write: async (bytes: Uint8Array) => {
        this.disk.beforeWrite(bytes.length);
        written.push(bytes.slice());
      },
      close: async () => {
        this.bytes = new Uint8Array(await new Blob(written as Uint8Array<ArrayBuffer>[]).arrayBuffer());
      },
      abort: async () => undefined,
    };
  }
}

class MemoryFolder implements Entry {
  readonly kind = 'directory';
  readonly entries = new Map<string, MemoryFile | MemoryFolder>();

  constructor(private readonly disk: PrivateDisk) {}

  async getFileHandle(name: string, options: { create?: boolean } = {}): Promise<MemoryFile> {
    return this.find(name, 'file', options.create, () => new MemoryFile(this.disk)) as MemoryFile;
  }

  async getDirectoryHandle(name: string, options: { create?: boolean } = {}): Promise<MemoryFolder> {
    return this.find(name, 'directory', options.create, () => new MemoryFolder(this.disk)) as MemoryFolder;
  }

  async removeEntry(name: string): Promise<void> {
    if (!this.entries.delete(name)) throw new DOMException(`no ${name}`, 'NotFoundError');
  }

  private find(
    name: string,
    kind: Entry['kind'],
    create: boolean | undefined,
    make: () => MemoryFile | MemoryFolder,
  ): Entry {
    if (name === '' || name === '.' || name === '..' || name.includes('/'))
      throw new TypeError(`${name} is no file name`);
    const found = this.entries.get(name);
    if (found?.kind === kind) return found;
    if (found) throw new DOMException(`${name} is a ${found.kind}`, 'TypeMismatchError');
    if (create !== true) throw new DOMException(`no ${name}`, 'NotFoundError');
    const made = make();
    this.entries.set(name, made);
    return made;
  }
}

/** The disk; `room` is how many bytes may still be written. */
export class PrivateDisk {
  room = Infinity;
  /** Waited for by every read. */
  beforeRead: (() => Promise<void>) | undefined;
  readonly folder = new MemoryFolder(this);

  get root(): FileSystemDirectoryHandle {
    return this.folder as unknown as FileSystemDirectoryHandle;
  }

  beforeWrite(bytes: number): void {
    if (bytes > this.room) throw new DOMException('the quota is used up', 'QuotaExceededError');
    this.room -= bytes;
  }

  /** Names and sizes of all files, by path. */
  files(folder = this.folder, path = ''): Map<string, number> {
    const found = new Map<string, number>();
    for (const [name, entry] of folder.entries) {
      if (entry instanceof MemoryFile) found.set(`${path}${name}`, entry.bytes.length);
      else for (const [below, size] of this.files(entry, `${path}${name}/`)) found.set(below, size);
    }
    return found;
  }
}

// A folder in memory that loses power: only what was flushed is sure to be there afterwards, files by fsync, names by fsync of the folder.
import path from 'node:path';
import type { Disk } from '../../src/node.js';

interface File {
  data: Uint8Array;
  /** As of the last fsync; of a new file nothing. */
  durable: Uint8Array;
}
type Names = Map<string, File>;
/** A change of the folder that is not flushed yet. */
type Change = (names: Names) => void;

const fail = (code: string): Error => Object.assign(new Error(code), { code });

/** One flat folder at any path. After `powerOff` every call fails, as if there were no machine. */
export class VolatileDisk {
  readonly #names: Names;
  #durable: Names;
  #pending: Change[] = [];
  #off = false;

  constructor(names: Names = new Map()) {
    this.#names = new Map([...names].map(([name, { data }]) => [name, { data, durable: data }]));
    this.#durable = new Map(this.#names);
  }

  /** Loses power now. */
  powerOff(): void {
    this.#off = true;
  }

  /**
   * What is on the disk when the power is back. Changes of the folder that were not flushed are there or not as `coin` says, each for
   * itself, and so is the part of a file behind its last flush, of which only half may have arrived.
   */
  afterwards(coin: () => boolean): VolatileDisk {
    const names = new Map(this.#durable);
    for (const change of this.#pending) if (coin()) change(names);
    const settled = [...names].map(([name, { data, durable }]): [string, File] => {
      // Files are flushed once, when they are whole, or appended to, so that what was flushed is a prefix.
      const half = data.slice(0, durable.length + ((data.length - durable.length) >> 1));
      const arrived = coin() ? data : coin() ? half : durable;
      const kept = same(data, durable) ? data : arrived;
      return [name, { data: kept, durable: kept }];
    });
    return new VolatileDisk(new Map(settled));
  }

  /** This folder as `node:fs/promises` would give it. */
  get disk(): Disk {
    const functions = {
      mkdir: async () => {
        this.#running();
        throw fail('EEXIST');
      },
      open: async (file: string, flags: string) => this.#open(path.basename(file), flags),
      readFile: async (file: string, encoding?: string) => {
        const data = this.#file(path.basename(file)).data.slice();
        return encoding ? new TextDecoder().decode(data) : data;
      },
      readdir: async () => (this.#running(), [...this.#names.keys()]),
      rename: async (from: string, to: string) => {
        this.#file(path.basename(from));
        this.#change((names) => {
          const file = names.get(path.basename(from));
          if (!file) return;
          names.delete(path.basename(from));
          names.set(path.basename(to), file);
        });
      },
      rm: async (file: string) => (this.#running(), this.#change((names) => names.delete(path.basename(file)))),
      stat: async (file: string) => {
        const { length } = this.#file(path.basename(file)).data;
        return { size: length, isFile: () => true, isDirectory: () => false };
      },
      truncate: async (file: string, length: number) => {
        const found = this.#file(path.basename(file));
        found.data = found.data.slice(0, length);
      },
    };
    return functions as unknown as Disk;
  }

  #running(): void {
    if (this.#off) throw fail('EIO');
  }

  #change(change: Change): void {
    this.#running();
    change(this.#names);
    this.#pending.push(change);
  }

  #file(name: string): File {
    this.#running();
    const file = this.#names.get(name);
    if (!file) throw fail('ENOENT');
    return file;
  }

  #open(name: string, flags: string) {
    this.#running();
    const folder = flags === 'r' && !this.#names.has(name);
    if (folder) return this.#handle(() => this.#flushNames());
    if (flags === 'wx' || (flags === 'a' && !this.#names.has(name))) {
      const made: File = { data: new Uint8Array(0), durable: new Uint8Array(0) };
      this.#change((names) => names.set(name, made));
    }
    const file = this.#file(name);
    return this.#handle(() => void (file.durable = file.data), file);
  }

  #handle(flush: () => void, file: File = { data: new Uint8Array(0), durable: new Uint8Array(0) }) {
    const put = (bytes: Uint8Array, at: number): void => {
      this.#running();
      const longer = new Uint8Array(Math.max(file.data.length, at + bytes.length));
      longer.set(file.data);
      longer.set(bytes, at);
      file.data = longer;
    };
    return {
      sync: async () => (this.#running(), flush()),
      read: async (into: Uint8Array, start: number, length: number, at: number) => {
        this.#running();
        const bytes = file.data.subarray(at, at + length);
        into.set(bytes, start);
        return { bytesRead: bytes.length };
      },
      write: async (bytes: Uint8Array, start: number, length: number, at: number) => {
        put(bytes.subarray(start, start + length), at);
        return { bytesWritten: length };
      },
      writeFile: async (bytes: Uint8Array) => put(bytes, file.data.length),
      close: async () => this.#running(),
    };
  }

  #flushNames(): void {
    this.#durable = new Map(this.#names);
    this.#pending = [];
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

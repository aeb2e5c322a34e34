// Where a model's files come from: a folder in Node, a server in a browser, or memory; all read by name and byte range.
import { LimnError } from '@limn/gpu';
import { gatherContent, type FileContent } from './file-content.js';

/**
 * A flat folder of files. Every method rejects with a LimnError: `files/…`, or `hub/…` where the files lie in a cache of the hub's; and with
 * the signal's reason, at once, when the signal it was given fires.
 */
export interface ModelFiles {
  /** What to call this source in messages and results: a path or an address. */
  readonly label: string;
  /** Bytes [start, end) of a file; the whole file by default. Fails if fewer bytes are there. */
  read(name: string, start?: number, end?: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Size in bytes. */
  size(name: string, signal?: AbortSignal): Promise<number>;
  /** Names of the files that exist. */
  list(signal?: AbortSignal): Promise<readonly string[]>;
  /**
   * A whole file of at most `most` bytes; nothing is taken behind the piece that passes them. For sources that may not know a file's size before
   * its end; others are asked for the size first. @throws LimnError `files/too-large`
   */
  readSmall?(name: string, most: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** A source that can also be written; a file appears under its name only when it is complete. */
export interface WritableFiles extends ModelFiles {
  /** Replaces a file, by bytes or by contents that come in pieces. @throws LimnError `files/write`, and what making the contents throws */
  write(name: string, content: Uint8Array | FileContent): Promise<void>;
}

/** Error for a file that is not there. */
export function missingFile(label: string, name: string, found: readonly string[]): LimnError {
  return new LimnError('files/not-found', `${label} has no ${name}`, {
    details: { label, name, found: found.slice(0, 50) },
    hint: found.length > 0 ? `It holds: ${found.slice(0, 12).join(', ')}.` : 'It is empty or does not exist.',
  });
}

/**
 * Cuts [start, end) out of bytes, or fails when the file is shorter than that.
 * @throws LimnError `files/short`
 */
export function cutRange(
  label: string,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  start = 0,
  end = bytes.length,
): Uint8Array<ArrayBuffer> {
  if (start < 0 || end < start || end > bytes.length) throw shortFile(label, name, end, bytes.length);
  return bytes.subarray(start, end);
}

/** Error for a file that ends before the bytes that were asked for. */
export function shortFile(label: string, name: string, wanted: number, size: number): LimnError {
  return new LimnError(
    'files/short',
    `${name} in ${label} ends at byte ${size}, but bytes up to ${wanted} were expected`,
    {
      details: { label, name, wanted, size },
      hint: 'The file is cut off, or changed while it was read. Copy or download it again.',
    },
  );
}

/** Error for a file that is larger than a sound one ever is; `size` is undefined where only this much is known. */
export function tooLarge(label: string, name: string, size: number | undefined, most: number): LimnError {
  const has = size === undefined ? `more than ${most} bytes, and no more` : `${size} bytes; at most ${most}`;
  return new LimnError('files/too-large', `${name} in ${label} has ${has} make sense`, {
    details: { label, name, size, most },
    hint: 'The file is not what its name says. Copy or download it again.',
  });
}

/**
 * A whole file, unless it is larger than a sound one ever is. Nothing is taken behind the piece of it that passes `most` bytes.
 * @throws LimnError `files/too-large`, and what `read` throws.
 */
export async function readSmall(files: ModelFiles, name: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  if (files.readSmall) return files.readSmall(name, most);
  const size = await files.size(name);
  if (size > most) throw tooLarge(files.label, name, size, most);
  return files.read(name, 0, size);
}

/**
 * Files held in memory: for tests, generated models and drag-and-drop in a page.
 * @throws LimnError `files/not-found`
 */
export function memoryFiles(files: Readonly<Record<string, Uint8Array | string>>, label = 'memory'): WritableFiles {
  const held = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [name, data] of Object.entries(files)) {
    held.set(name, typeof data === 'string' ? new TextEncoder().encode(data) : Uint8Array.from(data));
  }
  const get = (name: string): Uint8Array<ArrayBuffer> => {
    const bytes = held.get(name);
    if (!bytes) throw missingFile(label, name, [...held.keys()]);
    return bytes;
  };
  return {
    label,
    read: async (name, start, end, signal) => {
      signal?.throwIfAborted();
      return cutRange(label, name, get(name), start, end);
    },
    size: async (name) => get(name).length,
    list: async () => [...held.keys()],
    write: async (name, content) =>
      void held.set(name, content instanceof Uint8Array ? Uint8Array.from(content) : await gatherContent(content)),
  };
}

// Where a model's files come from: a folder in Node, a server in a browser, or memory; all read by name and byte range.
import { LimnError } from '@limn/gpu';

/** A flat folder of files. Every method rejects with a LimnError whose code starts with `files/`. */
export interface ModelFiles {
  /** What to call this source in messages and results: a path or an address. */
  readonly label: string;
  /** Bytes [start, end) of a file; the whole file by default. Fails if fewer bytes are there. */
  read(name: string, start?: number, end?: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Size in bytes. */
  size(name: string): Promise<number>;
  /** Names of the files that exist. */
  list(): Promise<readonly string[]>;
}

/** A source that can also be written; a file appears under its name only when it is complete. */
export interface WritableFiles extends ModelFiles {
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** Error for a file that is not there. */
export function missingFile(label: string, name: string, found: readonly string[]): LimnError {
  return new LimnError('files/not-found', `${label} has no ${name}`, {
    details: { label, name, found: found.slice(0, 50) },
    hint: found.length > 0 ? `It holds: ${found.slice(0, 12).join(', ')}.` : 'It is empty or does not exist.',
  });
}

/** Cuts [start, end) out of bytes, or fails when the file is shorter than that. */
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

/** Files held in memory: for tests, generated models and drag-and-drop in a page. */
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
    read: async (name, start, end) => cutRange(label, name, get(name), start, end),
    size: async (name) => get(name).length,
    list: async () => [...held.keys()],
    write: async (name, bytes) => void held.set(name, Uint8Array.from(bytes)),
  };
}

/**
 * Files below an address, by HTTP range requests. The names are taken from `names`, since a server does not list a folder.
 * @throws LimnError `files/fetch` with the status, if the server does not answer with the bytes asked for.
 */
export function fetchFiles(
  base: string | URL,
  names: readonly string[],
  fetcher: typeof fetch = globalThis.fetch,
): ModelFiles {
  const label = String(base);
  const root = label.endsWith('/') ? label : `${label}/`;
  const sizes = new Map<string, number>();
  const ask = async (name: string, init: RequestInit): Promise<Response> => {
    const response = await fetcher(new URL(encodeURIComponent(name), root), init);
    if (response.ok) return response;
    if (response.status === 404) throw missingFile(label, name, names);
    throw new LimnError('files/fetch', `${root}${name} answered with status ${response.status}`, {
      details: { url: `${root}${name}`, status: response.status },
      hint: 'Check the address and try again.',
    });
  };
  const size = async (name: string): Promise<number> => {
    const known = sizes.get(name);
    if (known !== undefined) return known;
    const length = Number((await ask(name, { method: 'HEAD' })).headers.get('content-length') ?? Number.NaN);
    if (!Number.isSafeInteger(length)) {
      throw new LimnError('files/fetch', `${root}${name}: the server does not say how long the file is`, {
        details: { url: `${root}${name}` },
        hint: 'Serve the folder with Content-Length and byte ranges.',
      });
    }
    sizes.set(name, length);
    return length;
  };
  return {
    label,
    size,
    list: async () => names,
    read: async (name, start, end) => {
      if (start === undefined && end === undefined) return new Uint8Array(await (await ask(name, {})).arrayBuffer());
      const from = start ?? 0;
      const to = end ?? (await size(name));
      if (to === from) return new Uint8Array(0);
      const response = await ask(name, { headers: { range: `bytes=${from}-${to - 1}` } });
      const body = new Uint8Array(await response.arrayBuffer());
      // A server that does not know ranges answers 200 with everything.
      const bytes = response.status === 206 ? body : cutRange(label, name, body, from, to);
      if (bytes.length !== to - from) throw shortFile(label, name, to, from + bytes.length);
      return bytes;
    },
  };
}

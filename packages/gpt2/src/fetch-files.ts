// A folder of files below an address, read by HTTP range requests and never believed when the server answers with something else.
import { LimnError } from '@limn/gpu';
import { anySignal, unlessAborted } from './abortable-files.js';
import { isSameVersion, versionOf, type FileVersion } from './file-version.js';
import { cutRange, missingFile, shortFile, tooLarge, type ModelFiles } from './files.js';
import { folderAddress, type FolderAddress } from './folder-address.js';
import { withoutSilence } from './silence.js';

/** Longest silence of a server in milliseconds. */
const SILENCE = 60_000;
/** Statuses that say a file is not there. */
const gone = [404, 410];
/** Statuses of a server that knows no HEAD. */
const methodUnknown = [405, 501];
/** Bytes of a whole file whose length nobody states: from a server without ranges it lies in memory. */
const mostUnstated = 2 ** 31;

/** Files below an address. */
export interface AddressFiles extends ModelFiles {
  /** Asks whether a file is there, without its size. @throws LimnError `files/not-found`, `files/fetch` */
  probe(name: string): Promise<void>;
}

/**
 * Files below an address. The names are taken from `names`, since a server does not list a folder. A server without ranges is borne
 * with: it sends whole files, which are then kept. A connection that says nothing for `silence` milliseconds (60,000) counts as broken;
 * `signal` ends every read, as the signal of a read ends that one.
 * A file that is replaced on the server between two reads is noticed by Last-Modified, ETag or size. Of lengths, those of GET count; that
 * of HEAD is taken where GET states none. A whole file whose length nobody states may have 2 GiB.
 * @throws LimnError `files/bad-address`; `files/changed`; `files/fetch` with the status, if the server does not answer with the bytes asked for: a web page, another
 * range, a compressed part, another length than HEAD states; `files/too-large`; `files/short`; `files/not-found`, also with `details.status` 403; a signal's reason when aborted.
 */
export function fetchFiles(
  base: string | URL,
  names: readonly string[],
  fetcher: typeof fetch = globalThis.fetch,
  options: { readonly silence?: number; readonly signal?: AbortSignal } = {},
): AddressFiles {
  const { silence = SILENCE } = options;
  const address = folderAddress(base);
  const { label } = address;
  /** By what GET answered. */
  const sizes = new Map<string, number>();
  /** By what HEAD answered, which some servers get wrong. */
  const headSizes = new Map<string, number>();
  /** What the first GET answered about a file, of the time and version of its contents. */
  const versions = new Map<string, FileVersion>();
  /** Whole files of a server without ranges. */
  const whole = new Map<string, Blob>();
  const wrong = (name: string, what: string, details: Record<string, unknown> = {}): LimnError =>
    new LimnError('files/fetch', `${address.describe(name)} ${what}`, {
      details: { url: address.describe(name), ...details },
      hint: 'Check the address; the folder must be served as plain files, best with Content-Length and byte ranges.',
    });
  const ask = async (name: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> => {
    const stop = new AbortController();
    const either = anySignal(stop.signal, signal) as AbortSignal;
    let response: Response;
    let asked: Promise<Response> | undefined;
    try {
      asked = fetcher(address.of(name), { ...init, signal: either });
      response = await unlessAborted(signal, () =>
        withoutSilence(silence, asked as Promise<Response>, () => stop.abort()),
      );
    } catch (cause) {
      // An answer that comes all the same is not waited for.
      asked?.then(discard).catch(() => undefined);
      signal?.throwIfAborted();
      if (cause instanceof LimnError) throw cause;
      throw wrong(name, `could not be fetched: ${String((cause as Error).message)}`, { reason: String(cause) });
    }
    const type = response.headers.get('content-type') ?? '';
    const page = /^text\/html\b/i.test(type);
    if (response.ok && !page) {
      const [before, now] = [versions.get(name), versionOf(response)];
      if (init.method === 'HEAD') return response;
      if (!before) versions.set(name, now);
      if (!before || isSameVersion(before, now)) return response;
    }
    discard(response);
    if (response.status === 403) throw refusedFile(address, name);
    if (gone.includes(response.status)) throw missingFile(label, name, names);
    if (!response.ok) throw wrong(name, `answered with status ${response.status}`, { status: response.status });
    if (page) throw wrong(name, 'is a web page, not that file', { type });
    throw changedFile(address, name);
  };
  /** The body; more than `most` bytes are not waited for, and given to be refused. */
  const bytesOf = async (
    name: string,
    response: Response,
    most: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const reader = response.body?.getReader();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    try {
      for (let bytes = 0; ;) {
        const piece = reader && (await unlessAborted(signal, () => withoutSilence(silence, reader.read())));
        if (!piece || piece.done) return joined(parts);
        parts.push(piece.value);
        bytes += piece.value.length;
        if (bytes <= most) continue;
        // A body without an end would fill the memory.
        reader.cancel().catch(() => undefined);
        return joined(parts);
      }
    } catch (cause) {
      reader?.cancel().catch(() => undefined);
      signal?.throwIfAborted();
      throw wrong(name, `broke off: ${String((cause as Error).message)}`, { reason: String(cause) });
    }
  };
  /** The body as the whole file; one of more than `most` bytes is refused, by its stated length before anything is taken. */
  const wholeOf = async (
    name: string,
    response: Response,
    signal: AbortSignal | undefined,
    most = Infinity,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const [before, stated, head] = [sizes.get(name), statedLength(response), headSizes.get(name)];
    const known = before ?? stated;
    let fault: LimnError | undefined;
    if (before !== undefined && stated !== undefined && before !== stated) fault = changedFile(address, name);
    else if (known !== undefined && known > most) fault = tooLarge(label, name, known, most);
    if (fault) {
      discard(response);
      throw fault;
    }
    const bound = Math.min(most, known ?? head ?? mostUnstated);
    const bytes = await bytesOf(name, response, bound, signal);
    const { length } = bytes;
    if (before !== undefined && length !== before) throw changedFile(address, name);
    if (known === undefined && head !== undefined && length !== head && bound === head) {
      const sent = length > head ? `more than ${head}` : length;
      throw wrong(name, `says that it has ${head} bytes (HEAD), but sends ${sent} (GET)`, {
        stated: head,
        sent: length,
      });
    }
    if (length > bound) throw tooLarge(label, name, undefined, bound);
    if (stated !== undefined && length < stated) throw shortFile(label, name, stated, length);
    sizes.set(name, length);
    return bytes;
  };
  const keep = async (name: string, response: Response, signal: AbortSignal | undefined): Promise<Blob> => {
    const blob = new Blob([await wholeOf(name, response, signal)]);
    whole.set(name, blob);
    return blob;
  };
  /** Bytes [from, to) of a file, and its size; the server may have answered with more. */
  const range = async (
    name: string,
    from: number,
    to: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await ask(name, { headers: { range: `bytes=${from}-${to - 1}` } }, signal);
    if (response.status !== 206) return cut(name, await keep(name, response, signal), from, to);
    const stated = response.headers.get('content-range');
    const [, begin, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(stated ?? '') ?? [];
    const known = sizes.get(name);
    let fault: LimnError | undefined;
    // Not every server lets a page of another origin see Content-Range; the length is checked in any case.
    if (stated !== null && (Number(begin) !== from || Number(end) !== Math.min(to, Number(total)) - 1))
      fault = wrong(name, `was asked for bytes ${from}-${to - 1}, but sends ${stated}`, { contentRange: stated });
    else if (response.headers.has('content-encoding')) fault = wrong(name, 'sends a compressed part of the file');
    else if (total !== undefined && known !== undefined && known !== Number(total)) fault = changedFile(address, name);
    if (fault) {
      discard(response);
      throw fault;
    }
    if (total !== undefined) sizes.set(name, Number(total));
    return bytesOf(name, response, to - from, signal);
  };
  const cut = async (name: string, blob: Blob, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> => {
    if (to > blob.size) throw shortFile(label, name, to, blob.size);
    return new Uint8Array(await blob.slice(from, to).arrayBuffer());
  };
  /** Undefined where the server knows no HEAD. */
  const head = (name: string, signal: AbortSignal | undefined): Promise<Response | undefined> =>
    ask(name, { method: 'HEAD' }, signal).catch((cause: unknown) => {
      if (cause instanceof LimnError && methodUnknown.includes(cause.details['status'] as number)) return undefined;
      throw cause;
    });
  const size = async (name: string, signal: AbortSignal | undefined): Promise<number> => {
    const known = sizes.get(name);
    if (known !== undefined) return known;
    const first = await ask(name, { headers: { range: 'bytes=0-0' } }, signal).catch((cause: unknown) => {
      // There is no first byte of an empty file.
      if (cause instanceof LimnError && cause.details['status'] === 416) return undefined;
      throw cause;
    });
    const total = /^bytes \d+-\d+\/(\d+)$/.exec(first?.headers.get('content-range') ?? '')?.[1];
    const length = total === undefined && first?.status !== 206 ? first && statedLength(first) : Number(total);
    if (length !== undefined && Number.isSafeInteger(length)) {
      if (first) discard(first);
      sizes.set(name, length);
      return length;
    }
    const answer = await head(name, signal);
    const said = answer && statedLength(answer);
    if (said !== undefined) headSizes.set(name, said);
    if (first?.status === 200 && said === undefined) return (await keep(name, first, signal)).size;
    if (first) discard(first);
    if (said === undefined) throw wrong(name, 'does not say how long it is');
    return said;
  };
  return {
    label,
    size: (name, own) => size(name, anySignal(options.signal, own)),
    list: async () => names,
    probe: async (name) => {
      if (await head(name, options.signal)) return;
      discard(await ask(name, { headers: { range: 'bytes=0-0' } }, options.signal));
    },
    readSmall: async (name, most, own) => {
      const signal = anySignal(options.signal, own);
      return wholeOf(name, await ask(name, {}, signal), signal, most);
    },
    read: async (name, start, end, own) => {
      const signal = anySignal(options.signal, own);
      signal?.throwIfAborted();
      const held = whole.get(name);
      if (start === undefined && end === undefined)
        return held ? cut(name, held, 0, held.size) : wholeOf(name, await ask(name, {}, signal), signal);
      const from = start ?? 0;
      const to = end ?? (await size(name, signal));
      if (to < from) return cutRange(label, name, new Uint8Array(0), from, to);
      if (to === from) return new Uint8Array(0);
      const bytes = await (held ? cut(name, held, from, to) : range(name, from, to, signal));
      if (bytes.length !== to - from) throw shortFile(label, name, to, from + bytes.length);
      return bytes;
    },
  };
}

/** Stores that may not be listed, as S3 and Google's by default, answer 403 for what they do not have. */
function refusedFile({ label, describe }: FolderAddress, name: string): LimnError {
  return new LimnError(
    'files/not-found',
    `${describe(name)} answered with status 403: the file is not there, or it may not be read without permission`,
    {
      details: { label, name, status: 403 },
      hint: 'Check the address, and that the file is there and public; a store that may not be listed does not say which it is.',
    },
  );
}

function changedFile({ label, describe }: FolderAddress, name: string): LimnError {
  return new LimnError('files/changed', `${describe(name)} was replaced on the server while it was read`, {
    details: { label, name },
    hint: 'Open the model again.',
  });
}

/** Content-Length, where it counts the bytes of the file. */
function statedLength({ headers }: Response): number | undefined {
  const stated = headers.has('content-encoding') ? null : headers.get('content-length');
  const length = Number(stated ?? Number.NaN);
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}

/** Ends an answer that nobody will read. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0] as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

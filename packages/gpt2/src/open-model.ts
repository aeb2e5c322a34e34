// Opens a model by name in a browser: an id of the Hugging Face Hub, kept in the browser's storage, or the address of a folder.
import { LimnError } from '@limn/gpu';
import { fetchFiles, type AddressFiles } from './fetch-files.js';
import { missingFile, type ModelFiles } from './files.js';
import type { HubCache } from './hub/cache.js';
import { webDirectory } from './hub/directory.js';
import { HubHttp } from './hub/http.js';
import { MemoryCache } from './hub/memory-cache.js';
import { OpfsCache } from './hub/opfs-cache.js';
import { placeOf } from './hub/place.js';
import { openSnapshot, type SnapshotOptions } from './hub/snapshot.js';

/** How to open a model; all of it matters to ids of the hub only, except `fetch` and `signal`. */
export interface OpenModelOptions extends SnapshotOptions {
  /** Branch, tag or commit; also `id@revision`. Default main. */
  readonly revision?: string;
  /** Sent to the hub only. Default none; in Node, HF_TOKEN or the token of `hf auth login`, and `false` sends none. */
  readonly token?: string | false;
  /** Another hub. Default https://huggingface.co; in Node, HF_ENDPOINT. */
  readonly endpoint?: string;
  /** Used instead of the platform's, for proxies and tests. */
  readonly fetch?: typeof fetch;
  /** Where downloads are kept. Default: the browser's private file system; in Node, the folder that Hugging Face's tools share. */
  readonly cache?: HubCache;
}

/** Files that a model's folder may hold, for servers that do not list one. */
const candidates = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
/** What a folder may hold in their place. Asked for only then: a browser's console shows every file that is not there as an error. */
const replacements: Readonly<Record<string, readonly string[]>> = {
  'model.safetensors': ['model.safetensors.index.json'],
  'tokenizer.json': ['vocab.json', 'merges.txt'],
};
/** One of each is needed. */
const required = [['config.json'], ['model.safetensors', 'model.safetensors.index.json']] as const;

/**
 * The files of a model, for `loadGpt2`: by id (`gpt2`, `owner/name@revision`) from the hub or the browser's storage, or by address
 * (`https://…/`, or `./folder/` relative to the page). In Node, take `openModel` from `@limn/gpt2/node`: there `./folder` is a folder.
 * Downloads are resumed where they ended and checked against the hub's digests before they count; a commit that is stored whole is
 * opened without the network.
 * @throws LimnError `weights/bad-index`, `hub/…`, `files/…`, `weights/no-safetensors`; the signal's reason when aborted.
 */
export async function openModel(name: string | URL, options: OpenModelOptions = {}): Promise<ModelFiles> {
  const place = placeOf(name, options.revision);
  if (place.kind === 'address') return openAddress(place.url, options);
  if (place.kind === 'path') {
    const page = (globalThis as { location?: { href: string } }).location?.href;
    if (page !== undefined && URL.canParse(String(place.path), page))
      return openAddress(new URL(place.path, page), options);
    throw new LimnError('hub/bad-id', `${String(place.path)} is a path, which only Node can open`, {
      hint: "Take openModel from '@limn/gpt2/node'.",
    });
  }
  const http = new HubHttp({
    endpoint: options.endpoint ?? 'https://huggingface.co',
    ...(typeof options.token === 'string' ? { token: options.token } : {}),
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    ownRedirects: false,
  });
  const cache = options.cache ?? (await browserCache(options));
  return openSnapshot(place.id, place.revision, { http, directory: webDirectory, cache }, options);
}

/**
 * A folder by address: which of a model's files it holds is found out by asking for each.
 * @throws LimnError `files/not-found` where config or weights are missing or refused, `files/fetch`; the signal's reason when aborted.
 */
export async function openAddress(
  url: URL,
  { fetch: fetcher, signal }: Pick<OpenModelOptions, 'fetch' | 'signal'>,
): Promise<ModelFiles> {
  const filesOf = (names: readonly string[]): AddressFiles => fetchFiles(url, names, fetcher, signal ? { signal } : {});
  const probe = filesOf([]);
  /** What a store that may not be listed said of what it lacks. */
  const refusals = new Map<string, LimnError>();
  const isThere = async (name: string): Promise<boolean> => {
    try {
      await probe.probe(name);
      return true;
    } catch (cause) {
      if (!(cause instanceof LimnError)) throw cause;
      const { code, details } = cause;
      if (code === 'files/not-found' && details['status'] !== undefined) refusals.set(name, cause);
      // Servers of single-page sites answer with their page where there is no file.
      if (code === 'files/not-found' || details['type'] !== undefined) return false;
      throw cause;
    }
  };
  const among = async (names: readonly string[]): Promise<string[]> => {
    const answers = await Promise.all(names.map(isThere));
    return names.filter((_, i) => answers[i]);
  };
  const found = await among(candidates);
  const missing = Object.keys(replacements).filter((name) => !found.includes(name));
  found.push(...(await among(missing.flatMap((name) => replacements[name] ?? []))));
  for (const needed of required) {
    if (needed.some((name) => found.includes(name))) continue;
    const refused = needed.map((name) => refusals.get(name)).find((refusal) => refusal !== undefined);
    throw refused ?? missingFile(probe.label, needed[0] as string, found);
  }
  return filesOf(found);
}

/** Kept for the life of the page where there is no storage, so that a second call finds what the first one fetched. */
const memory = new MemoryCache();

async function browserCache({ onNotice }: OpenModelOptions): Promise<HubCache> {
  try {
    if (!('createWritable' in FileSystemFileHandle.prototype)) throw new Error('files cannot be written');
    return new OpfsCache(
      await (await navigator.storage.getDirectory()).getDirectoryHandle('limn-hub', { create: true }),
    );
  } catch (cause) {
    onNotice?.(
      `This browser gives the page no storage (${String(cause)}); the model is kept in memory and is fetched again next time.`,
    );
    return memory;
  }
}

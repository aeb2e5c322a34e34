// Opens a model by name in Node: a folder, the address of one, or an id of the Hugging Face Hub, in the cache that Python shares.
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LimnError } from '@limn/gpu';
import type { ModelFiles } from './files.js';
import { openFolder } from './folder.js';
import { FolderCache } from './hub/folder-cache.js';
import { HubHttp } from './hub/http.js';
import { libraryDirectory } from './hub/library-directory.js';
import { placeOf } from './hub/place.js';
import { hubCacheFolder, hubEndpoint, hubOffline, hubToken } from './hub/settings.js';
import { openSnapshot } from './hub/snapshot.js';
import { openAddress, type OpenModelOptions } from './open-model.js';

/** How to open a model in Node. */
export interface OpenNodeModelOptions extends OpenModelOptions {
  /** The cache folder. Default HF_HUB_CACHE, or hub in HF_HOME, which is ~/.cache/huggingface. */
  readonly cacheDir?: string;
}

/**
 * The files of a model, for `loadGpt2`. A path (`./folder`, `/folder`, `~/folder`, `file:`) never touches the network; an id
 * (`gpt2`, `owner/name@revision`) is looked for in the shared Hugging Face cache and downloaded into it, where Python finds it too.
 * HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT and HF_HUB_OFFLINE are obeyed; options come before them. Downloads are
 * resumed where they ended and checked against the hub's digests before they count; a commit that is cached whole is opened without
 * the network, and when the hub is out of reach the commit last seen is used, with a notice.
 * @throws LimnError `hub/…`, `files/…`, `weights/no-safetensors`; the signal's reason when aborted.
 */
export async function openModel(name: string | URL, options: OpenNodeModelOptions = {}): Promise<ModelFiles> {
  const place = placeOf(name, options.revision);
  if (place.kind === 'address') return openAddress(place.url, options);
  if (place.kind === 'path') return openFolder(folderOf(place.path));
  const offline = options.offline ?? hubOffline();
  const token = offline || options.token === false ? undefined : (options.token ?? (await hubToken()));
  const http = new HubHttp({
    endpoint: options.endpoint ?? hubEndpoint(),
    ...(token === undefined ? {} : { token }),
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const cache = options.cache ?? new FolderCache(options.cacheDir ?? hubCacheFolder());
  const hub = { http, directory: libraryDirectory, cache };
  return openSnapshot(place.id, place.revision, hub, { ...options, offline });
}

/** @throws LimnError `hub/bad-id` */
function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new LimnError('hub/bad-id', `${url.href} names no folder on this machine: ${(cause as Error).message}`, {
      details: { name: url.href },
      hint: 'A file: address has three slashes: file:///folder.',
      cause,
    });
  }
}

function folderOf(given: string | URL): string {
  if (given instanceof URL) return pathOf(given);
  return given === '~' || given.startsWith('~/') ? path.join(os.homedir(), given.slice(1)) : given;
}

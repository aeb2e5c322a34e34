// Brings a model from the hub into a cache and opens it there; or from the cache alone when offline, pinned or out of reach.
import { LimnError } from '@limn/gpu';
import { abortableFiles } from '../abortable-files.js';
import { missingFile, type ModelFiles } from '../files.js';
import { indexFile, noWeights, readShards, weightFile } from '../weights.js';
import type { HubCache, HubFile } from './cache.js';
import type { HubDirectory } from './directory.js';
import { Download, type DownloadProgress } from './download.js';
import type { HubHttp } from './http.js';

/** How to open a model of the hub. */
export interface SnapshotOptions {
  /** Ask nobody: what is not in the cache is an error. */
  readonly offline?: boolean;
  /** Stops the download; what came is kept. */
  readonly signal?: AbortSignal;
  /** Called for every piece that arrives. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called with what a user should know and no error says: that the hub is out of reach and a cached commit is used. */
  readonly onNotice?: (notice: string) => void;
}

/** A hub as it is reached, looked up and remembered. */
export interface Hub {
  readonly http: HubHttp;
  readonly directory: HubDirectory;
  readonly cache: HubCache;
}

const config = 'config.json';

/**
 * The files of a model at a revision. A commit whose files are all in the cache is opened without a word to the hub.
 * @throws LimnError `hub/…`; `files/not-found` and `weights/no-safetensors` for a repository without config or weights.
 */
export async function openSnapshot(
  id: string,
  revision: string,
  { http, directory, cache }: Hub,
  options: SnapshotOptions = {},
): Promise<ModelFiles> {
  options.signal?.throwIfAborted();
  const commit = await commitFor(id, revision, { http, directory, cache }, options);
  const label = `${id}@${commit}`;
  const noteIfPossible = async (what: string, note: () => Promise<void>): Promise<void> => {
    try {
      await note();
    } catch (cause) {
      // A cache that can only be read serves what it has.
      options.onNotice?.(`${(cause as Error).message}. ${what} was not noted.`);
    }
  };
  const rememberIfPossible = (): Promise<void> =>
    noteIfPossible(`That ${revision} is at ${commit}`, () => cache.remember(id, revision, commit));
  const cached = await wantedInCache(id, commit, cache, options.offline === true);
  if (Array.isArray(cached)) {
    if (commit !== revision && options.offline !== true) await rememberIfPossible();
    return cache.open(id, commit, cached, label);
  }
  if (options.offline === true) throw offlineError(`${id}@${revision}`, cached.missing, cache.place(id, commit));

  let listed: Map<string, HubFile>;
  try {
    listed = await directory.files(http, id, commit);
  } catch (cause) {
    // Config and weights may be here, with nobody to ask whether there is more.
    const enough = isPassing(cause) ? await wantedInCache(id, commit, cache, true) : undefined;
    if (!Array.isArray(enough)) throw cause;
    options.onNotice?.(`${(cause as Error).message}. Using what is cached of ${label}.`);
    return cache.open(id, commit, enough, label);
  }
  const present = [...listed.keys()];
  if (!listed.has(config)) throw missingFile(label, config, present);
  if (!listed.has(weightFile) && !listed.has(indexFile)) throw noWeights(label, present);
  const fetcher = new Download(id, commit, { http, cache }, options);
  const names = [config, ...tokenizerNames((name) => listed.has(name))];
  const small = listed.has(weightFile) ? names : [...names, indexFile];
  let weights = listed.has(weightFile) ? [weightFile] : likelyShards(present);
  const known = (wanted: readonly string[]): HubFile[] => wanted.map((name) => listed.get(name) as HubFile);
  await fetcher.plan(known([...small, ...weights]));
  await fetcher.fetch(known(small));
  if (!listed.has(weightFile)) {
    weights = await readShards(abortableFiles(cache.open(id, commit, small, label), options.signal));
    const lost = weights.find((name) => !listed.has(name));
    if (lost !== undefined) throw missingFile(label, lost, present);
    await fetcher.plan(known([...small, ...weights]));
  }
  await fetcher.fetch(known(weights));
  const absent = optionalNames.filter((name) => !listed.has(name));
  await noteIfPossible(`That it has no ${absent.join(', ')}`, () => cache.noteAbsent(id, commit, absent));
  if (commit !== revision) await rememberIfPossible();
  return cache.open(id, commit, [...small, ...weights], label);
}

/** The commit behind a revision: itself, or what the hub says, or what the cache remembers. */
async function commitFor(
  id: string,
  revision: string,
  { http, directory, cache }: Hub,
  options: SnapshotOptions,
): Promise<string> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  const known = await cache.commitOf(id, revision);
  if (options.offline === true) {
    if (known === undefined) throw offlineError(`${id}@${revision}`, 'the revision', cache.place(id, revision));
    return known;
  }
  try {
    return await directory.commit(http, id, revision);
  } catch (cause) {
    if (known === undefined || !isPassing(cause)) throw cause;
    options.onNotice?.(`${cause.message}. Using commit ${known} of ${id}, which was ${revision} when last asked.`);
    return known;
  }
}

/** Whether a hub may answer again later, so that what is cached is the best there is. */
const isPassing = (cause: unknown): cause is LimnError =>
  cause instanceof LimnError && ['hub/unreachable', 'hub/unavailable', 'hub/rate-limited'].includes(cause.code);

function offlineError(what: string, missing: string, place: string): LimnError {
  return new LimnError('hub/offline', `${what}: ${missing} is not in the cache, and offline mode asks nobody for it`, {
    details: { model: what, missing, searched: place },
    hint: `Looked in ${place}. Open the model once with the network, or unset offline (HF_HUB_OFFLINE).`,
  });
}

const optionalNames = ['tokenizer.json', 'tokenizer_config.json', 'vocab.json', 'merges.txt'];

/** tokenizer.json with its settings, or else the older pair. */
function tokenizerNames(has: (name: string) => boolean): string[] {
  return (has('tokenizer.json') ? optionalNames.slice(0, 2) : optionalNames.slice(2)).filter(has);
}

/** The names of a snapshot that the cache can open alone, or the first file that is missing. */
async function wantedInCache(
  id: string,
  commit: string,
  cache: HubCache,
  lenient: boolean,
): Promise<string[] | { readonly missing: string }> {
  const states = new Map<string, 'here' | 'absent' | 'unknown'>();
  for (const name of [config, weightFile, indexFile, ...optionalNames])
    states.set(name, await cache.state(id, commit, name));
  const here = (name: string): boolean => states.get(name) === 'here';
  if (!here(config)) return { missing: config };
  const older = optionalNames.slice(2);
  const asked = here('tokenizer.json') ? optionalNames.slice(0, 2) : optionalNames;
  // A file that nobody has asked for may exist: only the hub knows. Offline there is nobody to ask.
  const open = asked.find((name) => states.get(name) === 'unknown');
  if (open !== undefined && !lenient) return { missing: open };
  // Half of the older pair is of no use.
  const names = [config, ...tokenizerNames((name) => here(name) && (!older.includes(name) || older.every(here)))];
  if (here(weightFile)) return [...names, weightFile];
  if (!here(indexFile)) return { missing: weightFile };
  const shards = await readShards(cache.open(id, commit, [indexFile], `${id}@${commit}`));
  for (const shard of shards) if ((await cache.state(id, commit, shard)) !== 'here') return { missing: shard };
  return [...names, indexFile, ...shards];
}

/**
 * The shards that an index most likely names, before it is here: `model-00001-of-0000n.safetensors` up to n. Of several such sets the one of
 * fewest files, so that no download is refused that would fit.
 */
function likelyShards(present: readonly string[]): string[] {
  const sets = new Map<string, string[]>();
  for (const name of present) {
    const total = /^model-\d{5}-of-(\d{5})\.safetensors$/.exec(name)?.[1];
    if (total !== undefined) sets.set(total, [...(sets.get(total) ?? []), name]);
  }
  const whole = [...sets].filter(([total, names]) => names.length === Number(total));
  return whole.sort(([a], [b]) => Number(a) - Number(b))[0]?.[1] ?? [];
}

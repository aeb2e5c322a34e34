// Brings a model from the hub into a cache and opens it there; or from the cache alone when offline, pinned or out of reach.
import { formatBytes, LimnError } from '@limn/gpu';
import { missingFile, type ModelFiles } from '../files.js';
import { indexFile, noWeights, shardsOf, weightFile } from '../weights.js';
import type { HubCache, HubFile } from './cache.js';
import { contentsUrl, type HubDirectory } from './directory.js';
import type { HubHttp } from './http.js';
import { fillBlob } from './transfer.js';

/** Progress of the download of a model: bytes over all its files, those that were here already included. */
export interface DownloadProgress {
  /** The file that is on its way. */
  readonly file: string;
  /** Bytes that are here, of all files. */
  readonly done: number;
  /** Bytes of all files that are known to be needed; shards are known when their index is here. */
  readonly total: number;
}

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
  const rememberIfPossible = async (): Promise<void> => {
    try {
      await cache.remember(id, revision, commit);
    } catch (cause) {
      // A cache that can only be read serves what it has.
      options.onNotice?.(`${(cause as Error).message}. That ${revision} is at ${commit} was not noted.`);
    }
  };
  const cached = await wantedInCache(id, commit, cache, options.offline === true);
  if (Array.isArray(cached)) {
    if (commit !== revision && options.offline !== true) await rememberIfPossible();
    return cache.open(id, commit, cached, label);
  }
  if (options.offline === true) throw offlineError(`${id}@${revision}`, cached.missing, cache.place(id, commit));

  const listed = await directory.files(http, id, commit);
  const present = [...listed.keys()];
  if (!listed.has(config)) throw missingFile(label, config, present);
  if (!listed.has(weightFile) && !listed.has(indexFile)) throw noWeights(label, present);
  const fetcher = new Fetcher(id, commit, http, cache, options);
  const names = [config, ...tokenizerNames((name) => listed.has(name))];
  const small = listed.has(weightFile) ? names : [...names, indexFile];
  await fetcher.fetch(small.map((name) => listed.get(name) as HubFile));
  let weights = [weightFile];
  if (!listed.has(weightFile)) {
    weights = shardsOf(await cache.open(id, commit, small, label).read(indexFile), label);
    const lost = weights.find((name) => !listed.has(name));
    if (lost !== undefined) throw missingFile(label, lost, present);
  }
  await fetcher.fetch(weights.map((name) => listed.get(name) as HubFile));
  await cache.noteAbsent(
    id,
    commit,
    optionalNames.filter((name) => !listed.has(name)),
  );
  if (commit !== revision) await cache.remember(id, revision, commit);
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
    const passing = ['hub/unreachable', 'hub/unavailable', 'hub/rate-limited'];
    if (known === undefined || !(cause instanceof LimnError) || !passing.includes(cause.code)) throw cause;
    options.onNotice?.(`${cause.message}. Using commit ${known} of ${id}, which was ${revision} when last asked.`);
    return known;
  }
}

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
  const shards = shardsOf(
    await cache.open(id, commit, [indexFile], `${id}@${commit}`).read(indexFile),
    `${id}@${commit}`,
  );
  for (const shard of shards) if ((await cache.state(id, commit, shard)) !== 'here') return { missing: shard };
  return [...names, indexFile, ...shards];
}

/** Downloads files one after another and reports bytes over all of them. */
class Fetcher {
  private total = 0;
  private done = 0;

  constructor(
    private readonly id: string,
    private readonly commit: string,
    private readonly http: HubHttp,
    private readonly cache: HubCache,
    private readonly options: SnapshotOptions,
  ) {}

  async fetch(files: readonly HubFile[]): Promise<void> {
    const { id, commit, cache, http, options } = this;
    const lacking: HubFile[] = [];
    for (const file of files) if ((await cache.state(id, commit, file.name)) !== 'here') lacking.push(file);
    this.total += files.reduce((sum, { size }) => sum + size, 0);
    this.done += files.reduce((sum, file) => sum + (lacking.includes(file) ? 0 : file.size), 0);
    await this.checkSpace(lacking);
    for (const file of lacking) {
      options.signal?.throwIfAborted();
      const report = (held: number): void =>
        options.onProgress?.({ file: file.name, done: this.done + held, total: this.total });
      await cache.add(
        id,
        commit,
        file,
        async (blob) => {
          report(Math.min(blob.size, file.size));
          await fillBlob(http, contentsUrl(http, id, commit, file.name), file, blob, report);
        },
        options.signal,
      );
      this.done += file.size;
      options.onProgress?.({ file: file.name, done: this.done, total: this.total });
    }
  }

  /** Refuses a download that the cache's disk cannot hold. */
  private async checkSpace(files: readonly HubFile[]): Promise<void> {
    const free = await this.cache.freeBytes();
    let needed = 0;
    for (const file of files) needed += Math.max(0, file.size - (await this.cache.begun(this.id, file)));
    if (free === undefined || needed <= free) return;
    throw new LimnError(
      'hub/disk-space',
      `${this.id} needs ${formatBytes(needed)}, but ${this.cache.label} has room for ${formatBytes(free)}`,
      {
        details: { needed, free, cache: this.cache.label },
        hint: 'None of these files was fetched. Make room, or choose another cache (HF_HUB_CACHE).',
      },
    );
  }
}

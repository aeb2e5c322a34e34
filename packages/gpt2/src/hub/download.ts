// The download of a model's files into a cache: room for all of them is asked for once, before the first byte, and bytes are counted over all.
import { formatBytes, LimnError } from '@limn/gpu';
import type { HubCache, HubFile, PartialBlob } from './cache.js';
import { contentsUrl } from './directory.js';
import type { HubHttp } from './http.js';
import { fillBlob } from './transfer.js';

/** Progress of the download of a model: bytes over all its files, those that were here already included. */
export interface DownloadProgress {
  /** The file that is on its way. */
  readonly file: string;
  /** Bytes that are here, of all files. */
  readonly done: number;
  /** Bytes of all files that are needed; of shards with unusual names, only when their index is here. */
  readonly total: number;
}

/** Downloads files of one commit, one after another. */
export class Download {
  /** What is needed in all, by name. */
  private planned = new Map<string, HubFile>();
  /** Names of files that are in the cache. */
  private readonly here = new Set<string>();

  constructor(
    private readonly id: string,
    private readonly commit: string,
    private readonly from: { readonly http: HubHttp; readonly cache: HubCache },
    private readonly options: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (progress: DownloadProgress) => void;
    },
  ) {}

  /**
   * Says what will be fetched. A plan of the same files as before is not looked at again.
   * @throws LimnError `hub/disk-space`: what is not here yet is more than the cache's disk can hold.
   */
  async plan(files: readonly HubFile[]): Promise<void> {
    const { id, commit } = this;
    const { cache } = this.from;
    const known = this.planned;
    this.planned = new Map(files.map((file) => [file.name, file]));
    if (known.size === this.planned.size && files.every(({ name }) => known.has(name))) return;
    let needed = 0;
    for (const file of files) {
      if ((await cache.state(id, commit, file.name)) === 'here') this.here.add(file.name);
      else needed += Math.max(0, file.size - (await cache.begun(id, file)));
    }
    const free = await cache.freeBytes();
    if (free === undefined || needed <= free) return;
    throw new LimnError(
      'hub/disk-space',
      `${id} needs ${formatBytes(needed)}, but ${cache.label} has room for ${formatBytes(free)}`,
      {
        details: { needed, free, cache: cache.label },
        hint: 'No weights were fetched. Make room, or choose another cache (HF_HUB_CACHE).',
      },
    );
  }

  /** Fetches those of the planned files that are not here. @throws LimnError `hub/…`; the signal's reason when aborted. */
  async fetch(files: readonly HubFile[]): Promise<void> {
    const { http, cache } = this.from;
    for (const file of files) {
      if (this.here.has(file.name)) continue;
      this.options.signal?.throwIfAborted();
      const fill = async (blob: PartialBlob): Promise<void> => {
        const report = (held: number): void => this.report(file, held);
        report(Math.min(blob.size, file.size));
        await fillBlob(http, contentsUrl(http, this.id, this.commit, file.name), file, blob, report);
      };
      await cache.add(this.id, this.commit, file, fill, this.options.signal);
      this.here.add(file.name);
      this.report(file, 0);
    }
  }

  /** Tells of the files that are here, and of so many bytes of one that is not. */
  private report(file: HubFile, held: number): void {
    const all = [...this.planned.values()];
    const sum = (files: readonly HubFile[]): number => files.reduce((bytes, { size }) => bytes + size, 0);
    const done = sum(all.filter(({ name }) => this.here.has(name))) + held;
    this.options.onProgress?.({ file: file.name, done, total: sum(all) });
  }
}

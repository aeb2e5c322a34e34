// The Hugging Face cache folder, shared with Python: models--owner--name/{blobs/digest, snapshots/commit/file → blob, refs/revision}.
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  copyFile, mkdir, open, readdir, readFile, realpath, rename, rm, stat, statfs, symlink, writeFile, type FileHandle,
} from 'node:fs/promises'; // prettier-ignore
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import type { ModelFiles } from '../files.js';
import { openFolder } from '../folder.js';
import type { HubCache, HubFile, PartialBlob } from './cache.js';
import { withFileLock } from '../file-lock.js';

const codeOf = (cause: unknown): string => String((cause as NodeJS.ErrnoException).code ?? cause);

/** A cache folder, `$HF_HUB_CACHE` as a rule. It is made when something is first stored. */
export class FolderCache implements HubCache {
  readonly label: string;

  constructor(private readonly root: string) {
    this.label = root;
  }

  async commitOf(id: string, revision: string): Promise<string | undefined> {
    const text = await this.guard(() => orUndefined(readFile(path.join(this.home(id), 'refs', revision), 'utf8')));
    const commit = text?.trim();
    return commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined;
  }

  async remember(id: string, revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(id, revision)) === commit) return;
    await this.guard(async () => {
      const target = path.join(this.home(id), 'refs', revision);
      await mkdir(path.dirname(target), { recursive: true });
      const beside = `${target}.${randomBytes(6).toString('hex')}.tmp`;
      await writeFile(beside, commit);
      await rename(beside, target);
    });
  }

  async state(id: string, commit: string, name: string): Promise<'here' | 'absent' | 'unknown'> {
    return this.guard(async () => {
      const target = await orUndefined(realpath(path.join(this.snapshot(id, commit), name)));
      if (target !== undefined) {
        // A link that leads out of the cache is nothing that a downloader made. The folders themselves may have been moved to another disk.
        const folders = [this.root, this.home(id), path.join(this.home(id), 'blobs')];
        const real = await Promise.all(folders.map((folder) => orUndefined(realpath(folder))));
        if (!real.some((folder) => folder !== undefined && inside(folder, target))) throw this.escaping(name, target);
        return 'here';
      }
      const absent = await orUndefined(stat(path.join(this.home(id), '.no_exist', commit, name)));
      return absent === undefined ? 'unknown' : 'absent';
    });
  }

  async noteAbsent(id: string, commit: string, names: readonly string[]): Promise<void> {
    await this.guard(async () => {
      const folder = path.join(this.home(id), '.no_exist', commit);
      await mkdir(folder, { recursive: true });
      for (const name of names) await writeFile(path.join(folder, name), '');
    });
  }

  async add(
    id: string,
    commit: string,
    file: HubFile,
    fill: (blob: PartialBlob) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const blobs = path.join(this.home(id), 'blobs');
    const target = path.join(blobs, file.etag);
    const lock = path.join(this.root, '.locks', path.basename(this.home(id)), `${file.etag}.limn.lock`);
    await this.guard(async () => {
      await mkdir(blobs, { recursive: true });
      const complete = async (): Promise<boolean> => (await sizeOf(target)) === file.size;
      if (!(await complete()))
        await withFileLock(
          lock,
          async () => {
            if (!(await complete())) await this.download(blobs, file, target, fill);
          },
          signal,
        );
      await linkTo(target, path.join(this.snapshot(id, commit), file.name));
    });
  }

  async begun(id: string, file: HubFile): Promise<number> {
    return this.guard(async () => {
      const blobs = path.join(this.home(id), 'blobs');
      if ((await sizeOf(path.join(blobs, file.etag))) === file.size) return file.size;
      const sizes = await Promise.all((await partsOf(blobs, file)).map(sizeOf));
      return Math.max(0, ...sizes.map((size) => size ?? 0));
    });
  }

  open(id: string, commit: string, names: readonly string[], label: string): ModelFiles {
    return { ...openFolder(this.snapshot(id, commit)), label, list: async () => names };
  }

  async freeBytes(): Promise<number | undefined> {
    for (let folder = path.resolve(this.root); ; folder = path.dirname(folder)) {
      try {
        const { bavail, bsize, blocks } = await statfs(folder);
        // Some network and user-space file systems say that they have no blocks at all, and take files all the same.
        return blocks > 0 ? bavail * bsize : undefined;
      } catch (cause) {
        // A disk that does not say has said nothing against it. The folder itself may be still to come.
        if (!['ENOENT', 'ENOTDIR'].includes(codeOf(cause)) || folder === path.dirname(folder)) return undefined;
      }
    }
  }

  place(id: string, commit: string): string {
    return /^[0-9a-f]{40}$/.test(commit) ? this.snapshot(id, commit) : path.join(this.home(id), 'refs', commit);
  }

  private home(id: string): string {
    return path.join(this.root, `models--${id.replace('/', '--')}`);
  }

  private snapshot(id: string, commit: string): string {
    return path.join(this.home(id), 'snapshots', commit);
  }

  /** Fills a part of this process's own, taken over from an earlier run if there is one, and makes it the blob when it is whole. */
  private async download(
    blobs: string,
    file: HubFile,
    target: string,
    fill: (blob: PartialBlob) => Promise<void>,
  ): Promise<void> {
    const mine = path.join(blobs, `${file.etag}.${randomBytes(6).toString('hex')}.limn-part`);
    const [left, ...others] = await partsOf(blobs, file);
    if (left !== undefined) await rename(left, mine);
    for (const other of others) await rm(other, { force: true });
    const handle = await open(mine, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      await fill(await FilePart.of(handle, file.size));
      await handle.sync();
    } catch (cause) {
      // A part on a full disk would keep it full.
      if (['ENOSPC', 'EDQUOT'].includes(codeOf(cause))) await rm(mine, { force: true });
      throw cause;
    } finally {
      await handle.close();
    }
    try {
      await rename(mine, target);
    } catch (cause) {
      // A process that took this one for dead, from another machine or container, has taken the part over.
      if (codeOf(cause) !== 'ENOENT') throw cause;
      if ((await sizeOf(target)) !== file.size) await this.download(blobs, file, target, fill);
    }
  }

  private async guard<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      if (cause instanceof LimnError || typeof (cause as NodeJS.ErrnoException).code !== 'string') throw cause;
      // An AbortError has a code too, and is the caller's own.
      if ((cause as NodeJS.ErrnoException).errno === undefined) throw cause;
      const reason = codeOf(cause);
      const full = reason === 'ENOSPC' || reason === 'EDQUOT';
      throw new LimnError(
        full ? 'hub/disk-space' : 'hub/cache',
        `the cache ${this.root} could not be used: ${(cause as Error).message}`,
        {
          details: { cache: this.root, reason },
          hint: full
            ? 'The disk is full. Make room; nothing wrong was kept.'
            : 'Check that the folder may be written to, or choose another one with HF_HUB_CACHE.',
          cause,
        },
      );
    }
  }

  private escaping(name: string, target: string): LimnError {
    return new LimnError('hub/cache', `${name} in the cache ${this.root} leads out of it, to ${target}`, {
      details: { cache: this.root, name, target },
      hint: 'Remove that link and download the model again.',
    });
  }
}

/** A part of a blob on disk. */
class FilePart implements PartialBlob {
  private constructor(
    private readonly handle: FileHandle,
    private held: number,
    private readonly whole: number,
  ) {}

  static async of(handle: FileHandle, whole: number): Promise<FilePart> {
    return new FilePart(handle, (await handle.stat()).size, whole);
  }

  get size(): number {
    return this.held;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;)
      done += (await this.handle.write(bytes, done, bytes.length - done, this.held + done)).bytesWritten;
    this.held += bytes.length;
  }

  async clear(): Promise<void> {
    await this.handle.truncate(0);
    this.held = 0;
  }

  async digest(kind: HubFile['kind'], signal?: AbortSignal): Promise<string> {
    const hash = createHash(kind === 'sha256' ? 'sha256' : 'sha1');
    // git's id of a blob is the sha1 of a small header and the contents.
    if (kind === 'git-sha1') hash.update(`blob ${this.whole}\0`);
    for await (const chunk of this.handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 2 ** 20 })) {
      signal?.throwIfAborted();
      hash.update(chunk as Uint8Array);
    }
    return hash.digest('hex');
  }
}

/** What earlier runs left of a file, the longest first. */
async function partsOf(blobs: string, file: HubFile): Promise<string[]> {
  const names = (await orUndefined(readdir(blobs))) ?? [];
  const parts = names.filter((name) => name.startsWith(`${file.etag}.`) && name.endsWith('.limn-part'));
  const sized = await Promise.all(
    parts.map(async (name) => ({ name, size: (await sizeOf(path.join(blobs, name))) ?? -1 })),
  );
  return sized.sort((a, b) => b.size - a.size).map(({ name }) => path.join(blobs, name));
}

/** A relative link from a snapshot to its blob; a copy where the system allows no links, as Python does. */
async function linkTo(blob: string, place: string): Promise<void> {
  await mkdir(path.dirname(place), { recursive: true });
  const beside = `${place}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await symlink(path.relative(path.dirname(place), blob), beside);
  } catch (cause) {
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(cause))) throw cause;
    await copyFile(blob, beside);
  }
  await rename(beside, place);
}

function inside(folder: string, target: string): boolean {
  const relative = path.relative(folder, target);
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}

const sizeOf = async (file: string): Promise<number | undefined> => (await orUndefined(stat(file)))?.size;

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause))) return undefined;
    throw cause;
  }
}

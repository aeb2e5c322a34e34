// A folder on disk as ModelFiles, for Node: byte ranges, and writes that appear only when they are complete.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { missingFile, shortFile, type WritableFiles } from './files.js';

const systemCode = (cause: unknown): string => String((cause as NodeJS.ErrnoException).code ?? cause);

/** Opens a folder by path. Nothing is read yet; a path never touches the network. */
export function openFolder(folder: string): WritableFiles {
  const label = folder;
  const place = (name: string): string => {
    if (
      name === '' ||
      name !== path.basename(name) ||
      name.includes('\\') ||
      name.includes('\0') ||
      name === '..' ||
      name === '.'
    ) {
      throw new LimnError('files/bad-name', `${JSON.stringify(name)} is not a plain file name`, { details: { name } });
    }
    return path.join(folder, name);
  };
  const list = async (): Promise<string[]> => {
    try {
      return (await readdir(folder)).sort();
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return [];
      throw readFailed(label, cause);
    }
  };
  const guarded = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (cause) {
      if (cause instanceof LimnError) throw cause;
      if (systemCode(cause) === 'ENOENT') throw missingFile(label, name, await list());
      throw readFailed(path.join(label, name), cause);
    }
  };
  return {
    label,
    list,
    size: (name) => guarded(name, async () => (await stat(place(name))).size),
    read: (name, start, end) =>
      guarded(name, async () => {
        if (start === undefined && end === undefined) return new Uint8Array(await readFile(place(name)));
        const file = await open(place(name), 'r');
        try {
          const from = start ?? 0;
          const to = end ?? (await file.stat()).size;
          const bytes = new Uint8Array(to - from);
          // One read returns at most 2 GiB, and may return less than was asked for.
          for (let done = 0; done < bytes.length;) {
            const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), from + done);
            if (bytesRead === 0) throw shortFile(label, name, to, from + done);
            done += bytesRead;
          }
          return bytes;
        } finally {
          await file.close();
        }
      }),
    write: (name, bytes) => writeAtomically(place(name), bytes),
  };
}

/**
 * Writes a file beside its final place, flushes it to the disk, and renames it: readers see the old file or the whole new one.
 * @throws LimnError `files/write`
 */
export async function writeAtomically(target: string, bytes: Uint8Array): Promise<void> {
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${randomBytes(6).toString('hex')}.part`);
  try {
    await mkdir(path.dirname(target), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (cause) {
    // The write's own failure is what to report, also when there is nothing to remove.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new LimnError('files/write', `${target} could not be written: ${systemCode(cause)}`, {
      details: { target, bytes: bytes.length, reason: systemCode(cause) },
      hint:
        systemCode(cause) === 'ENOSPC'
          ? 'Free some disk space.'
          : 'Check that the folder may be written to. What was there before is untouched.',
      cause,
    });
  }
}

function readFailed(what: string, cause: unknown): LimnError {
  return new LimnError('files/read', `${what} could not be read: ${systemCode(cause)}`, {
    details: { what, reason: systemCode(cause) },
    cause,
  });
}

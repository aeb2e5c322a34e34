// A folder on disk as ModelFiles, for Node: byte ranges, and writes that appear only when they are complete.
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { unlessAborted } from './abortable-files.js';
import { nodeDisk, systemCode, type Disk } from './disk.js';
import { missingFile, shortFile, type WritableFiles } from './files.js';
import { writeAtomically } from './write-atomically.js';

/** Bytes of one read: how much is still read after an abort. */
const sliceBytes = 2 ** 24;

/**
 * Opens a folder by path. Nothing is read yet; a path never touches the network. `disk`: the machine's own by default.
 * @throws LimnError `files/bad-name`, `files/not-found`, `files/read`, `files/short`, when a file is read
 */
export function openFolder(folder: string, disk: Disk = nodeDisk): WritableFiles {
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
      return (await disk.readdir(folder)).sort();
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return [];
      throw readFailed(label, cause);
    }
  };
  const guarded = async <T>(name: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> => {
    try {
      return await unlessAborted(signal, act);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof LimnError) throw cause;
      if (systemCode(cause) === 'ENOENT') throw missingFile(label, name, await list());
      throw readFailed(path.join(label, name), cause);
    }
  };
  return {
    label,
    list: (signal) => unlessAborted(signal, list),
    size: (name, signal) =>
      guarded(name, signal, async () => {
        const found = await disk.stat(place(name));
        if (!found.isFile()) throw noFile(path.join(label, name));
        return found.size;
      }),
    read: (name, start, end, signal) =>
      guarded(name, signal, async () => {
        if (start === undefined && end === undefined)
          return new Uint8Array(await disk.readFile(place(name), signal ? { signal } : {}));
        const file = await disk.open(place(name), 'r');
        try {
          const from = start ?? 0;
          const to = end ?? (await file.stat()).size;
          const bytes = new Uint8Array(to - from);
          // A read may return less than was asked for.
          for (let done = 0; done < bytes.length;) {
            signal?.throwIfAborted();
            const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, sliceBytes), from + done);
            if (bytesRead === 0) throw shortFile(label, name, to, from + done);
            done += bytesRead;
          }
          return bytes;
        } finally {
          await file.close();
        }
      }),
    write: (name, content) => writeAtomically(place(name), content, { disk }),
  };
}

/** A device, a pipe or a folder has no size, and reading it may have no end. */
function noFile(what: string): LimnError {
  return new LimnError('files/read', `${what} is a folder, a device or a pipe, not a file`, {
    details: { what, reason: 'no file' },
    hint: 'Put the file itself there.',
  });
}

function readFailed(what: string, cause: unknown): LimnError {
  return new LimnError('files/read', `${what} could not be read: ${systemCode(cause)}`, {
    details: { what, reason: systemCode(cause) },
    cause,
  });
}

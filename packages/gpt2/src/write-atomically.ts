// Writes a file so that readers see the old one or the whole new one, also after a kill or a power cut.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { nodeDisk, systemCode, type Disk } from './disk.js';
import { contentOf, type FileContent, type FileSink } from './file-content.js';

/** How to write. */
export interface AtomicWriteOptions {
  /** The file of that name gives way to this path instead of being replaced: the generation before. */
  readonly keepAs?: string;
  readonly disk?: Disk;
}

/** What a write that a kill cut short leaves beside its target: `.name.<12 hex digits>.part`. */
export const isUnfinished = (name: string): boolean => /^\..+\.[0-9a-f]{12}\.part$/.test(name);

/**
 * Writes a file beside its final place, flushes it to the disk, renames it, and flushes the folder that holds the name. Contents that
 * come in pieces go to the disk as they come.
 * @throws LimnError `files/write`; `details.reason` is the system's code; and what making the contents throws
 */
export async function writeAtomically(
  target: string,
  given: Uint8Array | FileContent,
  { keepAs, disk = nodeDisk }: AtomicWriteOptions = {},
): Promise<void> {
  const folder = path.dirname(target);
  const content = given instanceof Uint8Array ? contentOf(given) : given;
  const temporary = draftOf(target);
  try {
    await makeFolder(folder, disk);
    const file = await disk.open(temporary, 'wx');
    try {
      await content.writeTo(fileSink(file));
      await file.sync();
    } finally {
      await file.close();
    }
    if (keepAs === undefined) await disk.rename(temporary, target);
    else await rotate(temporary, target, keepAs, disk);
    await syncFolder(folder, disk);
  } catch (cause) {
    // The write's own failure is what to report, also when there is nothing to remove.
    await disk.rm(temporary, { force: true }).catch(() => undefined);
    if (cause instanceof LimnError) throw cause;
    throw writeFailed(target, content.bytes, cause);
  }
}

/** A name for what is to become `target`, another each time unless `mark`, 12 hex digits, says which; `isUnfinished` knows it. */
export const draftOf = (target: string, mark: string = randomBytes(6).toString('hex')): string =>
  path.join(path.dirname(target), `.${path.basename(target)}.${mark}.part`);

/** An open file as a sink. A write may take less than it was given; Linux takes at most 2 GiB at once. */
function fileSink(file: Awaited<ReturnType<Disk['open']>>): FileSink {
  return {
    write: async (bytes, offset) => {
      for (let done = 0; done < bytes.length;)
        done += (await file.write(bytes, done, Math.min(bytes.length - done, 2 ** 30), offset + done)).bytesWritten;
    },
  };
}

/** Between the two renames there is no newest file, but the one before it is whole; a failed second rename puts it back. */
async function rotate(temporary: string, target: string, keepAs: string, disk: Disk): Promise<void> {
  const moved = await disk.rename(target, keepAs).then(
    () => true,
    (cause: unknown) => {
      if (systemCode(cause) === 'ENOENT') return false;
      throw cause;
    },
  );
  try {
    await disk.rename(temporary, target);
  } catch (cause) {
    if (moved) await disk.rename(keepAs, target).catch(() => undefined);
    throw cause;
  }
}

/**
 * Removes what kills left of earlier writes to `target`; for the only process that writes there, before it begins. What cannot be
 * removed stays.
 */
export async function removeUnfinished(target: string, disk: Disk = nodeDisk): Promise<void> {
  const folder = path.dirname(target);
  const names = await disk.readdir(folder).catch(() => []);
  for (const name of names)
    if (isUnfinished(name) && name.startsWith(`.${path.basename(target)}.`))
      await disk.rm(path.join(folder, name), { force: true }).catch(() => undefined);
}

/** Makes a folder and its missing parents one at a time: Node's own recursive mkdir never returns where a parent cannot hold files (/proc). */
export async function makeFolder(folder: string, disk: Disk = nodeDisk): Promise<void> {
  const make = async (): Promise<void> => {
    await disk.mkdir(folder);
    await syncFolder(path.dirname(folder), disk);
  };
  try {
    await make();
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return;
    // Read-only file systems and '/' are refused before they are looked at.
    if (
      await disk.stat(folder).then(
        (found) => found.isDirectory(),
        () => false,
      )
    )
      return;
    if (systemCode(cause) !== 'ENOENT' || path.dirname(folder) === folder) throw cause;
    await makeFolder(path.dirname(folder), disk);
    await make();
  }
}

/** What file systems say that cannot flush folders; their renames are as durable as they make them. */
const CANNOT_SYNC_FOLDERS = new Set(['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM', 'EACCES']);

/** Flushes the names in a folder to the disk. A rename is durable only after it. */
export async function syncFolder(folder: string, disk: Disk = nodeDisk): Promise<void> {
  try {
    const handle = await disk.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (!CANNOT_SYNC_FOLDERS.has(systemCode(cause))) throw cause;
  }
}

/** The error of everything that cannot be written. */
export function writeFailed(target: string, bytes: number, cause: unknown): LimnError {
  const reason = systemCode(cause);
  return new LimnError('files/write', `${target} could not be written: ${reason}`, {
    details: { target, bytes, reason },
    hint:
      reason === 'ENOSPC' || reason === 'EDQUOT'
        ? 'Free some disk space. What was there before is untouched.'
        : 'Check that the folder may be written to. What was there before is untouched.',
    cause,
  });
}

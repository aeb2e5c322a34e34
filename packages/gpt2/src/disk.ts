// The part of Node's file system that limn uses, as a value, so that tests can put one that fails in its place.
import * as promises from 'node:fs/promises';
import path from 'node:path';

/** The functions of `node:fs/promises` that models, checkpoints and logs go through. */
export type Disk = Pick<
  typeof promises,
  'link' | 'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'rm' | 'stat' | 'statfs' | 'truncate'
>;

/** The machine's own file system. */
export const nodeDisk: Disk = promises;

/** 'ENOSPC' and its kind, or what was thrown as text. */
export const systemCode = (cause: unknown): string => String((cause as NodeJS.ErrnoException).code ?? cause);

/** Bytes that this user may still write where `folder` is or would be made; undefined where the disk does not tell. */
export async function freeBytes(folder: string, disk: Disk): Promise<number | undefined> {
  const place = path.resolve(folder);
  try {
    const { bavail, bsize } = await disk.statfs(place);
    return bavail * bsize;
  } catch (cause) {
    const above = path.dirname(place);
    return systemCode(cause) === 'ENOENT' && above !== place ? freeBytes(above, disk) : undefined;
  }
}

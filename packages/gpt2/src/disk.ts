// The part of Node's file system that limn uses, as a value, so that tests can put one that fails in its place.
import * as promises from 'node:fs/promises';

/** The functions of `node:fs/promises` that models, checkpoints and logs go through. */
export type Disk = Pick<
  typeof promises,
  'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'rm' | 'stat' | 'truncate'
>;

/** The machine's own file system. */
export const nodeDisk: Disk = promises;

/** 'ENOSPC' and its kind, or what was thrown as text. */
export const systemCode = (cause: unknown): string => String((cause as NodeJS.ErrnoException).code ?? cause);

// Checkpoints in a folder: the newest, and the one before it for when the newest is damaged.
import path from 'node:path';
import { formatBytes, LimnError } from '@limn/gpu';
import type { CheckpointStore } from './checkpoint-store.js';
import { freeBytes, nodeDisk, type Disk } from './disk.js';
import type { StoredFile } from './file-content.js';
import { openFolder } from './folder.js';
import { takeFileLock } from './file-lock.js';
import { removeUnfinished, writeAtomically, writeFailed } from './write-atomically.js';

/** File names of the two generations, newest first. */
export const CHECKPOINT_FILES = ['checkpoint.safetensors', 'checkpoint.previous.safetensors'] as const;

/** File name of the lock that a run holds in its folder. */
export const CHECKPOINT_LOCK = 'checkpoint.lock';

/**
 * A store of two generations in a folder, written and read in pieces. Renames keep kills and power cuts from leaving half a file; the
 * second generation is for what renames cannot help against, a disk that gives back other bits than it was given. Once `readPrevious` was
 * asked for, the newest counts as bad: the next write replaces it, and does not move it into the place of the good one. A folder is for
 * one run at a time, which `claim` sees to: reading removes what a killed run left half-written. A claim ends with its process.
 * @throws LimnError `files/write`, `files/read`, `files/short`, `checkpoint/no-room`, `checkpoint/in-use`
 */
export function folderCheckpoints(folder: string, disk: Disk = nodeDisk): Required<CheckpointStore> {
  const [newest, previous] = CHECKPOINT_FILES;
  const files = openFolder(folder, disk);
  const newestPath = path.join(folder, newest);
  let newestIsBad = false;
  const stored = async (name: string): Promise<StoredFile | undefined> => {
    try {
      return { bytes: await files.size(name), read: (start, end) => files.read(name, start, end) };
    } catch (cause) {
      if (cause instanceof LimnError && cause.code === 'files/not-found') return undefined;
      throw cause;
    }
  };
  return {
    claim: () => claim(path.join(folder, CHECKPOINT_LOCK), disk),
    async prepare(bytes, writes) {
      const present: number[] = [];
      for (const name of CHECKPOINT_FILES) {
        // One that cannot be read counts as none: `read` is to say so, and the one before may do.
        const size = await files.size(name).catch(() => undefined);
        if (size !== undefined) present.push(size);
      }
      // Both generations and the draft of the next, all at once, or as many files as there will ever be.
      const most = Math.min(present.length + writes, CHECKPOINT_FILES.length + 1);
      const needed = most * bytes - present.reduce((sum, size) => sum + size, 0);
      const free = await freeBytes(folder, disk);
      if (free === undefined || needed <= free) return;
      throw new LimnError(
        'checkpoint/no-room',
        `${folder} needs ${formatBytes(needed)} more for checkpoints; its disk has ${formatBytes(free)} free`,
        {
          details: { folder, bytes, writes, needed, free },
          hint: `A checkpoint has ${formatBytes(bytes)}. Two are kept, and the next is written before the older goes. Free some space, or train elsewhere.`,
        },
      );
    },
    async write(content) {
      const keepAs = path.join(folder, previous);
      await writeAtomically(newestPath, content, { disk, ...(newestIsBad ? {} : { keepAs }) });
      newestIsBad = false;
    },
    async read() {
      await removeUnfinished(newestPath, disk);
      return stored(newest);
    },
    readPrevious() {
      newestIsBad = true;
      return stored(previous);
    },
  };
}

/** Keeps other runs out of a folder. @throws LimnError `checkpoint/in-use`, `files/write` */
async function claim(file: string, disk: Disk): Promise<() => Promise<void>> {
  const taken = await takeFileLock(file, disk).catch((cause: unknown) => {
    throw writeFailed(file, 0, cause);
  });
  if ('release' in taken) {
    await removeUnfinished(file, disk);
    return () => taken.release();
  }
  const { pid, host } = taken;
  throw new LimnError(
    'checkpoint/in-use',
    `another run is training in ${path.dirname(file)}: process ${pid} on ${host}`,
    {
      details: { folder: path.dirname(file), pid, host },
      hint: 'Wait for it, stop it, or train in another folder. A run that died on another machine or in another container keeps its folder for one minute.',
    },
  );
}

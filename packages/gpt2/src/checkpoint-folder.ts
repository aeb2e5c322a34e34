// Checkpoints in a folder: the newest, and the one before it for when the newest is damaged.
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import type { CheckpointStore } from './checkpoint.js';
import { nodeDisk, systemCode, type Disk } from './disk.js';
import { removeUnfinished, writeAtomically } from './write-atomically.js';

/** File names of the two generations, newest first. */
export const CHECKPOINT_FILES = ['checkpoint.safetensors', 'checkpoint.previous.safetensors'] as const;

/**
 * A store of two generations in a folder. Renames keep kills and power cuts from leaving half a file; the second generation
 * is for what renames cannot help against, a disk that gives back other bits than it was given. Once `readPrevious` was
 * asked for, the newest counts as bad: the next write replaces it, and does not move it into the place of the good one. A folder is for
 * one run at a time: reading removes what a killed run left half-written.
 * @throws LimnError `files/write`, `files/read`
 */
export function folderCheckpoints(folder: string, disk: Disk = nodeDisk): CheckpointStore {
  const [newest, previous] = CHECKPOINT_FILES.map((name) => path.join(folder, name)) as [string, string];
  let newestIsBad = false;
  const read = async (file: string): Promise<Uint8Array | undefined> => {
    try {
      return new Uint8Array(await disk.readFile(file));
    } catch (cause) {
      const reason = systemCode(cause);
      if (reason === 'ENOENT') return undefined;
      throw new LimnError('files/read', `${file} could not be read: ${reason}`, {
        details: { file, reason },
        hint: 'Nothing was changed. Check the disk, and the rights of the file.',
        cause,
      });
    }
  };
  return {
    async write(bytes) {
      await writeAtomically(newest, bytes, { disk, ...(newestIsBad ? {} : { keepAs: previous }) });
      newestIsBad = false;
    },
    async read() {
      await removeUnfinished(newest, disk);
      return read(newest);
    },
    readPrevious() {
      newestIsBad = true;
      return read(previous);
    },
  };
}

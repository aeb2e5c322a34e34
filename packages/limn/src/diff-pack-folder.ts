// A pack in a folder that grows: two files that change together, so that a process that dies in between leaves the earlier pack or the new one.
import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DIFF_PACK_FILES, writeDiffPack, type TrainedDiff } from '@limn/dit';
import { openPack } from './diff-folder.js';
import { saveDictionaryFiles } from './dictionary-files.js';
import { madeFolder } from './run-folder.js';

/** Where the next pack is written before it takes the place of the one that is there. */
const NEXT = 'next-diffs';
const NAMES = [DIFF_PACK_FILES.factors, DIFF_PACK_FILES.manifest] as const;

/**
 * The pack of a folder, or none; what a process left half-way is finished first, or thrown away where it was not whole.
 * @throws LimnError `data/diff-pack`, `files/…`
 */
export async function packIn(folder: string): Promise<readonly TrainedDiff[]> {
  settle(folder);
  return existsSync(path.join(folder, DIFF_PACK_FILES.manifest)) ? openPack(folder) : [];
}

/**
 * Puts a pack in the place of the one that is there. Its manifest is written last: with it the new pack is whole.
 * @throws LimnError `data/diff-pack`, `files/write`, `disk/write`
 */
export async function savePack(folder: string, diffs: readonly TrainedDiff[]): Promise<void> {
  const next = path.join(folder, NEXT);
  rmSync(next, { recursive: true, force: true });
  const files = writeDiffPack(diffs);
  madeFolder(folder, NEXT);
  for (const name of NAMES)
    await saveDictionaryFiles(
      next,
      files.filter((file) => file.name === name),
    );
  settle(folder);
}

/** Moves a whole next pack into its place: factors first, while the manifest that is still to come says that it is not done. */
function settle(folder: string): void {
  const next = path.join(folder, NEXT);
  if (existsSync(path.join(next, DIFF_PACK_FILES.manifest)))
    for (const name of NAMES)
      if (existsSync(path.join(next, name))) renameSync(path.join(next, name), path.join(folder, name));
  rmSync(next, { recursive: true, force: true });
}

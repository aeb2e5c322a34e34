// A folder of weight diffs on disk: a pack of limn, or a PEFT adapter; which of the two it is, and the diffs of a pack.
import { readdirSync, statSync } from 'node:fs';
import { DIFF_PACK_FILES, peftAdapters, readDiffPack, type TrainedDiff } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { packFolder } from './bundled-folders.js';
import { openDictionaryFolder } from './dictionary-files.js';

/** What a folder holds. */
export type DiffFolderKind = 'pack' | 'peft';

/** Whether there is a folder of this name. */
export const isFolder = (name: string): boolean => statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;

/**
 * A pack where there is its manifest, else a PEFT folder where there is an adapter in it or in a folder below it.
 * @throws LimnError `data/diff-folder` for anything else, `files/not-found`, `files/read`
 */
export async function diffFolderKind(folder: string): Promise<DiffFolderKind> {
  if (!isFolder(folder))
    throw new LimnError('files/not-found', `${folder} is not a folder that can be listed`, {
      details: { folder },
      hint: 'give a pack that `limn diff train` wrote, or a PEFT folder with adapter_config.json',
    });
  if (readdirSync(folder).includes(DIFF_PACK_FILES.manifest)) return 'pack';
  if ((await peftAdapters(await openDictionaryFolder(folder))).length > 0) return 'peft';
  throw new LimnError('data/diff-folder', `${folder} holds no weight diff`, {
    details: { folder },
    hint: `a pack has ${DIFF_PACK_FILES.manifest} and ${DIFF_PACK_FILES.factors}, a PEFT folder adapter_config.json and adapter_model.safetensors`,
  });
}

/**
 * Every diff of a pack, by its id; `pocket-chat` are those that come with it, unless there is a folder of that name.
 * @throws LimnError `data/diff-pack`, `files/…`, `safetensors/…`
 */
export async function openPack(folder: string): Promise<TrainedDiff[]> {
  return readDiffPack(await openDictionaryFolder(packFolder(folder)));
}

/**
 * Refuses a folder that holds no pack.
 * @throws LimnError `data/diff-folder`, `files/not-found`, `files/read`
 */
export async function expectPack(folder: string): Promise<void> {
  if ((await diffFolderKind(folder)) === 'pack') return;
  throw new LimnError('data/diff-folder', `${folder} is a PEFT folder, and a pack is wanted`, {
    details: { folder },
    hint: `make a pack of it with \`limn diff import ${folder} --base MODEL --out PACK\``,
  });
}

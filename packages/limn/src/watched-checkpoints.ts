// The checkpoints of one fine-tune in a folder, by their updates: PEFT's checkpoint-N, or a pack for each.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { isFolder } from './diff-folder.js';
import { openGivenDiffs, type OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';

/** A folder that is named after an update. */
export interface CheckpointPlace {
  readonly update: number;
  readonly name: string;
  readonly folder: string;
}

/**
 * Folders whose names end in a number behind a word or alone: checkpoint-500, step_2000, 30. In the order of the numbers; of two with one number the first by name.
 * @throws LimnError `files/not-found`
 */
export function checkpointPlaces(folder: string): CheckpointPlace[] {
  if (!isFolder(folder))
    throw new LimnError('files/not-found', `${folder} is not a folder that can be listed`, {
      details: { folder },
      hint: 'give the folder in which a fine-tune writes checkpoint-N',
    });
  const found = readdirSync(folder, { withFileTypes: true }).flatMap((entry): CheckpointPlace[] => {
    const [, digits] = /^(?:[A-Za-z]\w*?[-_])?(\d{1,15})$/.exec(entry.name) ?? [];
    return digits === undefined || !entry.isDirectory()
      ? []
      : [{ update: Number(digits), name: entry.name, folder: path.join(folder, entry.name) }];
  });
  const sorted = found.sort((a, b) => a.update - b.update || (a.name < b.name ? -1 : 1));
  return sorted.filter(({ update }, i) => sorted[i - 1]?.update !== update);
}

/**
 * The diff of a checkpoint; of a pack of several the one with this id.
 * @throws LimnError `usage/diff-name` for a pack of several without an id; as `openGivenDiffs`
 */
export async function openCheckpoint(
  { folder }: CheckpointPlace,
  id: string | undefined,
  model: OpenModel,
): Promise<OpenedDiff> {
  const [diff, ...others] = await openGivenDiffs(model.hooked, id === undefined ? folder : `${folder}#${id}`);
  if (diff && others.length === 0) return diff;
  throw new LimnError('usage/diff-name', `${folder} holds ${others.length + 1} diffs, and one is watched`, {
    details: { folder },
    hint: 'name it with --id',
  });
}

// What an audit finds in folders: every diff of packs, every adapter of PEFT folders, and those in folders below; what cannot be opened is told and left out.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { peftAdapters } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { isCoded } from './exit-code.js';
import { packFolder } from './bundled-folders.js';
import { diffFolderKind, isFolder } from './diff-folder.js';
import { openDictionaryFolder } from './dictionary-files.js';
import { openGivenDiff, openGivenDiffs, type OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';

/** A diff that could not be opened. */
export interface RefusedDiff {
  readonly name: string;
  readonly code: string;
  readonly reason: string;
}

/** What there is. */
export interface AuditedFolders {
  /** Each under a name of its own. */
  readonly diffs: readonly OpenedDiff[];
  readonly refused: readonly RefusedDiff[];
}

/**
 * Opens all of the folders. A damaged or foreign one is refused by name and costs itself only.
 * @throws LimnError `files/not-found` for a name that is no folder; `data/diff-folder` where nothing at all can be opened
 */
export async function openAudited(folders: readonly string[], model: OpenModel): Promise<AuditedFolders> {
  const diffs: OpenedDiff[] = [];
  const refused: RefusedDiff[] = [];
  for (const given of folders) {
    const folder = packFolder(given);
    if (!isFolder(folder))
      throw new LimnError('files/not-found', `${folder} is not a folder that can be listed`, { details: { folder } });
    for (const place of placesIn(folder)) {
      const shown = path.relative(folder, place) || path.basename(path.resolve(folder));
      const prefix = folders.length > 1 && place !== folder ? `${path.basename(path.resolve(folder))}/` : '';
      try {
        for (const diff of await openPlace(place, model))
          diffs.push({ ...diff, name: prefix + named(diff, place, shown) });
      } catch (error) {
        if (!isCoded(error)) throw error;
        refused.push({ name: prefix + shown, code: error.code, reason: error.message });
      }
    }
  }
  if (diffs.length > 0) return { diffs: apart(diffs), refused };
  const [first] = refused;
  throw new LimnError(
    'data/diff-folder',
    `${folders.join(', ')}: no diff of this model can be opened${first ? `; ${first.name}: ${first.reason}` : ''}`,
    {
      details: { folders, refused: refused.slice(0, 20) },
      hint: 'give PEFT folders or packs, or a folder of them, that are changes of --base',
    },
  );
}

/** The folder itself where there is a diff in it, else those below it. */
function placesIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const isOwn = entries.some(({ name }) => ['diffs.json', 'adapter_config.json'].includes(name));
  if (isOwn) return [folder];
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => path.join(folder, name))
    .sort();
}

/** All of a pack, or every adapter of a PEFT folder. */
async function openPlace(place: string, model: OpenModel): Promise<OpenedDiff[]> {
  if ((await diffFolderKind(place)) === 'pack') return openGivenDiffs(model.hooked, place);
  const names = await peftAdapters(await openDictionaryFolder(place));
  if (names.length < 2) return openGivenDiffs(model.hooked, place);
  const opened: OpenedDiff[] = [];
  for (const name of names) opened.push(await openGivenDiff(model.hooked, `${place}#${name}`));
  return opened;
}

/** An id of a pack, the path below the folder of an adapter; with the adapter's own name where there are several. */
function named({ name, trained }: OpenedDiff, place: string, shown: string): string {
  if (trained) return name;
  return name.startsWith(`${place}#`) ? `${shown}#${name.slice(place.length + 1)}` : shown;
}

/** Names that stand twice get a number. */
function apart(diffs: readonly OpenedDiff[]): OpenedDiff[] {
  const seen = new Map<string, number>();
  return diffs.map((diff) => {
    const before = seen.get(diff.name) ?? 0;
    seen.set(diff.name, before + 1);
    return before === 0 ? diff : { ...diff, name: `${diff.name} (${before + 1})` };
  });
}

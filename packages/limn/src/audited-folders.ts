// What an audit finds in folders: every diff of packs, every adapter of PEFT folders, and those in folders below; what cannot be opened is told and left out.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { peftAdapters } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { isCoded } from './exit-code.js';
import { packFolder } from './bundled-folders.js';
import { diffFolderKind, isFolder, openPack } from './diff-folder.js';
import { openDictionaryFolder } from './dictionary-files.js';
import { openGivenDiff, type OpenedDiff } from './given-diff.js';
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
 * Opens all of the folders, and holds every diff against `expectSound`. A damaged or foreign one is refused by name and costs itself only, in a pack as well.
 * @param expectSound throws a coded error of a diff that cannot be asked
 * @throws LimnError `files/not-found` for a name that is no folder; `data/diff-folder` where nothing at all can be opened
 */
export async function openAudited(
  folders: readonly string[],
  model: OpenModel,
  expectSound: (diff: OpenedDiff) => void,
): Promise<AuditedFolders> {
  const diffs: OpenedDiff[] = [];
  const refused: RefusedDiff[] = [];
  const orRefused = async (name: string, open: () => Promise<void>): Promise<void> => {
    try {
      await open();
    } catch (error) {
      if (!isCoded(error)) throw error;
      refused.push({ name, code: error.code, reason: error.message });
    }
  };
  for (const given of folders) {
    const folder = packFolder(given);
    if (!isFolder(folder))
      throw new LimnError('files/not-found', `${folder} is not a folder that can be listed`, { details: { folder } });
    for (const place of placesIn(folder)) {
      const shown = path.relative(folder, place) || path.basename(path.resolve(folder));
      const prefix = folders.length > 1 && place !== folder ? `${path.basename(path.resolve(folder))}/` : '';
      await orRefused(prefix + shown, async () => {
        for (const { name, open } of await entriesOf(place, shown, model))
          await orRefused(prefix + name, async () => {
            const diff = { ...(await open()), name: prefix + name };
            expectSound(diff);
            diffs.push(diff);
          });
      });
    }
  }
  if (diffs.length === 0) throw nothingToAudit(folders, refused);
  return { diffs: apart(diffs), refused };
}

/** Where not one diff could be opened, or asked. */
export function nothingToAudit(folders: readonly string[], refused: readonly RefusedDiff[]): LimnError {
  const [first] = refused;
  return new LimnError(
    'data/diff-folder',
    `${folders.join(', ')}: no diff of this model can be asked${first ? `; ${first.name}: ${first.reason}` : ''}`,
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

/** A diff that can be opened. */
interface Entry {
  readonly name: string;
  open(): Promise<OpenedDiff>;
}

/** All of a pack by their ids, or every adapter of a PEFT folder by its path below the folder, with its own name where there are several. */
async function entriesOf(place: string, shown: string, { hooked }: OpenModel): Promise<Entry[]> {
  if ((await diffFolderKind(place)) === 'pack')
    return (await openPack(place)).map((trained) => {
      const name = trained.spec.id;
      return { name, open: () => Promise.resolve({ name, lora: trained.lora, trained, ignored: [] }) };
    });
  const names = await peftAdapters(await openDictionaryFolder(place));
  if (names.length < 2) return [{ name: shown, open: () => openGivenDiff(hooked, place) }];
  return names.map((name) => ({ name: `${shown}#${name}`, open: () => openGivenDiff(hooked, `${place}#${name}`) }));
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

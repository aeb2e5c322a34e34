// A weight diff on a command line: PACK#ID, a PEFT folder, or FOLDER#NAME for one of several adapters in it; the pack that comes with pocket-chat has its name.
import {
  expectBase,
  peftAdapters,
  readPeft,
  type AdaptedModel,
  type BaseOptions,
  type LoraWeights,
  type TrainedDiff,
} from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { nearestFirst } from '@limn/hooks';
import { packFolder } from './bundled-folders.js';
import { diffFolderKind, isFolder, openPack } from './diff-folder.js';
import { openDictionaryFolder } from './dictionary-files.js';

/** The words of a diff, taken apart. */
export interface GivenDiff {
  /** As it was given. */
  readonly text: string;
  readonly folder: string;
  /** An id of a pack, or the name of an adapter. */
  readonly id?: string;
}

/** A diff that was opened. */
export interface OpenedDiff {
  /** What it is called in results: its id in a pack, else the folder as it was given. */
  readonly name: string;
  readonly lora: LoraWeights;
  /** Of a pack: its spec, key, losses and gate. */
  readonly trained?: TrainedDiff;
  /** Of a PEFT folder: fields of the config that were passed over. */
  readonly ignored: readonly string[];
}

/**
 * Takes FOLDER#ID apart. A folder whose name has a # in it is itself; else the first # with a folder in front of it parts the two, since ids may have one too.
 * @throws LimnError `usage/diff-name` for a text that names no folder
 */
export function parseGivenDiff(text: string): GivenDiff {
  const whole = packFolder(text);
  if (text !== '' && isFolder(whole)) return { text, folder: whole };
  for (let at = text.indexOf('#'); at > 0; at = text.indexOf('#', at + 1)) {
    const [folder, id] = [packFolder(text.slice(0, at)), text.slice(at + 1)];
    if (isFolder(folder) && id !== '') return { text, folder, id };
  }
  throw new LimnError('usage/diff-name', `'${text}' names no weight diff: there is no such folder`, {
    details: { given: text },
    hint: 'write PACK#ID for a diff of a pack of `limn diff train`, or name a PEFT folder',
  });
}

/**
 * The diffs that a text names: all of a pack where no id is given, else one.
 * @throws LimnError `usage/diff-name` for a folder or an id that is not there; `data/diff-folder`, `data/diff-pack`; for a model that they are no change of
 * `data/lora-base`, and what `readPeft` throws
 */
export async function openGivenDiffs(
  model: AdaptedModel,
  text: string,
  options: BaseOptions = {},
): Promise<OpenedDiff[]> {
  const { folder, id } = parseGivenDiff(text);
  if ((await diffFolderKind(folder)) === 'peft')
    return [await openAdapter(model, { text, folder, ...(id === undefined ? {} : { id }) }, options)];
  const diffs = await openPack(folder);
  const chosen = id === undefined ? diffs : diffs.filter(({ spec }) => spec.id === id);
  if (chosen.length === 0)
    throw noSuch(
      text,
      folder,
      id ?? '',
      diffs.map(({ spec }) => spec.id),
    );
  return chosen.map((trained) => {
    expectBase(model, trained.lora.base, options);
    return { name: trained.spec.id, lora: trained.lora, trained, ignored: [] };
  });
}

/**
 * The one diff that a text names.
 * @throws LimnError `usage/diff-name` for a pack of several without an id; as `openGivenDiffs`
 */
export async function openGivenDiff(model: AdaptedModel, text: string, options: BaseOptions = {}): Promise<OpenedDiff> {
  const [diff, ...others] = await openGivenDiffs(model, text, options);
  if (diff && others.length === 0) return diff;
  throw new LimnError('usage/diff-name', `${text} holds ${others.length + 1} diffs, and one is wanted`, {
    details: { given: text },
    hint: `write ${text}#${diff?.name ?? 'ID'}; \`limn diff show ${text}\` lists them`,
  });
}

/** An adapter of a folder, with what PEFT says of its base. */
async function openAdapter(
  model: AdaptedModel,
  { text, folder, id }: GivenDiff,
  options: BaseOptions,
): Promise<OpenedDiff> {
  const files = await openDictionaryFolder(folder);
  const names = await peftAdapters(files);
  if (id !== undefined && !names.includes(id)) throw noSuch(text, folder, id, names);
  if (id === undefined && names.length > 1)
    throw new LimnError('usage/diff-name', `${folder} holds ${names.length} adapters, and one is wanted`, {
      details: { given: text, adapters: names },
      hint: `write ${folder}#${names[0] ?? 'NAME'}; there are ${names.slice(0, 10).join(', ')}`,
    });
  const { lora, ignored } = await readPeft(model, files, { ...options, ...(id === undefined ? {} : { adapter: id }) });
  return { name: text, lora, ignored };
}

function noSuch(text: string, folder: string, id: string, known: readonly string[]): LimnError {
  const nearest = nearestFirst(id, [...known]).slice(0, 3);
  return new LimnError('usage/diff-name', `${folder} has no diff '${id}'`, {
    details: { given: text, nearest },
    hint: `nearest are ${nearest.join(', ')}; \`limn diff show ${folder}\` lists all`,
  });
}

// The folder of `limn transcode train` and `sweep`: training.json from the start, checkpoints while it trains, sets whose config.json comes last.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { CheckpointStore } from '@limn/gpt2';
import { CHECKPOINT_FILES, folderCheckpoints, writeAtomically } from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import {
  writeDictionarySet,
  type CrossLayerMember,
  type DictionaryFile,
  type SetDescription,
  type SetMember,
} from '@limn/transcoders';
import { claimFolder, type ClaimedFolder } from './claimed-folder.js';
import { saveDictionaryFiles } from './dictionary-files.js';
import { makeFolder } from './make-folder.js';

/** What the run is, and at its end what came of it. */
const ABOUT = 'training.json';
const CONFIG = 'config.json';

/** Which command's folder it is: the schema of its training.json. */
export type DictionaryRunKind = 'limn.dictionaries' | 'limn.dictionary-sweep';

/** A folder that is taken for one run. */
export interface DictionaryRun extends ClaimedFolder {
  /** What an earlier start of the run said of itself. */
  readonly earlier: Readonly<Record<string, unknown>> | undefined;
  /** Says what is being done, or what came of it; the last file of a run that is finished. */
  writeAbout(state: 'running' | 'finished', about: Readonly<Record<string, unknown>>): Promise<void>;
  /** The run's checkpoints; what it is stands in the folder before the first update, when nothing is refused any more. */
  announced(about: Readonly<Record<string, unknown>>, part?: string): CheckpointStore;
  /** Writes a file of the folder or of one below it. */
  writeText(name: string, text: string): Promise<void>;
  /** A file that may be there. */
  readText(name: string): string | undefined;
  /** Writes a set into the folder or one below it; without its config.json it is none, which comes last. */
  writeSet(
    folder: string,
    members: readonly SetMember[] | CrossLayerMember,
    description: SetDescription,
  ): Promise<void>;
  /** Whether there is a whole set. */
  hasSet(folder: string): boolean;
  /** Removes the checkpoints of the run, or of a part with the folder. */
  removeCheckpoints(part?: string): void;
}

/**
 * Takes a folder: a new or empty one, or with `resume` one whose run is not finished.
 * @throws LimnError `usage/output-exists`; as `claimFolder`
 */
export async function openDictionaryRun(
  target: string,
  resume: boolean,
  { schema, command }: { readonly schema: DictionaryRunKind; readonly command: string },
): Promise<DictionaryRun> {
  const claimed = await claimFolder(target, resume, {
    command,
    isOurs: (place) => readAbout(place)?.['schema'] === schema,
  });
  const place = claimed.path;
  if (readAbout(place)?.['state'] === 'finished' && !claimed.started) {
    await claimed.release();
    throw new LimnError('usage/output-exists', `--out ${target}: the run in this folder is finished`, {
      hint: 'name a new or empty folder',
    });
  }
  const earlier = readAbout(place);
  const text = (name: string, content: string): Promise<void> =>
    writeAtomically(path.join(place, name), new TextEncoder().encode(content));
  const writeAbout: DictionaryRun['writeAbout'] = (state, about) =>
    text(ABOUT, `${JSON.stringify({ schema, version: 1, state, ...about }, undefined, 1)}\n`);
  return {
    path: place,
    checkpoints: claimed.checkpoints,
    get started() {
      return claimed.started;
    },
    release: () => claimed.release(),
    earlier,
    writeAbout,
    announced: (about, part) => {
      const store = part === undefined ? claimed.checkpoints : withoutClaim(folderCheckpoints(path.join(place, part)));
      return {
        ...store,
        prepare: async (bytes, writes) => {
          // First of all: it says whose folder this is.
          if (!earlier) await writeAbout('running', about);
          if (part !== undefined) madeFolder(place, part);
          await store.prepare?.(bytes, writes);
        },
      };
    },
    writeText: async (name, content) => {
      madeFolder(place, path.dirname(name));
      await text(name, content);
    },
    readText: (name) => readIfThere(path.join(place, name)),
    writeSet: async (folder, members, description) => {
      const into = madeFolder(place, folder);
      // Without the config of an earlier write in between: half of one set and half of another is none.
      rmSync(path.join(into, CONFIG), { force: true });
      await saveDictionaryFiles(into, configLast(writeDictionarySet(members, description)));
    },
    hasSet: (folder) => existsSync(path.join(place, folder, CONFIG)),
    removeCheckpoints: (part) => {
      if (part === undefined) for (const name of CHECKPOINT_FILES) rmSync(path.join(place, name), { force: true });
      else rmSync(path.join(place, part), { recursive: true, force: true });
    },
  };
}

/** The whole folder is claimed. */
function withoutClaim({ claim: _claimed, ...store }: CheckpointStore): CheckpointStore {
  return store;
}

/** @throws LimnError `disk/write` */
function madeFolder(place: string, below: string): string {
  const folder = path.join(place, below);
  try {
    makeFolder(folder);
  } catch (cause) {
    throw new LimnError('disk/write', `cannot make ${folder}: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

async function* configLast(files: AsyncIterable<DictionaryFile>): AsyncGenerator<DictionaryFile> {
  let config: DictionaryFile | undefined;
  for await (const file of files)
    if (file.name === CONFIG) config = file;
    else yield file;
  if (config) yield config;
}

function readAbout(place: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const about = JSON.parse(readIfThere(path.join(place, ABOUT)) ?? 'null') as Record<string, unknown> | null;
    return about ?? undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

// The folder of a run that can be gone on with: training.json from the start, checkpoints while it lasts, and files that appear whole.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { CheckpointStore } from '@limn/gpt2';
import { CHECKPOINT_FILES, folderCheckpoints, writeAtomically } from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import { claimFolder, type ClaimedFolder } from './claimed-folder.js';
import { makeFolder } from './make-folder.js';

/** What the run is, and at its end what came of it. */
const ABOUT = 'training.json';

/** Which command's folder it is: the schema of its training.json, and the command as it is typed. */
export interface RunKind {
  readonly schema: string;
  readonly command: string;
  /** Whether a run that is finished can be gone on with, as one that more is asked of. */
  readonly reopens?: boolean;
}

/** A folder that is taken for one run. */
export interface RunFolder extends ClaimedFolder {
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
  /** Removes the checkpoints of the run, or of a part with the folder. */
  removeCheckpoints(part?: string): void;
}

/**
 * Takes a folder: a new or empty one, or with `resume` one whose run is not finished, or is of a kind that reopens.
 * @throws LimnError `usage/output-exists`; as `claimFolder`
 */
export async function openRunFolder(target: string, resume: boolean, kind: RunKind): Promise<RunFolder> {
  const { schema, command, reopens = false } = kind;
  const claimed = await claimFolder(target, resume, {
    command,
    isOurs: (place) => readAbout(place)?.['schema'] === schema,
  });
  const place = claimed.path;
  if (readAbout(place)?.['state'] === 'finished' && !claimed.started && !reopens) {
    await claimed.release();
    throw new LimnError('usage/output-exists', `--out ${target}: the run in this folder is finished`, {
      hint: 'name a new or empty folder',
    });
  }
  const earlier = readAbout(place);
  const text = (name: string, content: string): Promise<void> =>
    writeAtomically(path.join(place, name), new TextEncoder().encode(content));
  const writeAbout: RunFolder['writeAbout'] = (state, about) =>
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

/**
 * A folder below another, made where it is missing.
 * @throws LimnError `disk/write`
 */
export function madeFolder(place: string, below: string): string {
  const folder = path.join(place, below);
  try {
    makeFolder(folder);
  } catch (cause) {
    throw new LimnError('disk/write', `cannot make ${folder}: ${(cause as Error).message}`, { cause });
  }
  return folder;
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

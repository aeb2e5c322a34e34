// A folder that a long run works in: taken for one run, cleaned of what killed runs left, with its checkpoints in it.
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import type { CheckpointStore } from '@limn/gpt2';
import { CHECKPOINT_FILES, CHECKPOINT_LOCK, folderCheckpoints, isUnfinished } from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import { isKeptChoices } from './kept-choices.js';
import { makeFolder } from './make-folder.js';

/** What a command says of the folders that are its own. */
export interface OwnFolders {
  /** As in `limn train`. */
  readonly command: string;
  /** Whether a folder with files in it is one that the command left. */
  isOurs(place: string): boolean;
}

/** A folder that no other run can take. */
export interface ClaimedFolder {
  readonly path: string;
  /** Already claimed for this run. */
  readonly checkpoints: CheckpointStore;
  /** True when there is a checkpoint to go on from. */
  readonly started: boolean;
  /** Lets other runs in. A folder that was made for this one goes again where nothing was put into it. */
  release(): Promise<void>;
}

/**
 * Takes a folder until it is released: a new or empty one, or with `resume` one that an earlier run of the same command left.
 * @throws LimnError `usage/output-exists` for anything else; `checkpoint/in-use` while another run has it; `disk/write`, `files/write`
 */
export async function claimFolder(
  target: string,
  resume: boolean,
  { command, isOurs }: OwnFolders,
): Promise<ClaimedFolder> {
  const place = path.resolve(target);
  const found = existsSync(place) ? list(place, target) : [];
  // A run that was killed in the middle of a write has left a draft, perhaps as the only file beside its lock.
  // Kernel choices are kept before there is anything else.
  const entries = found.filter((name) => !isUnfinished(name) && name !== CHECKPOINT_LOCK && !isKeptChoices(name));
  if (entries.length > 0) {
    if (!isOurs(place)) {
      throw new LimnError(
        'usage/output-exists',
        `--out ${target}: the folder holds files that ${command} did not write`,
        { hint: 'name a new or empty folder' },
      );
    }
    if (!resume) {
      throw new LimnError('usage/output-exists', `--out ${target}: an earlier training run is there`, {
        hint: 'add --resume to go on with it, or name another folder',
      });
    }
  }
  // Claimed here, for the whole command and not only while it trains.
  const { claim, ...checkpoints } = folderCheckpoints(place);
  const missing = missingFolders(place);
  try {
    makeFolder(place);
  } catch (cause) {
    throw new LimnError('disk/write', `cannot make ${place}: ${(cause as Error).message}`, {
      cause,
      details: { out: place },
    });
  }
  const release = await claim();
  try {
    // What a run leaves that has ended, however it did.
    for (const name of list(place, target)) if (isUnfinished(name)) rmSync(path.join(place, name), { force: true });
  } catch (cause) {
    await release();
    throw new LimnError('disk/write', `cannot remove drafts in ${place}: ${(cause as Error).message}`, {
      cause,
      details: { out: place },
    });
  }
  return {
    path: place,
    checkpoints,
    get started() {
      return CHECKPOINT_FILES.some((name) => existsSync(path.join(place, name)));
    },
    release: async () => {
      await release();
      removeUnused(place, missing);
    },
  };
}

/** The folder and its parents, as far as they are not there. */
function missingFolders(place: string): string[] {
  const missing: string[] = [];
  for (let at = place; !existsSync(at); at = path.dirname(at)) missing.push(at);
  return missing;
}

/** Removes folders that were made for a run that was refused. */
function removeUnused(place: string, made: readonly string[]): void {
  if (made.length === 0) return;
  try {
    const names = readdirSync(place);
    if (!names.every(isKeptChoices)) return;
    for (const name of names) rmSync(path.join(place, name));
    for (const folder of made) rmdirSync(folder);
  } catch {
    // Another process has put something there meanwhile, or taken it away: the run's own end is the news.
  }
}

function list(place: string, given: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    throw new LimnError('usage/output-exists', `--out ${given}: this is not a folder`, {
      hint: 'name a new or empty folder',
    });
  }
}

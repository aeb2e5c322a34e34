// The folder of a training run: checkpoints, log, plot, and at the end a Hugging Face model folder; each file appears whole.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { CheckpointStore, TrainingLog, TrainingLogEntry } from '@limn/gpt2';
import {
  CHECKPOINT_FILES,
  CHECKPOINT_LOCK,
  folderCheckpoints,
  isUnfinished,
  openTrainingLog,
  readTrainingLog,
  writeAtomically,
} from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import { trainingPlot } from '@limn/report';
import { isKeptChoices } from './kept-choices.js';
import { makeFolder } from './make-folder.js';

/** What the run is, and at its end what came of it. */
const ABOUT = 'training.json';
/** One line per report. */
const LOG = 'training.jsonl';
const PLOT = 'training.svg';
const SCHEMA = 'limn.training';

export interface TrainingFolder {
  readonly path: string;
  /** Already claimed for this run. */
  readonly checkpoints: CheckpointStore;
  /** True when there is a checkpoint to go on from. */
  readonly started: boolean;
  readonly log: TrainingLog;
  /** What the log holds so far. */
  entries(): Promise<readonly TrainingLogEntry[]>;
  writeAbout(about: Readonly<Record<string, unknown>>): Promise<void>;
  /** Draws the log. */
  writePlot(title: string): Promise<void>;
  /** Lets other runs in. */
  release(): Promise<void>;
}

/**
 * Takes a folder for training, until it is released: a new or empty one, or with `resume` one that an earlier run left.
 * @throws LimnError `usage/output-exists` for anything else; `checkpoint/in-use` while another run has it; `disk/write`, `files/write`.
 */
export async function openTrainingFolder(target: string, resume: boolean): Promise<TrainingFolder> {
  const place = path.resolve(target);
  const found = existsSync(place) ? list(place, target) : [];
  // A run that was killed in the middle of a write has left a draft, perhaps as the only file beside its lock.
  // Kernel choices are kept before there is anything else.
  const entries = found.filter((name) => !isUnfinished(name) && name !== CHECKPOINT_LOCK && !isKeptChoices(name));
  if (entries.length > 0) {
    if (!isTrainingFolder(place)) {
      throw new LimnError(
        'usage/output-exists',
        `--out ${target}: the folder holds files that limn train did not write`,
        {
          hint: 'name a new or empty folder',
        },
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
  const text = (name: string, content: string): Promise<void> =>
    writeAtomically(path.join(place, name), new TextEncoder().encode(content));
  const log = path.join(place, LOG);
  return {
    path: place,
    checkpoints,
    get started() {
      return CHECKPOINT_FILES.some((name) => existsSync(path.join(place, name)));
    },
    log: openTrainingLog(log),
    entries: () => readTrainingLog(log),
    writeAbout: (about) => text(ABOUT, `${JSON.stringify({ schema: SCHEMA, version: 1, ...about }, null, 1)}\n`),
    writePlot: async (title) => {
      // A loss that is no number has no place in a plot; the log has it.
      const points = (await readTrainingLog(log)).map(({ step, loss, rate, heldOutLoss }) => ({
        step,
        loss,
        rate,
        ...(Number.isFinite(heldOutLoss) ? { heldOutLoss: heldOutLoss as number } : {}),
      }));
      await text(PLOT, trainingPlot(points, title));
    },
    release,
  };
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

function isTrainingFolder(place: string): boolean {
  try {
    const about = JSON.parse(readFileSync(path.join(place, ABOUT), 'utf8')) as { schema?: unknown } | null;
    return about?.schema === SCHEMA;
  } catch {
    return false;
  }
}

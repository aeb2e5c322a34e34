// The folder of a training run: checkpoints, log, plot, and at the end a Hugging Face model folder; each file appears whole.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TrainingLog, TrainingLogEntry } from '@limn/gpt2';
import { openTrainingLog, readTrainingLog, writeAtomically } from '@limn/gpt2/node';
import { trainingPlot } from '@limn/report';
import { claimFolder, type ClaimedFolder } from './claimed-folder.js';

/** What the run is, and at its end what came of it. */
const ABOUT = 'training.json';
/** One line per report. */
const LOG = 'training.jsonl';
const PLOT = 'training.svg';
const SCHEMA = 'limn.training';

export interface TrainingFolder extends ClaimedFolder {
  readonly log: TrainingLog;
  /** What the log holds so far. */
  entries(): Promise<readonly TrainingLogEntry[]>;
  writeAbout(about: Readonly<Record<string, unknown>>): Promise<void>;
  /** Draws the log. */
  writePlot(title: string): Promise<void>;
}

/**
 * Takes a folder for training, until it is released: a new or empty one, or with `resume` one that an earlier run left.
 * @throws LimnError as `claimFolder`
 */
export async function openTrainingFolder(target: string, resume: boolean): Promise<TrainingFolder> {
  const claimed = await claimFolder(target, resume, { command: 'limn train', isOurs: isTrainingFolder });
  const { path: place } = claimed;
  const text = (name: string, content: string): Promise<void> =>
    writeAtomically(path.join(place, name), new TextEncoder().encode(content));
  const log = path.join(place, LOG);
  return {
    path: place,
    checkpoints: claimed.checkpoints,
    get started() {
      return claimed.started;
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
    release: () => claimed.release(),
  };
}

function isTrainingFolder(place: string): boolean {
  try {
    const about = JSON.parse(readFileSync(path.join(place, ABOUT), 'utf8')) as { schema?: unknown } | null;
    return about?.schema === SCHEMA;
  } catch {
    return false;
  }
}

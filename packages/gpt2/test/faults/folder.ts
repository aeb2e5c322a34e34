// A folder on disk that a job of the fault sweeps trains into, seen through a disk that may fail.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { latestCheckpoint } from '../../src/index.js';
import {
  folderCheckpoints,
  isUnfinished,
  nodeDisk,
  openFolder,
  openTrainingLog,
  readTrainingLog,
  type Disk,
} from '../../src/node.js';
import type { JobPlace } from './job.js';

/** A job that reads `model` and writes into `out`. */
export function folderPlace(model: string, out: string, disk: Disk = nodeDisk): JobPlace {
  return {
    source: openFolder(model, disk),
    target: openFolder(out, disk),
    store: folderCheckpoints(out, disk),
    log: openTrainingLog(path.join(out, 'training.jsonl'), disk),
  };
}

/** Steps and losses of the log, which must be the same in every run that ends. */
export async function logged(out: string): Promise<readonly (readonly [number, number, number])[]> {
  const entries = await readTrainingLog(path.join(out, 'training.jsonl'));
  return entries.map(({ step, loss, rate }) => [step, loss, rate] as const);
}

/** The step of the checkpoint that a resume would begin with. */
export async function checkpointStep(out: string): Promise<number> {
  return (await latestCheckpoint(folderCheckpoints(out)))?.step ?? 0;
}

/** Lines of the log as they are: every one whole, steps rising. */
export function rawLogSteps(out: string): number[] {
  const text = readFileSync(path.join(out, 'training.jsonl'), 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error('the log ends with half a line');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { step: number }).step);
}

/** Temporary files that were left behind. */
export function unfinished(out: string): string[] {
  try {
    return readdirSync(out).filter(isUnfinished);
  } catch {
    return [];
  }
}

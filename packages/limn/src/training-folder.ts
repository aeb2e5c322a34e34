// The folder of a training run: checkpoint, log, and at the end a Hugging Face model folder; each file appears whole.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { CheckpointStore } from '@limn/gpt2';
import { writeAtomically } from '@limn/gpt2/node';
import { LimnError } from '@limn/gpu';
import { makeFolder } from './make-folder.js';

const LOG = 'training.json';
const CHECKPOINT = 'checkpoint.safetensors';
const SCHEMA = 'limn.training';

export interface TrainingFolder {
  readonly path: string;
  readonly checkpoint: CheckpointStore;
  /** True when there is a checkpoint to go on from. */
  readonly started: boolean;
  writeLog(log: Readonly<Record<string, unknown>>): Promise<void>;
}

/**
 * Takes a folder for training: a new or empty one, or with `resume` one that an earlier run left.
 * @throws LimnError `usage/output-exists` for anything else; `disk/write`.
 */
export function openTrainingFolder(target: string, resume: boolean): TrainingFolder {
  const place = path.resolve(target);
  const entries = existsSync(place) ? list(place, target) : [];
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
  try {
    makeFolder(place);
  } catch (cause) {
    throw new LimnError('disk/write', `cannot make ${place}: ${(cause as Error).message}`, {
      cause,
      details: { out: place },
    });
  }
  const checkpoint = path.join(place, CHECKPOINT);
  return {
    path: place,
    started: existsSync(checkpoint),
    checkpoint: {
      write: (bytes) => writeAtomically(checkpoint, bytes),
      read: async () => (existsSync(checkpoint) ? new Uint8Array(readFileSync(checkpoint)) : undefined),
    },
    writeLog: (log) =>
      writeAtomically(
        path.join(place, LOG),
        new TextEncoder().encode(`${JSON.stringify({ schema: SCHEMA, version: 1, ...log }, null, 1)}\n`),
      ),
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
    const log = JSON.parse(readFileSync(path.join(place, LOG), 'utf8')) as { schema?: unknown } | null;
    return log?.schema === SCHEMA;
  } catch {
    return false;
  }
}

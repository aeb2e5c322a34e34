// Outputs that appear whole or not at all: written to a temporary sibling, renamed at the end, the earlier output kept until then.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { makeFolder } from './make-folder.js';

/** Every `result.json` of limn begins its `schema` field with this. */
const SCHEMA_PREFIX = 'limn';

/** A folder under construction. */
export interface OutputFolder {
  /** Where the folder will stand. */
  readonly path: string;
  /** Where it stands until then, for those who write large files into it themselves. */
  readonly draft: string;
  /** Writes one file of the folder; `name` may hold forward slashes. */
  write(name: string, content: string | Uint8Array): void;
  /** Puts the folder in its place, replacing an earlier output of limn. */
  commit(): void;
  /** Removes what was written; does nothing after commit(). */
  discard(): void;
}

/** How a folder is known as an earlier output. */
export interface OutputLayout {
  /** Every top-level entry that such an output may have. */
  readonly entries: readonly string[];
  /** A file that every such output has: a JSON result of limn. */
  readonly mark: string;
}

/**
 * Starts an output folder. The target may be absent, empty, or an earlier output of the same layout without anything
 * else in it; otherwise it is refused with `usage/output-exists` before any work is done. Failures of the disk are
 * `disk/write` errors.
 */
export function openOutputFolder(target: string, layout: OutputLayout): OutputFolder {
  const place = path.resolve(target);
  refuseForeignFolder(place, target, layout);
  const draft = siblingOf(place);
  guarded(place, () => makeFolder(draft));
  removeAtExit.add(draft);
  let open = true;
  return {
    path: place,
    draft,
    write(name, content) {
      const file = path.resolve(draft, name);
      if (!file.startsWith(draft + path.sep)) throw new RangeError(`output name '${name}' leaves its folder`);
      guarded(place, () => {
        makeFolder(path.dirname(file));
        writeDurably(file, content);
      });
    },
    commit() {
      const previous = siblingOf(place);
      const hadPrevious = existsAsFolder(place);
      guarded(place, () => {
        if (hadPrevious) renameSync(place, previous);
        try {
          renameSync(draft, place);
        } catch (error) {
          if (hadPrevious) renameSync(previous, place);
          throw error;
        }
      });
      open = false;
      removeAtExit.delete(draft);
      if (hadPrevious) rmSync(previous, { recursive: true, force: true });
    },
    discard() {
      if (!open) return;
      open = false;
      removeAtExit.delete(draft);
      rmSync(draft, { recursive: true, force: true });
    },
  };
}

/** Refuses, with `usage/output-exists`, a file that exists and that `isOurs` does not know as an output of limn. */
export function refuseForeignFile(target: string, isOurs: (content: Uint8Array) => boolean): void {
  const place = path.resolve(target);
  const found = guarded(place, () => statSync(place, { throwIfNoEntry: false }));
  if (found === undefined) return;
  if (found.isFile() && isOurs(guarded(place, () => readFileSync(place)))) return;
  throw outputExists(target, place, 'something of that name exists, and limn did not write it');
}

/** Writes one file whole or not at all. */
export function writeFileWhole(target: string, content: Uint8Array): void {
  const place = path.resolve(target);
  const draft = siblingOf(place);
  guarded(place, () => {
    makeFolder(path.dirname(place));
    try {
      writeDurably(draft, content);
      renameSync(draft, place);
    } finally {
      rmSync(draft, { force: true });
    }
  });
}

/** Drafts of a process that dies on a second Ctrl-C are removed on its way out. */
const removeAtExit = new Set<string>();

/** Removes every unfinished output of this process. */
export function discardUnfinishedOutputs(): void {
  for (const draft of removeAtExit) rmSync(draft, { recursive: true, force: true });
  removeAtExit.clear();
}

function siblingOf(place: string): string {
  return path.join(path.dirname(place), `.${path.basename(place)}.${randomBytes(4).toString('hex')}.partial`);
}

function writeDurably(file: string, content: string | Uint8Array): void {
  const handle = openSync(file, 'w');
  try {
    writeFileSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function existsAsFolder(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}

function refuseForeignFolder(place: string, given: string, layout: OutputLayout): void {
  const found = guarded(place, () => statSync(place, { throwIfNoEntry: false }));
  if (found === undefined) return;
  if (!found.isDirectory()) throw outputExists(given, place, 'a file of that name exists');
  const entries = guarded(place, () => readdirSync(place));
  if (entries.length === 0) return;
  const foreign = entries.find((entry) => !layout.entries.includes(entry));
  if (foreign !== undefined)
    throw outputExists(given, place, `the folder holds '${foreign}', which limn would not write`);
  if (!isLimnResult(path.join(place, layout.mark))) {
    throw outputExists(given, place, `the folder holds no ${layout.mark} of limn`);
  }
}

function outputExists(given: string, place: string, why: string): LimnError {
  return new LimnError('usage/output-exists', `--out ${given}: ${why}`, {
    details: { out: place },
    hint: 'name a new or empty folder, or one that an earlier limn run made',
  });
}

function isLimnResult(file: string): boolean {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return (
      typeof value === 'object' && value !== null && 'schema' in value && String(value.schema).startsWith(SCHEMA_PREFIX)
    );
  } catch {
    return false;
  }
}

/** Turns an errno of the file system into a coded error that names the output. */
function guarded<T>(place: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === undefined || error instanceof LimnError) throw error;
    throw new LimnError('disk/write', `cannot write ${place}: ${(error as Error).message}`, {
      cause: error,
      details: { out: place, errno },
      hint:
        errno === 'ENOSPC' || errno === 'EDQUOT'
          ? 'free some space or name another --out'
          : 'check the folder and its permissions, or name another --out',
    });
  }
}

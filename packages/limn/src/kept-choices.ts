// Kernel choices kept with work that can be gone on with: all that ever fills a folder on one adapter runs the same kernels, so that its bits go on.
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import {
  builtInChoices,
  formatKernelChoices,
  kernelKey,
  LimnError,
  parseKernelChoices,
  type Capabilities,
  type KernelChoices,
} from '@limn/gpu';
import { makeFolder } from './make-folder.js';

/** Work in a folder. */
export interface KeptWork {
  readonly folder: string;
  /** Whether any of it is there already: then what kept no choices was done by the built-in rules. */
  readonly started: boolean;
}

const FILE = /^kernels-[0-9a-f]{12}\.json$/;

/** Whether a file of a folder holds kernel choices. */
export const isKeptChoices = (name: string): boolean => FILE.test(name);

/** One file for each device and driver. */
const fileIn = (folder: string, key: string): string => path.join(folder, `kernels-${key.slice(0, 12)}.json`);

/**
 * The choices that work in a folder runs with on a device: those of its earlier runs there, else `own`, which from now on are the
 * folder's. Of several processes that begin at once, all take the first one's.
 * @throws LimnError `gpu/choices` for a file that is damaged, `disk/write`
 */
export async function choicesFor(
  { folder, started }: KeptWork,
  capabilities: Capabilities,
  own: () => Promise<KernelChoices>,
): Promise<KernelChoices> {
  const key = await kernelKey(capabilities);
  const file = fileIn(folder, key);
  const kept = readKept(file, key);
  if (kept) return kept;
  if (started) return builtInChoices;
  const choices = await own();
  if (Object.keys(choices).length === 0) return choices;
  return writeFirst(file, formatKernelChoices(choices, key)) ? choices : (readKept(file, key) ?? choices);
}

/**
 * Brings the choices of other folders to one, as merging their work does.
 * @throws LimnError `data/shards` where two folders' work ran other kernels on the same adapter
 */
export function collectChoices(from: readonly string[], into: string): void {
  for (const folder of from)
    for (const name of readdirSync(folder).filter(isKeptChoices)) {
      const [source, target] = [path.join(folder, name), path.join(into, name)];
      const text = readFileSync(source, 'utf8');
      if (writeFirst(target, text) || readFileSync(target, 'utf8') === text) continue;
      throw new LimnError('data/shards', `${source} and ${target} name other kernels for the same adapter`, {
        details: { source, target },
        hint: 'give every machine the same kernels, with LIMN_KERNELS=built-in or one file of `limn tune`, and run the parts of one of the two again',
      });
    }
}

function readKept(file: string, key: string): KernelChoices | undefined {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
  try {
    return parseKernelChoices(readFileSync(file, 'utf8'), key);
  } catch (cause) {
    if (!(cause instanceof LimnError)) throw cause;
    throw new LimnError(cause.code, `${file}: ${cause.message}`, {
      cause,
      details: { ...cause.details, file },
      hint: 'it says which kernels the work in this folder began with: begin the work anew in another folder, or restore the file',
    });
  }
}

/** Writes a file that is not there yet, whole; false when another process was first. */
function writeFirst(file: string, text: string): boolean {
  const draft = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    makeFolder(path.dirname(file));
    writeFileSync(draft, text);
    try {
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      // Some file systems have no links.
      if (statSync(file, { throwIfNoEntry: false })) return false;
      renameSync(draft, file);
    }
    return true;
  } catch (cause) {
    throw new LimnError('disk/write', `cannot write ${file}: ${(cause as Error).message}`, {
      cause,
      details: { file },
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

// Kernel choices on disk, one file per device and driver: whoever opens a device in Node reads it, whoever measures writes it.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  formatKernelChoices,
  kernelKey,
  LimnError,
  messageOf,
  parseKernelChoices,
  type Capabilities,
  type KernelChoices,
} from './index.js';

/** 'cached': what was measured on this machine, where anything was. 'built-in': the ops' own rules, whatever was measured. */
export type KernelSetting = 'cached' | 'built-in';

/** Where choices are kept, and who is told that they cannot be. */
export interface ChoicesCacheOptions {
  /** process.env by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Told once per process and file that it cannot be read or written; nobody by default. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * What LIMN_KERNELS says; 'cached' where it says nothing.
 * @throws LimnError `gpu/kernel-setting` for another word
 */
export function kernelSetting(env: Readonly<Record<string, string | undefined>> = process.env): KernelSetting {
  const asked = env['LIMN_KERNELS'] || 'cached';
  if (asked === 'cached' || asked === 'built-in') return asked;
  throw new LimnError('gpu/kernel-setting', `LIMN_KERNELS is '${asked}'; it can be cached or built-in`, {
    details: { asked, allowed: ['cached', 'built-in'] },
    hint: 'Unset it, or set LIMN_KERNELS=built-in for the rules that come with limn.',
  });
}

/** The file of a device's choices: `$XDG_CACHE_HOME/limn/kernels/<kernelKey>.json`, in `~/.cache` where that is not set. */
export async function kernelChoicesFile(
  capabilities: Capabilities,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  // The specification of XDG_CACHE_HOME has relative paths ignored.
  const given = env['XDG_CACHE_HOME'];
  const base = given && path.isAbsolute(given) ? given : path.join(os.homedir(), '.cache');
  return path.join(base, 'limn', 'kernels', `${await kernelKey(capabilities)}.json`);
}

/** The choices that are kept for a device. undefined where there are none, and with a notice where they cannot be used. */
export async function readKernelChoices(
  capabilities: Capabilities,
  { env, onNotice }: ChoicesCacheOptions = {},
): Promise<KernelChoices | undefined> {
  const file = await kernelChoicesFile(capabilities, env);
  try {
    // Reading a pipe that somebody put there would wait for ever.
    if (!(await stat(file)).isFile()) throw new Error('this is not a file');
    return parseKernelChoices(await readFile(file, 'utf8'), path.basename(file, '.json'));
  } catch (error) {
    const absent = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!absent) noticeOnce(file, `limn: ${file} is not used: ${messageOf(error)}`, onNotice);
    return undefined;
  }
}

/** Keeps choices for later openings. The file appears whole or not at all. Gives its path, and undefined with a notice where it cannot be written. */
export async function writeKernelChoices(
  capabilities: Capabilities,
  choices: KernelChoices,
  { env, onNotice }: ChoicesCacheOptions = {},
): Promise<string | undefined> {
  const file = await kernelChoicesFile(capabilities, env);
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.part`);
  try {
    await makeFolder(path.dirname(file));
    await writeFile(draft, formatKernelChoices(choices, path.basename(file, '.json')), { flag: 'wx' });
    await rename(draft, file);
    return file;
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    noticeOnce(file, `limn: kernel choices could not be kept in ${file}: ${messageOf(error)}`, onNotice);
    return undefined;
  }
}

/** Removes what is kept for a device; whether there was anything. */
export async function forgetKernelChoices(
  capabilities: Capabilities,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<boolean> {
  const file = await kernelChoicesFile(capabilities, env);
  return rm(file).then(
    () => true,
    () => false,
  );
}

const noticed = new Set<string>();

function noticeOnce(file: string, message: string, onNotice: ((message: string) => void) | undefined): void {
  if (!onNotice || noticed.has(file)) return;
  noticed.add(file);
  onNotice(message);
}

/** One folder at a time: Node's own recursive mkdir never returns where a parent cannot hold files (/proc). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || path.dirname(folder) === folder) throw error;
    await makeFolder(path.dirname(folder));
    await mkdir(folder).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== 'EEXIST') throw again;
    });
  }
}

// Unpacks the driver into a folder once, safely against crashes, other processes and tampering by other users.
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readArchive, sha256, type Archive } from './archive.js';

/** Paths of an unpacked driver. */
export interface DriverFiles {
  readonly loader: string;
  readonly manifest: string;
}

const LOADER = 'libvulkan.so.1';
const DRIVER = 'libvk_swiftshader.so';
const MANIFEST = 'vk_swiftshader_icd.json';
/** Lists the SHA-256 of every file; a folder whose files do not match it is unpacked again. */
const SUMS = 'sha256.json';

/**
 * The driver's files, unpacked if they are not there yet or not whole. Files are written to a fresh folder that is then renamed,
 * so a reader never sees half of one, and of two processes that unpack at once either wins with the same files.
 */
export function unpackDriver(archive: Archive, cacheDir?: string): DriverFiles {
  const base = cacheDir ?? path.join(os.tmpdir(), `limn-swiftshader-${process.getuid?.() ?? 'user'}`);
  mkdirSync(base, { recursive: true, mode: 0o700 });
  assertOwn(base);
  const folder = path.join(base, archive.version);
  if (!isWhole(folder)) replace(folder, base, archive);
  return { loader: path.join(folder, LOADER), manifest: path.join(folder, MANIFEST) };
}

function replace(folder: string, base: string, archive: Archive): void {
  const fresh = mkdtempSync(path.join(base, `${archive.version}.`));
  try {
    const sums: Record<string, string> = {};
    for (const [name, data] of readArchive(archive.file, [LOADER, DRIVER, MANIFEST])) {
      writeFileSync(path.join(fresh, name), data, { mode: 0o755 });
      sums[name] = sha256(data);
    }
    writeFileSync(path.join(fresh, SUMS), JSON.stringify(sums));
    try {
      renameSync(fresh, folder);
    } catch (error) {
      // Another process was first, or an earlier one left a damaged folder: move that aside, never delete files in use.
      if (isWhole(folder)) return;
      const aside = mkdtempSync(path.join(base, 'damaged.'));
      renameSync(folder, path.join(aside, 'files'));
      renameSync(fresh, folder);
      rmSync(aside, { recursive: true, force: true });
      if (!isWhole(folder)) throw error;
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** True when every listed file is there with the listed hash. Hashing 20 MB takes some 15 ms. */
function isWhole(folder: string): boolean {
  try {
    const sums = JSON.parse(readFileSync(path.join(folder, SUMS), 'utf8')) as Record<string, string>;
    return [LOADER, DRIVER, MANIFEST].every((name) => sums[name] === sha256(readFileSync(path.join(folder, name))));
  } catch {
    return false;
  }
}

/** Libraries are loaded from here, so nobody else may be able to write here. */
function assertOwn(folder: string): void {
  const state = lstatSync(folder);
  const mine = process.getuid === undefined || state.uid === process.getuid();
  if (state.isDirectory() && mine && (state.mode & 0o022) === 0) return;
  throw new Error(`${folder} is not a folder that only this user can write to; remove it, or pass cacheDir`);
}

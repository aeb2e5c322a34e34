// Shards of scores as files of a folder, one a key: what a stopped run goes on from, and what several processes fill together.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import type { TextStore } from '@limn/hooks';
import { collectChoices, isKeptChoices, type KeptWork } from './kept-choices.js';
import { writeFileWhole } from './output.js';

const SHARD = /^[0-9a-f]{64}\.shard$/;
/** What a process that was killed while it wrote one leaves. */
const DRAFT = /^\.[0-9a-f]{64}\.shard\.[0-9a-f]+\.partial$/;

/** The folder that belongs to `--out`: beside it, so that replacing the output leaves it alone. */
export function shardFolderOf(out: string): string {
  const place = path.resolve(out);
  return path.join(path.dirname(place), `${path.basename(place)}.shards`);
}

/** A store in a folder, which is made when the first shard is written. Each shard appears whole or not at all. */
export function folderShards(folder: string): TextStore {
  const fileOf = (key: string): string => path.join(folder, `${key}.shard`);
  return {
    read: (key) => Promise.resolve(readIfThere(fileOf(key))),
    write(key, text) {
      writeFileWhole(fileOf(key), new TextEncoder().encode(text));
      return Promise.resolve();
    },
  };
}

/** The work in the folder of an `--out`. */
export function shardedWork(out: string): KeptWork {
  const folder = shardFolderOf(out);
  return { folder, started: namesIn(folder).some((name) => SHARD.test(name)) };
}

const namesIn = (folder: string): readonly string[] =>
  statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];

/** The shards of a folder by file name. @throws LimnError `data/shards` where there is no such folder, or no shard in it */
export function shardFiles(folder: string): readonly string[] {
  const shards = namesIn(folder)
    .filter((name) => SHARD.test(name))
    .sort();
  if (shards.length > 0) return shards;
  throw new LimnError('data/shards', `${folder} holds no shard`, {
    details: { folder },
    hint: 'name a folder that `limn circuit --shard i/n --out DIR` filled: DIR.shards',
  });
}

/** Removes the shards, the choices kept with them and the drafts of killed writers, and the folder when nothing else is in it. */
export function removeShards(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const left = readdirSync(folder).filter((name) => {
    const ours = SHARD.test(name) || DRAFT.test(name) || isKeptChoices(name);
    if (ours) rmSync(path.join(folder, name), { force: true });
    return !ours;
  });
  if (left.length === 0) rmSync(folder, { recursive: true });
}

/** Copies shards that `into` lacks, and the choices they ran with; one that is there already must be the same. Gives how many were new. */
export function collectShards(
  from: readonly string[],
  into: string,
  check: (text: string) => Promise<boolean>,
): Promise<number> {
  const files = from.flatMap((folder) => shardFiles(folder).map((name) => path.join(folder, name)));
  collectChoices(from, into);
  return files.reduce(async (before, file) => {
    const count = await before;
    const text = readFileSync(file, 'utf8');
    if (!(await check(text)))
      throw new LimnError('data/shards', `${file} is damaged`, {
        details: { file },
        hint: 'remove it, and run its part again: the other shards are kept',
      });
    const target = path.join(into, path.basename(file));
    const there = readIfThere(target);
    if (there === text) return count;
    if (there !== undefined && (await check(there)))
      throw new LimnError('data/shards', `${file} and ${target} are of the same pairs but differ`, {
        details: { file, target },
        hint: 'one of the two was made on another machine or by another version: keep the shards of one machine only',
      });
    mkdirSync(into, { recursive: true });
    writeFileWhole(target, new TextEncoder().encode(text));
    return count + 1;
  }, Promise.resolve(0));
}

function readIfThere(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, 'utf8') : undefined;
}

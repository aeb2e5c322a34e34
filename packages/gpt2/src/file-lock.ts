// A lock between processes: a file that names its holder and is touched while it is held, so that a dead holder is noticed.
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sleep } from './hub/http.js';

/** A holder on another machine that has not touched its lock for so long is taken for dead. */
const lease = 60_000;
const heartbeat = 5_000;
const poll = 100;

/** Runs `act` while no other process holds the lock. Rejects with the signal's reason when aborted while waiting. */
export async function withFileLock<T>(file: string, act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  const me = `${process.pid} ${os.hostname()} ${randomBytes(8).toString('hex')}`;
  while (!(await take(file, me))) {
    if (!(await removeIfDead(file))) await sleep(poll, signal);
  }
  // Touching can fail when the lock was taken for dead; what is done under it must bear that.
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), heartbeat);
  beat.unref();
  try {
    return await act();
  } finally {
    clearInterval(beat);
    if ((await contentsOf(file)) === me) await rm(file, { force: true });
  }
}

async function take(file: string, me: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(me).finally(() => handle.close());
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

async function contentsOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

/** Takes the lock of a dead holder away; true when it is worth trying again at once. */
async function removeIfDead(file: string): Promise<boolean> {
  const holder = await contentsOf(file);
  if (holder === undefined || !(await isDead(file, holder))) return false;
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(file, aside);
    // Between reading and renaming somebody else may have taken it anew: then it is put back.
    if ((await contentsOf(aside)) !== holder) await link(aside, file).catch(() => undefined);
    await rm(aside, { force: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
  }
  return true;
}

async function isDead(file: string, holder: string): Promise<boolean> {
  const [pid, host] = holder.split(' ');
  if (host === os.hostname() && /^\d+$/.test(pid ?? '')) {
    try {
      process.kill(Number(pid), 0);
    } catch (cause) {
      return (cause as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }
  const touched = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  return Date.now() - touched > lease;
}

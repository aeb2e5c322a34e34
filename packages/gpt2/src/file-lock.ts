// A lock between processes: a file that names its holder, so that a holder that died, however it died, is noticed.
import { createHash, randomBytes } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { nodeDisk, systemCode, type Disk } from './disk.js';
import { sleep } from './hub/http.js';
import { birthOf, birthplace, exists, HIDDEN } from './process-birth.js';
import { draftOf, makeFolder } from './write-atomically.js';

/** A holder that cannot be asked about and has not touched its lock for so long is taken for dead. */
const lease = 60_000;
const heartbeat = 5_000;
const poll = 100;
/** Milliseconds for somebody else to remove a dead holder's lock. */
const turn = 10;

/** Who has a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
}

/** A lock that was taken. */
export interface FileLock {
  /** Gives it back. What cannot be removed stays, and counts as nobody's. */
  release(): Promise<void>;
}

/** Locks that this thread holds, by what stands in their files. */
const held = new Set<string>();

/** When a process began, `HIDDEN`, or undefined for one that is gone. */
type Births = (pid: number) => Promise<string | undefined>;

/** Takes the lock, or tells who has it; a dead holder's is taken over. Its folder is made. Throws what the disk throws. */
export async function takeFileLock(
  file: string,
  disk: Disk = nodeDisk,
  births: Births = birthOf,
): Promise<FileLock | LockHolder> {
  const birth = (await births(process.pid)) ?? HIDDEN;
  const me = [process.pid, os.hostname(), randomBytes(8).toString('hex'), await birthplace(), birth, threadId].join(
    ' ',
  );
  for (;;) {
    await makeFolder(path.dirname(file), disk);
    if (await make(file, me, disk)) break;
    const holder = await contentsOf(file, disk);
    if (holder === undefined) continue;
    if (!(await isDead(file, holder, disk, births))) {
      const [pid, host = 'unknown'] = holder.split(' ');
      return { pid: Number(pid), host };
    }
    await removeDead(file, holder, disk);
  }
  held.add(me);
  // Touching can fail when the lock was taken for dead; what is done under it must bear that. Not counted among the disk's calls: the clock
  // says when it happens.
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), heartbeat);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      held.delete(me);
      const remove = async (): Promise<void> => {
        if ((await contentsOf(file, disk)) === me) await disk.rm(file, { force: true });
      };
      await remove().catch(() => undefined);
    },
  };
}

/** Runs `act` while no other process holds the lock. Rejects with the signal's reason when aborted while waiting. */
export async function withFileLock<T>(
  file: string,
  act: () => Promise<T>,
  signal?: AbortSignal,
  disk: Disk = nodeDisk,
): Promise<T> {
  for (;;) {
    const taken = await takeFileLock(file, disk);
    if ('release' in taken) return act().finally(() => taken.release());
    await sleep(poll, signal);
  }
}

/** File systems without links say one of these. */
const CANNOT_LINK = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

/** Makes the file with its contents at once, or gives false when it is there: what a full disk or a kill cuts short has another name. */
async function make(file: string, text: string, disk: Disk): Promise<boolean> {
  const draft = draftOf(file);
  try {
    await write(draft, text, disk);
    await disk.link(draft, file);
    return true;
  } catch (cause) {
    const code = systemCode(cause);
    // A draft can be gone: the holder removes what kills have left.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    if (!CANNOT_LINK.has(code)) throw cause;
  } finally {
    await disk.rm(draft, { force: true }).catch(() => undefined);
  }
  try {
    await write(file, text, disk);
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false;
    throw cause;
  }
}

/** A new file; none stays when it cannot be written. */
async function write(file: string, text: string, disk: Disk): Promise<void> {
  const handle = await disk.open(file, 'wx');
  try {
    await handle.writeFile(text).finally(() => handle.close());
  } catch (cause) {
    await disk.rm(file, { force: true }).catch(() => undefined);
    throw cause;
  }
}

async function contentsOf(file: string, disk: Disk): Promise<string | undefined> {
  return disk.readFile(file, 'utf8').catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw cause;
  });
}

/**
 * Takes the lock of a dead holder away. Of all who found it dead, one at a time may look again and remove it, so that a lock which
 * somebody took meanwhile is never removed in its place.
 */
async function removeDead(file: string, holder: string, disk: Disk): Promise<void> {
  const marker = draftOf(file, createHash('sha256').update(holder).digest('hex').slice(0, 12));
  try {
    await write(marker, String(process.pid), disk);
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cause;
    // Left by a kill in the middle of what takes milliseconds, or somebody is at it.
    if (await untouched(marker, heartbeat, disk)) await disk.rm(marker, { force: true });
    else await sleep(turn);
    return;
  }
  try {
    if ((await contentsOf(file, disk)) === holder) await disk.rm(file, { force: true });
  } finally {
    await disk.rm(marker, { force: true }).catch(() => undefined);
  }
}

/**
 * On this machine a holder lives as long as a process of its id that began when it did. Elsewhere, and where processes do not tell when they
 * began, it lives as long as it touches its lock.
 */
async function isDead(file: string, holder: string, disk: Disk, births: Births): Promise<boolean> {
  if (held.has(holder)) return false;
  const [pid = '', host, , place, birth, thread] = holder.split(' ');
  // Where there are no links, the name comes in the moment after the file.
  if (!/^\d+$/.test(pid)) return untouched(file, heartbeat, disk);
  if (host === os.hostname()) {
    const told = place !== undefined && place !== 'unknown';
    if (told && place === (await birthplace())) {
      const found = await births(Number(pid));
      const tells = found !== HIDDEN && birth !== HIDDEN;
      if (found === undefined || (tells && found !== birth)) return true;
      const own = Number(pid) === process.pid;
      if (tells && !own) return false;
      // What this thread does not hold is what it could not remove; other threads of this process cannot be asked.
      if (own && thread === String(threadId)) return true;
    } else if (!told && !exists(Number(pid))) return true;
  }
  return untouched(file, lease, disk);
}

async function untouched(file: string, ms: number, disk: Disk): Promise<boolean> {
  const touched = await disk.stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  return Date.now() - touched > ms;
}

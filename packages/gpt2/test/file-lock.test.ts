// The lock between processes: one holder at a time, nothing of it left by a full disk, and a dead holder's taken over at once.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { FaultyFs, recordResult } from '@limn/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { takeFileLock, withFileLock, type FileLock } from '../src/file-lock.js';
import { nodeDisk, type Disk } from '../src/node.js';
import { birthOf, birthplace, HIDDEN } from '../src/process-birth.js';

/** Births as a file system that hides other users' processes tells them. */
const hiding = (pid: number): Promise<string | undefined> => birthOf(pid, pid === process.pid ? '/proc' : '/nowhere');

let root: string;
let file: string;
let made = 0;
beforeAll(() => (root = mkdtempSync(path.join(os.tmpdir(), 'limn-lock-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => (file = path.join(root, `${made++}/a.lock`)));

const take = async (disk?: Disk, births?: typeof hiding): Promise<FileLock> => {
  const taken = await takeFileLock(file, disk, births);
  if ('release' in taken) return taken;
  throw new Error(`held by process ${taken.pid}`);
};
const names = (): string[] => readdirSync(path.dirname(file));
/** A lock as another process would have left it. */
const leave = async (text: string): Promise<void> => {
  await (await take()).release();
  writeFileSync(file, text);
};
const host = os.hostname();
/** An id that no process has: Linux ends at 2^22. */
const NOBODY = 2 ** 22 + 1;
const parent = process.ppid;
const place = await birthplace();
const told = place !== 'unknown';
const [parentBirth, ownBirth] = [await birthOf(parent), await birthOf(process.pid)];

describe('a lock', () => {
  test('has one holder, whom the next one is told, and leaves nothing when it is given back', async () => {
    const lock = await take();
    expect(await takeFileLock(file)).toEqual({ pid: process.pid, host });
    expect(names()).toEqual(['a.lock']);
    await lock.release();
    expect(names()).toEqual([]);
  });

  test('goes to one of many that want it at once, also when a dead holder has to be removed first', async () => {
    for (let round = 0; round < 20; round++) {
      await leave(`${NOBODY} ${host} token`);
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => takeFileLock(file)));
      const taken = outcomes.filter((outcome) => 'release' in outcome);
      expect(taken).toHaveLength(1);
      expect(names()).toEqual(['a.lock']);
      await taken[0]?.release();
    }
  });

  test('waits where it is asked to', async () => {
    const order: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push(`${name} ends`);
    };
    await Promise.all([withFileLock(file, work('a')), withFileLock(file, work('b'))]);
    expect(order.map((line) => line.slice(2))).toEqual(['begins', 'ends', 'begins', 'ends']);
  });
});

describe('a holder', () => {
  test.each([
    ['whose process is gone', `${NOBODY} ${host} token`],
    ['whose process is gone, with its birth', `${NOBODY} ${host} token ${place} 12345 0`],
    ['whose id is another process’s by now', `${parent} ${host} token ${place} 12345 0`],
    ['that is this thread, which does not hold it', `${process.pid} ${host} token ${place} ${ownBirth} ${threadId}`],
  ])('%s is dead', async (_, text) => {
    await leave(text);
    await (await take()).release();
    expect(names()).toEqual([]);
  });

  test.each([
    ['on another machine', `${NOBODY} elsewhere token`],
    [
      'in another container of the same name, or before the machine was started anew',
      `${NOBODY} ${host} token other/place 1 0`,
    ],
    ['that is another thread of this process', `${process.pid} ${host} token ${place} ${ownBirth} 99`],
    ['whose name is not in the file yet', ''],
  ])('%s is dead when it has not touched the lock for a minute', async (_, text) => {
    await leave(text);
    expect('release' in (await takeFileLock(file))).toBe(false);
    const before = Date.now() / 1000 - 61;
    utimesSync(file, before, before);
    await (await take()).release();
  });

  test('whose process is hidden lives while its id does and it touches its lock, and is dead without an id', async () => {
    expect(await hiding(parent)).toBe(HIDDEN);
    expect(await hiding(NOBODY)).toBeUndefined();
    for (const birth of [parentBirth ?? HIDDEN, HIDDEN]) {
      await leave(`${parent} ${host} token ${place} ${birth} 0`);
      expect(await takeFileLock(file, nodeDisk, hiding)).toEqual({ pid: parent, host });
      const before = Date.now() / 1000 - 61;
      utimesSync(file, before, before);
      await (await take(nodeDisk, hiding)).release();
    }
    await leave(`${NOBODY} ${host} token ${place} 12345 0`);
    await (await take(nodeDisk, hiding)).release();
  });

  test('that lives keeps its lock however long it has not touched it', async (context) => {
    context.skip(!told, 'processes do not tell here when they began');
    await leave(`${parent} ${host} token ${place} ${parentBirth} 0`);
    utimesSync(file, 1, 1);
    expect(await takeFileLock(file)).toEqual({ pid: parent, host });
  });
});

describe('a disk that fails', () => {
  /** Without links, as on some network and memory-card file systems. */
  const linkless: Disk = {
    ...nodeDisk,
    link: () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' })),
  };

  test.each([
    ['with links', nodeDisk, 1],
    ['without links', linkless, 2],
  ])('full while the holder’s name is written, %s: no lock is left that would be in the way', async (_, disk, call) => {
    const faulty = new FaultyFs(disk, { call, how: 'ENOSPC', of: ['writeFile'] });
    await expect(takeFileLock(file, faulty.disk)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(names()).toEqual([]);
    expect(faulty.openHandles).toBe(0);
    const lock = await take(disk);
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    await lock.release();
    expect(existsSync(file)).toBe(false);
  });

  test.each([
    ['with links', nodeDisk],
    ['without links', linkless],
  ])('at any call, %s: the lock can be taken afterwards', async (title, disk) => {
    const use = async (given: Disk): Promise<void> => {
      const taken = await takeFileLock(file, given);
      if ('release' in taken) await taken.release();
    };
    await use(disk);
    const healthy = new FaultyFs(disk);
    await use(healthy.disk);
    for (const how of ['EIO', 'ENOSPC'] as const)
      for (let call = 1; call <= healthy.counter.calls.length; call++) {
        const faulty = new FaultyFs(disk, { call, how });
        await use(faulty.disk).catch((error: unknown) => expect(error).toMatchObject({ code: how }));
        expect(faulty.openHandles).toBe(0);
        await (await take(disk)).release();
      }
    recordResult(`faults: lock ${title}`, { 'calls of the disk': healthy.counter.calls.length });
  });
});

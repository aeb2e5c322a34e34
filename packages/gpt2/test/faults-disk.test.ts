// The disk fails at the n-th call of a whole job: full, read-only, unreadable, or full for good. Coded error, nothing lost, the job resumes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import { FaultyFs, recordResult, testGpu, type DiskFault, type Fault } from '@limn/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LimnError } from '@limn/gpu';
import { contentOf } from '../src/file-content.js';
import { folderCheckpoints, nodeDisk, openFolder, writeAtomically, type Disk } from '../src/node.js';
import { checkpointStep, folderPlace, logged, rawLogSteps, unfinished } from './faults/folder.js';
import { resumeJob, runJob, writeModel, type JobResult } from './faults/job.js';
import { outcomeOf, someCalls, Tally } from './faults/sweep.js';

const long = process.env['LIMN_LONG'] === '1';
/** What a full disk refuses, for as long as it is full. */
const growing = ['open', 'write', 'writeFile', 'mkdir'];
let root: string;
let model: string;
let gpu: Gpu;
let expected: JobResult;
let expectedLog: Awaited<ReturnType<typeof logged>>;
let calls: readonly string[];
let made = 0;
const fresh = (): string => path.join(root, `run-${made++}`);

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-disk-'));
  model = path.join(root, 'model');
  gpu = await testGpu();
  await writeModel(gpu, openFolder(model));
  const healthy = new FaultyFs(nodeDisk);
  const out = fresh();
  expected = await runJob(gpu, folderPlace(model, out, healthy.disk));
  expectedLog = await logged(out);
  calls = healthy.counter.calls;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function oneCase(fault: Fault<DiskFault>, tally: Tally): Promise<void> {
  const what = `${fault.how} at call ${fault.call}${fault.lasting ? ' and behind it' : ` (${calls[fault.call - 1]})`}`;
  const faulty = new FaultyFs(nodeDisk, fault);
  const out = fresh();
  gpu.trim();
  const before = gpu.counters.snapshot();
  const outcome = await outcomeOf(what, () => runJob(gpu, folderPlace(model, out, faulty.disk)));
  tally.add(outcome);
  if ('result' in outcome) expect(outcome.result, what).toEqual(expected);
  else expect(outcome.code, what).toMatch(/^files\//);
  expect(faulty.openHandles, what).toBe(0);
  // A temporary file stays only where its removal is what failed.
  if (faulty.counter.failed !== 'rm') expect(unfinished(out), what).toEqual([]);
  gpu.trim();
  await gpu.finished();
  const { bytesLive, buffersLive } = gpu.counters.snapshot();
  expect({ bytesLive, buffersLive }, what).toEqual({ bytesLive: before.bytesLive, buffersLive: before.buffersLive });
  if (!existsSync(out)) return;
  if ((await checkpointStep(out)) > 0) tally.resumed += 1;
  const place = folderPlace(model, out);
  expect(await resumeJob(gpu, place), `${what}, resumed`).toBe(expected.weights);
  expect(await logged(out), what).toEqual(expectedLog);
  expect(rawLogSteps(out), what).toEqual(expectedLog.map(([step]) => step));
  rmSync(out, { recursive: true });
}

/** All of the cases, recorded under a title. */
async function sweep(
  title: string,
  figures: Readonly<Record<string, number>>,
  faults: readonly Fault<DiskFault>[],
): Promise<Tally> {
  const tally = new Tally();
  for (const fault of faults) await oneCase(fault, tally);
  recordResult(title, { ...figures, ...tally.figures });
  return tally;
}

describe('a disk that fails', () => {
  const codes = ['EIO', 'EROFS', 'EACCES', 'EMFILE'] as const;
  /** In short one code each, in turn; in long a full disk at every call, and one of the other codes. */
  const cases = (): Fault<DiskFault>[] => {
    const turn = (i: number): DiskFault => codes[i % codes.length] as DiskFault;
    if (!long)
      return someCalls(calls)
        .map((call, i) => ({ call, how: i % 2 ? turn(i >> 1) : 'ENOSPC' }) as const)
        .filter((_, i) => i % 3 !== 2);
    return calls.flatMap((_, i) => (['ENOSPC', turn(i)] as const).map((how) => ({ call: i + 1, how })));
  };

  test(`once, at ${long ? 'every call' : 'chosen calls'} of a job: coded error, nothing lost, no handle left open, and it resumes`, async () => {
    const tally = await sweep('faults: disk, once', { 'calls of the job': calls.length }, cases());
    expect(tally.codes.get('files/write')).toBeGreaterThan(0);
  }, 3_600_000);

  test('full for good from the n-th write on: coded error, the last checkpoint stays, and with room again it resumes', async () => {
    const writes = calls.filter((name) => growing.includes(name)).length;
    const at = Array.from({ length: writes }, (_, i) => i + 1).filter((n) => long || n % 15 === 0);
    const faults = at.map((call) => ({ call, how: 'ENOSPC', of: growing, lasting: true }) as const);
    const tally = await sweep('faults: disk, full for good', { writes }, faults);
    expect(tally.unharmed).toBe(0);
  }, 3_600_000);
});

describe('room for checkpoints', () => {
  /** A disk with so much free, in blocks of 1 KiB. */
  const withFree = (free: number): Disk => ({
    ...nodeDisk,
    statfs: (async () => ({ bavail: free / 1024, bsize: 1024 })) as unknown as Disk['statfs'],
  });

  test('is asked for before the first update: what is there counts, and a disk that does not tell is trusted', async () => {
    const out = fresh();
    const refused = async (free: number, bytes: number, writes: number): Promise<unknown> => {
      const store = folderCheckpoints(out, withFree(free));
      return (await store.prepare?.(bytes, writes).catch((error: LimnError) => [error.code, error.details])) ?? 'fits';
    };
    const error = (bytes: number, writes: number, needed: number, free: number): unknown => [
      'checkpoint/no-room',
      { folder: out, bytes, writes, needed, free },
    ];
    // Into an empty folder go one, two, and at most three at a time.
    expect(await refused(1024, 1024, 1)).toBe('fits');
    expect(await refused(1024, 1024, 2)).toEqual(error(1024, 2, 2048, 1024));
    expect(await refused(3072, 1024, 9)).toBe('fits');
    expect(await refused(2048, 1024, 9)).toEqual(error(1024, 9, 3072, 2048));
    // With both generations there, one more.
    const store = folderCheckpoints(out);
    for (let i = 0; i < 2; i++) await store.write(contentOf(new Uint8Array(1024)));
    expect(await refused(1024, 1024, 9)).toBe('fits');
    expect(await refused(0, 1024, 1)).toEqual(error(1024, 1, 1024, 0));
    const { disk } = new FaultyFs(nodeDisk, { call: 1, how: 'EIO', of: ['statfs'] });
    await folderCheckpoints(out, disk).prepare?.(2 ** 50, 3);
    await expect(folderCheckpoints(path.join(out, 'not/yet/there')).prepare?.(2 ** 50, 3)).rejects.toMatchObject({
      code: 'checkpoint/no-room',
    });
  });

  test('that is not there ends a run before its first update, with nothing written', async () => {
    const out = fresh();
    const place = folderPlace(model, out, withFree(0));
    const before = gpu.counters.snapshot().dispatches;
    await expect(resumeJob(gpu, place)).rejects.toMatchObject({ code: 'checkpoint/no-room' });
    expect(gpu.counters.snapshot().dispatches).toBe(before);
    expect(readdirSync(out)).toEqual([]);
  });
});

describe('a real file system', () => {
  const inside = (options: string, script: string) =>
    spawnSync(
      'unshare',
      [
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs -o ${options} none "$1" && ${script}`,
        'sh',
        path.join(root, 'mount'),
      ],
      {
        encoding: 'utf8',
        env: { ...process.env, LIMN_TEST_TARGET: path.join(root, 'mount') },
      },
    );
  const child = `${process.execPath} --conditions=limn-source --import tsx ${path.join(import.meta.dirname, 'faults/write-until-full.mts')}`;
  beforeEach((context) => {
    mkdirSync(path.join(root, 'mount'), { recursive: true });
    context.skip(inside('size=64k', 'true').status !== 0, 'this user may not mount a small file system');
  });

  test('a full one: the error is coded, and the earlier file and its folder are as they were', () => {
    const { status, stdout, stderr } = inside('size=64k', child);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      code: 'files/write',
      reason: 'ENOSPC',
      kept: 20_000,
      names: ['checkpoint.safetensors'],
    });
  });

  test('a read-only one: the error is coded, and what is there can be read', () => {
    const script = `head -c 20000 /dev/zero > "$1/checkpoint.safetensors" && mount -o remount,ro "$1" && ${child}`;
    const { status, stdout, stderr } = inside('size=64k', script);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      code: 'files/write',
      reason: 'EROFS',
      kept: 20_000,
      names: ['checkpoint.safetensors'],
    });
  });
});

describe('an atomic write', () => {
  test('keeps the earlier generation, and gives it back when the newest cannot take its place', async () => {
    const out = fresh();
    const target = path.join(out, 'a');
    const keepAs = path.join(out, 'b');
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    await writeAtomically(target, bytes('one'), { keepAs });
    expect(existsSync(keepAs)).toBe(false);
    await writeAtomically(target, bytes('two'), { keepAs });
    expect([target, keepAs].map((file) => readFileSync(file, 'utf8'))).toEqual(['two', 'one']);
    const { disk } = new FaultyFs(nodeDisk, { call: 2, how: 'EIO', of: ['rename'] });
    await expect(writeAtomically(target, bytes('three'), { keepAs, disk })).rejects.toMatchObject({
      code: 'files/write',
    });
    expect(readFileSync(target, 'utf8')).toBe('two');
  });

  test('where no folder can be made it is refused at once', async () => {
    const started = performance.now();
    const error = await writeAtomically('/proc/limn/model/a', new Uint8Array(1)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LimnError);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('flushes the file before the rename and the folder behind it', async () => {
    const faulty = new FaultyFs(nodeDisk);
    await writeAtomically(path.join(root, 'flushed'), new Uint8Array(1), { disk: faulty.disk });
    const order = faulty.counter.calls.filter((name) => name === 'sync' || name === 'rename');
    expect(order).toEqual(['sync', 'rename', 'sync']);
  });
});

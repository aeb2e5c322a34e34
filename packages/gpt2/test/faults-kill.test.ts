// Training is killed with SIGKILL around every checkpoint, inside every write, and at random moments: resumed, it ends in the same bits.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import { FaultyFs, recordResult, referenceRandom, refusal, testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKPOINT_FILES, CHECKPOINT_LOCK, nodeDisk } from '../src/node.js';
import { checkpointStep, logged, rawLogSteps, unfinished } from './faults/folder.js';
import { EVERY, STEPS, trainIn } from './faults/kill-job.js';

const long = process.env['LIMN_LONG'] === '1';
const child = path.join(import.meta.dirname, 'faults/kill-child.mts');
/** Seed of the random moments. */
const SEED = 20251122;
let root: string;
let gpu: Gpu;
let weights: string;
let log: Awaited<ReturnType<typeof logged>>;
let diskCalls: readonly string[];
/** Milliseconds that training takes in this process. */
let duration: number;
let made = 0;
const fresh = (): string => {
  const out = path.join(root, `run-${made++}`);
  mkdirSync(out);
  return out;
};

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-kill-'));
  gpu = await testGpu();
  const whole = fresh();
  const faulty = new FaultyFs(nodeDisk);
  const { fingerprint, seconds } = await trainIn(gpu, whole, faulty.disk);
  weights = fingerprint;
  duration = seconds * 1000;
  diskCalls = faulty.counter.calls;
  log = await logged(whole);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/**
 * Runs the child; `afterMs` kills it so long after it began to train, `whileWaiting` runs when it waits, and then it is killed. Resolves to
 * the signal that ended it, or to what it printed.
 */
function run(
  out: string,
  point: object,
  afterMs?: number,
  whileWaiting?: (pid: number) => Promise<void>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const words = ['--conditions=limn-source', '--import', 'tsx', child, out, JSON.stringify(point)];
    const started = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [printed, said] = ['', ''];
    started.stdout.on('data', (text: Buffer) => {
      printed += text.toString();
      if (afterMs !== undefined && printed.startsWith('training')) setTimeout(() => started.kill('SIGKILL'), afterMs);
      // The last that it prints.
      if (whileWaiting && printed.endsWith('waiting\n'))
        void whileWaiting(started.pid as number)
          .catch(reject)
          .finally(() => started.kill('SIGKILL'));
    });
    started.stderr.on('data', (text: Buffer) => (said += text.toString()));
    started.on('error', reject);
    started.on('close', (code, signal) => {
      if (signal) resolve(signal);
      else if (code === 0) resolve(printed.trim().split('\n').at(-1) as string);
      else reject(new Error(said));
    });
  });
}

/** Kills one run, and resumes it here: nothing but the updates since the last checkpoint is done again, and nothing differs. */
async function killAndResume(what: string, point: object, afterMs?: number): Promise<void> {
  const out = fresh();
  const end = await run(out, point, afterMs);
  if (afterMs === undefined) expect(end, what).toBe('SIGKILL');
  else expect(['SIGKILL', weights], what).toContain(end);
  const reached = await checkpointStep(out);
  expect(reached % EVERY, what).toBe(0);
  const { fingerprint, resumedFrom } = await trainIn(gpu, out);
  expect([resumedFrom, fingerprint], what).toEqual([reached, weights]);
  expect(await logged(out), what).toEqual(log);
  expect(rawLogSteps(out), what).toEqual(log.map(([step]) => step));
  expect(unfinished(out), what).toEqual([]);
  rmSync(out, { recursive: true });
}

describe('a training run that is killed', () => {
  test('at every checkpoint and one step before and behind it', async (context) => {
    context.skip(!long, 'eight processes one after another: with LIMN_LONG=1; one of them runs in the next test');
    const boundaries = Array.from({ length: STEPS / EVERY - 1 }, (_, i) => (i + 1) * EVERY);
    const around = [1, ...boundaries.flatMap((at) => [at - 1, at, at + 1]), STEPS - 1];
    for (const step of around) await killAndResume(`before update ${step + 1}`, { batch: step });
    recordResult('kills: around checkpoints', { kills: around.length, 'ended in the same bits': around.length });
  }, 3_600_000);

  test('by another process, which may not train in its folder before, and goes on there at once afterwards', async () => {
    const out = fresh();
    const files = (): Record<string, Buffer> =>
      Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(path.join(out, name))]));
    const end = await run(out, { waitAt: EVERY + 1 }, undefined, async (pid) => {
      const before = files();
      const host = os.hostname();
      const refused = await refusal(trainIn(gpu, out));
      expect([refused.code, refused.details]).toEqual(['checkpoint/in-use', { folder: out, pid, host }]);
      expect(refused.message).toContain(`process ${pid} on ${host}`);
      expect(files()).toEqual(before);
    });
    expect(end).toBe('SIGKILL');
    expect(existsSync(path.join(out, CHECKPOINT_LOCK))).toBe(true);
    const { fingerprint, resumedFrom } = await trainIn(gpu, out);
    expect([resumedFrom, fingerprint]).toEqual([EVERY, weights]);
    expect(await logged(out)).toEqual(log);
    expect(existsSync(path.join(out, CHECKPOINT_LOCK))).toBe(false);
  });

  test('in the middle of its writes: log, checkpoint, renames, flushes', async () => {
    // In short: between the two renames of the last checkpoint.
    const renames = diskCalls.flatMap((name, i) => (name === 'rename' ? [i + 1] : []));
    const chosen = long ? diskCalls.map((_, i) => i + 1) : [renames.at(-1) as number];
    for (const diskCall of chosen)
      await killAndResume(`at disk call ${diskCall} (${diskCalls[diskCall - 1]})`, { diskCall });
    recordResult('kills: at calls of the disk', { kills: chosen.length, 'ended in the same bits': chosen.length });
  }, 3_600_000);

  test('at random moments', async (context) => {
    context.skip(!long, 'ten processes one after another: with LIMN_LONG=1');
    const random = referenceRandom(SEED);
    const moments = Array.from({ length: 10 }, () => random.uniform() * duration);
    for (const moment of moments) await killAndResume(`${moment.toFixed(0)} ms after it began`, {}, moment);
    recordResult('kills: at random moments', {
      kills: moments.length,
      seed: SEED,
      'ended in the same bits': moments.length,
    });
  }, 3_600_000);

  test('again and again: five kills in one run', async (context) => {
    context.skip(!long, 'kills one after another run in test:long');
    const out = fresh();
    for (const step of [2, 5, 6, 9, 11]) expect(await run(out, { batch: step })).toBe('SIGKILL');
    expect(await run(out, {})).toBe(weights);
    expect(await logged(out)).toEqual(log);
  }, 600_000);
});

describe('a checkpoint whose newest generation is damaged', () => {
  const [newest, previous] = CHECKPOINT_FILES;
  const damage = (file: string): void => {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(file, bytes);
  };

  test('is passed over with a notice: the one before it ends in the same bits and is not overwritten by the bad one', async () => {
    const out = fresh();
    await trainIn(gpu, out);
    const [last, before] = CHECKPOINT_FILES.map((name) => readFileSync(path.join(out, name)));
    damage(path.join(out, newest));
    const notices: string[] = [];
    const { fingerprint, resumedFrom } = await trainIn(gpu, out, nodeDisk, undefined, (text) => notices.push(text));
    expect([resumedFrom, fingerprint]).toEqual([STEPS - EVERY, weights]);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`of step ${STEPS - EVERY}`);
    expect(readFileSync(path.join(out, previous))).toEqual(before);
    expect(readFileSync(path.join(out, newest))).toEqual(last);
    expect(await logged(out)).toEqual(log);
  });

  test('with the one before it damaged as well, it is an error, and both files stay', async () => {
    const out = fresh();
    await trainIn(gpu, out);
    for (const name of CHECKPOINT_FILES) damage(path.join(out, name));
    await expect(trainIn(gpu, out)).rejects.toMatchObject({ code: 'checkpoint/damaged' });
    expect(CHECKPOINT_FILES.every((name) => existsSync(path.join(out, name)))).toBe(true);
  });
});

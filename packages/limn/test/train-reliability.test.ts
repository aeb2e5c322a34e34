// `limn train` under kills, drafts of killed runs, and lost devices; and what it holds out, logs and draws.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decodeCheckpoint, encodeCheckpoint, type StoredFile, type TrainingLogEntry } from '@limn/gpt2';
import { CHECKPOINT_FILES, folderCheckpoints, writeAtomically } from '@limn/gpt2/node';
import { LimnError, type Gpu } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitHeldOut } from '../src/held-out.js';
import { MOST_LOSSES, onNewDevices } from '../src/new-devices.js';
import { runLimn, type Outcome } from './run-limn.js';

/** A document of the corpus that neither the first batch nor the last draws, nor the held-out rows. */
const MIDDLE = 20;
let root: string;
let straight: Outcome;
let whole: string;
/** The corpus with another id in that document. */
let otherCorpus: string;
const storedFile = (bytes: Uint8Array): StoredFile => ({
  bytes: bytes.length,
  read: async (start, end) => Uint8Array.from(bytes.subarray(start, end)),
});
const words = (out: string, ...extra: readonly string[]): string[] => {
  const sizes = ['--vocabulary', '11', '--positions', '8', '--layers', '1', '--heads', '2', '--width', '8'];
  const run = [
    '--batch',
    '4',
    '--micro-batch',
    '2',
    '--steps',
    '60',
    '--checkpoint-every',
    '10',
    '--schedule',
    'linear',
  ];
  return ['train', '--data', path.join(root, 'corpus.jsonl'), ...sizes, ...run, '--out', out, '--json', ...extra];
};
const entries = (out: string): TrainingLogEntry[] =>
  readFileSync(path.join(out, 'training.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainingLogEntry);
const withoutSpeed = (out: string) => entries(out).map((entry) => ({ ...entry, tokensPerSecond: 'any' }));

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-train-'));
  const documents = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 4 + (i % 9) }, (_, t) => (i * 3 + t * t) % 11),
  );
  writeFileSync(path.join(root, 'corpus.jsonl'), `${documents.map((ids) => JSON.stringify(ids)).join('\n')}\n`);
  otherCorpus = path.join(root, 'other.jsonl');
  const changed = documents.map((ids, i) => (i === MIDDLE ? [...ids.slice(0, -1), 10] : ids));
  writeFileSync(otherCorpus, `${changed.map((ids) => JSON.stringify(ids)).join('\n')}\n`);
  whole = path.join(root, 'whole');
  straight = await runLimn(words(whole));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('limn train', () => {
  it('logs loss, rate and held-out loss as JSON lines, draws them, and records what came of it', () => {
    expect(straight.exitCode, straight.stderr).toBe(0);
    const lines = entries(whole);
    expect(lines.map(({ step }) => step)).toEqual([10, 20, 30, 40, 50, 60]);
    // A linear schedule from 1e-3 behind six updates of warm-up to a twentieth of it: update 10 is number 9 from 0.
    expect(lines[0]?.rate).toBeCloseTo(1e-3 * (0.05 + 0.95 * (1 - (9 - 6) / 54)), 12);
    expect(lines.every(({ heldOutLoss }) => Number.isFinite(heldOutLoss))).toBe(true);
    expect(straight.json()['heldOutLoss']).toBe(lines[5]?.heldOutLoss);
    const svg = readFileSync(path.join(whole, 'training.svg'), 'utf8');
    expect(svg).toContain('on held-out rows at update 60');
    const about = JSON.parse(readFileSync(path.join(whole, 'training.json'), 'utf8')) as Record<string, unknown>;
    expect(about).toMatchObject({
      state: 'finished',
      recipe: { schedule: 'linear', microBatch: 2, warmup: 6 },
      losses: lines.map(({ step, loss, heldOutLoss }) => ({ step, loss, heldOutLoss })),
    });
    expect(about['heldOutRows']).toBeGreaterThan(0);
  });

  it('keeps its folder to itself; killed with SIGKILL, it goes on to the same weights and the same log', async () => {
    const out = path.join(root, 'killed');
    const child = path.join(import.meta.dirname, 'limn-child.mts');
    const started = spawn(process.execPath, ['--conditions=limn-source', '--import', 'tsx', child, ...words(out)]);
    const ended = new Promise((resolve) => started.on('close', (_, signal) => resolve(signal)));
    const stopped = new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (!existsSync(path.join(out, 'checkpoint.previous.safetensors'))) return;
        clearInterval(timer);
        // Held where it is, so that it cannot end before the second run has tried.
        started.kill('SIGSTOP');
        resolve();
      }, 1);
    });
    await Promise.race([stopped, ended]);
    const meanwhile = await runLimn(words(out, '--resume'));
    started.kill('SIGKILL');
    expect([meanwhile.exitCode, meanwhile.json().error?.code]).toEqual([2, 'checkpoint/in-use']);
    expect(meanwhile.json().error?.message).toContain(`process ${started.pid} `);
    expect(await ended).toBe('SIGKILL');
    const second = await runLimn(words(out, '--resume'));
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.json()['weightsSha256']).toBe(straight.json()['weightsSha256']);
    expect(withoutSpeed(out)).toEqual(withoutSpeed(whole));
    expect(readdirSync(out).sort()).toEqual(readdirSync(whole).sort());
  });

  it('killed in its very first write, it can still be resumed; a foreign file is still refused', async () => {
    const out = path.join(root, 'draft');
    mkdirSync(out);
    writeFileSync(path.join(out, '.training.json.0123456789ab.part'), '{"sch');
    const outcome = await runLimn(words(out, '--resume', '--steps', '10'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(readdirSync(out).filter((name) => name.endsWith('.part'))).toEqual([]);
    const foreign = path.join(root, 'foreign');
    mkdirSync(foreign);
    writeFileSync(path.join(foreign, '.training.json.part'), '');
    expect((await runLimn(words(foreign, '--resume'))).json().error?.code).toBe('usage/output-exists');
  });

  it('a run that has ended and is resumed changes nothing but its last stretch', async () => {
    const before = withoutSpeed(whole);
    const again = await runLimn(words(whole, '--resume'));
    expect(again.exitCode, again.stderr).toBe(0);
    expect(again.json()['weightsSha256']).toBe(straight.json()['weightsSha256']);
    expect(withoutSpeed(whole)).toEqual(before);
    const about = JSON.parse(readFileSync(path.join(whole, 'training.json'), 'utf8')) as { losses: unknown[] };
    expect(about.losses).toHaveLength(6);
  });

  it('a run that has ended keeps its record, its log and all else when going on from it is refused', async () => {
    const files = (): Record<string, string> =>
      Object.fromEntries(readdirSync(whole).map((name) => [name, readFileSync(path.join(whole, name), 'latin1')]));
    const [newest, previous] = CHECKPOINT_FILES.map((name) => path.join(whole, name)) as [string, string];
    const kept = [newest, previous].map((file) => readFileSync(file));
    const refused = async (...extra: readonly string[]): Promise<string | undefined> => {
      const before = files();
      expect(JSON.parse(before['training.json'] as string)).toMatchObject({ state: 'finished' });
      const { json } = await runLimn(words(whole, '--resume', ...extra));
      expect(files()).toEqual(before);
      return json().error?.code;
    };
    expect(await refused('--rate', '0.5')).toBe('checkpoint/other-settings');
    expect(await refused('--data', otherCorpus)).toBe('checkpoint/other-settings');
    const release = await folderCheckpoints(whole).claim();
    expect(await refused()).toBe('checkpoint/in-use');
    await release();
    const sound = await decodeCheckpoint(storedFile(kept[0] as Buffer));
    const content = encodeCheckpoint({ ...sound, plan: `${sound.plan} ` });
    await writeAtomically(newest, content);
    expect(await refused()).toBe('checkpoint/other-machine');
    for (const file of [newest, previous]) writeFileSync(file, 'damaged');
    expect(await refused()).toBe('checkpoint/damaged');
    [newest, previous].forEach((file, i) => writeFileSync(file, kept[i] as Buffer));
  });

  it('a rate that f32 does not hold is refused before there is a folder', async () => {
    const out = path.join(root, 'fast');
    const outcome = await runLimn(words(out, '--rate', '1e300'));
    expect([outcome.exitCode, outcome.json().error?.code, existsSync(out)]).toEqual([2, 'training/setting', false]);
  });

  it.each([
    [['--held-out', '1.5'], 2, 'usage/bad-number'],
    [['--held-out', '1'], 4, 'data/held-out'],
    [['--schedule', 'cosin'], 2, 'usage/unknown-schedule'],
    [['--schedule', 'constant', '--final-rate', '0.1'], 2, 'training/setting'],
  ])('refuses %j', async (extra, exitCode, code) => {
    const outcome = await runLimn(words(path.join(root, `refused-${code.replace('/', '-')}`), ...extra));
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([exitCode, code]);
  });
});

describe('a device that is lost', () => {
  const open = (): (() => Promise<{ gpu: Gpu; [Symbol.dispose](): void }>) => async () => {
    const gpu = await openNodeGpu({ workBudgetFlops: 1e9, onNotice: () => undefined });
    return { gpu, [Symbol.dispose]: () => gpu.dispose() };
  };
  const lose = async (gpu: Gpu): Promise<never> => {
    gpu.device.destroy();
    throw await gpu.lost;
  };

  it('is replaced, and the work begins again on the new one', async () => {
    const seen: string[] = [];
    const result = await onNewDevices(
      open(),
      async ({ gpu }) => {
        if (seen.length < 2) return lose(gpu);
        const storage = gpu.persistent(4, { data: Float32Array.of(7) });
        return (await gpu.read(storage, 'f32'))[0];
      },
      { signal: new AbortController().signal, onLoss: (error, losses) => seen.push(`${error.code} ${losses}`) },
    );
    expect([result, seen]).toEqual([7, ['gpu/device-lost 1', 'gpu/device-lost 2']]);
  });

  it('again and again is an error in the end; other errors and an abort are not tried again', async () => {
    let opened = 0;
    const counting = async () => (opened++, open()());
    const options = { signal: new AbortController().signal, onLoss: () => undefined };
    await expect(onNewDevices(counting, ({ gpu }) => lose(gpu), options)).rejects.toMatchObject({
      code: 'gpu/device-lost',
    });
    expect(opened).toBe(MOST_LOSSES + 1);
    opened = 0;
    const failing = onNewDevices(counting, async () => Promise.reject(new LimnError('data/x', 'no')), options);
    await expect(failing).rejects.toMatchObject({ code: 'data/x' });
    const stopped = { ...options, signal: AbortSignal.abort() };
    await expect(onNewDevices(counting, ({ gpu }) => lose(gpu), stopped)).rejects.toMatchObject({
      code: 'gpu/device-lost',
    });
    expect(opened).toBe(2);
  });
});

describe('what is held out', () => {
  const documents = (count: number): Uint32Array[] =>
    Array.from({ length: count }, (_, i) =>
      Uint32Array.from({ length: 5 + (i % 20) }, (_, t) => (i * 31 + t * t * 7) % 997),
    );

  it('is a part of the distinct documents, equal ones on one side, whatever their order', () => {
    const all = [...documents(100), ...documents(100)];
    const { trained, heldOut } = splitHeldOut(all, 0.1, 30);
    const text = (row: Uint32Array): string => row.join();
    const held = new Set(heldOut.map(text));
    expect(held.size).toBe(heldOut.length);
    expect([trained.length, heldOut.length]).toEqual([180, 10]);
    expect(trained.some((row) => held.has(text(row)))).toBe(false);
    const turned = splitHeldOut([...all].reverse(), 0.1, 30);
    expect(turned.heldOut.map(text)).toEqual(heldOut.map(text));
  });

  it('covers every target of a long document once, in rows that fit', () => {
    const long = [Uint32Array.from({ length: 100 }, (_, i) => i), Uint32Array.from({ length: 100 }, (_, i) => 200 + i)];
    const { heldOut } = splitHeldOut(long, 0.5, 9);
    const targets = heldOut.flatMap((row) => [...row.subarray(1)]);
    const [first] = heldOut[0] as Uint32Array;
    expect(targets).toEqual(Array.from({ length: 99 }, (_, i) => (first as number) + 1 + i));
    expect(Math.max(...heldOut.map((row) => row.length))).toBe(9);
  });

  it('leaves out rows that training may draw as a window, and refuses when none is left', () => {
    // The short document is the beginning of a window of the long one.
    const long = Uint32Array.from({ length: 50 }, (_, i) => (i * i) % 89);
    for (let start = 0; start < 40; start += 7) {
      const inside = long.slice(start, start + 9);
      const fault = (() => {
        try {
          return splitHeldOut([long, inside], 0.5, 9).heldOut.map((row) => row.join());
        } catch (error) {
          return (error as LimnError).code;
        }
      })();
      // Whichever of the two is held out: the window never is.
      if (Array.isArray(fault)) expect(fault).not.toContain(inside.join());
      else expect(fault).toBe('data/held-out');
    }
    expect(() => splitHeldOut([long], 0.5, 9)).toThrow(LimnError);
    expect(splitHeldOut([long], 0, 9)).toEqual({ trained: [long], heldOut: [] });
  });
});

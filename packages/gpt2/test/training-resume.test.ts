// What a run goes on from: only from what is its own, sound and readable; nothing is written before that is known.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { builtInChoices, Gpu, kernelChoices, LimnError, type KernelChoices } from '@limn/gpu';
import { FaultyDevice, refusal, testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatherContent, storedBytes } from '../src/file-content.js';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  latestCheckpoint,
  randomGpt2,
  trainGpt2,
  type Checkpoint,
  type CheckpointStore,
  type Gpt2,
  type TrainingOptions,
} from '../src/index.js';
import { CHECKPOINT_FILES, folderCheckpoints, nodeDisk, openTrainingLog, type Disk } from '../src/node.js';
import { batch, sizes } from './faults/job.js';

const options = { batch, steps: 4, every: 1, recipe: { rate: 0.02 } } satisfies TrainingOptions;
let root: string;
let model: Gpt2;
let made = 0;
const fresh = (): string => path.join(root, `run-${made++}`);
const filesOf = (folder: string): Record<string, Buffer> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));

/** Trains in a folder; tells what `onStart` and `onNotice` were told. */
async function train(folder: string, changes: Partial<TrainingOptions> = {}, disk: Disk = nodeDisk) {
  const told: unknown[] = [];
  const result = trainGpt2(model, {
    ...options,
    checkpoint: { store: folderCheckpoints(folder, disk), every: 2 },
    log: openTrainingLog(path.join(folder, 'training.jsonl')),
    onStart: (start) => void told.push(start),
    onNotice: (text) => void told.push(text),
    ...changes,
  });
  return { told, outcome: await result.catch((error: LimnError) => error) };
}

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-resume-'));
  model = await randomGpt2(await testGpu(), sizes, 3);
});
afterAll(() => {
  model.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** A checkpoint with other contents than a run writes, and the digest of those. */
const remade = async (file: string, changes: (sound: Checkpoint) => Partial<Checkpoint>): Promise<Uint8Array> => {
  const sound = await decodeCheckpoint(storedBytes(readFileSync(file)));
  return gatherContent(encodeCheckpoint({ ...sound, ...changes(sound) }));
};

describe('the beginning of a run', () => {
  test('is told once, behind the checkpoint and before anything is written; a refused run is not told and writes nothing', async () => {
    const folder = fresh();
    const names: string[][] = [];
    const onStart = async (): Promise<void> => void names.push(readdirSync(folder));
    expect((await train(folder, { onStart })).outcome).toMatchObject({ resumedFrom: 0 });
    expect(names).toEqual([['checkpoint.lock']]);
    const before = filesOf(folder);
    const full = { ...nodeDisk, statfs: async () => ({ bavail: 0, bsize: 1 }) } as unknown as Disk;
    const refused = async (changes: Partial<TrainingOptions>, disk?: Disk): Promise<string> => {
      const { told, outcome } = await train(folder, changes, disk);
      expect([told, filesOf(folder)]).toEqual([[], before]);
      return (outcome as LimnError).code;
    };
    expect(await refused({ recipe: { rate: 0.01 } })).toBe('checkpoint/other-settings');
    const release = await folderCheckpoints(folder).claim();
    expect((await train(folder)).outcome).toMatchObject({ code: 'checkpoint/in-use' });
    await release();
    // Of a run that has one checkpoint to come.
    const [newest, previous] = CHECKPOINT_FILES.map((name) => path.join(folder, name)) as [string, string];
    writeFileSync(newest, before[path.basename(previous)] as Buffer);
    before[path.basename(newest)] = before[path.basename(previous)] as Buffer;
    expect(await refused({}, full)).toBe('checkpoint/no-room');
    const { plan } = await decodeCheckpoint(storedBytes(readFileSync(newest)));
    const elsewhere = await remade(newest, () => ({ plan: `${plan} ` }));
    writeFileSync(newest, elsewhere);
    before[path.basename(newest)] = Buffer.from(elsewhere);
    expect(await refused({})).toBe('checkpoint/other-machine');
    for (const file of [newest, previous]) {
      writeFileSync(file, 'damaged');
      before[path.basename(file)] = Buffer.from('damaged');
    }
    expect(await refused({})).toBe('checkpoint/damaged');
  });

  test('ends with what it throws, and nothing of it stays', async () => {
    const folder = fresh();
    const { outcome } = await train(folder, { onStart: () => Promise.reject(new Error('no record')) });
    expect([(outcome as Error).message, readdirSync(folder)]).toEqual(['no record', []]);
  });
});

describe('kernels that were chosen for a device', () => {
  const chosen = kernelChoices({ 'matmul nn m64 n64 k16': 'tiled' });
  /** Takes up a run that has ended, on a device with these choices: no kernel runs. */
  const resume = async (folder: string, choices: KernelChoices, allowDrift = false) => {
    const { device, capabilities } = await testGpu();
    using gpu = new Gpu(new FaultyDevice(device).device, capabilities, 1e9, { choices });
    const other = await randomGpt2(gpu, sizes, 3);
    const checkpoint = { store: folderCheckpoints(folder), every: 2, allowDrift };
    return await trainGpt2(other, { ...options, checkpoint }).catch((error: unknown) => error);
  };
  const planIn = async (folder: string): Promise<Record<string, unknown>> => {
    const { plan } = await decodeCheckpoint(storedBytes(readFileSync(path.join(folder, CHECKPOINT_FILES[0]))));
    return JSON.parse(plan) as Record<string, unknown>;
  };

  test('are of the plan: a run goes on with the same ones only, or with drift that is allowed', async () => {
    const folder = fresh();
    await train(folder);
    // As it was before there could be any choices.
    expect(Object.keys(await planIn(folder))).toEqual(['adapter', 'source', 'kernels']);
    const other = (await resume(folder, chosen)) as LimnError;
    expect(other).toMatchObject({
      code: 'checkpoint/other-machine',
      message: expect.stringContaining('other kernels on this adapter'),
      hint: expect.stringMatching(/LIMN_KERNELS=built-in.*limn tune.*--allow-drift/),
    });
    const now = JSON.parse(other.details['now'] as string) as Record<string, unknown>;
    expect(now['choices']).toEqual(chosen);
    expect(await resume(folder, chosen, true)).toMatchObject({ resumedFrom: 4 });

    const newest = path.join(folder, CHECKPOINT_FILES[0]);
    writeFileSync(newest, await remade(newest, () => ({ plan: other.details['now'] as string })));
    expect(await resume(folder, chosen)).toMatchObject({ resumedFrom: 4 });
    for (const choices of [builtInChoices, kernelChoices({ ...chosen, 'matmul nn m4 n4 k4': 'row' })])
      expect(await resume(folder, choices)).toMatchObject({ code: 'checkpoint/other-machine' });
  });
});

describe('the name of the data', () => {
  /** Other rows in the middle, which no batch shows that is looked at before. */
  const other = (step: number): Uint32Array[] => (step === 1 ? [Uint32Array.of(10, 9, 8)] : batch(step));

  test('tells corpora apart that begin and end alike', async () => {
    const folder = fresh();
    await train(folder, { data: 'one' });
    expect((await train(folder, { data: 'two', batch: other })).outcome).toMatchObject({
      code: 'checkpoint/other-settings',
    });
    expect((await train(folder)).outcome).toMatchObject({ code: 'checkpoint/other-settings' });
    expect((await train(folder, { data: 'one' })).told).toEqual([{ resumedFrom: 4 }]);
  });

  test('is not asked of a checkpoint that has none, and must be a text', async () => {
    const folder = fresh();
    await train(folder);
    expect((await train(folder, { data: 'one' })).told).toEqual([{ resumedFrom: 4 }]);
    expect((await train(folder, { data: 5 as never })).outcome).toMatchObject({
      code: 'training/setting',
      details: { setting: 'data' },
    });
  });
});

describe('a checkpoint on a disk that does not give it back', () => {
  /** A disk on which reading the newest checkpoint fails. */
  const failing = (of: string, code: string): Disk => {
    const fail = (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
    const isNewest = (file: unknown): boolean => String(file).endsWith(CHECKPOINT_FILES[0]);
    return {
      ...nodeDisk,
      stat: ((file: string) => (of === 'stat' && isNewest(file) ? fail() : nodeDisk.stat(file))) as Disk['stat'],
      open: (async (file: string, flags: string) => {
        const handle = await nodeDisk.open(file, flags);
        if (of === 'read' && isNewest(file))
          handle.read = code === 'short' ? ((async () => ({ bytesRead: 0 })) as never) : (fail as never);
        return handle;
      }) as Disk['open'],
    };
  };

  test.each([
    ['read', 'EIO'],
    ['stat', 'EIO'],
    ['read', 'short'],
  ])('is passed over for the one before it, with a notice: %s, %s', async (of, code) => {
    const folder = fresh();
    const whole = (await train(folder)).outcome;
    const last = filesOf(folder);
    const { told, outcome } = await train(folder, {}, failing(of, code));
    expect(outcome).toMatchObject({ resumedFrom: 2, fingerprint: (whole as { fingerprint: string }).fingerprint });
    expect(told).toEqual([expect.stringContaining('going on from the one before it, of step 2'), { resumedFrom: 2 }]);
    for (const name of CHECKPOINT_FILES) expect(filesOf(folder)[name]).toEqual(last[name]);
  });

  test('is what the run ends with when there is no other, or that one cannot be read either', async () => {
    const folder = fresh();
    await train(folder, { steps: 2 });
    expect((await train(folder, { steps: 2 }, failing('read', 'EIO'))).outcome).toMatchObject({ code: 'files/read' });
    const unreadable = new LimnError('files/read', 'the newest');
    const store: CheckpointStore = {
      write: async () => undefined,
      read: () => Promise.reject(unreadable),
      readPrevious: () => Promise.reject(new LimnError('files/read', 'the one before')),
    };
    expect(await refusal(latestCheckpoint(store))).toBe(unreadable);
  });
});

describe('a checkpoint with a sound digest', () => {
  const values = (sound: Checkpoint, name: string, value: number): Partial<Checkpoint> => {
    const weights = new Map(sound.weights);
    const { shape } = weights.get(name) as { shape: readonly number[] };
    const filled = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value);
    return {
      weights: weights.set(name, {
        shape,
        async *pieces() {
          yield filled;
        },
      }),
    };
  };
  const groups = (sound: Checkpoint, changes: object): Partial<Checkpoint> => ({
    optimiser: { groups: sound.optimiser.groups.map((group, i) => (i === 0 ? { ...group, ...changes } : group)) },
  });
  const moment = (sound: Checkpoint, which: 'first' | 'second', value: number): Partial<Checkpoint> => {
    const [first, ...others] = (sound.optimiser.groups[0] as { params: readonly { size: number }[] }).params;
    const filled = new Float32Array((first as { size: number }).size).fill(value);
    return groups(sound, { params: [{ ...first, [which]: async () => filled }, ...others] });
  };

  test.each<[string, (sound: Checkpoint) => Partial<Checkpoint>]>([
    ['more updates than the run', () => ({ step: 5 })],
    ['a step that is no number', () => ({ step: Number.NaN })],
    ['a step in another notation', () => ({ step: '0x2' as never })],
    ['an empty step', () => ({ step: '' as never })],
    ['a step that no number holds', () => ({ step: '9'.repeat(30) as never })],
    ['a count below zero', (sound) => groups(sound, { count: -1 })],
    ['a count above its step', (sound) => groups(sound, { count: 1e15 })],
    ['moments of other names', (sound) => groups(sound, { name: 'others' })],
    ['a weight that is no number', (sound) => values(sound, 'ln_f.bias', Number.NaN)],
    ['a weight without end', (sound) => values(sound, 'ln_f.bias', Number.POSITIVE_INFINITY)],
    ['a first moment that is no number', (sound) => moment(sound, 'first', Number.NaN)],
    ['a second moment below zero', (sound) => moment(sound, 'second', -1)],
  ])('and %s is damaged, and nothing is loaded from it', async (_, changes) => {
    const folder = fresh();
    await train(folder, { steps: 4 });
    rmSync(path.join(folder, CHECKPOINT_FILES[1]));
    const file = path.join(folder, CHECKPOINT_FILES[0]);
    writeFileSync(file, await remade(file, changes));
    const before = await model.refreshFingerprint();
    const { told, outcome } = await train(folder);
    expect([(outcome as LimnError).code, told]).toEqual(['checkpoint/damaged', []]);
    expect(await model.refreshFingerprint()).toBe(before);
  });

  test('and second moments too large for f32 is what a run may write', async () => {
    const folder = fresh();
    await train(folder);
    const file = path.join(folder, CHECKPOINT_FILES[0]);
    const bytes = await remade(file, (sound) => moment(sound, 'second', Number.POSITIVE_INFINITY));
    expect((await decodeCheckpoint(storedBytes(bytes))).step).toBe(4);
  });
});

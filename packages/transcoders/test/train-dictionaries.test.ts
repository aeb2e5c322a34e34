// Training lowers the loss, gives the same bits again, beside others, and after having been stopped; it refuses what it cannot go on from.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { folderCheckpoints } from '@limn/gpt2/node';
import type { Gpu, LimnError } from '@limn/gpu';
import { checkpointContent, openCheckpoint, rateOverUpdates } from '@limn/hooks';
import { refusal, testGpu } from '@limn/testing';
import { beforeAll, expect, test } from 'vitest';
import { trainDictionaries } from '../src/index.js';
import { CHECKPOINT_FORMAT } from '../src/training/training-checkpoint.js';
import { unscaled } from '../src/training/data-scales.js';
import { rampAt } from '../src/training/schedules.js';
import { EVERY, memoryStore, options, source, specs, toyModel, trainIn, UPDATES } from './training-job.js';

let gpu: Gpu;
/** The last checkpoint of a whole run. */
let finished: Uint8Array;
let whole: Awaited<ReturnType<typeof trainIn>>;
beforeAll(async () => {
  gpu = await testGpu();
  whole = await trainIn(gpu, undefined);
});

test('the loss falls; records stand every few updates and at the end', () => {
  expect(whole.history.map(({ update }) => update)).toEqual([3, 6, 9, 12]);
  const [first, last] = [whole.history[0], whole.history.at(-1)].map((record) => record?.figures['transcoder 0']?.fvu);
  expect(last).toBeLessThan((first as number) * 0.9);
  for (const { figures } of whole.history)
    for (const { l0, deadShare } of Object.values(figures)) {
      expect(l0).toBeGreaterThan(0);
      expect(deadShare).toBeLessThanOrEqual(1);
    }
});

test('a dictionary has the same bits trained alone, and an evaluation on the way changes none', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'another whole training: with LIMN_LONG=1');
  const { dictionaries, history } = await trainIn(
    gpu,
    undefined,
    { evaluate: { sequences: source(99), every: 6 } },
    specs.slice(1, 2),
  );
  expect(dictionaries[0]?.weights).toEqual(whole.dictionaries[1]?.weights);
  const measured = history.filter(({ figures }) => figures['sae 1']?.recovered !== undefined);
  expect(measured.map(({ update }) => update)).toEqual([6, 12]);
});

test('thrown away behind a checkpoint, and stopped between two, it ends in the same bits and the same records', async () => {
  const store = memoryStore();
  const died = trainIn(gpu, store, {
    onProgress: ({ update }) => {
      if (update === 6) throw new Error('the end of the process');
    },
  });
  await expect(died).rejects.toThrow('the end of the process');
  expect(store.writes).toBe(1);
  const stop = new AbortController();
  const seen: number[] = [];
  const stopped = trainIn(gpu, store, {
    signal: stop.signal,
    onProgress: ({ update }) => {
      seen.push(update);
      if (update === 9) stop.abort(new Error('enough'));
    },
  });
  await expect(stopped).rejects.toMatchObject({ name: 'AbortedError' });
  expect(seen).toEqual([6, 9]);
  // At 4; at 8, and at 9 because it was stopped.
  expect(store.writes).toBe(3);
  const resumed = await trainIn(gpu, store);
  expect([resumed.resumedFrom, resumed.dictionaries, resumed.history]).toEqual([9, whole.dictionaries, whole.history]);
  finished = store.bytes as Uint8Array;
});

test('a checkpoint of other settings, of another machine, or damaged is refused with a code', async () => {
  const store = memoryStore();
  const refused = async (bytes: Uint8Array, change = {}): Promise<LimnError> => {
    store.bytes = bytes;
    return refusal(trainIn(gpu, store, change));
  };
  expect(await refused(finished, { updates: 13 })).toMatchObject({ code: 'checkpoint/other-settings' });
  expect(await refused(finished, { data: 'other' })).toMatchObject({ code: 'checkpoint/other-settings' });
  const opened = await openCheckpoint(
    { bytes: finished.length, read: async (from, to) => finished.slice(from, to) },
    CHECKPOINT_FORMAT,
  );
  const about = JSON.parse(opened.about) as { machine: string };
  const elsewhere = { ...about, machine: about.machine.replace('"kernels":[', '"kernels":["another",') };
  const tensors = [...opened.tensors].map(([name, { type, size }]) => ({
    name,
    type: type as 'F32' | 'U32',
    size,
    values: () => (type === 'F32' ? opened.floats(name) : opened.words(name)),
  }));
  await store.write(checkpointContent(CHECKPOINT_FORMAT, tensors, JSON.stringify(elsewhere)));
  const other = store.bytes as Uint8Array;
  expect(await refused(other)).toMatchObject({ code: 'checkpoint/other-machine' });
  store.bytes = other;
  const drifted = await trainDictionaries(toyModel(gpu), source, specs, {
    ...options,
    checkpoints: { store, every: EVERY, allowDrift: true },
  });
  expect([drifted.resumedFrom, drifted.dictionaries]).toEqual([UPDATES, whole.dictionaries]);
  store.bytes = finished;
  for (const place of [3, 700, finished.length - 1]) {
    const damaged = finished.slice();
    damaged[place] = (finished[place] as number) ^ 4;
    expect(await openRefusal(damaged), `byte ${place}`).toMatchObject({ code: 'checkpoint/damaged' });
  }
  expect(await openRefusal(finished.slice(0, -4))).toMatchObject({ code: 'checkpoint/damaged' });
  expect(await refused(finished.slice(0, -4))).toMatchObject({ code: 'checkpoint/damaged' });
  // A store that keeps the one before goes on from there, and says so.
  const notices: string[] = [];
  const place = { ...store, read: async () => undefined, readPrevious: store.read };
  store.bytes = finished;
  const before = await trainIn(gpu, place, { onNotice: (text) => notices.push(text) });
  expect(before.resumedFrom).toBe(UPDATES);
});

const openRefusal = (bytes: Uint8Array): Promise<LimnError> =>
  refusal(openCheckpoint({ bytes: bytes.length, read: async (from, to) => bytes.slice(from, to) }, CHECKPOINT_FORMAT));

test('a process that is killed with SIGKILL leaves a checkpoint that ends in the same bits', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'another process with a device of its own: with LIMN_LONG=1');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'limn-dictionaries-'));
  try {
    const words = [
      '--conditions=limn-source',
      '--import',
      'tsx',
      path.join(import.meta.dirname, 'training-kill-child.mts'),
    ];
    const child = spawn(process.execPath, [...words, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect(signal, said).toBe('SIGKILL');
    const resumed = await trainIn(gpu, folderCheckpoints(folder));
    expect([resumed.resumedFrom, resumed.dictionaries, resumed.history]).toEqual([
      8,
      whole.dictionaries,
      whole.history,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

test('memory and settings are refused before any work', async () => {
  const { bytesLive } = gpu.counters;
  let claims = 0;
  const claimed = Object.assign(memoryStore(), {
    claim: async () => {
      claims++;
      return async () => void claims--;
    },
  });
  expect(await refusal(trainIn(gpu, claimed, { memoryBytes: 20_000 }))).toMatchObject({ code: 'memory/over-budget' });
  expect(claims).toBe(0);
  expect(await refusal(trainIn(gpu, undefined, { updates: 0 }))).toMatchObject({ code: 'usage/dictionary-training' });
  const twice = [specs[0], specs[0]] as typeof specs;
  expect(await refusal(trainIn(gpu, undefined, {}, twice))).toMatchObject({ details: { option: 'names' } });
  gpu.trim();
  expect(gpu.counters.bytesLive).toBeLessThanOrEqual(bytesLive);
});

test('a training whose numbers have left, though they are still finite, ends with a code', async () => {
  const wild = specs.slice(0, 1).map((spec) => ({ ...spec, rate: 1e9 }));
  await expect(trainIn(gpu, undefined, {}, wild)).rejects.toMatchObject({ code: 'training/diverged' });
});

test('schedules: a linear warm-up, a constant, a linear end; λ rises and stays', () => {
  const shape = { updates: 100, warmUp: 10, decay: 0.2 };
  expect([0, 4, 9, 50, 80, 90, 99].map((u) => rateOverUpdates(u, shape))).toEqual([0.1, 0.5, 1, 1, 1, 0.5, 0.05]);
  expect(rateOverUpdates(0, { ...shape, warmUp: 0, decay: 0 })).toBe(1);
  expect([0, 4, 9, 50].map((u) => rampAt(u, 100, 0.1))).toEqual([0.1, 0.5, 1, 1]);
});

test('weights for rows as they are do what those for scaled rows do', () => {
  const config = (specs[0] as (typeof specs)[number]).config;
  const weights = {
    wEnc: Float32Array.of(1, 2),
    bEnc: Float32Array.of(3),
    wDec: Float32Array.of(1, 0),
    bDec: Float32Array.of(4, 8),
    wSkip: Float32Array.of(1, 1),
    logThreshold: Float32Array.of(0),
  };
  const [x, y] = [2, 4];
  const own = unscaled(config, weights, { x, y });
  // x' = 2·(5, 7): h' = 10 + 28 + 3 = 41, θ' = 1; y' = 41·d + b: a quarter of it.
  const h = 5 * (own.wEnc[0] as number) + 7 * (own.wEnc[1] as number) + (own.bEnc[0] as number);
  expect(h).toBe(41 / 4);
  expect(Math.exp(own.logThreshold?.[0] as number)).toBeCloseTo(1 / 4, 6);
  expect([...own.bDec]).toEqual([1, 2]);
  expect([...(own.wSkip as Float32Array)]).toEqual([0.5, 0.5]);
  const sae = { ...config, input: 'hook_mlp_out' as const };
  expect([...unscaled(sae, weights, { x: 4, y: 4 }).wEnc]).toEqual([1, 2]);
});

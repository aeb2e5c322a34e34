// Training lowers the loss, gives the same bits again, beside others, and after having been stopped; it refuses what it cannot go on from.
import { refusal, testGpu } from '@limn/testing';
import { beforeAll, expect, test } from 'vitest';
import type { Gpu } from '@limn/gpu';
import { unscaled } from '../src/training/data-scales.js';
import { rampAt, rateAt } from '../src/training/schedules.js';
import { EVERY, memoryStore, source, specs, trainIn, UPDATES } from './training-job.js';

let gpu: Gpu;
let whole: Awaited<ReturnType<typeof trainIn>>;
beforeAll(async () => {
  gpu = await testGpu();
  whole = await trainIn(gpu, undefined);
});

test('the loss falls; records stand every few updates and at the end', () => {
  expect(whole.history.map(({ update }) => update)).toEqual([6, 12, 18, 24]);
  const [first, last] = [whole.history[0], whole.history.at(-1)].map((record) => record?.figures['transcoder 0']?.fvu);
  expect(last).toBeLessThan((first as number) * 0.8);
  for (const { figures } of whole.history)
    for (const { l0, deadShare } of Object.values(figures)) {
      expect(l0).toBeGreaterThanOrEqual(0);
      expect(deadShare).toBeLessThanOrEqual(1);
    }
});

test('a dictionary has the same bits trained alone, and an evaluation on the way changes none', async () => {
  const alone = await trainIn(gpu, undefined, {}, [specs[1] as (typeof specs)[number]]);
  expect(alone.dictionaries[0]?.weights).toEqual(whole.dictionaries[1]?.weights);
  const watched = await trainIn(gpu, undefined, { evaluate: { sequences: source(99), every: 12 } });
  expect(watched.dictionaries).toEqual(whole.dictionaries);
  const measured = watched.history.filter(({ figures }) => figures['sae 1']?.recovered !== undefined);
  expect(measured.map(({ update }) => update)).toEqual([12, 24]);
});

test('stopped between two updates and taken up again it ends in the same bits and the same records', async () => {
  const store = memoryStore();
  const stop = new AbortController();
  const seen: number[] = [];
  const stopped = trainIn(gpu, store, {
    signal: stop.signal,
    every: 6,
    onProgress: ({ update }) => {
      seen.push(update);
      if (update === 12) stop.abort(new Error('enough'));
    },
  });
  await expect(stopped).rejects.toThrow(/enough|aborted/i);
  expect(seen).toEqual([6, 12]);
  // At 8, and at 12 because it was stopped.
  expect(store.writes).toBe(2);
  const resumed = await trainIn(gpu, store);
  expect(resumed.resumedFrom).toBe(12);
  expect(resumed.dictionaries).toEqual(whole.dictionaries);
  expect(resumed.history).toEqual(whole.history);
  const again = await trainIn(gpu, store);
  expect([again.resumedFrom, again.dictionaries]).toEqual([UPDATES, whole.dictionaries]);
  expect(EVERY).toBe(8);
});

test('a checkpoint of other settings, of another machine, or damaged is refused with a code', async () => {
  const store = memoryStore();
  await trainIn(gpu, store, { updates: 2, every: 1 });
  expect(await refusal(trainIn(gpu, store, { updates: 3, every: 1 }))).toMatchObject({
    code: 'checkpoint/other-settings',
  });
  expect(await refusal(trainIn(gpu, store, { updates: 2, every: 1, data: 'other' }))).toMatchObject({
    code: 'checkpoint/other-settings',
  });
  const sound = store.bytes as Uint8Array;
  store.bytes = sound.slice();
  const text = new TextDecoder('latin1').decode(sound);
  const at = text.lastIndexOf('kernels') - 6;
  store.bytes[at] = (sound[at] as number) ^ 1;
  expect(await refusal(trainIn(gpu, store, { updates: 2, every: 1 }))).toMatchObject({ code: 'checkpoint/damaged' });
  for (const place of [3, 700, sound.length - 1]) {
    store.bytes = sound.slice();
    store.bytes[place] = (sound[place] as number) ^ 4;
    expect(await refusal(trainIn(gpu, store, { updates: 2, every: 1 })), `byte ${place}`).toMatchObject({
      code: 'checkpoint/damaged',
    });
  }
  store.bytes = sound.slice(0, -4);
  expect(await refusal(trainIn(gpu, store, { updates: 2, every: 1 }))).toMatchObject({ code: 'checkpoint/damaged' });
});

test('memory and settings are refused before any work', async () => {
  const { bytesLive } = gpu.counters;
  expect(await refusal(trainIn(gpu, undefined, { memoryBytes: 20_000 }))).toMatchObject({ code: 'memory/over-budget' });
  expect(await refusal(trainIn(gpu, undefined, { updates: 0 }))).toMatchObject({ code: 'usage/dictionary-training' });
  const twice = [specs[0], specs[0]] as typeof specs;
  expect(await refusal(trainIn(gpu, undefined, {}, twice))).toMatchObject({ details: { option: 'names' } });
  gpu.trim();
  expect(gpu.counters.bytesLive).toBeLessThanOrEqual(bytesLive);
});

test('schedules: a linear warm-up, a constant, a linear end; λ rises and stays', () => {
  const shape = { updates: 100, warmUp: 10, decay: 0.2 };
  expect([0, 4, 9, 50, 80, 90, 99].map((u) => rateAt(u, shape))).toEqual([0.1, 0.5, 1, 1, 1, 0.5, 0.05]);
  expect(rateAt(0, { ...shape, warmUp: 0, decay: 0 })).toBe(1);
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

// Training: it learns, stops and resumes to the same bits, makes nothing new in a steady step, and refuses damaged checkpoints.
import {
  decodeCheckpoint,
  encodeCheckpoint,
  nextTokenLoss,
  randomGpt2,
  rateAt,
  trainGpt2,
  type Gpt2,
  type TrainingOptions,
} from '../src/index.js';
import { tokenBatch } from '@limn/hooks';
import { gradients, IGNORED_TARGET, readFloats, type Tensor } from '@limn/tensor';
import { testGpu, refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { gatherContent, storedBytes } from '../src/file-content.js';
import { MemoryCheckpoints } from './memory-checkpoints.js';

const sizes = { vocabulary: 11, maxPositions: 6, width: 8, layers: 1, heads: 2, initializerRange: 0.2 };
/** Counting upwards from a start that depends on step and row: learnable, and of unequal lengths. */
const batch = (step: number): Uint32Array[] =>
  [0, 1, 2].map((row) => Uint32Array.from({ length: 7 - row }, (_, t) => (step * 3 + row * 5 + t) % 11));
const options = {
  batch,
  steps: 8,
  every: 2,
  recipe: { rate: 0.02, warmup: 2, weightDecay: 0.05, clipNorm: 1 },
} satisfies TrainingOptions;
const fresh = async (): Promise<Gpt2> => randomGpt2(await testGpu(), sizes, 3);

describe('training', () => {
  test('an interrupted run resumes to the bits of an uninterrupted one', async () => {
    const straight = await fresh();
    const whole = await trainGpt2(straight, options);
    expect(whole.losses.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect(whole.losses.at(-1)?.loss).toBeLessThan(whole.losses[0]?.loss as number);

    const place = new MemoryCheckpoints();
    const { store } = place;
    const stop = new AbortController();
    const cut = trainGpt2(await fresh(), {
      ...options,
      checkpoint: { store, every: 100 },
      signal: stop.signal,
      batch: (step) => {
        if (step === 4) stop.abort(new Error('enough'));
        return batch(step);
      },
    });
    await expect(cut).rejects.toThrow('enough');
    expect(place.writes).toBe(1);
    const good = place.bytes as Uint8Array;
    // Another seed: everything must come from the checkpoint.
    const other = await randomGpt2(await testGpu(), sizes, 99);
    const resumed = await trainGpt2(other, { ...options, checkpoint: { store, every: 100 } });
    expect(resumed.resumedFrom).toBe(5);
    expect(resumed.fingerprint).toBe(whole.fingerprint);
    expect(resumed.losses.at(-1)).toEqual(whole.losses.at(-1));
    expect(other.info.fingerprint).toBe(whole.fingerprint);
    straight.dispose();
    other.dispose();

    const model = await fresh();
    const resume = async (bytes: Uint8Array, changes: Partial<TrainingOptions> = {}) => {
      place.bytes = bytes;
      return refusal(trainGpt2(model, { ...options, ...changes, checkpoint: { store, every: 100 } }));
    };
    for (let k = 0; k < 24; k++) {
      const flipped = Uint8Array.from(good);
      const at = Math.floor((k / 23) * (good.length - 1));
      flipped[at] = (flipped[at] as number) ^ (1 << (k % 8));
      expect((await resume(flipped)).code).toBe('checkpoint/damaged');
    }
    const elsewhere = await decodeCheckpoint(storedBytes(good));
    const moved = await gatherContent(
      encodeCheckpoint({ ...elsewhere, plan: elsewhere.plan.replace('matmul', 'other') }),
    );
    expect(elsewhere.plan).toContain('layernorm');
    expect((await resume(moved)).code).toBe('checkpoint/other-machine');
    place.bytes = moved;
    const drifted = await trainGpt2(model, { ...options, checkpoint: { store, every: 100, allowDrift: true } });
    expect([drifted.resumedFrom, drifted.fingerprint]).toEqual([5, whole.fingerprint]);
    expect((await resume(good.subarray(0, good.length - 1))).code).toBe('checkpoint/damaged');
    expect((await resume(good, { recipe: { ...options.recipe, rate: 0.01 } })).code).toBe('checkpoint/other-settings');
    const otherData = (step: number) => batch(step + 1);
    expect((await resume(good, { batch: otherData })).code).toBe('checkpoint/other-settings');
    model.dispose();
  });

  test('a steady update creates no buffer, bind group, pipeline or plan', async () => {
    const model = await fresh();
    const seen: Record<string, number>[] = [];
    await trainGpt2(model, { ...options, onProgress: () => seen.push({ ...model.gpu.counters.snapshot() }) });
    const [, , before, after] = seen;
    for (const key of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'])
      expect(after?.[key], key).toBe(before?.[key]);
    model.dispose();
  });

  test('progress tells rate, speed, time left and what evaluation found', async () => {
    const model = await fresh();
    const told: unknown[] = [];
    await trainGpt2(model, {
      ...options,
      steps: 4,
      evaluateEvery: 2,
      evaluate: async (step) => ({ twice: 2 * step }),
      onProgress: (progress) => told.push(progress),
    });
    expect(told).toMatchObject([
      { step: 2, steps: 4, rate: 0.02, metrics: { twice: 4 } },
      { step: 4, steps: 4, metrics: { twice: 8 }, secondsLeft: 0 },
    ]);
    // An evaluation that falls between two reports still runs.
    const evaluated: number[] = [];
    await trainGpt2(model, {
      ...options,
      steps: 8,
      every: 4,
      evaluateEvery: 3,
      evaluate: async (step) => ({ step: evaluated.push(step) }),
    });
    expect(evaluated).toEqual([3, 6, 8]);
    model.dispose();
  });

  test('padding does not count in the loss', async () => {
    const model = await fresh();
    const loss = async (rows: readonly ArrayLike<number>[]): Promise<number> => {
      const step = model.gpu.step();
      return (await readFloats(step, nextTokenLoss(model, step, rows).loss))[0] as number;
    };
    const [a, b] = [batch(0)[0] as Uint32Array, batch(0)[2] as Uint32Array];
    const [targetsOfA, targetsOfB] = [6, 4];
    const apart = (targetsOfA * (await loss([a])) + targetsOfB * (await loss([b]))) / (targetsOfA + targetsOfB);
    // Ten losses of about 2.4, each rounded to f32 a few dozen times.
    expect(await loss([a, b])).toBeCloseTo(apart, 5);
    model.dispose();
  });

  test('losses made tile by tile are those of whole logits, with their gradients', async () => {
    const model = await fresh();
    const step = model.gpu.step();
    const tokens = tokenBatch(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      model.info,
    );
    const { resid } = model.run(step, { tokens }, { stopAtLayer: 1 });
    const targets = Uint32Array.of(2, 3, IGNORED_TARGET, 5, 6, 10);
    const [whole, tiled] = [undefined, 0].map((bytes) => model.losses(step, resid, targets, bytes)) as [Tensor, Tensor];
    const slopes = [whole, tiled].map((losses) => gradients(step, losses, 'ones', [resid])[0] as Tensor);
    const [a, b, da, db] = await Promise.all([whole, tiled, ...slopes].map((each) => readFloats(step, each)));
    expect(a?.[2]).toBe(0);
    // Losses near 2.4 and gradients below 1, summed over 11 tokens in another order.
    a?.forEach((value, i) => expect(b?.[i]).toBeCloseTo(value, 5));
    da?.forEach((value, i) => expect(db?.[i]).toBeCloseTo(value, 5));
    model.dispose();
  });

  test('a loss that is no number stops training; a row without a target is refused', async () => {
    const model = await fresh();
    expect((await refusal(trainGpt2(model, { ...options, steps: 40, recipe: { rate: 1e30 } }))).code).toBe(
      'training/diverged',
    );
    // Between two reports nobody looks at the loss: the checkpoint must not take over weights that are no numbers.
    const place = new MemoryCheckpoints();
    const { store } = place;
    const checkpoint = { store, every: 4 };
    const spoilt = refusal(trainGpt2(model, { ...options, steps: 40, every: 40, recipe: { rate: 1e30 }, checkpoint }));
    expect((await spoilt).code).toBe('training/diverged');
    expect(place.writes).toBe(0);
    expect((await refusal(trainGpt2(model, { ...options, batch: () => [[1]] }))).code).toBe('tokens/empty');
    expect((await refusal(trainGpt2(model, { ...options, batch: () => [[1, 11]] }))).code).toBe(
      'tokens/not-in-vocabulary',
    );
    expect((await refusal(trainGpt2(model, { ...options, batch: () => [[11, 1]] }))).code).toBe(
      'tokens/not-in-vocabulary',
    );
    expect(
      (await refusal(trainGpt2(model, { ...options, batch: () => [Array.from({ length: 8 }, () => 1)] }))).code,
    ).toBe('tokens/too-long');
    model.dispose();
  });

  test('the rate rises linearly and falls along half a cosine', () => {
    const recipe = { rate: 1, warmup: 4, finalRate: 0.1 };
    expect([0, 1, 3, 4].map((s) => rateAt(s, 104, recipe))).toEqual([0.25, 0.5, 1, 1]);
    expect(rateAt(54, 104, recipe)).toBeCloseTo(0.55, 12);
    expect(rateAt(104, 104, recipe)).toBeCloseTo(0.1, 12);
    const longer = { rate: 1, warmup: 10, finalRate: 0.1 };
    expect(rateAt(0, 110, longer)).toBeCloseTo(0.1, 12);
    expect([9, 10].map((s) => rateAt(s, 110, longer))).toEqual([1, 1]);
    expect(rateAt(60, 110, longer)).toBeCloseTo(0.55, 12);
    expect(rateAt(110, 110, longer)).toBeCloseTo(0.1, 12);
  });
});

// Training the adapter: order of examples, early stopping, goes on to the same bytes, makes nothing new in a steady update, knows its memory, refuses what means nothing.
import { expectSameBits, refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createLora,
  planDitAdapter,
  trainDitAdapter,
  type DitData,
  type DitExample,
  type LoraWeights,
  type TrainDitOptions,
  type TrainedDitAdapter,
} from '../src/index.js';
import { adapterKey } from '../src/adapter/adapter-key.js';
import { frozenDiffs } from '../src/adapter/adapter-pass.js';
import { exampleOrder } from '../src/adapter/example-order.js';
import { readExamples } from '../src/adapter/read-examples.js';
import { DiffStack } from '../src/diffs/diff-stack.js';
import { example, readingJob, readingOptions, trainReading } from './adapter-job.js';
import { ofAnotherMachine } from './another-machine.js';
import { memoryStore, numbersOf, toyModel } from './diffs-job.js';
import { afterKill } from './killed-child.js';

let toy: ToyModel;
let whole: TrainedDitAdapter;
/** The last checkpoint of a whole run. */
let finished: Uint8Array;
beforeAll(async () => {
  toy = toyModel(await testGpu());
  const store = memoryStore();
  whole = await trainReading(toy, store);
  finished = store.bytes as Uint8Array;
});
afterAll(() => toy.dispose());

const sameAsWhole = (found: TrainedDitAdapter): void => {
  expectSameBits(numbersOf(found), numbersOf(whole), 'factors');
  const { lora: _lora, resumedFrom: _from, ...rest } = found;
  const { lora: _other, resumedFrom: _zero, ...expected } = whole;
  expect(rest).toEqual(expected);
};

test('the examples of an update depend on seed and number alone, and every epoch has each once in an order of its own', () => {
  const [count, settings] = [7, { seed: 5, batch: 3 }];
  const order = exampleOrder(count, settings);
  const all = Array.from({ length: 14 }, (_, k) => order(k));
  for (const k of [9, 0, 13, 4]) expect(exampleOrder(count, settings)(k)).toEqual(all[k]);
  const flat = all.flat();
  const epochs = Array.from({ length: 6 }, (_, e) => flat.slice(e * count, (e + 1) * count));
  for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(new Set(epochs.map((epoch) => epoch.join())).size).toBe(6);
  expect(exampleOrder(count, { ...settings, seed: 6 })(0)).not.toEqual(all[0]);
});

test('defaults are those of the paper', () => {
  const { examples } = readingJob(toy);
  const { settings } = planDitAdapter(toy, { ...readingJob(toy), validation: undefined });
  const names = toy.linears().map(({ name }) => name);
  expect(settings).toEqual({
    rank: 16, alpha: 1, modules: names, init: 'dit-adapter', updates: examples.length / 8, batch: 8, positions: 6, answers: 2,
    rate: 1e-4, weightDecay: 0.01, warmUp: 0, decay: 0, betas: [0.9, 0.999], seed: 0, evaluateEvery: 1, patience: null, candidates: [],
  }); // prettier-ignore
});

test('it learns; losses and validations are told in their order', () => {
  expect(whole.losses.map(({ update }) => update)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(whole.validation.map(({ update }) => update)).toEqual([0, 3, 6, 9, 10]);
  for (const { exact, mrr } of whole.validation) {
    expect(exact).toBeGreaterThanOrEqual(0);
    expect(mrr).toBeGreaterThan(0.25 - 1e-9);
  }
  const [first, last] = [whole.validation[0]!.loss, Math.min(...whole.validation.map(({ loss }) => loss))];
  expect(last).toBeLessThan(0.8 * first);
  expect([whole.stopped, whole.resumedFrom, whole.lora.base]).toEqual(['updates', 0, toy.info.fingerprint]);
  expect(whole.key).toMatch(/^[0-9a-f]{64}$/);
});

test('validation and checkpoints change no bit of what is learnt, and neither do limits and signals', async () => {
  const { validation: _none, ...job } = readingJob(toy);
  const alone = await trainDitAdapter(toy, job, { ...readingOptions, memoryBytes: 2 ** 30 });
  expect(alone.losses).toEqual(whole.losses);
  expect([alone.best, alone.validation.length]).toEqual([10, 0]);
  expect(alone.key).not.toBe(whole.key);
  // A list of maps in another order is the same diff.
  const turn = (lora: LoraWeights): LoraWeights => ({ ...lora, modules: new Map([...lora.modules].reverse()) });
  const turned = { ...readingJob(toy), diffs: readingJob(toy).diffs.map(turn) };
  expect(await adapterKey(toy.info, turned, whole.settings)).toBe(whole.key);
});

test('early stopping keeps the weights with the lowest validation loss', async () => {
  const job = readingJob(toy);
  // What is right for the training examples is wrong for these.
  const validation = job.validation.map((each, i) => ({ ...each, prompt: [0, 3, 1], answer: [17 - i, 11] }));
  const options: TrainDitOptions = {
    ...readingOptions,
    updates: 200,
    decay: 0,
    rate: 0.05,
    evaluateEvery: 2,
    patience: 3,
  };
  const found = await trainDitAdapter(toy, { ...job, validation }, options);
  const losses = found.validation.map(({ loss }) => loss);
  const best = losses.indexOf(Math.min(...losses));
  expect(found.stopped).toBe('patience');
  expect(found.best).toBe(found.validation[best]!.update);
  expect(found.best).toBeGreaterThan(0);
  expect(losses.length - 1 - best).toBe(3);
  expect(found.losses).toHaveLength(found.best + 6);
  using stack = DiffStack.create(toy.gpu, toy.linears(), [found.lora], found.lora.rank);
  stack.write([found.lora]);
  const parts = { diffs: frozenDiffs(toy, job.diffs), adapter: stack, candidates: [14, 15, 16, 17] };
  const again = await readExamples(toy, validation, found.settings, parts);
  expect({ update: found.best, ...again }).toEqual(found.validation[best]);
});

test('a steady update creates no buffer, bind group, pipeline or plan', async () => {
  const seen: Record<string, number>[] = [];
  const onProgress = (): unknown => seen.push({ ...toy.gpu.counters.snapshot() });
  await trainReading(toy, undefined, { updates: 14, evaluateEvery: 4, onProgress });
  // From behind the second validation to the last update, another validation among them.
  const [before, after] = [seen.at(-6), seen.at(-1)];
  for (const key of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'])
    expect(after?.[key], key).toBe(before?.[key]);
});

describe('going on', () => {
  test('checkpoints change nothing', async () => {
    sameAsWhole(await trainReading(toy));
  });

  test.each([2, 5, 9])('aborted behind update %i, it writes a checkpoint and ends in the same bytes', async (stop) => {
    const store = memoryStore();
    const abort = new AbortController();
    let seen = 0;
    const onProgress = ({ done }: { done: number }): void => {
      seen = done;
      if (done >= stop) abort.abort();
    };
    const error = await trainReading(toy, store, { signal: abort.signal, onProgress }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'aborted' });
    const resumed = await trainReading(toy, store);
    // Its successor may have been on its way.
    expect(resumed.resumedFrom - stop).toBeLessThanOrEqual(1);
    expect(resumed.resumedFrom).toBe(seen);
    sameAsWhole(resumed);
    expectSameBits(store.bytes as Uint8Array, finished, 'the last checkpoint');
  });

  test('what is finished comes from its checkpoint, without an update', async () => {
    const store = memoryStore();
    store.bytes = finished;
    let told = 0;
    const again = await trainReading(toy, store, { onProgress: () => told++ });
    sameAsWhole(again);
    expect([told, again.resumedFrom, store.writes]).toEqual([0, 10, 0]);
  });

  test('other data or settings, damaged bytes and other machines are refused', async () => {
    const store = memoryStore();
    store.bytes = finished;
    expect(await refusal(trainReading(toy, store, { rate: 0.03 }))).toMatchObject({
      code: 'checkpoint/other-settings',
    });
    const job = readingJob(toy);
    const diffs = [job.diffs[1]!, job.diffs[0]!, job.diffs[2]!];
    const options = { ...readingOptions, checkpoints: { store } };
    expect(await refusal(trainDitAdapter(toy, { ...job, diffs }, options))).toMatchObject({
      code: 'checkpoint/other-settings',
    });
    store.bytes = finished.map((byte, i) => (i === finished.length - 5 ? byte ^ 1 : byte));
    expect(await refusal(trainReading(toy, store))).toMatchObject({ code: 'checkpoint/damaged' });
    await store.write(await ofAnotherMachine(finished, 'limn-dit-training/1'));
    expect(await refusal(trainReading(toy, store))).toMatchObject({ code: 'checkpoint/other-machine' });
    sameAsWhole(await trainReading(toy, undefined, { checkpoints: { store, allowDrift: true } }));
  });

  test('a process that is killed with SIGKILL leaves a checkpoint that ends in the same bytes', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'another process with a device of its own: with LIMN_LONG=1');
    await afterKill('adapter-kill-child.mts', async (store) => {
      const resumed = await trainReading(toy, store);
      expect(resumed.resumedFrom).toBe(4);
      sameAsWhole(resumed);
      const file = await store.read();
      expectSameBits((await file?.read(0, file.bytes)) as Uint8Array, finished, 'the last checkpoint');
    });
  }, 120_000);
});

test('the plan adds up, allocates nothing, and refuses a budget that is a byte short', async () => {
  const job = readingJob(toy);
  const before = toy.gpu.counters.snapshot();
  const { factors, update } = planDitAdapter(toy, job, readingOptions);
  const numbers = toy.linears().reduce((sum, { inWidth, outWidth }) => sum + inWidth + outWidth, 0);
  expect(factors).toBe(3 * 4 * 2 * numbers);
  // At least the frozen factors of three rows with rank 2, and their logits.
  expect(update).toBeGreaterThan(4 * (3 * 2 * numbers + 6 * toy.info.vocabulary));
  const memoryBytes = factors + update;
  expect(planDitAdapter(toy, job, { ...readingOptions, memoryBytes })).toMatchObject({ factors, update });
  const { buffersCreated, bytesLive } = toy.gpu.counters.since(before);
  expect([buffersCreated, bytesLive]).toEqual([0, 0]);
  const details = { bytesNeeded: memoryBytes, factors, update, memoryBytes: memoryBytes - 1 };
  expect(await refusal(trainDitAdapter(toy, job, { ...readingOptions, memoryBytes: memoryBytes - 1 }))).toMatchObject({
    code: 'memory/over-budget',
    details,
  });
});

describe('refusals', () => {
  const train = (more: Partial<DitData<LoraWeights>>, options: TrainDitOptions = {}) =>
    refusal(trainDitAdapter(toy, { ...readingJob(toy), ...more }, { ...readingOptions, ...options }));

  test.each<[string, DitExample, string]>([
    ['a diff that is not there', example(3, 14), 'diff 3'],
    ['no prompt', example(0, 14, 2, { prompt: [] }), 'a prompt without tokens'],
    ['no answer', example(0, 14, 2, { answer: [] }), 'an answer without tokens'],
    ['a token that is none', example(0, 29), 'token 29'],
    ['too many tokens', example(0, 14, 2, { prompt: [0, 1, 2, 3, 4, 5] }), '8 tokens'],
    ['a long answer', example(0, 14, 2, { answer: [1, 2, 3] }), 'an answer of 3 tokens'],
    ['no weight', example(0, 14, 2, { weight: 0 }), 'weight 0'],
  ])('examples: %s', async (_name, odd, word) => {
    for (const list of ['examples', 'validation'] as const) {
      const error = await train({ [list]: [example(0, 14), odd] }, { positions: 7, answers: 2 });
      expect(error.code).toBe('data/dit-example');
      expect(error.message).toContain(word);
      expect(error.message).toContain(`${list}[1]`);
    }
  });

  test('no examples, other bases, and options that mean nothing', async () => {
    expect((await train({ examples: [] })).code).toBe('data/dit-example');
    expect((await train({ validation: [] })).code).toBe('data/dit-example');
    const { base: _base, ...nobody } = createLora(toy, { rank: 1 });
    expect((await train({ diffs: [...readingJob(toy).diffs, { ...nobody, base: 'another' }] })).code).toBe(
      'data/lora-base',
    );
    const options: TrainDitOptions[] = [
      { rank: 0 }, { alpha: Number.NaN }, { modules: ['none'] }, { modules: [] }, { updates: 0 }, { batch: 0 }, { positions: 9 }, { answers: 0 },
      { rate: 0 }, { weightDecay: -1 }, { decay: 2 }, { betas: [1, 0.9] }, { seed: -1 }, { evaluateEvery: 0 }, { patience: 0 }, { candidates: [29] },
      { candidates: [3, 3] }, { memoryBytes: 0 }, { init: 'no' as never },
    ]; // prettier-ignore
    for (const option of options) {
      const error = await train({}, option);
      expect(error.code, JSON.stringify(option)).toBe('usage/dit-training');
    }
  });

  test('a loss that leaves the numbers', async () => {
    const error = await train({ validation: undefined }, { rate: 1e30, warmUp: 0, updates: 6 });
    expect(error).toMatchObject({ code: 'training/diverged' });
  });
});

// A training that was aborted, or killed, ends in the same bytes; what cannot be gone on from is refused.
import { expectSameBits, refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrainedDiff, TrainedDiffs } from '../src/index.js';
import { ofAnotherMachine } from './another-machine.js';
import { longDiffs, memoryStore, numbersOf, toyModel, trainLong } from './diffs-job.js';
import { afterKill } from './killed-child.js';

let toy: ToyModel;
let whole: TrainedDiffs;
/** The last checkpoint of a whole run. */
let finished: Uint8Array;
beforeAll(async () => {
  toy = toyModel(await testGpu());
  const store = memoryStore();
  whole = await trainLong(toy, store);
  finished = store.bytes as Uint8Array;
});
afterAll(() => toy.dispose());

const sameAsWhole = (found: TrainedDiffs): void => {
  found.diffs.forEach((each, i) => {
    const expected = whole.diffs[i] as TrainedDiff;
    expectSameBits(numbersOf(each), numbersOf(expected), each.spec.id);
    expect([each.key, each.losses, each.spec]).toEqual([expected.key, expected.losses, expected.spec]);
  });
};

test('checkpoints change nothing', async () => {
  sameAsWhole(await trainLong(toy));
});

test.each([5, 10])('aborted at update %i, it writes a checkpoint and ends in the same bytes', async (stop) => {
  const store = memoryStore();
  const abort = new AbortController();
  let seen = 0;
  const onProgress = ({ done }: { done: number }): void => {
    seen = done;
    if (done >= stop) abort.abort();
  };
  const error = await trainLong(toy, store, { signal: abort.signal, onProgress }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'aborted' });
  const resumed = await trainLong(toy, store);
  expect([seen, resumed.resumedFrom]).toEqual([stop, stop]);
  sameAsWhole(resumed);
  expectSameBits(store.bytes as Uint8Array, finished, 'the last checkpoint');
});

test('what is finished comes from its checkpoint, without an update', async () => {
  const store = memoryStore();
  store.bytes = finished;
  let told = 0;
  const again = await trainLong(toy, store, { onProgress: () => told++ });
  sameAsWhole(again);
  expect([told, again.resumedFrom, store.writes]).toEqual([0, 14, 0]);
});

test('other diffs, damaged bytes and other machines are refused', async () => {
  const store = memoryStore();
  store.bytes = finished;
  expect(await refusal(trainLong(toy, store, { rate: 0.02 }))).toMatchObject({ code: 'checkpoint/other-settings' });
  store.bytes = finished.map((byte, i) => (i === finished.length - 5 ? byte ^ 1 : byte));
  expect(await refusal(trainLong(toy, store))).toMatchObject({ code: 'checkpoint/damaged' });
  await store.write(await ofAnotherMachine(finished, 'limn-diffs/1'));
  expect(await refusal(trainLong(toy, store))).toMatchObject({ code: 'checkpoint/other-machine' });
  const checkpoints = { store, allowDrift: true };
  sameAsWhole(await trainLong(toy, undefined, { checkpoints }));
});

test('a training that leaves the numbers says whose numbers', async () => {
  const ids = longDiffs.map(({ id }) => id);
  for (const options of [
    { rate: 1e30 },
    { rate: 1e30, every: 1000, checkpoints: { store: memoryStore(), every: 2 } },
  ]) {
    const error = await refusal(trainLong(toy, undefined, options));
    expect(error).toMatchObject({ code: 'training/diverged' });
    expect(
      ids.some((id) => error.message.includes(id)),
      error.message,
    ).toBe(true);
  }
});

test('a process that is killed with SIGKILL leaves a checkpoint that ends in the same bytes', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'another process with a device of its own: with LIMN_LONG=1');
  await afterKill('diffs-kill-child.mts', async (store) => {
    const resumed = await trainLong(toy, store);
    expect(resumed.resumedFrom).toBe(4);
    sameAsWhole(resumed);
    const file = await store.read();
    expectSameBits((await file?.read(0, file.bytes)) as Uint8Array, finished, 'the last checkpoint');
    expect(resumed.diffs).toHaveLength(longDiffs.length);
  });
}, 120_000);

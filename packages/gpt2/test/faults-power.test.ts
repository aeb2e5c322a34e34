// The power goes at the n-th call of the disk, and what was not flushed is lost, half there, or there: a finished checkpoint never is gone.
import { FaultyFs, recordResult, referenceRandom } from '@limn/testing';
import { expect, test } from 'vitest';
import { encodeCheckpoint, latestCheckpoint, type FileContent } from '../src/index.js';
import { folderCheckpoints, openTrainingLog, readTrainingLog, type Disk } from '../src/node.js';
import { VolatileDisk } from './faults/volatile-disk.js';

const folder = '/run';
const file = `${folder}/training.jsonl`;
const CHECKPOINTS = 4;
/** Ways of what may have arrived that are tried at each call. */
const WAYS = process.env['LIMN_LONG'] === '1' ? 200 : 8;

const checkpoint = (step: number): FileContent => {
  const pieces = async function* (): AsyncGenerator<Float32Array> {
    yield new Float32Array(64).fill(step);
  };
  const weights = new Map([['w', { shape: [64], pieces }]]);
  return encodeCheckpoint({ step, weights, optimiser: { groups: [] }, settings: '{}', plan: '{}' });
};

/** What training does to its folder: two log entries and a checkpoint at a time. `done` is told when a checkpoint is finished. */
async function write(disk: Disk, done: (step: number) => void): Promise<void> {
  const store = folderCheckpoints(folder, disk);
  const log = openTrainingLog(file, disk);
  await store.read();
  await log.rewind(0);
  for (let n = 1; n <= CHECKPOINTS; n++) {
    for (const step of [2 * n - 1, 2 * n]) await log.append({ step, loss: 1 / step, rate: 1, tokensPerSecond: 1 });
    await log.flush();
    await store.write(checkpoint(2 * n));
    done(2 * n);
  }
}

/** The step of the checkpoint after the power is back, and whether the log leads up to it. */
async function recovered(disk: Disk, what = ''): Promise<number> {
  const step = (await latestCheckpoint(folderCheckpoints(folder, disk)))?.step ?? 0;
  const log = openTrainingLog(file, disk);
  await log.rewind(step);
  const steps = (await readTrainingLog(file, disk)).map((entry) => entry.step);
  expect(steps, what).toEqual(Array.from({ length: step }, (_, i) => i + 1));
  return step;
}

test('no finished checkpoint is lost, and the log leads up to the one that is found', async () => {
  const healthy = new FaultyFs(new VolatileDisk().disk);
  await write(healthy.disk, () => undefined);
  const calls = healthy.counter.calls.length;
  const random = referenceRandom(7);
  let cases = 0;
  for (let call = 1; call <= calls + 1; call++) {
    const volatile = new VolatileDisk();
    const faulty = new FaultyFs(volatile.disk, { call, how: 'EIO', lasting: true });
    let finished = 0;
    await write(faulty.disk, (step) => void (finished = step)).catch(() => undefined);
    volatile.powerOff();
    for (let way = 0; way < WAYS; way++) {
      // All of it arrived, none of it, or some.
      const coin = way === 0 ? () => true : way === 1 ? () => false : () => random.uniform() < 0.5;
      const what = `call ${call} (${faulty.counter.failed}), way ${way}`;
      const step = await recovered(volatile.afterwards(coin).disk, what);
      expect(step, what).toBeGreaterThanOrEqual(finished);
      expect(step).toBeLessThanOrEqual(finished + 2);
      cases += 1;
    }
  }
  recordResult('faults: power cuts', { 'calls of the disk': calls, cases, 'finished checkpoints lost': 0 });
});

test('a disk whose folder is never flushed does lose them, so that the test above can tell', async () => {
  const volatile = new VolatileDisk();
  const { disk } = volatile;
  const careless: Disk = {
    ...disk,
    open: (async (name: string, flags: string) =>
      name === folder
        ? { sync: async () => undefined, close: async () => undefined }
        : disk.open(name, flags)) as Disk['open'],
  };
  let finished = 0;
  await write(careless, (step) => void (finished = step));
  volatile.powerOff();
  expect(finished).toBe(2 * CHECKPOINTS);
  expect(await recovered(volatile.afterwards(() => false).disk)).toBe(0);
});

// The stream serves every row once, shuffled across neighbouring chunks, with the bits of a plain run; it goes on anywhere.
import { blockHook, tokenBatch, type HookName } from '@limn/hooks';
import { refusal, testGpu, ToyModel } from '@limn/testing';
import { readFloats } from '@limn/tensor';
import { expect, test, vi } from 'vitest';
import { trainDictionaries } from '../src/index.js';
import { ActivationStream, type StreamSettings } from '../src/training/activation-stream.js';
import { windowOrder } from '../src/training/window-order.js';
import { options as training, source as toyLanguage, specs, toyModel } from './training-job.js';

const SIZES = { layers: 2, heads: 2, headWidth: 4, mlpWidth: 9, vocabulary: 31, maxPositions: 7 };
/** Three sequences a batch, of 7, 4 and 6 tokens: 14 behind the first of each. */
const source = (batch: number): number[][] =>
  [7, 4, 6].map((length, row) => Array.from({ length }, (_, t) => (batch * 29 + row * 11 + t * t * 5) % 31));
const settings: StreamSettings = { seed: 3, rowsPerBatch: 5, batchesPerChunk: 2, skip: 1, memoryBytes: 2 ** 24 };
const sites: HookName[] = [blockHook(0, 'ln2.hook_normalized'), blockHook(1, 'hook_mlp_out')];

test('every row of every chunk is in exactly one window, chunks mix, and the order is that of the seed', () => {
  const capacity = 40;
  const sizes = [28, 40, 33];
  const served = [0, 1, 2].map((window) =>
    windowOrder(window, { rowsBefore: sizes[window - 1] ?? 0, rows: sizes[window] as number, capacity, seed: 5 }),
  );
  expect(served.map(({ length }) => length)).toEqual([14, 34, 37]);
  // Chunk 1 lies in the second half: its rows are split between windows 1 and 2.
  const ofChunk1 = served.slice(1).flatMap((order) => [...order].filter((place) => place >= capacity));
  expect(ofChunk1.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => capacity + i));
  const inFront = [...(served[1] as Uint32Array)].slice(0, 17).filter((place) => place >= capacity).length;
  expect(inFront).toBeGreaterThan(4);
  expect(inFront).toBeLessThan(15);
  const again = { rowsBefore: 28, rows: 40, capacity };
  expect(windowOrder(1, { ...again, seed: 5 })).toEqual(served[1]);
  expect(windowOrder(1, { ...again, seed: 6 })).not.toEqual(served[1]);
});

test('rows have the bits of a plain run; a stream that goes on at a later batch serves the same', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  const read = async (stream: ActivationStream): Promise<Float32Array[]> => {
    const places = await stream.next();
    using step = gpu.step();
    return Promise.all([...stream.rows(step, places).values()].map((rows) => readFloats(step, rows)));
  };
  using stream = new ActivationStream(model, source, sites, settings);
  expect(stream.bytes).toBe(2 * 2 * 28 * 8 * 4);
  const batches: Float32Array[][] = [];
  const positions: ActivationStream['position'][] = [];
  for (let i = 0; i < 12; i++) {
    positions.push(stream.position);
    batches.push(await read(stream));
  }
  // 14 rows in the first window, 28 in the others: two batches, then five.
  expect(positions.map(({ window }) => window)).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]);

  const plain = new Set<string>();
  for (let batch = 0; batch < 6; batch++) {
    using step = gpu.step();
    const tokens = tokenBatch(source(batch), model.info);
    const run = model.run(step, { tokens }, { capture: sites, logits: 'none' });
    const [x, y] = (await Promise.all(sites.map((site) => readFloats(step, run.at(site))))) as [
      Float32Array,
      Float32Array,
    ];
    tokens.lengths.forEach((length, b) => {
      for (let t = 1; t < length; t++) {
        const at = (b * tokens.T + t) * 8;
        plain.add([...x.subarray(at, at + 8), ...y.subarray(at, at + 8)].join());
      }
    });
  }
  const served = batches.flatMap(([x, y]) =>
    Array.from({ length: 5 }, (_, n) =>
      [...(x as Float32Array).subarray(n * 8, n * 8 + 8), ...(y as Float32Array).subarray(n * 8, n * 8 + 8)].join(),
    ),
  );
  expect(served.every((row) => plain.has(row))).toBe(true);
  expect(new Set(served).size).toBe(60);

  using later = new ActivationStream(model, source, sites, settings);
  later.seek(positions[9] as ActivationStream['position']);
  for (let i = 9; i < 12; i++) expect(await read(later)).toEqual(batches[i]);
  stream.seek(positions[1] as ActivationStream['position']);
  for (let i = 1; i < 4; i++) expect(await read(stream)).toEqual(batches[i]);
});

test('all dictionaries learn from the same forward passes, each of which runs once', async () => {
  const gpu = await testGpu();
  const passes = async (of: typeof specs): Promise<{ runs: number; batches: number[] }> => {
    const model = toyModel(gpu);
    const run = vi.spyOn(model, 'run');
    const batches: number[] = [];
    const asked = (batch: number): number[][] => (batches.push(batch), toyLanguage(batch));
    await trainDictionaries(model, asked, of, { ...training, updates: 5 });
    return { runs: run.mock.calls.length, batches };
  };
  const [one, all] = [await passes(specs.slice(0, 1)), await passes(specs)];
  expect(all).toEqual(one);
  // The first is also what memory and kernels are planned with.
  expect(all.batches.filter((batch) => batch > 0)).toEqual([1, 2, 3, 4, 5]);
});

test('what does not fit is refused with its bytes, before it is taken', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  const open = (change: Partial<StreamSettings>, from = source) =>
    refusal(() => new ActivationStream(model, from, sites, { ...settings, ...change }));
  const { bytesLive } = gpu.counters;
  expect(await open({ memoryBytes: 3000 })).toMatchObject({
    code: 'memory/over-budget',
    details: { bytesNeeded: 3584, memoryBytes: 3000 },
  });
  expect(gpu.counters.bytesLive).toBe(bytesLive);
  expect(await open({ rowsPerBatch: 15 })).toMatchObject({ code: 'usage/dictionary-stream' });
  expect(await open({ skip: -1 })).toMatchObject({ code: 'usage/dictionary-stream', details: { skip: -1 } });
  const growing = (batch: number): number[][] => (batch < 1 ? source(batch) : [...source(batch), [1, 2, 3, 4]]);
  using stream = new ActivationStream(model, growing, sites, settings);
  expect(await refusal(stream.next())).toMatchObject({
    code: 'data/dictionary-stream',
    details: { batch: 1, room: 14 },
  });
});

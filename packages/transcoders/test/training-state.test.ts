// What training keeps beside the weights: unit decoder rows, when a feature last fired, which are dead, and BatchTopK's threshold.
import { referenceRandom, refusal, testGpu } from '@limn/testing';
import { fromData, persistent, readFloats, readWords, type Tensor } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  acrossRows,
  DictionaryTrainingState,
  firedRows,
  leastPositive,
  unitRows,
  type DictionaryConfig,
} from '../src/index.js';

const config: DictionaryConfig = {
  layer: 0,
  input: 'ln2.hook_normalized',
  inputWidth: 3,
  outputWidth: 3,
  features: 5,
  activation: { kind: 'batch-top-k', k: 2 },
  skip: false,
};
const random = referenceRandom(97);
const floats = (count: number): Float32Array => Float32Array.from(random.normals(count));

test('rows become 1 long, zeros stay, and a gradient across them has no part along them', async () => {
  const gpu = await testGpu();
  const [rows, width] = [7, 70];
  const data = floats(rows * width);
  data.fill(0, 2 * width, 3 * width);
  const w = persistent(gpu, [rows, width], data);
  try {
    using step = gpu.step();
    unitRows(step, w);
    const g = floats(rows * width);
    const across = acrossRows(step, fromData(step, g, [rows, width]), w);
    const [unit, y] = await Promise.all([readFloats(step, w), readFloats(step, across)]);
    for (let r = 0; r < rows; r++) {
      const row = (of: Float32Array): Float32Array => of.subarray(r * width, (r + 1) * width);
      const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
      const norm = Math.sqrt(dot(row(data), row(data)));
      // A norm of 70 squares and a quotient: at most 40 roundings of 2⁻²⁴; a projection twice that of ‖g‖ < 12.
      row(unit).forEach((v, i) => expect(v).toBeCloseTo(norm === 0 ? 0 : (row(data)[i] as number) / norm, 5));
      expect(Math.abs(dot(row(y), row(unit)))).toBeLessThan(12 * 80 * 2 ** -24);
      const along = dot(row(g), row(unit));
      row(y).forEach((v, i) => expect(v).toBeCloseTo((row(g)[i] as number) - along * (row(unit)[i] as number), 5));
    }
  } finally {
    w.dispose();
  }
});

test('counts of rows that fire, rows since a feature last fired, and the dead', async () => {
  const gpu = await testGpu();
  using state = DictionaryTrainingState.create(gpu, config);
  const rounds = [
    { rows: 600, fires: [0, 3] },
    { rows: 10, fires: [3] },
    { rows: 2, fires: [1] },
  ];
  for (const { rows, fires } of rounds) {
    using step = gpu.step();
    // Every third row of what fires; below 0 does not count.
    const a = Float32Array.from({ length: rows * 5 }, (_, at) =>
      fires.includes(at % 5) ? (Math.floor(at / 5) % 3 === 0 ? 0.5 : -1) : 0,
    );
    const fired = firedRows(step, fromData(step, a, [rows, 5]));
    state.count(step, fired, rows);
    const expected = [0, 1, 2, 3, 4].map((f) => (fires.includes(f) ? Math.ceil(rows / 3) : 0));
    expect([...(await readFloats(step, fired))]).toEqual(expected);
  }
  expect(await state.save()).toEqual({ rows: 612, sinceFired: Uint32Array.of(12, 0, 612, 2, 612), threshold: 0 });
  using step = gpu.step();
  const { mask, weight, count } = state.dead(step, 12);
  const [words, numbers, total] = await Promise.all([
    readWords(step, mask),
    ...[weight, count].map((t) => readFloats(step, t)),
  ]);
  expect([[...words], [...numbers!], [...total!]]).toEqual([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [3]]);
});

test('a counter stops at its end instead of beginning again', async () => {
  const gpu = await testGpu();
  const sinceFired = Uint32Array.of(2 ** 32 - 3, 0, 5, 2 ** 32 - 1, 7);
  using state = DictionaryTrainingState.create(gpu, config, { rows: 2 ** 40, sinceFired, threshold: 0.25 });
  using step = gpu.step();
  state.count(step, fromData(step, [0, 0, 1, 0, 0], [5]), 4);
  await step.submit();
  expect(await state.save()).toEqual({
    rows: 2 ** 40 + 4,
    sinceFired: Uint32Array.of(2 ** 32 - 1, 4, 0, 2 ** 32 - 1, 11),
    threshold: 0.25,
  });
});

test('the least positive of few and of many, none where there is none, and the running threshold is its recurrence', async () => {
  const gpu = await testGpu();
  using state = DictionaryTrainingState.create(gpu, config);
  const logThreshold = persistent(gpu, [5], new Float32Array(5));
  try {
    let threshold = 0;
    for (const size of [1, 64, 4097, 1, 70_000]) {
      const values = floats(size).map((v, i) => (i % 7 === 3 ? 0 : Math.abs(v) + 0.01 * (i % 5)));
      if (size === 1) values[0] = 0;
      const kept = [...values].filter((v) => v > 0);
      const least = kept.length === 0 ? 0 : kept.reduce((a, b) => Math.min(a, b));
      using step = gpu.step();
      const x = fromData(step, values, [size]);
      state.average(step, x, logThreshold);
      const found: Tensor = leastPositive(step, x);
      const [one, logs] = await Promise.all([readFloats(step, found), readFloats(step, logThreshold)]);
      expect(one[0]).toBe(Math.fround(least));
      if (least > 0) threshold = 0.99 * threshold + 0.01 * least;
      const { threshold: now } = await state.save();
      // Five updates of two roundings each.
      expect(Math.abs((now as number) - threshold)).toBeLessThanOrEqual(10 * 2 ** -24 * threshold);
      for (const log of logs)
        if (threshold === 0) expect(log).toBe(-87);
        else expect(Math.exp(log) / threshold).toBeCloseTo(1, 5);
    }
    expect(threshold).toBeGreaterThan(0);
  } finally {
    logThreshold.dispose();
  }
});

test('a state of another dictionary is refused', async () => {
  const gpu = await testGpu();
  const create = (change: object) =>
    refusal(() =>
      DictionaryTrainingState.create(gpu, config, {
        rows: 0,
        sinceFired: new Uint32Array(5),
        threshold: 0,
        ...change,
      }),
    );
  for (const change of [{ sinceFired: new Uint32Array(4) }, { rows: -1 }, { threshold: undefined }, { threshold: -1 }])
    expect(await create(change)).toMatchObject({ code: 'data/dictionary-state' });
});

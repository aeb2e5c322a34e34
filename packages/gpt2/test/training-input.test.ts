// What training and its losses are given: rows that are no rows, ids that are none, and settings that mean nothing are refused before any work.
import { refusal, testGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkRecipe,
  meanLoss,
  nextTokenLoss,
  randomGpt2,
  trainGpt2,
  type Gpt2,
  type TrainingOptions,
  type TrainingRecipe,
  type TrainingRows,
} from '../src/index.js';
import { batch, sizes } from './faults/job.js';

let model: Gpt2;
beforeAll(async () => void (model = await randomGpt2(await testGpu(), sizes, 3)));
afterAll(() => model.dispose());

const options = { batch, steps: 4, every: 1, recipe: { rate: 0.02 } } satisfies TrainingOptions;
const wrong = (value: unknown): TrainingRows => value as TrainingRows;

/** Rows that cannot be trained on, the code, and what the details say. */
const refused = [
  [
    'a last id that is negative',
    [[4, 5], Int32Array.of(1, 2, -100)],
    'tokens/not-in-vocabulary',
    { row: 1, position: 2, id: -100 },
  ],
  ['a last id that is not whole', [[1, 2, 3.7]], 'tokens/not-in-vocabulary', { row: 0, position: 2, id: 3.7 }],
  ['a last id that is no number', [[1, 2, Number.NaN]], 'tokens/not-in-vocabulary', { row: 0, position: 2 }],
  ['a last id behind the vocabulary', [[1, 2, 11]], 'tokens/not-in-vocabulary', { row: 0, position: 2, id: 11 }],
  ['a hole', [[1, undefined, 3]], 'tokens/not-in-vocabulary', { row: 0, position: 1 }],
  ['big integers', [BigInt64Array.of(1n, 2n)], 'tokens/not-in-vocabulary', { row: 0, position: 0 }],
  ['a row of one id', [[1, 2], [3]], 'tokens/empty', { row: 1, length: 1 }],
  ['a row longer than the model and one target', [[1, 2, 3, 4, 5, 6, 7, 8]], 'tokens/too-long', { row: 0, length: 8 }],
  ['no rows', [], 'tokens/empty', {}],
  ['null', null, 'training/setting', {}],
  ['a promise of rows', Promise.resolve([[1, 2]]), 'training/setting', {}],
  ['one row', [1, 2, 3], 'training/setting', {}],
  ['a row that is text', ['12'], 'training/setting', {}],
  ['a row that is null', [null], 'training/setting', {}],
] as const;

describe.each(refused)('%s', (_, rows, code, details) => {
  test('is refused in a loss, naming row and place', async () => {
    expect(await refusal(meanLoss(model, wrong(rows)))).toMatchObject({ code, details });
    const step = model.gpu.step();
    expect(await refusal(() => nextTokenLoss(model, step, wrong(rows)))).toMatchObject({ code, details });
    step.dispose();
  });

  test('is refused as a batch, naming the update', async () => {
    const late = (step: number) => (step === 2 ? wrong(rows) : batch(step));
    const error = await refusal(trainGpt2(model, { ...options, batch: late }));
    expect(error).toMatchObject({ code, details });
    expect(error.message).toContain('update 2');
  });

  test('is refused as held-out rows, before the first update', async () => {
    let updates = 0;
    const counted = (step: number) => (updates++, batch(step));
    const error = await refusal(trainGpt2(model, { ...options, batch: counted, heldOut: wrong(rows) }));
    expect(error.message).toContain('heldOut');
    expect([error.code, updates]).toEqual([
      rows !== null && 'length' in rows && rows.length === 0 ? 'training/setting' : code,
      0,
    ]);
  });
});

test('rows are numbered as they were given, however they are cut into parts', async () => {
  const rows = [
    [1, 2],
    [3, 4],
    [5, 99],
  ];
  const details = { row: 2, position: 1, id: 99 };
  expect(await refusal(meanLoss(model, rows, { rowsAtOnce: 2 }))).toMatchObject({ details });
  const recipe = { ...options.recipe, microBatch: 2 };
  expect(await refusal(trainGpt2(model, { ...options, recipe, batch: () => rows }))).toMatchObject({ details });
});

test.each([-1, 0, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%d rows at once are refused', async (rowsAtOnce) => {
  const rows = [
    [1, 2],
    [2, 3],
    [3, 4],
  ];
  const error = await refusal(meanLoss(model, rows, { rowsAtOnce }));
  expect(error).toMatchObject({ code: 'training/setting', details: { setting: 'rowsAtOnce' } });
});

test.each([
  ['rate', { rate: 1e300 }],
  ['rate', { rate: -1 }],
  ['rate', { rate: Number.NaN }],
  ['rate', {}],
  ['betas', { betas: [1, 0.5] }],
  ['betas', { betas: [0.9, -0.1] }],
  // 1 in f32, in which the moments are made.
  ['betas', { betas: [0.9, 1 - 1e-12] }],
  ['betas', { betas: [0.9] }],
  ['betas', { betas: 0.9 }],
  ['epsilon', { epsilon: 0 }],
  // 0 in f32: 0 / 0 for a parameter without a gradient.
  ['epsilon', { epsilon: 1e-60 }],
  ['epsilon', { epsilon: Number.POSITIVE_INFINITY }],
  ['weightDecay', { weightDecay: -0.1 }],
  ['weightDecay', { weightDecay: 1e39 }],
  ['clipNorm', { clipNorm: 0 }],
  ['clipNorm', { clipNorm: Number.NaN }],
  ['clipNorm', { clipNorm: 1e39 }],
])('a recipe whose %s is wrong is refused before any work: %j', async (setting, changes) => {
  const rate = 'rate' in changes || Object.keys(changes).length === 0 ? {} : { rate: 0.02 };
  const recipe = { ...rate, ...changes } as unknown as TrainingRecipe;
  expect(await refusal(() => checkRecipe(recipe, 4))).toMatchObject({ code: 'training/setting', details: { setting } });
  expect(await refusal(trainGpt2(model, { ...options, recipe }))).toMatchObject({ code: 'training/setting' });
});

test('a recipe that is missing is refused; the largest and smallest of each are taken', async () => {
  expect(await refusal(() => checkRecipe(undefined as never, 4))).toMatchObject({ details: { setting: 'recipe' } });
  checkRecipe({ rate: 0, betas: [0, 0], weightDecay: 0, epsilon: 1e-45, clipNorm: 1e-45 }, 0);
  checkRecipe({ rate: 3e38, betas: [0.999999, 0.9999999], weightDecay: 3e38, epsilon: 3e38, clipNorm: 3e38 }, 1);
});

// Cross-layer transcoders train beside dictionaries from the same stream, and go on from checkpoints to the same bits.
import { blockHook } from '@limn/hooks';
import { refusal, testGpu } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  CrossLayerDictionary,
  trainDictionaries,
  type CrossLayerSpec,
  type DictionarySpec,
  type TrainDictionariesOptions,
} from '../src/index.js';
import { unscaledAcross } from '../src/training/cross-layer-kind.js';
import { rampAt } from '../src/training/schedules.js';
import { settleTraining } from '../src/training/train-options.js';
import { randomCrossLayer } from './cross-layer-models.js';
import { toy } from './graph-models.js';
import { memoryStore, options, source, specs, toyModel } from './training-job.js';
import { uniform } from './uniform.js';

const UPDATES = 4;
const place = { layers: 2, width: 8, features: 12, input: 'ln2.hook_normalized' } as const;
const across: readonly CrossLayerSpec[] = [
  {
    name: 'across',
    crossLayer: { ...place, activation: { kind: 'jump-relu', bandwidth: 0.5 } },
    loss: {
      reconstruction: 'sum',
      sparsity: { kind: 'tanh', weight: 0.01, steepness: 1 },
      preActivation: { weight: 1e-3 },
    },
    rate: 0.01,
    seed: 2,
    deadAfter: 60,
  },
  {
    name: 'few across',
    crossLayer: { ...place, activation: { kind: 'batch-top-k', k: 3 } },
    loss: { reconstruction: 'fvu', auxiliary: { features: 2, weight: 1 / 32 } },
    rate: 0.01,
    deadAfter: 40,
  },
];
const isLong = process.env['LIMN_LONG'] === '1';
/** Software adapters take seconds for each kind. */
const few = isLong ? across : across.slice(0, 1);
const train = (
  gpu: Awaited<ReturnType<typeof testGpu>>,
  change: Partial<TrainDictionariesOptions> = {},
  of: readonly (CrossLayerSpec | DictionarySpec)[] = few,
) => trainDictionaries(toyModel(gpu), source, of, { ...options, updates: UPDATES, every: 2, ...change });

test('a run that was stopped between two checkpoints ends in the same bits', async () => {
  const gpu = await testGpu();
  const whole = await train(gpu);
  const store = memoryStore();
  const stop = new AbortController();
  const checkpoints = { store, every: 3 };
  const onProgress = ({ update }: { readonly update: number }): void => {
    if (update === 2) stop.abort(new Error('enough'));
  };
  await expect(train(gpu, { checkpoints, signal: stop.signal, onProgress })).rejects.toMatchObject({
    name: 'AbortedError',
  });
  const resumed = await train(gpu, { checkpoints });
  expect(resumed.resumedFrom).toBe(2);
  expect([resumed.dictionaries, resumed.history]).toEqual([whole.dictionaries, whole.history]);
  for (const { name } of few) {
    const last = whole.history.at(-1)?.figures[name];
    expect(last?.l0).toBeGreaterThan(0);
    expect(last?.deadShare).toBeLessThanOrEqual(1);
  }
});

test('the loss falls; beside a transcoder and with an evaluation on the way the bits are the same', async (context) => {
  context.skip(!isLong, 'two more trainings: with LIMN_LONG=1');
  const gpu = await testGpu();
  const longer = { updates: 24, every: 6 };
  const alone = await train(gpu, longer);
  for (const { name } of across) {
    const [from, to] = [alone.history[0], alone.history.at(-1)].map((record) => record?.figures[name]?.fvu);
    expect(to).toBeLessThan((from as number) * 0.95);
  }
  const evaluate = { sequences: source(99), every: 12 };
  const beside = await train(gpu, { ...longer, evaluate }, [...across, ...specs.slice(0, 1)]);
  expect(beside.dictionaries.slice(0, 2)).toEqual(alone.dictionaries);
  const measured = beside.history.filter(({ figures }) =>
    across.every(({ name }) => Number.isFinite(figures[name]?.recovered)),
  );
  expect(measured.map(({ update }) => update)).toEqual([12, 24]);
});

test('λ rises over the whole run unless it is said otherwise; specs that cannot be are refused', async () => {
  const model = await toy(2);
  const settle = (change: Partial<CrossLayerSpec>) =>
    settleTraining(model, [{ ...(across[0] as CrossLayerSpec), ...change }], options);
  expect(settle({}).specs[0]?.ramp).toBe(1);
  expect([0, 1, 3].map((update) => rampAt(update, UPDATES, 1))).toEqual([1 / 4, 2 / 4, 1]);
  const { crossLayer } = across[0] as CrossLayerSpec;
  expect(await refusal(() => settle({ crossLayer: { ...crossLayer, layers: 3 } }))).toMatchObject({
    code: 'data/dictionary-model',
  });
  expect(await refusal(() => settle({ rate: 0 }))).toMatchObject({ code: 'usage/dictionary-training' });
  expect(
    await refusal(() => settle({ loss: { reconstruction: 'sum', auxiliary: { features: 1, weight: 1 } } })),
  ).toMatchObject({
    code: 'usage/dictionary-loss',
  });
});

test('weights for rows as they are do what those for scaled rows do', async () => {
  const model = await toy(3);
  const { dictionary, weights } = randomCrossLayer(model, { activation: { kind: 'jump-relu', bandwidth: 1 } });
  using scaled = dictionary;
  const scales = [
    { x: 2, y: 0.5 },
    { x: 0.25, y: 4 },
    { x: 3, y: 1.5 },
  ];
  using plain = CrossLayerDictionary.create(model.gpu, scaled.config, unscaledAcross(weights, scales));
  const d = model.info.width;
  const rows = scales.map((_, i) => uniform(i + 1)(4 * d));
  using step = model.gpu.step();
  const put = (factor: (i: number) => number) =>
    rows.map((row, i) =>
      fromData(
        step,
        row.map((value) => value * factor(i)),
        [4, d],
        { label: blockHook(i, 'hook_mlp_in') },
      ),
    );
  const ofScaled = scaled.apply(
    step,
    put((i) => scales[i]?.x as number),
  );
  const ofPlain = plain.apply(
    step,
    put(() => 1),
  );
  const [theirs, ours] = await Promise.all(
    [ofScaled, ofPlain].map((of) => Promise.all(of.map((y) => readFloats(step, y)))),
  );
  theirs?.forEach((y, l) =>
    y.forEach((value, at) => expect(ours?.[l]?.[at]).toBeCloseTo(value / (scales[l]?.y as number), 5)),
  );
});

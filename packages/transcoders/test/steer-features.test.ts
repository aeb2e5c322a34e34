// Steering by features is clamping in the replacement model, and leaves the error in the stream elsewhere; it composes, and holds in generation.
import { blockHook, generate, intervene, scale, tokenBatch, type HookedModel, type Intervention } from '@limn/hooks';
import { add, fromData, gradients, mul, readFloats, reshape, sumAll, type Tensor } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { steerFeatures, type Dictionary, type DictionaryConfig, type FeatureSetting } from '../src/index.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';

const PROMPTS = [
  [3, 1, 4, 1, 5],
  [2, 7, 1],
];
const SETTINGS: FeatureSetting[] = [
  { feature: 4, value: 1.5 },
  { feature: 9, factor: -2, positions: [1, 3] },
  { feature: 0, value: 0, positions: [2] },
];
const AT = blockHook(1, 'hook_mlp_out');

/** [B·T, C] at the MLP's output, only real positions. */
async function outputs(model: HookedModel, interventions: readonly Intervention[]): Promise<number[][]> {
  using step = model.gpu.step();
  const tokens = tokenBatch(PROMPTS, model.info);
  const run = model.run(step, { tokens }, { interventions, capture: [AT] });
  const [data, logits] = await Promise.all([readFloats(step, run.at(AT)), readFloats(step, run.logits)]);
  const [C, V] = [model.info.width, model.info.vocabulary];
  return tokens.lengths.flatMap((length, b) =>
    Array.from({ length }, (_, t) => {
      const row = b * tokens.T + t;
      return [...data.subarray(row * C, (row + 1) * C), ...logits.subarray(row * V, (row + 1) * V)];
    }),
  );
}

/** Decoding with activations replaced by hand, in the place of the MLP. */
function clamped(dictionary: Dictionary, positions: readonly number[][]): Intervention {
  const { inputWidth: I, features: F, input } = dictionary.config;
  return intervene(
    AT,
    'clamped by hand',
    (y, { step, at }) => {
      const x = reshape(input === 'hook_mlp_out' ? y : at(dictionary.reads), [y.size / I, I]);
      const N = x.shape[0] as number;
      const a = dictionary.encode(step, x);
      const [keep, put] = [new Float32Array(N * F).fill(1), new Float32Array(N * F)];
      positions.forEach((row, b) =>
        row.forEach((position, t) => {
          for (const { feature, value, factor, positions: where } of SETTINGS) {
            if (where && !where.includes(position)) continue;
            const i = (b * row.length + t) * F + feature;
            keep[i] = factor ?? 0;
            put[i] = value ?? 0;
          }
        }),
      );
      const on = (data: Float32Array): Tensor => fromData(step, data, [N, F]);
      return reshape(dictionary.decode(step, add(step, mul(step, a, on(keep)), on(put)), x), y.shape);
    },
    input === 'hook_mlp_out' ? {} : { reads: [dictionary.reads] },
  );
}

function expectClose(found: readonly number[][], wanted: readonly number[][]): void {
  // Sums of some twenty products of size 1, through one layer more.
  found.forEach((row, r) =>
    row.forEach((value, i) => expect(value, `${r} ${i}`).toBeCloseTo(wanted[r]?.[i] as number, 4)),
  );
}

test.each<[string, Partial<DictionaryConfig>]>([
  ['relu', {}],
  ['top-k, skip', { activation: { kind: 'top-k', k: 4 }, skip: true }],
  ['jump-relu', { activation: { kind: 'jump-relu', bandwidth: 0.1 }, input: 'hook_mlp_in' }],
])('behind a replacement it is clamping: %s', async (_, options) => {
  for (const open of [tinyGpt2, toy]) {
    const model = await open(2);
    using dictionary = randomDictionary(model, 1, options);
    const steered = await outputs(model, [dictionary.replacement(), steerFeatures(dictionary, SETTINGS)]);
    const rows = PROMPTS.map(() => [0, 1, 2, 3, 4]);
    expectClose(steered, await outputs(model, [clamped(dictionary, rows)]));
    // An upstream change is seen: activations are those of this run.
    const heads = scale(blockHook(0, 'attn.hook_z'), 0.3);
    const composed = [heads, dictionary.replacement(), steerFeatures(dictionary, SETTINGS)];
    expectClose(await outputs(model, composed), await outputs(model, [heads, clamped(dictionary, rows)]));
  }
});

test("by itself it leaves the dictionary's error, and other positions bit for bit; an SAE reads what it edits", async () => {
  const model = await tinyGpt2(2);
  const C = model.info.width;
  for (const input of ['ln2.hook_normalized', 'hook_mlp_out'] as const) {
    using dictionary = randomDictionary(model, 1, { input });
    const clean = await outputs(model, []);
    const steered = await outputs(model, [
      steerFeatures(dictionary, [{ feature: 4, value: 2, positions: [1] }], { rows: [0] }),
    ]);
    using step = model.gpu.step();
    const run = model.run(
      step,
      { tokens: tokenBatch([PROMPTS[0] as number[]], model.info) },
      { capture: [dictionary.reads] },
    );
    const a = await readFloats(step, dictionary.encode(step, reshape(run.at(dictionary.reads), [5, C])));
    const { wDec } = await dictionary.weights();
    steered.forEach((row, r) => {
      if (r === 1)
        row.slice(0, C).forEach((value, c) => {
          const moved = (2 - (a[12 + 4] as number)) * (wDec[4 * C + c] as number);
          expect(value).toBeCloseTo((clean[1]?.[c] as number) + moved, 5);
        });
      else expect(row.slice(0, C)).toEqual(clean[r]?.slice(0, C));
    });
    expect(steered[1]?.[0]).not.toBeCloseTo(clean[1]?.[0] as number, 3);
    // Twice the setting is the setting once: the second finds the feature set only where it reads the edit.
    const both = await outputs(model, [
      steerFeatures(dictionary, [{ feature: 4, factor: 0 }]),
      steerFeatures(dictionary, [{ feature: 5, factor: 0 }]),
    ]);
    const once = await outputs(model, [
      steerFeatures(dictionary, [
        { feature: 4, factor: 0 },
        { feature: 5, factor: 0 },
      ]),
    ]);
    if (input === 'ln2.hook_normalized') expectClose(both, once);
  }
});

test('generation is steered at every new token as a run over the whole text is', async () => {
  const model = await toy(2);
  using dictionary = randomDictionary(model, 1);
  const steering = [
    steerFeatures(dictionary, [
      { feature: 4, value: 3 },
      { feature: 7, factor: 2, positions: [4, 5] },
    ]),
  ];
  const prompt = [3, 1, 4];
  const { tokens, rows, neverFired } = await generate(model, [prompt], {
    maxNewTokens: 4,
    interventions: steering,
    eosIds: [],
  });
  expect(neverFired).toEqual([]);
  const text = tokens[0] as number[];
  using step = model.gpu.step();
  const run = model.run(step, { tokens: tokenBatch([text], model.info) }, { interventions: steering });
  const logits = await readFloats(step, run.logits);
  const V = model.info.vocabulary;
  rows[0]?.newTokens.forEach(({ id, position, logProbability }) => {
    const row = [...logits.subarray((position - 1) * V, position * V)];
    expect(row.indexOf(Math.max(...row))).toBe(id);
    const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
    expect(logProbability).toBeCloseTo((row[id] as number) - total, 4);
  });
  expect(rows[0]?.newTokens.length).toBe(4);
});

test('gradients are those of clamping; settings that mean nothing are refused', async () => {
  const model = await tinyGpt2(2);
  using dictionary = randomDictionary(model, 1);
  const steering = steerFeatures(dictionary, SETTINGS.slice(0, 1), { phase: 'prompt' });
  expect(JSON.parse(JSON.stringify(steering.spec))).toEqual({
    kind: 'steer-features',
    options: { at: AT, settings: [{ feature: 4, value: 1.5 }], phase: 'prompt' },
  });
  expect(steering.label).toBe(`feature 4 set to 1.5 of ${AT} in the prompt part`);
  const slope = async (interventions: readonly Intervention[]): Promise<Float32Array> => {
    using step = model.gpu.step();
    const x = fromData(
      step,
      Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)),
      [1, 5, 10],
    );
    const run = model.run(step, { resid: x, layer: 1, at: 'mid', lengths: [5] }, { interventions, capture: [AT] });
    const out = run.at(AT);
    const [g] = gradients(step, sumAll(step, mul(step, out, out)), 'ones', [x]);
    return readFloats(step, g as Tensor);
  };
  const steered = await slope([dictionary.replacement(), steerFeatures(dictionary, SETTINGS)]);
  const byHand = await slope([clamped(dictionary, [[0, 1, 2, 3, 4]])]);
  const unsteered = await slope([dictionary.replacement()]);
  const furthest = (a: Float32Array, b: Float32Array): number =>
    Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));
  // f32 sums of some hundred products of size 1.
  expect(furthest(steered, byHand)).toBeLessThan(1e-4);
  expect(furthest(steered, unsteered)).toBeGreaterThan(0.01);
  const refused: FeatureSetting[][] = [
    [],
    [{ feature: 12, value: 1 }],
    [{ feature: 1 }],
    [{ feature: 1, value: 1, factor: 2 }],
    [{ feature: 1, value: Number.NaN }],
    [{ feature: 1, value: 1, positions: [-1] }],
    [{ feature: 1, value: 1, positions: [] }],
    [
      { feature: 1, value: 1, positions: [2, 3] },
      { feature: 1, factor: 2, positions: [3] },
    ],
    [
      { feature: 1, value: 1 },
      { feature: 1, factor: 2, positions: [3] },
    ],
  ];
  for (const settings of refused)
    expect(await refusal(() => steerFeatures(dictionary, settings))).toMatchObject({ code: 'usage/steer-features' });
});

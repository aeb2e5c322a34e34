// Features of cross-layer transcoders one by one: steered at every layer that they write at, and read by all that they write together.
import { blockHook, generate, intervene, tokenBatch, type HookedModel, type Intervention } from '@limn/hooks';
import { add, fromData, gradients, mul, readFloats, reshape, sumAll, type Tensor } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  Dictionary,
  featureDashboards,
  featureLogits,
  searchFeatureWeights,
  steerFeatures,
  type CrossLayerDictionary,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type FeatureSetting,
  type LayerEncoder,
} from '../src/index.js';
import { randomCrossLayer } from './cross-layer-models.js';
import { tinyGpt2, toy } from './graph-models.js';

const PROMPTS = [
  [3, 1, 4, 1, 5],
  [2, 7, 1],
];
/** By layer; layer 2 is left alone. */
const SETTINGS: readonly FeatureSetting[][] = [
  [
    { feature: 4, value: 1.5 },
    { feature: 9, factor: -2, positions: [1, 3] },
  ],
  [{ feature: 0, value: 0.7, positions: [2] }],
];
const sitesOf = (model: HookedModel) =>
  Array.from({ length: model.info.layers }, (_, l) => blockHook(l, 'hook_mlp_out'));

const steering = (dictionary: CrossLayerDictionary): Intervention[] =>
  SETTINGS.flatMap((settings, i) => [...steerFeatures(dictionary.encoders[i] as LayerEncoder, settings)]);

/** What MLPs write and the logits, at real positions. */
async function outputs(model: HookedModel, interventions: readonly Intervention[]): Promise<number[][]> {
  using step = model.gpu.step();
  const tokens = tokenBatch(PROMPTS, model.info);
  const run = model.run(step, { tokens }, { interventions, capture: sitesOf(model) });
  const read = await Promise.all(
    [...sitesOf(model).map((site) => run.at(site)), run.logits].map((x) => readFloats(step, x)),
  );
  return tokens.lengths.flatMap((length, b) =>
    Array.from({ length }, (_, t) => {
      const row = b * tokens.T + t;
      return read.flatMap((data) => {
        const width = data.length / (tokens.T * PROMPTS.length);
        return [...data.subarray(row * width, (row + 1) * width)];
      });
    }),
  );
}

/** Decoding at every layer with activations replaced by hand. */
function clamped(dictionary: CrossLayerDictionary, rows: readonly (readonly number[])[]): Intervention[] {
  const { features: F, width: d, layers } = dictionary.config;
  return Array.from({ length: layers }, (_, l) => {
    const encoders = dictionary.encoders.slice(0, l + 1);
    return intervene(
      blockHook(l, 'hook_mlp_out'),
      'clamped by hand',
      (y, { step, at }) => {
        const N = y.size / d;
        const activations = encoders.map((encoder, i) => {
          const a = encoder.encode(step, reshape(at(encoder.reads), [N, d]));
          const [keep, put] = [new Float32Array(N * F).fill(1), new Float32Array(N * F)];
          rows.forEach((row, b) =>
            row.forEach((position, t) => {
              for (const { feature, value, factor, positions } of SETTINGS[i] ?? []) {
                if (positions && !positions.includes(position)) continue;
                keep[(b * row.length + t) * F + feature] = factor ?? 0;
                put[(b * row.length + t) * F + feature] = value ?? 0;
              }
            }),
          );
          const on = (data: Float32Array): Tensor => fromData(step, data, [N, F]);
          const set = add(step, mul(step, a, on(keep)), on(put));
          return { h: set, a: set };
        });
        return reshape(dictionary.decode(step, l, activations), y.shape);
      },
      { reads: encoders.map(({ reads }) => reads) },
    );
  });
}

function expectClose(found: readonly number[][], wanted: readonly number[][]): void {
  // Sums of some forty products of size 1, through two layers more.
  found.forEach((row, r) =>
    row.forEach((value, i) => expect(value, `${r} ${i}`).toBeCloseTo(wanted[r]?.[i] as number, 4)),
  );
}

test.each<[string, () => Promise<HookedModel>, Partial<CrossLayerDictionaryConfig>]>([
  ['relu', tinyGpt2, {}],
  ['top-k', toy, { activation: { kind: 'top-k', k: 4 }, input: 'hook_mlp_in' }],
  ['jump-relu', toy, { activation: { kind: 'jump-relu', bandwidth: 0.1 } }],
])('behind a replacement steering is clamping at every layer: %s', async (_, open, options) => {
  const model = await open();
  using dictionary = randomCrossLayer(model, options).dictionary;
  const replaced = dictionary.replacement();
  const steered = await outputs(model, [...replaced, ...steering(dictionary)]);
  const rows = PROMPTS.map(() => [0, 1, 2, 3, 4]);
  expectClose(steered, await outputs(model, clamped(dictionary, rows)));
  const plain = await outputs(model, replaced);
  expect(
    Math.max(...steered.flatMap((row, r) => row.map((value, i) => Math.abs(value - (plain[r]?.[i] as number))))),
  ).toBeGreaterThan(0.1);
});

test("by itself it leaves the MLPs' own outputs, in generation as in one run; gradients pass", async () => {
  const model = await toy();
  const { dictionary, weights } = randomCrossLayer(model);
  using own = dictionary;
  const d = model.info.width;
  const [encoder] = own.encoders as readonly [LayerEncoder];
  const clean = await outputs(model, []);
  const edit = steerFeatures(encoder, [{ feature: 4, value: 2, positions: [1] }], { rows: [0] });
  expect(edit.map(({ at }) => at)).toEqual(sitesOf(model));
  expect(edit[1]?.spec).toEqual({
    kind: 'steer-features',
    options: {
      at: sitesOf(model)[1],
      settings: [{ feature: 4, value: 2, positions: [1] }],
      rows: [0],
      positions: [1],
      from: 0,
    },
  });
  const steered = await outputs(model, edit);
  using step = model.gpu.step();
  const run = model.run(
    step,
    { tokens: tokenBatch([PROMPTS[0] as number[]], model.info) },
    { capture: [encoder.reads] },
  );
  const a = await readFloats(step, encoder.encode(step, reshape(run.at(encoder.reads), [5, d])));
  const { wDec } = weights[0] as CrossLayerWeights;
  steered[1]?.slice(0, d).forEach((value, c) => {
    const moved = (2 - (a[12 + 4] as number)) * (wDec[4 * 3 * d + c] as number);
    expect(value).toBeCloseTo((clean[1]?.[c] as number) + moved, 5);
  });
  // Nothing before it, and nothing of the other row.
  expect([steered[0], ...steered.slice(5)]).toEqual([clean[0], ...clean.slice(5)]);

  const everywhere = steerFeatures(encoder, [{ feature: 4, value: 3 }]);
  const { tokens } = await generate(model, [[3, 1, 4]], { maxNewTokens: 3, interventions: everywhere, eosIds: [] });
  const text = tokens[0] as number[];
  using whole = model.gpu.step();
  const again = model.run(whole, { tokens: tokenBatch([text], model.info) }, { interventions: everywhere });
  const logits = await readFloats(whole, again.logits);
  const V = model.info.vocabulary;
  for (let t = 3; t < text.length; t++) {
    const row = [...logits.subarray((t - 1) * V, t * V)];
    expect(row.indexOf(Math.max(...row))).toBe(text[t]);
  }
  using third = model.gpu.step();
  const interventions = steerFeatures(encoder, [{ feature: 4, factor: 2 }]);
  const out = sitesOf(model)[2]!;
  const taped = model.run(
    third,
    { tokens: tokenBatch([[3, 1, 4]], model.info) },
    { interventions, capture: [out, encoder.reads] },
  );
  const [g] = gradients(third, sumAll(third, taped.at(out)), 'ones', [taped.at(encoder.reads)]);
  expect((await readFloats(third, g as Tensor)).some((value) => value !== 0)).toBe(true);
  expect(await refusal(() => steerFeatures(encoder, [{ feature: 12, value: 1 }]))).toMatchObject({
    code: 'usage/steer-features',
  });
});

test('logits, searches and dashboards are those of all that a feature writes', async () => {
  const model = await toy(2);
  const { dictionary, weights } = randomCrossLayer(model, { across: 0.5 });
  using own = dictionary;
  const { width: d, vocabulary: V } = model.info;
  // One that writes the sum of both rows at its own layer.
  const [{ wEnc, bEnc, bDec, wDec }] = weights as [CrossLayerWeights];
  const rows = Float32Array.from(
    { length: 12 * d },
    (_, at) =>
      (wDec[Math.floor(at / d) * 2 * d + (at % d)] as number) +
      (wDec[Math.floor(at / d) * 2 * d + d + (at % d)] as number),
  );
  using single = Dictionary.create(
    model.gpu,
    {
      layer: 0,
      input: 'ln2.hook_normalized',
      inputWidth: d,
      outputWidth: d,
      features: 12,
      activation: { kind: 'relu' },
      skip: false,
    },
    { wEnc, bEnc, bDec, wDec: rows },
  );
  const [first, second] = own.encoders as readonly [LayerEncoder, LayerEncoder];
  const close = (a: readonly { readonly value: number }[], b: readonly { readonly value: number }[]): void =>
    a.forEach(({ value }, i) => expect(value).toBeCloseTo(b[i]?.value as number, 5));
  const found = await featureLogits(model, first, [3, 7], { all: true });
  const wanted = await featureLogits(model, single, [3, 7], { all: true });
  found.forEach(({ most, least, scores }, i) => {
    const other = wanted[i]!;
    expect(most.map(({ token }) => token)).toEqual(other.most.map(({ token }) => token));
    close(most, other.most);
    close(least, other.least);
    scores!.forEach((value, v) => expect(value).toBeCloseTo(other.scores![v] as number, 5));
  });
  // The last layer's features write there alone.
  expect(second.decoders).toHaveLength(1);
  const query = { by: 'writes', tokens: [2], against: [5], most: 12 } as const;
  const { most } = await searchFeatureWeights(model, first, query);
  const logits = await featureLogits(
    model,
    first,
    most.map(({ index }) => index),
    { all: true },
  );
  most.forEach(({ strength }, i) => {
    const { scores } = logits[i]!;
    expect(strength).toBeCloseTo((scores![2] as number) - (scores![5] as number), 4);
  });
  const dashboards = await featureDashboards(
    model,
    first,
    [
      [1, 2, 3, 4],
      [5, 6, 7 % V],
    ],
    { features: [3, 7] },
  );
  expect(dashboards.origin.kind).toBe('cross-layer');
  expect(dashboards.of(3)?.logits?.most).toEqual(found[0]?.most);
});

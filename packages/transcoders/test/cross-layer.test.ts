// A cross-layer transcoder decodes what its definition says, replaces all MLPs at once beside other edits, and is measured as one replacement.
import { blockHook, scale, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { refusal, testGpu } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test, vi } from 'vitest';
import {
  CrossLayerDictionary,
  crossLayerSetOf,
  Dictionary,
  evaluateDictionaries,
  initialCrossLayerWeights,
  openCrossLayerSet,
  writeCrossLayerSet,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type DictionaryActivation,
} from '../src/index.js';
import { activationsByHand, decodedByHand, randomCrossLayer } from './cross-layer-models.js';
import { contentOf, filesOf } from './golden-files.js';
import { tinyGpt2, toy } from './graph-models.js';
import { uniform } from './uniform.js';

/** Sums of a few dozen products of size up to 2, over up to three layers. */
const CLOSE = 2e-5;

const close = (found: ArrayLike<number>, expected: ArrayLike<number>): void => {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs((found[i] as number) - (expected[i] as number))).toBeLessThan(CLOSE);
};

test.each<DictionaryActivation>([
  { kind: 'relu' },
  { kind: 'jump-relu', bandwidth: 0.1 },
  { kind: 'top-k', k: 3 },
  { kind: 'batch-top-k', k: 3 },
])('every layer is the sum over what layers up to it write: $kind', async (activation) => {
  const model = await toy();
  const { dictionary, weights } = randomCrossLayer(model, { activation });
  using _ = dictionary;
  const { layers: L, width: d } = model.info;
  const N = 6;
  const draw = uniform(3);
  const xs = Array.from({ length: L }, () => draw(N * d).map((value) => 2 * value));
  using step = model.gpu.step();
  const x = xs.map((each) => fromData(step, each, [N, d]));
  const found = await Promise.all(dictionary.apply(step, x).map((each) => readFloats(step, each)));
  const activations = weights.map((own, i) => activationsByHand(own, activation, xs[i] as Float32Array));
  expect(activations.every((a) => a.some((value) => value > 0) && a.includes(0))).toBe(true);
  found.forEach((y, l) => close(y, decodedByHand(weights, l, activations)));
  // To the bit, but for thresholds, which are logarithms on the GPU.
  const kept = await dictionary.weights();
  kept.forEach((own, i) => {
    const { threshold, ...others } = own;
    const { threshold: given, ...expected } = weights[i] as CrossLayerWeights;
    expect(others).toEqual(expected);
    close(threshold ?? [], given ?? []);
  });
});

test.each<[string, () => Promise<HookedModel>, CrossLayerDictionaryConfig['input'], DictionaryActivation]>([
  ['gpt2', tinyGpt2, 'ln2.hook_normalized', { kind: 'relu' }],
  ['gpt2, reading the stream', tinyGpt2, 'hook_resid_mid', { kind: 'top-k', k: 3 }],
  ['toy', toy, 'hook_mlp_in', { kind: 'jump-relu', bandwidth: 0.1 }],
])(
  'in the place of all MLPs each layer is made of what the replaced model reads: %s',
  async (_, open, input, activation) => {
    const model = await open();
    const { dictionary, weights } = randomCrossLayer(model, { input, activation });
    using own = dictionary;
    const { layers: L, width: d } = model.info;
    const encodes = own.encoders.map((encoder) => vi.spyOn(encoder, 'activations'));
    const out = (layer: number): HookName => blockHook(layer, 'hook_mlp_out');
    const sites = own.encoders.flatMap(({ reads }, l) => [reads, out(l)]);
    using step = model.gpu.step();
    const tokens = tokenBatch(
      [
        [3, 1, 4, 1, 5],
        [9, 2, 6],
      ],
      model.info,
    );
    // Beside an edit before it, and one of what it wrote.
    const interventions = [scale(blockHook(0, 'hook_resid_pre'), 1.5), ...own.replacement(), scale(out(1), 0.5)];
    const run = model.run(step, { tokens }, { interventions, capture: sites, logits: 'none' });
    expect(encodes.map((spy) => spy.mock.calls.length)).toEqual(Array.from({ length: L }, () => 1));
    const read = await Promise.all(sites.map((site) => readFloats(step, run.at(site))));
    const activations = weights.map((each, i) => activationsByHand(each, activation, read[2 * i] as Float32Array));
    for (let l = 0; l < L; l++)
      close(
        read[2 * l + 1] as Float32Array,
        decodedByHand(weights, l, activations).map((value) => (l === 1 ? 0.5 : 1) * value),
      );
    // Only where it holds: elsewhere the MLPs are the model's.
    using other = model.gpu.step();
    const extent = { positions: [2, 3] };
    const some = model.run(
      other,
      { tokens },
      { interventions: own.replacement(extent), capture: sites, logits: 'none' },
    );
    const plain = model.run(other, { tokens }, { capture: sites, logits: 'none' });
    const [edited, untouched] = await Promise.all([some, plain].map((each) => readFloats(other, each.at(out(0)))));
    expect(edited?.subarray(0, 2 * d)).toEqual(untouched?.subarray(0, 2 * d));
    expect(edited?.subarray(2 * d, 4 * d)).not.toEqual(untouched?.subarray(2 * d, 4 * d));
  },
);

const sequences = [
  [1, 2, 3, 4, 5, 6, 7],
  [9, 8, 7, 16, 1],
];

test('one that writes at its own layers alone is measured as the transcoders that it is made of', async () => {
  const model = await toy(2);
  const { dictionary, weights } = randomCrossLayer(model, { across: 0 });
  const { width: d, layers: L } = model.info;
  const place = { input: 'ln2.hook_normalized', inputWidth: d, outputWidth: d, features: 12, skip: false } as const;
  const singles = weights.map(({ layer, wEnc, bEnc, bDec, wDec }) => ({
    name: `layer ${layer}`,
    dictionary: Dictionary.create(
      model.gpu,
      { ...place, layer, activation: { kind: 'relu' } },
      { wEnc, bEnc, bDec, wDec: wDec.filter((_, at) => at % ((L - layer) * d) < d) },
    ),
  }));
  const found = await evaluateDictionaries(model, sequences, singles, {
    skip: 1,
    together: [{ name: 'all', dictionaries: singles.map(({ name }) => name) }],
    crossLayer: [{ name: 'all', dictionary }],
  });
  const [{ layers, ...joint }] = found.crossLayer as [(typeof found.crossLayer)[number]];
  expect(joint).toEqual(found.together[0]);
  expect(layers).toHaveLength(L);
  // In one MLP's place it reads and writes what the layer's own transcoder does.
  for (const [l, { fvu, ...others }] of layers.entries()) {
    expect(found.dictionaries[l]).toMatchObject(others);
    expect(fvu).toBeCloseTo(found.dictionaries[l]?.fvu as number, 6);
  }
  for (const single of singles) single.dictionary.dispose();
  dictionary.dispose();
});

test('FVU of a layer is that of the original rows; the same call gives the same bits', async () => {
  const model = await toy(2);
  const { dictionary, weights } = randomCrossLayer(model);
  using own = dictionary;
  const options = { skip: 1, crossLayer: [{ name: 'clt', dictionary: own }] };
  const found = await evaluateDictionaries(model, sequences, [], options);
  expect(await evaluateDictionaries(model, sequences, [], options)).toEqual(found);
  const sites = own.encoders.flatMap(({ reads }, l) => [reads, blockHook(l, 'hook_mlp_out')]);
  const d = model.info.width;
  const rows: number[][] = sites.map(() => []);
  for (const sequence of sequences) {
    using step = model.gpu.step();
    const run = model.run(step, { tokens: tokenBatch([sequence], model.info) }, { capture: sites, logits: 'none' });
    const read = await Promise.all(sites.map((site) => readFloats(step, run.at(site))));
    read.forEach((values, i) => rows[i]?.push(...values.subarray(d)));
  }
  const activations = weights.map((each, i) => activationsByHand(each, { kind: 'relu' }, rows[2 * i] as number[]));
  const [{ layers }] = found.crossLayer as [(typeof found.crossLayer)[number]];
  for (const [l, { fvu, l0 }] of layers.entries()) {
    const y = rows[2 * l + 1] as number[];
    const N = y.length / d;
    const rebuilt = decodedByHand(weights, l, activations);
    const mean = Array.from({ length: d }, (_, c) =>
      y.reduce((sum, value, at) => sum + (at % d === c ? value / N : 0), 0),
    );
    const ratio =
      y.reduce((sum, value, at) => sum + (value - (rebuilt[at] as number)) ** 2, 0) /
      y.reduce((sum, value, at) => sum + (value - (mean[at % d] as number)) ** 2, 0);
    expect(fvu).toBeCloseTo(ratio, 5);
    expect(l0).toBeCloseTo((activations[l] as Float64Array).filter((a) => a > 0).length / N, 10);
  }
});

test("circuit-tracer's folders are read a layer at a time, and written from what is on the GPU", async () => {
  const model = await toy();
  const activation = { kind: 'jump-relu', bandwidth: 0.1 } as const;
  const { dictionary, weights } = randomCrossLayer(model, { activation });
  using own = dictionary;
  const { layers, features, width, input } = own.config;
  const set = crossLayerSetOf(own.config, await own.weights());
  const written = await contentOf(writeCrossLayerSet(set, { model: 'toy', scan: 'none' }));
  using again = await CrossLayerDictionary.read(model.gpu, await openCrossLayerSet(filesOf(written)));
  expect(again.config).toMatchObject({ layers, features, width, input, activation: { kind: 'jump-relu' } });
  (await again.weights()).forEach(({ wDec, wEnc }, i) =>
    expect([wDec, wEnc]).toEqual([weights[i]?.wDec, weights[i]?.wEnc]),
  );
  const few = crossLayerSetOf({ ...own.config, activation: { kind: 'top-k', k: 3 } }, weights);
  expect(await refusal(() => contentOf(writeCrossLayerSet(few, { model: 'toy', scan: 'none' })))).toMatchObject({
    code: 'usage/dictionary-export',
  });
});

test('first weights are those of the seed within their bounds; what does not fit is refused with a code', async () => {
  const gpu = await testGpu();
  const model = await toy();
  const { layers: L, width: d } = model.info;
  const config: CrossLayerDictionaryConfig = {
    layers: L,
    features: 16,
    width: d,
    input: 'ln2.hook_normalized',
    activation: { kind: 'jump-relu', bandwidth: 1 },
  };
  const means = Array.from({ length: L }, (_, l) => Array.from({ length: d }, () => l));
  const weights = initialCrossLayerWeights(config, { seed: 4, means });
  expect(initialCrossLayerWeights(config, { seed: 4, means })).toEqual(weights);
  for (const { layer, wEnc, wDec, bDec, bEnc, threshold } of weights) {
    const most = (values: Float32Array): number => Math.max(...values.map(Math.abs));
    expect([most(wEnc) / (1 / 4), most(wDec) / (1 / Math.sqrt(L * d))]).toSatisfy((shares: number[]) =>
      shares.every((share) => share > 0.9 && share <= 1),
    );
    expect([wDec.length, bDec[0], most(bEnc), threshold?.[3]]).toEqual([
      16 * (L - layer) * d,
      layer,
      0,
      Math.fround(0.03),
    ]);
  }
  const create = (change: Partial<CrossLayerDictionaryConfig>, of = weights) =>
    refusal(() => CrossLayerDictionary.create(gpu, { ...config, ...change }, of));
  expect(await create({ layers: 0 })).toMatchObject({ code: 'usage/dictionary-config' });
  expect(await create({ input: 'hook_mlp_out' })).toMatchObject({ code: 'usage/dictionary-config' });
  expect(await create({ activation: { kind: 'top-k', k: 17 } })).toMatchObject({ code: 'usage/dictionary-config' });
  const code = 'data/dictionary-weights';
  const [first, ...others] = weights as [CrossLayerWeights, ...CrossLayerWeights[]];
  expect(await create({}, others)).toMatchObject({ code, message: /says it is that of layer 1/ });
  expect(await create({}, [first])).toMatchObject({ code, message: /layer 1 is missing/ });
  expect(await create({ activation: { kind: 'relu' } })).toMatchObject({ code, message: /threshold/ });
  expect(await create({}, [{ ...first, wDec: first.wDec.slice(1) }, ...others])).toMatchObject({
    code,
    message: /wDec/,
  });
  const { threshold: _, ...without } = first;
  expect(await create({}, [without, ...others])).toMatchObject({ code, message: /threshold of layer 0 is missing/ });
  const hole = first.bEnc.slice();
  hole[3] = NaN;
  expect(await create({}, [{ ...first, bEnc: hole }, ...others])).toMatchObject({ code, message: /NaN at 3/ });
  expect(await refusal(() => initialCrossLayerWeights(config, { seed: 4, means: means.slice(1) }))).toMatchObject({
    code: 'usage/dictionary-initial',
  });
  using fewer = randomCrossLayer(await toy(2)).dictionary;
  expect(
    await refusal(evaluateDictionaries(model, sequences, [], { crossLayer: [{ name: '', dictionary: fewer }] })),
  ).toMatchObject({
    code: 'data/dictionary-model',
  });
});

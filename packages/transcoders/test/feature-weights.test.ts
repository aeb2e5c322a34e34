// Logits, de-embeddings and searches over weights equal sums in float64, through gains and heads, for GPT-2 and the toy.
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { readFloats, type Tensor } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  deEmbedding,
  featureLogits,
  searchFeatures,
  searchFeatureWeights,
  type FeatureDashboard,
  type VocabularyScores,
} from '../src/index.js';
import { vocabularyScores } from '../src/reading/vocabulary-scores.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';

type Rows = readonly (readonly number[])[];

async function rowsOf(
  model: HookedModel,
  record: (step: ReturnType<HookedModel['gpu']['step']>) => Tensor,
): Promise<Rows> {
  using step = model.gpu.step();
  const x = record(step);
  const data = await readFloats(step, x);
  const width = x.shape.at(-1) as number;
  return Array.from({ length: x.size / width }, (_, r) => [...data.subarray(r * width, (r + 1) * width)]);
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const times = (v: readonly number[], rows: Rows): number[] => rows.map((row) => dot(v, row));
const offMean = (v: readonly number[]): number[] => {
  const mean = v.reduce((a, b) => a + b, 0) / v.length;
  return v.map((x) => x - mean);
};

/** Tables and gains of a model on the host. */
async function tables(model: HookedModel) {
  const { vocabulary: V, maxPositions, layers } = model.info;
  const ids = Array.from({ length: V }, (_, v) => v);
  const unembedding = await rowsOf(model, (step) => model.unembedRows(step, ids));
  const embedding: Rows = (
    await Promise.all(ids.map((v) => rowsOf(model, (step) => model.embed(step, tokenBatch([[v]], model.info)))))
  ).flat();
  expect(V).toBeGreaterThan(maxPositions);
  const read = (tensor: Tensor) => model.gpu.read(tensor.storage, 'f32');
  const gains = async (site: Parameters<HookedModel['norm']>[0]) => {
    const { centred, gamma } = model.norm(site);
    return { centred, gamma: [...(await read(gamma))] };
  };
  return {
    unembedding,
    embedding,
    final: await gains('ln_final'),
    ln2: await gains(`blocks.${layers - 1}.ln2`),
    ln1: await gains('blocks.0.ln1'),
  };
}

/** C(v∘γ): what reads y reads of x. */
const back = (v: readonly number[], { centred, gamma }: { centred: boolean; gamma: number[] }): number[] => {
  const scaled = v.map((x, c) => x * (gamma[c] as number));
  return centred ? offMean(scaled) : scaled;
};

function compare(found: readonly VocabularyScores[], wanted: Rows, count: number): void {
  expect(found.length).toBe(wanted.length);
  found.forEach(({ most, least, scores }, f) => {
    const all = wanted[f] as readonly number[];
    const order = [...all.keys()].sort((a, b) => (all[b] as number) - (all[a] as number) || a - b);
    expect(most.map(({ token }) => token)).toEqual(order.slice(0, count));
    expect(least.map(({ token }) => token)).toEqual([...order].reverse().slice(0, count));
    // Sums of some ten products of size 1.
    for (const { token, value } of [...most, ...least]) expect(value).toBeCloseTo(all[token] as number, 5);
    if (scores) for (const [v, value] of all.entries()) expect(scores[v]).toBeCloseTo(value, 5);
  });
}

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('logits and de-embeddings of features: %s', async (_, open) => {
  const model = await open(2);
  const host = await tables(model);
  using dictionary = randomDictionary(model, 1);
  const { wDec, wEnc } = await dictionary.weights();
  const C = model.info.width;
  const row = (w: Float32Array, f: number): number[] => [...w.subarray(f * C, (f + 1) * C)];
  const features = [4, 0, 11];
  const { centred, gamma } = host.final;
  const written = features.map((f) => {
    const d = row(wDec, f);
    return (centred ? offMean(d) : d).map((x, c) => x * (gamma[c] as number));
  });
  const logits = written.map((d) => offMean(times(d, host.unembedding)));
  compare(await featureLogits(model, dictionary, features, { count: 7, all: true }), logits, 7);
  const read = features.map((f) => back(row(wEnc, f), host.ln2));
  compare(
    await deEmbedding(model, dictionary, features, { count: 7, all: true }),
    read.map((v) => times(v, host.embedding)),
    7,
  );
  // Through a head: what a token's value writes along v.
  const [wV, wO] = await Promise.all(
    (['wV', 'wO'] as const).map((name) => rowsOf(model, (step) => model.headWeights(step, 0, 1)[name])),
  );
  const heard = read.map((v) => back(times(times(v, wO as Rows), wV as Rows), host.ln1));
  compare(
    await deEmbedding(model, dictionary, features, { count: 3, through: { layer: 0, head: 1 } }),
    heard.map((v) => times(v, host.embedding)),
    3,
  );
  // Searches over all features by weights.
  const every = Array.from({ length: 12 }, (__, f) => f);
  const mean = (tokens: readonly number[], table: Rows): number[] =>
    Array.from(
      { length: C },
      (__, c) => tokens.reduce((sum, t) => sum + ((table[t] as number[])[c] as number), 0) / tokens.length,
    );
  const ranked = (scores: readonly number[]): number[] =>
    [...scores.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const writes = every.map((f) => {
    const d = row(wDec, f);
    const through = (centred ? offMean(d) : d).map((x, c) => x * (gamma[c] as number));
    return dot(through, mean([3, 5], host.unembedding)) - dot(through, mean([8], host.unembedding));
  });
  const found = await searchFeatureWeights(model, dictionary, { by: 'writes', tokens: [3, 5], against: [8], most: 4 });
  expect(found.most.map(({ index }) => index)).toEqual(ranked(writes).slice(0, 4));
  expect(found.least.map(({ index }) => index)).toEqual(ranked(writes).reverse().slice(0, 4));
  expect(found.most[0]?.strength).toBeCloseTo(Math.max(...writes), 5);
  const demeaned = await searchFeatureWeights(model, dictionary, { by: 'writes', tokens: [6], most: 12 });
  for (const { index, strength } of demeaned.most) {
    const [own] = await featureLogits(model, dictionary, [index], { all: true });
    expect(strength).toBeCloseTo(own?.scores?.[6] as number, 5);
  }
  const reads = every.map((f) => dot(back(row(wEnc, f), host.ln2), mean([2], host.embedding)));
  const readers = await searchFeatureWeights(model, dictionary, { by: 'reads', tokens: [2], most: 12 });
  expect(readers.most.map(({ index }) => index)).toEqual(ranked(reads));
});

test('tables and directions in small blocks give the same ends; neurons have logits too', async () => {
  const model = await tinyGpt2(1);
  using dictionary = randomDictionary(model, 0);
  const features = Array.from({ length: 12 }, (_, f) => f);
  const whole = await featureLogits(model, dictionary, features, { count: 9 });
  // Rows of the table come eight at a time, directions two.
  const blocks = await featureLogits(model, dictionary, features, { count: 9, memoryBytes: 4 * 8 * 10 * 4 });
  blocks.forEach(({ most, least }, f) => {
    expect(most.map(({ token }) => token)).toEqual(whole[f]?.most.map(({ token }) => token));
    expect(least.map(({ token }) => token)).toEqual(whole[f]?.least.map(({ token }) => token));
  });
  const embedded = await deEmbedding(model, dictionary, [3], { count: 9, memoryBytes: 4 * 8 * 10 * 4 });
  expect(embedded[0]?.most).toEqual((await deEmbedding(model, dictionary, [3], { count: 9 }))[0]?.most);
  const neurons = await featureLogits(model, { layer: 0, k: 1, rest: 'zero' }, [5, 12], { count: 2 });
  const direct = await vocabularyScores(
    model,
    2,
    () => {
      throw new Error('never asked');
    },
    { table: 'unembedding', count: 2, demeaned: true, all: false, signal: AbortSignal.abort() },
  ).catch((error: unknown) => error);
  expect(direct).toMatchObject({ code: 'aborted' });
  expect(neurons[1]?.most.length).toBe(2);
});

test('dashboards are searched by what examples and lists hold; requests that mean nothing are refused', async () => {
  const example = (tokens: number[], at: number) => ({ tokens, at, value: 1 });
  const dashboard = (feature: number, top: ReturnType<typeof example>[], token: number, value: number) =>
    ({
      feature,
      top,
      logits: { most: [{ token, value }], least: [{ token, value: -value }] },
      deEmbedding: { most: [{ token, value }], least: [] },
    }) as unknown as FeatureDashboard;
  const list = [
    dashboard(5, [example([1, 2, 3], 1), example([2, 9], 1)], 4, 0.5),
    dashboard(2, [example([2], 0), example([7, 2], 1)], 4, 0.9),
    dashboard(3, [example([7], 0)], 6, 2),
    dashboard(1, [example([2], 0), example([8], 0)], 4, 0.5),
  ];
  expect(searchFeatures(list, { tokens: [2], by: 'activation' })).toEqual([
    { feature: 2, score: 1 },
    { feature: 1, score: 0.5 },
    { feature: 5, score: 0.5 },
  ]);
  expect(searchFeatures(list, { tokens: [2], by: 'context', most: 2 })).toEqual([
    { feature: 2, score: 1 },
    { feature: 5, score: 1 },
  ]);
  expect(searchFeatures(list, { tokens: [6, 4], by: 'promoted' }).map(({ feature }) => feature)).toEqual([3, 2, 1, 5]);
  expect(searchFeatures(list, { tokens: [4], by: 'suppressed' })[0]).toEqual({ feature: 2, score: 0.9 });
  expect(searchFeatures(list, { tokens: [4], by: 'de-embedding' }).length).toBe(3);
  const model = await toy(2);
  using sae = randomDictionary(model, 1, { input: 'hook_mlp_out' });
  using dictionary = randomDictionary(model, 1);
  for (const refused of [
    () => searchFeatures(list, { tokens: [], by: 'context' }),
    () => searchFeatures(list, { tokens: [-1], by: 'context' }),
    () => searchFeatures(list, { tokens: [1], by: 'colour' as 'context' }),
    () => searchFeatureWeights(model, dictionary, { by: 'writes', tokens: [17] }),
  ])
    expect(await refusal(refused)).toMatchObject({ code: 'usage/feature-query' });
  expect(await refusal(deEmbedding(model, sae, [0]))).toMatchObject({ code: 'usage/feature-directions' });
  // In parallel blocks a layer's features do not lie behind its own heads.
  expect(await refusal(deEmbedding(model, dictionary, [0], { through: { layer: 1, head: 0 } }))).toMatchObject({
    code: 'usage/feature-directions',
  });
  expect(await refusal(featureLogits(model, dictionary, [0], { count: 65 }))).toMatchObject({
    code: 'usage/feature-tokens',
  });
});

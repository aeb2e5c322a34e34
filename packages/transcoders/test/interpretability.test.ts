// A feature's best label is what a search through all cuts and labels finds; planted features are found, and permuted labels are not.
import { testGpu, refusal, ToyModel } from '@limn/testing';
import type { RowBlocks, Tensor } from '@limn/tensor';
import { expect, test } from 'vitest';
import { Dictionary, interpretabilityScores, tokenLabels, type DictionaryConfig } from '../src/index.js';
import { bestPredicate, positivesOf } from '../src/evaluation/best-predicate.js';
import { bootstrapMean } from '../src/evaluation/bootstrap.js';
import { FiringRecords } from '../src/evaluation/firing-records.js';
import { numberLabels } from '../src/evaluation/token-labels.js';

let state = 3;
const uniform = (): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return state / 2 ** 32;
};

test('the best label and cut are those of a search through all of them, scored on the other half', () => {
  const tokens = 200;
  const lists = Array.from({ length: tokens }, () => ['a', 'b', 'c', 'd'].filter(() => uniform() < 0.3));
  const labels = numberLabels(lists);
  const view = { labels, of: (n: number) => n };
  const first = (n: number): boolean => n < 100;
  const second = (n: number): boolean => n >= 100;
  // Few distinct values, so that cuts fall between tied ones.
  const values = Array.from(
    { length: tokens },
    (_, n) => Math.max(0, Math.floor(6 * uniform()) - 2) * (lists[n]?.includes('b') ? 2 : 1),
  );
  const records = new FiringRecords(2);
  records.add(
    Float32Array.from(values.flatMap((value) => [0, value])),
    Array.from({ length: tokens }, (_, n) => n),
  );
  const [none, entries] = records.byFeature();
  expect(none?.tokens.length).toBe(0);
  expect(records.count).toBe(values.filter((value) => value > 0).length);
  const halves = [first, second].map((has) => ({ has, positives: positivesOf(view, tokens, has) }));
  const found = bestPredicate(entries as never, view, halves[0] as never, halves[1] as never, 1);
  const f1 = (label: string, threshold: number, has: (n: number) => boolean): number => {
    let [hit, yes, positive] = [0, 0, 0];
    for (let n = 0; n < tokens; n++) {
      if (!has(n)) continue;
      const is = (lists[n] as string[]).includes(label);
      const says = (values[n] as number) >= threshold;
      hit += is && says ? 1 : 0;
      yes += says ? 1 : 0;
      positive += is ? 1 : 0;
    }
    return (2 * hit) / (yes + positive);
  };
  const all = ['a', 'b', 'c', 'd'].flatMap((label) =>
    [...new Set(values)]
      .filter((value) => value > 0)
      .map((threshold) => ({ label, threshold, f1: f1(label, threshold, first) })),
  );
  const best = Math.max(...all.map((each) => each.f1));
  expect(found?.chosenF1).toBe(best);
  const { label, threshold } = all.find((each) => each.f1 === best) as (typeof all)[number];
  expect([labels.names[found?.label as number], found?.threshold]).toEqual([label, threshold]);
  expect(found?.f1).toBe(f1(label, threshold, second));
  // A label on too few tokens is not taken.
  const rare = positivesOf(view, tokens, first);
  const most = Math.max(...rare);
  expect(bestPredicate(entries as never, view, halves[0] as never, halves[1] as never, most + 1)).toBeUndefined();
});

test('labels of tokens are their tags, the token and the next one', () => {
  const tags = [{ role: 'end-of-text' }, { role: 'io', gender: 'she' as const }];
  expect(tokenLabels([0, 7], tags)).toEqual([
    ['role=end-of-text', 'token=0', 'next=7'],
    ['role=io', 'gender=she', 'token=7'],
  ]);
});

test('an interval of a mean holds it and narrows with its spread', () => {
  const values = Array.from({ length: 80 }, uniform);
  const mean = values.reduce((a, b) => a + b, 0) / 80;
  const found = bootstrapMean(values, undefined, 1);
  expect(found.mean).toBeCloseTo(mean, 12);
  // ±1.96 standard errors of a uniform: .29 / √80 = .032.
  expect(found.low).toBeGreaterThan(mean - 0.09);
  expect(found.low).toBeLessThan(mean - 0.04);
  expect(found.high).toBeGreaterThan(mean + 0.04);
  expect(bootstrapMean(values, values, 1)).toMatchObject({ mean: 0 });
  expect(bootstrapMean([0.5, 0.5], [0.25], 1)).toEqual({ mean: 0.25, low: 0.25, high: 0.25 });
});

test('features that read a token out are found as that token, above permuted labels; the same call gives the same bits', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, { layers: 1, heads: 2, headWidth: 4, mlpWidth: 9, vocabulary: 6, maxPositions: 10 });
  const sequences = Array.from({ length: 24 }, () => {
    const tokens = Array.from({ length: 10 }, () => Math.floor(6 * uniform()));
    return { tokens, labels: tokenLabels(tokens, []) };
  });
  const config: DictionaryConfig = {
    layer: 0,
    input: 'hook_mlp_in',
    inputWidth: 8,
    outputWidth: 8,
    features: 7,
    activation: { kind: 'relu' },
    skip: false,
  };
  // Feature f reads along the centred embedding of token f; feature 6 never fires.
  const table = model.parameters().get('embed') as RowBlocks;
  const embed = await gpu.read((table.blocks[0] as Tensor).storage, 'f32');
  const rows = Array.from({ length: 6 }, (_, v) => Array.from(embed.subarray(v * 8, v * 8 + 8)));
  const mean = rows[0]?.map((_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / 6) as number[];
  const centred = rows.map((row) => row.map((x, c) => x - (mean[c] as number)));
  using dictionary = Dictionary.create(gpu, config, {
    wEnc: Float32Array.from([...centred.flat(), ...Array.from({ length: 8 }, () => 0)]),
    bEnc: Float32Array.from([
      ...centred.map((row) => -row.reduce((sum, x, c) => sum + x * (mean[c] as number), 0)),
      -1,
    ]),
    wDec: new Float32Array(7 * 8),
    bDec: new Float32Array(8),
  });
  // All seven of seven: the same firings, kept as lists instead of a matrix.
  using listed = Dictionary.create(gpu, { ...config, activation: { kind: 'top-k', k: 7 } }, await dictionary.weights());
  const sources = [
    { name: 'features', dictionary },
    { name: 'listed', dictionary: listed },
    { name: 'neurons', neurons: { layer: 0, k: 3, rest: 'zero' } },
  ] as const;
  const options = { leastFirings: 3, leastPositives: 3, compare: [['features', 'neurons']] } as const;
  const found = await interpretabilityScores(model, sequences, sources, options);
  expect(await interpretabilityScores(model, sequences, sources, options)).toEqual(found);
  expect(found.tokens).toBe(240);
  type Source = (typeof found.sources)[number];
  const [features, lists, neurons] = found.sources as readonly Source[] as readonly [Source, Source, Source];
  expect(lists).toEqual({ ...features, name: 'listed' });
  expect(features.scores.every(({ feature }) => feature < 6)).toBe(true);
  const own = features.scores.filter(({ feature, label }) => label === `token=${feature}`);
  expect(own.length).toBeGreaterThanOrEqual(4);
  expect(features.f1.mean).toBeGreaterThan(0.6);
  expect(features.aboveNull.low).toBeGreaterThan(0.2);
  expect(features.nullF1.mean).toBeLessThan(0.45);
  expect(neurons.l0).toBe(3);
  expect(found.comparisons[0]?.difference.mean).toBeCloseTo(features.f1.mean - neurons.f1.mean, 12);
  const refused = (compare: [string, string]) =>
    refusal(interpretabilityScores(model, sequences, sources, { compare: [compare] }));
  expect(await refused(['features', 'sae'])).toMatchObject({ code: 'usage/dictionary-names' });
  expect(
    await refusal(interpretabilityScores(model, [{ tokens: [1, 2], labels: [] }, ...sequences], sources)),
  ).toMatchObject({
    code: 'data/dictionary-labels',
  });
});

// The study of features: effects of many prompts at once against graphs and the causal check, likenesses, edits of pairs, and the page that is kept.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { randomGpt2 } from '@limn/gpt2';
import { testGpu } from '@limn/testing';
import { Dictionary, featureEffects, incomingEdges, initialWeights, type DictionaryConfig } from '@limn/transcoders';
import { describe, expect, test } from 'vitest';
import type { StudiedPair } from '../features/cases.mjs';
import { featureDrawings } from '../features/drawings.mjs';
import { featuresMarkdown } from '../features/markdown.mjs';
import { featuresSetTo, headsSetTo, masksOf, neuronsSetTo, onlyFeatures, PairRuns } from '../features/pair-runs.mjs';
import { graphOfPrompt } from '../features/prompt-graph.mjs';
import { likeUnits, ranked } from '../features/rankings.mjs';
import type { FeatureStudy } from '../features/study.mjs';
import { unitEffects } from '../features/unit-effects.mjs';

const SHAPE = { layers: 2, heads: 2, width: 16, vocabulary: 30, maxPositions: 12 } as const;
const [WIDTH, FEATURES] = [16, 24];

/** A random model with a transcoder for each of its layers. */
async function modelWithDictionaries() {
  const gpu = await testGpu();
  const model = await randomGpt2(gpu, SHAPE, 5);
  const dictionaries = [0, 1].map((layer) => {
    const config: DictionaryConfig = {
      layer,
      input: 'ln2.hook_normalized',
      inputWidth: WIDTH,
      outputWidth: WIDTH,
      features: FEATURES,
      activation: { kind: 'top-k', k: 6 },
      skip: false,
    };
    return Dictionary.create(gpu, config, initialWeights(config, { seed: 11 + layer }));
  });
  return { model, dictionaries };
}

test('unit effects of many prompts at once are what each graph predicts of features that are taken away, and its edges to the output', async () => {
  const { model, dictionaries } = await modelWithDictionaries();
  const pair: StudiedPair = {
    clean: [3, 7, 1, 9],
    corrupted: [3, 7, 1, 2],
    correct: [5, 6],
    incorrect: [8, 2],
    roles: [],
  };
  // A second, longer row: padding changes nothing.
  const other: StudiedPair = { ...pair, clean: [1, 2, 4, 8, 16], corrupted: [1, 2, 4, 8, 15] };
  using runs = await PairRuns.of(model, dictionaries, [pair, other]);
  const [totals, directs] = [await unitEffects(runs, 'clean', 'total'), await unitEffects(runs, 'clean', 'direct')];
  await graphOfPrompt(model, dictionaries, pair, async (prompt, { graph, output, answers }) => {
    expect(answers).toBe(2);
    const last = incomingEdges(graph.edges, graph.edges.targets.length - 1);
    // Every third: some of each layer.
    const features = graph.nodes
      .flatMap((node, i) => (node.kind === 'feature' ? [{ node, i }] : []))
      .filter((_, f) => f % 3 === 0);
    expect(new Set(features.map(({ node }) => node.layer)).size).toBe(2);
    const { effects } = await featureEffects(
      prompt,
      graph,
      features.map(({ node: { layer, position, feature } }) => [{ layer, position, feature, value: 0 }]),
      { outputs: [output] },
    );
    const size = Math.max(...effects.map(({ total }) => Math.abs(total.at(-1) as number)));
    expect(size).toBeGreaterThan(0);
    for (const [f, { node, i }] of features.entries()) {
      const at = node.position * FEATURES + node.feature;
      const [total, direct] = [totals, directs].map(
        (units) => (units[node.layer]?.[at] as number) * node.activation * answers,
      ) as [number, number];
      expect(Math.abs((effects[f]?.total.at(-1) as number) + total)).toBeLessThan(1e-4 * size);
      expect(Math.abs((last[i] as number) - direct)).toBeLessThan(1e-4 * size);
    }
  });
});

describe('rankings', () => {
  test('units by the size of their score, without those of none', () => {
    expect(
      ranked([
        [0, 2, -3],
        [1, 0, 2],
      ]).map(({ layer, unit }) => `${layer}/${unit}`),
    ).toEqual(['0/2', '0/1', '1/2', '1/0']);
  });

  test('likenesses are of the same layer, near by ratio, none of the first and none twice', () => {
    const quantity = [Array.from({ length: 40 }, (_, i) => 2 ** (i / 4)), Array.from({ length: 40 }, () => 0)];
    const units = [5, 20, 21].map((unit) => ({ layer: 0, unit, score: 1 }));
    const like = likeUnits([...units, { layer: 1, unit: 0, score: 1 }], quantity, { apart: 3, seed: 2 });
    expect(like).toHaveLength(3);
    expect(new Set(like.map(({ unit }) => unit)).size).toBe(3);
    for (const [i, { unit }] of like.entries()) {
      expect([5, 20, 21]).not.toContain(unit);
      expect(Math.abs(unit - (units[i]?.unit as number))).toBeLessThanOrEqual(6);
    }
    expect(likeUnits(units, quantity, { apart: 3, seed: 2 })).toEqual(like.slice(0, 3));
  });
});

test('pairs under edits: nothing set changes nothing, and all neurons and heads set make the other prompt of what differs in one token', async () => {
  const { model, dictionaries } = await modelWithDictionaries();
  const pair = (changed: number, other: number): StudiedPair => ({
    clean: [1, 2, changed, 4, 5],
    corrupted: [1, 2, other, 4, 5],
    correct: [7, 8],
    incorrect: [9, 10],
    roles: ['', '', 'source', '', ''],
  });
  using runs = await PairRuns.of(model, dictionaries, [pair(3, 11), pair(12, 6)]);
  const none = masksOf(2, FEATURES, []);
  const { corrupted, clean } = runs.sides;
  expect(featuresSetTo(runs, corrupted, none)).toEqual([]);
  expect(await runs.under('clean', [])).toBe(runs.metric.clean);
  // MLPs held at their own prompt's, and every feature set to what it is.
  expect(await runs.under('clean', onlyFeatures(runs, clean, none))).toBeCloseTo(runs.metric.clean, 6);
  const every = dictionaries.map(() => new Float32Array(FEATURES).fill(1));
  expect(await runs.under('clean', featuresSetTo(runs, clean, every))).toBeCloseTo(runs.metric.clean, 6);
  expect(await runs.under('clean', onlyFeatures(runs, corrupted, every))).not.toBeCloseTo(runs.metric.clean, 4);
  // At the last position the stream is the token's embedding, which is the same, heads and MLPs.
  const heads = [0, 1].map(() => new Float32Array(SHAPE.heads).fill(1));
  const neurons = [0, 1].map(() => new Float32Array(model.info.mlpWidth).fill(1));
  const all = [...headsSetTo(corrupted, heads), ...neuronsSetTo(corrupted, neurons)];
  expect(await runs.lost(all)).toBeCloseTo(1, 4);
  expect(await runs.kept(all)).toBeCloseTo(0, 4);
});

const kept = path.join(import.meta.dirname, '../results/features-lavapipe.json');
const docs = path.join(import.meta.dirname, '../../docs');

test('docs/features.md and its drawings are those of the results that are kept', (context) => {
  context.skip(!existsSync(kept), 'no results of features are kept yet: npm run features');
  const study = JSON.parse(readFileSync(kept, 'utf8')) as FeatureStudy;
  expect(readFileSync(path.join(docs, 'features.md'), 'utf8')).toBe(featuresMarkdown(study));
  for (const [name, svg] of Object.entries(featureDrawings(study)))
    expect(readFileSync(path.join(docs, name), 'utf8')).toBe(svg);
  expect(featuresMarkdown(study)).not.toMatch(/NaN|undefined|Infinity/);
});

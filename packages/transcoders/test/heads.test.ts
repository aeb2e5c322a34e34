// Edges split by head sum to the edges; the terms of a head's score sum to the score, with rotary positions too.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  attributeScore,
  buildGraph,
  edgeWeight,
  FrozenPrompt,
  graphNodeName,
  headLoadings,
  scoreTerm,
  strongestTerms,
  type GraphTarget,
  type ScoreTerm,
} from '../src/index.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';

const TOKENS = [3, 1, 4, 1, 5];

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('heads and what passes them by sum to every edge: %s', async (_, open) => {
  const model = await open();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer, { skip: layer === 1 }));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const target: GraphTarget = { kind: 'logits', up: [2], down: [5], position: 4, demeaned: false };
  const graph = await buildGraph(prompt, { outputs: [{ target, label: '2-5' }], withoutFeatures: [] });
  const row = graph.edges.targets.length - 1;
  const edges = new Map(
    graph.nodes.slice(0, graph.edges.sources).map((node, s) => [graphNodeName(node), edgeWeight(graph.edges, row, s)]),
  );
  for (const layer of [0, 1, 2]) {
    const { nodes, heads, past } = await headLoadings(prompt, target, layer);
    let attended = 0;
    for (const [s, node] of nodes.entries()) {
      const parts = [0, 1].map((head) => heads[head * nodes.length + s] as number);
      attended += Math.abs(parts[0] as number);
      const sum = (past[s] as number) + parts.reduce((a, b) => a + b, 0);
      // Three f32 parts of size up to 1 that a single pass adds in another order.
      const edge = edges.get(graphNodeName(node));
      if (edge !== undefined) expect(Math.abs(sum - edge)).toBeLessThan(3e-6);
      if (node.kind === 'feature' && node.layer >= layer) expect(parts).toEqual([0, 0]);
    }
    expect(attended).toBeGreaterThan(0.01);
  }
  const early: GraphTarget = {
    kind: 'direction',
    place: { layer: 1, at: 'pre' },
    position: 0,
    vector: new Float32Array(model.info.width),
  };
  expect(await refusal(() => headLoadings(prompt, early, 1))).toMatchObject({ code: 'usage/graph-head-layer' });
});

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('a score is the sum over pairs of what both positions are made of: %s', async (_, open) => {
  const model = await open();
  const dictionaries = [0, 1].map((layer) => randomDictionary(model, layer));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  for (const place of [
    { layer: 2, head: 1, query: 4, key: 1 },
    { layer: 0, head: 0, query: 2, key: 2 },
  ]) {
    const found = await attributeScore(prompt, place);
    let sum = 0;
    for (const query of found.nodes.keys()) for (const key of found.nodes.keys()) sum += scoreTerm(found, query, key);
    expect(Math.abs(sum - found.score)).toBeLessThan(1e-4 * Math.max(1, Math.abs(found.score)));
    const [first, second] = strongestTerms(found, 2) as [ScoreTerm, ScoreTerm?];
    expect(Math.abs(first.value)).toBeGreaterThanOrEqual(Math.abs(second?.value ?? 0));
    expect(first.value).toBe(scoreTerm(found, first.query, first.key));
    // Nothing behind the query's position, or the key's, takes part.
    for (const [s, node] of found.nodes.entries()) {
      if (!('position' in node)) continue;
      const taken = (side: Float32Array) =>
        side.subarray(s * found.headWidth, (s + 1) * found.headWidth).some((v) => v !== 0);
      if (node.position > place.query) expect(taken(found.query)).toBe(false);
      if (node.position > place.key) expect(taken(found.key)).toBe(false);
    }
  }
  expect(await refusal(() => attributeScore(prompt, { layer: 0, head: 0, query: 1, key: 2 }))).toMatchObject({
    code: 'usage/graph-key',
  });
});

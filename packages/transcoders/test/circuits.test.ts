// Edges by head, scores by pairs of sources, and paths: all sum to what they are parts of; names and filters are the paper's.
import { blockHook, tokenBatch, type HookedModel } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  attributeScore,
  buildGraph,
  connectionStrengths,
  edgeWeight,
  encoderDirection,
  filterPaths,
  FrozenPrompt,
  graphNodeName,
  headDirections,
  headLoadings,
  headNorms,
  pathGraph,
  pathNodeName,
  scoreTable,
  scoreTerm,
  searchPaths,
  strongest,
  strongestTerms,
  type Dictionaries,
  type Dictionary,
  type GraphTarget,
  type ScoreTerm,
} from '../src/index.js';
import { randomCrossLayer } from './cross-layer-models.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';
import { uniform } from './uniform.js';

const TOKENS = [3, 1, 4, 1];
const PROMPT = [...TOKENS, 5];

/** Where a head looks from a position, as the run had it. */
async function patternRow(
  prompt: FrozenPrompt,
  { layer, head, query }: { readonly layer: number; readonly head: number; readonly query: number },
): Promise<Float32Array> {
  const step = prompt.model.gpu.step();
  try {
    const T = prompt.length;
    const all = await readFloats(step, prompt.layers[layer]!.pattern);
    return all.slice((head * T + query) * T, (head * T + query + 1) * T);
  } finally {
    step.dispose();
  }
}

const withSkip = (model: HookedModel): Dictionaries =>
  [0, 1].map((layer) => randomDictionary(model, layer, { skip: layer === 0 }));

test.each<[string, typeof tinyGpt2, (model: HookedModel) => Dictionaries]>([
  ['gpt2', tinyGpt2, withSkip],
  ['toy', toy, withSkip],
  // What a feature brings by way of the layers behind its own is part of the same path.
  ['gpt2, a cross-layer transcoder', tinyGpt2, (model) => randomCrossLayer(model).dictionary],
])('the paths between a source and a root sum to their edge, if all are followed: %s', async (_, open, make) => {
  const model = await open(2);
  const dictionaries = make(model);
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const target: GraphTarget = { kind: 'logits', up: [2], down: [5], position: 3, demeaned: false };
  const graph = await buildGraph(prompt, { outputs: [{ target, label: '2-5' }], skips: 'source', withoutFeatures: [] });
  const { byLength } = await searchPaths(prompt, target, '2-5', {
    iterations: 2,
    branches: 1e6,
    headBranches: 1e6,
    order: 'size',
  });
  const brought = new Map<string, number>();
  for (const { steps } of byLength.flat()) {
    const [first, ...rest] = steps.slice(1).reverse();
    // Edges run through heads alone.
    if (first?.node.kind !== 'feature' || rest.some(({ node }) => node.kind !== 'head')) continue;
    const { layer, feature, position } = first.node;
    const name = `${layer} ${feature} ${position}`;
    brought.set(name, (brought.get(name) ?? 0) + first.attribution);
  }
  const row = graph.edges.targets.length - 1;
  let compared = 0;
  for (const [s, node] of graph.nodes.entries()) {
    if (node.kind !== 'feature') continue;
    const sum = brought.get(`${node.layer} ${node.feature} ${node.position}`) ?? 0;
    compared += sum === 0 ? 0 : 1;
    expect(Math.abs(sum - edgeWeight(graph.edges, row, s))).toBeLessThan(1e-5);
  }
  expect(compared).toBeGreaterThan(8);
});

test('along every path a node is the sum of its terms, errors and constants, and the graph of paths says what it leaves out', async () => {
  const model = await tinyGpt2();
  const dictionaries = [0, 2].map((layer) => randomDictionary(model, layer, { skip: layer === 2 }));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const feature = prompt.host.firing[2]?.find(({ position }) => position === 3);
  const target = { kind: 'feature', layer: 2, position: 3, feature: feature?.feature ?? 0 } as const;
  const found = await searchPaths(prompt, target, '', { branches: 5 });
  expect(pathNodeName(found.root)).toBe(`tc2[${target.feature}]@3`);
  expect(found.byLength.map((paths) => paths.length)).toEqual([1, 5, 5, 5]);
  for (const { steps } of found.byLength.flat())
    for (const { attribution, remainder, node } of steps) {
      expect(remainder === undefined).toBe(node.kind === 'embedding');
      if (!remainder) continue;
      const { tcError, biasError, skip, terms } = remainder;
      expect(Math.abs(tcError + biasError + skip + terms - attribution)).toBeLessThan(1e-5);
    }
  expect(found.byLength[0]?.[0]?.steps[0]?.attribution).toBeCloseTo(feature?.activation ?? 0, 5);
  const graph = pathGraph(found.byLength.flat());
  for (const { name, attribution, tcError, biasError, skip, pruneError } of graph.nodes) {
    if (name.startsWith('embed')) continue;
    const incoming = graph.edges.filter((edge) => edge.target === name).reduce((sum, { weight }) => sum + weight, 0);
    expect(Math.abs(incoming + tcError + biasError + skip + pruneError - attribution)).toBeLessThan(1e-5);
  }
  // The same graph of a part of the paths leaves more out, and loses no attribution of what is on it.
  const part = pathGraph(filterPaths(found.byLength.flat(), [{ kind: { is: '=', value: 'head' } }]));
  const root = (nodes: typeof graph.nodes) => nodes.find(({ name }) => name === pathNodeName(found.root));
  expect(root(part.nodes)?.attribution).toBe(root(graph.nodes)?.attribution);
  const merged = pathGraph(found.byLength.flat(), { positions: false });
  expect(merged.nodes.every(({ name }) => !name.includes('@'))).toBe(true);
  // With signs, and by size, what counts against the root is seen as well.
  for (const order of ['signed', 'size'] as const) {
    const { byLength } = await searchPaths(prompt, target, '', { branches: 6, order, iterations: 1 });
    expect(byLength[1]?.some(({ steps }) => (steps[1]?.attribution ?? 0) < 0)).toBe(true);
  }
  expect(await refusal(() => searchPaths(prompt, target, '', { branches: 0 }))).toMatchObject({
    code: 'usage/path-search',
  });
});

test("pulled back through weights alone, a vector is the prompt's up to A, s and the activation", async () => {
  const model = await tinyGpt2(2);
  const dictionaries = [0, 1].map((layer) => randomDictionary(model, layer)) as [Dictionary, Dictionary];
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  using step = model.gpu.step();
  const run = model.run(
    step,
    { tokens: tokenBatch([TOKENS], model.info) },
    {
      capture: (['ln2.hook_scale', 'ln1.hook_scale', 'attn.hook_pattern', 'hook_resid_pre'] as const).map((site) =>
        blockHook(1, site),
      ),
      logits: 'none',
    },
  );
  const feature = 4;
  const direction = encoderDirection(step, model, dictionaries[1], feature);
  const v = fromData(step, uniform(9)(model.info.width), [model.info.width]);
  const strengths = connectionStrengths(step, dictionaries[0], direction);
  const [scales, perFeature, scales1, pattern, stream, heads, norms, top] = await Promise.all([
    readFloats(step, run.at(blockHook(1, 'ln2.hook_scale'))),
    readFloats(step, strengths),
    readFloats(step, run.at(blockHook(1, 'ln1.hook_scale'))),
    readFloats(step, run.at(blockHook(1, 'attn.hook_pattern'))),
    readFloats(step, run.at(blockHook(1, 'hook_resid_pre'))),
    readFloats(step, headDirections(step, model, 1, v)),
    readFloats(step, headNorms(step, model, 1, v)),
    strongest(step, strengths, 3),
  ]);
  const all = { branches: 1e6, headBranches: 1e6, iterations: 1, order: 'size' } as const;
  const { byLength } = await searchPaths(prompt, { kind: 'feature', layer: 1, position: 3, feature }, '', all);
  let compared = 0;
  for (const { steps } of byLength[1] ?? []) {
    const { node, attribution } = steps[1] as (typeof steps)[number];
    if (node.kind !== 'feature') continue;
    const a =
      prompt.host.firing[0]?.find((each) => each.position === 3 && each.feature === node.feature)?.activation ?? 0;
    expect(attribution).toBeCloseTo((a * (perFeature[node.feature] as number)) / (scales[3] as number), 5);
    compared++;
  }
  expect(compared).toBeGreaterThan(1);
  const C = model.info.width;
  const vector = uniform(9)(C);
  const place = { layer: 1, at: 'mid' } as const;
  const direct = await searchPaths(prompt, { kind: 'direction', place, position: 3, vector }, 'v', all);
  for (const { steps } of direct.byLength[1] ?? []) {
    const { node, attribution } = steps[1] as (typeof steps)[number];
    if (node.kind !== 'head' || node.layer !== 1) continue;
    const { head, position } = node;
    const read = Array.from(
      { length: C },
      (_, c) => (heads[head * C + c] as number) * (stream[position * C + c] as number),
    );
    const share = pattern[(head * TOKENS.length + 3) * TOKENS.length + position] as number;
    const expected = (share * read.reduce((sum, value) => sum + value, 0)) / (scales1[position] as number);
    expect(attribution).toBeCloseTo(expected, 5);
    compared++;
  }
  expect(compared).toBeGreaterThan(9);
  for (const head of [0, 1])
    expect(norms[head]).toBeCloseTo(Math.hypot(...heads.subarray(head * C, (head + 1) * C)), 5);
  const sorted = [...perFeature].sort((a, b) => b - a);
  expect(top.most.map(({ strength }) => strength)).toEqual(sorted.slice(0, 3));
  expect(top.least.map(({ strength }) => strength)).toEqual(sorted.reverse().slice(0, 3));
});

test("names are the paper's, and filters hold of nodes in a row, of none, or of the deepest", () => {
  const path = (...nodes: Parameters<typeof pathNodeName>[0][]) => ({
    steps: nodes.map((node) => ({ node, attribution: 1 })),
  });
  const feature = { kind: 'feature', layer: 8, feature: 89, position: 9 } as const;
  const head = { kind: 'head', layer: 2, head: 2, position: 8 } as const;
  const embedding = { kind: 'embedding', position: 9 } as const;
  expect([feature, head, embedding].map((node) => pathNodeName(node))).toEqual(['tc8[89]@9', 'attn2[2]@8', 'embed0@9']);
  expect(pathNodeName({ kind: 'root', label: '40-20', place: { layer: 11, at: 'post' }, position: 8 })).toBe('40-20@8');
  const paths = [path(feature, head, embedding), path(feature, embedding), path(feature, head)];
  const places = (...given: Parameters<typeof filterPaths> extends [unknown, ...infer Rest] ? Rest : never) =>
    filterPaths(paths, ...given).map((each) => paths.indexOf(each as never));
  expect(places([{ kind: { is: '=', value: 'head' } }])).toEqual([0, 2]);
  expect(places([{ kind: { is: '=', value: 'head' } }], 'not-infix')).toEqual([1]);
  expect(places([{ kind: { is: '=', value: 'embedding' } }], 'suffix')).toEqual([0, 1]);
  expect(places([{ layer: { is: '>=', value: 8 } }, { position: { is: '<', value: 9 } }])).toEqual([0, 2]);
  expect(places([{ sublayer: { is: '<=', value: 5 } }], 'suffix')).toEqual([0, 1, 2]);
  expect(places([{ sublayer: { is: '!=', value: 5 } }, { sublayer: { is: '=', value: 0 } }])).toEqual([1]);
  expect(places([{ head: { is: '!=', value: 2 } }])).toEqual([]);
  expect(places([{ feature: { is: '=', value: 89 } }, { layer: { is: '>', value: 0 } }])).toEqual([0, 2]);
});

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('heads and what passes them by sum to every edge: %s', async (_, open) => {
  const model = await open();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer, { skip: layer === 1 }));
  using prompt = await FrozenPrompt.of(model, dictionaries, PROMPT);
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
] as const)('a score is the sum over pairs of what both positions are made of: %s', async (name, open) => {
  const model = await open();
  const dictionaries = [0, 1].map((layer) => randomDictionary(model, layer));
  using prompt = await FrozenPrompt.of(model, dictionaries, PROMPT);
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
    // A table of a few sources has the rest in its last row and column, so that it sums to the score, too.
    const table = scoreTable(found, 3);
    // Without positions and biases a token alone makes the first layer's queries and keys.
    const sources = name === 'toy' && place.layer === 0 ? 1 : 3;
    expect([table.queries.length, table.keys.length]).toEqual([sources, sources]);
    expect(table.values[0]?.[0]).toBeCloseTo(scoreTerm(found, table.queries[0]!, table.keys[0]!), 5);
    expect(table.values.flat().reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 4);
    expect(table.values.map((row) => row.length)).toEqual(Array.from({ length: sources + 1 }, () => sources + 1));
    // The scores of the query are those whose softmax is the pattern.
    expect(found.scores).toHaveLength(place.query + 1);
    expect(found.scores[place.key]).toBe(found.score);
    const exp = found.scores.map((value) => Math.exp(value - found.score));
    const pattern = await patternRow(prompt, place);
    for (const [key, value] of exp.entries())
      expect(value / exp.reduce((all, each) => all + each, 0)).toBeCloseTo(pattern[key]!, 5);
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

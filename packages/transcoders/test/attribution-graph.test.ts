// An attribution graph's edges sum to what they lead to, and each is the gradient that the tape gives.
import { blockHook, freeze, intervene, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { add, detach, fromData, gradients, matmul, readFloats, reshape, sub } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  attributePrompt,
  buildGraph,
  edgeWeight,
  graphNodeName,
  logitDifferenceOutput,
  logitOutputs,
  worstResidual,
  FrozenPrompt,
  type AttributionGraph,
  type Dictionary,
  type FeatureNode,
  type GraphOptions,
  type ReadableSite,
} from '../src/index.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';
import { uniform } from './uniform.js';

const TOKENS = [3, 1, 4, 1, 5];

/** |Σ edges − value| over |value|, of every target that is not near zero. */
function strictResidual({ accounting }: AttributionGraph): number {
  return Math.max(
    ...accounting.map(({ value, residual }) => (Math.abs(value) > 0.02 ? Math.abs(residual / value) : 0)),
  );
}

/** All that dictionaries can be: with a skip connection and without, reading the stream or its norm, of each activation that keeps h. */
const mixed = (model: HookedModel, input: ReadableSite): Dictionary[] => [
  randomDictionary(model, 0, { skip: true }),
  randomDictionary(model, 1, { activation: { kind: 'jump-relu', bandwidth: 0.1 } }),
  randomDictionary(model, 2, { skip: true, input }),
];

test.each<[string, () => Promise<HookedModel>, GraphOptions, (model: HookedModel) => Dictionary[]]>([
  ['gpt2', tinyGpt2, {}, (m) => mixed(m, 'hook_resid_mid')],
  [
    'gpt2, skip connections as sources, a layer without a dictionary',
    tinyGpt2,
    { skips: 'source' },
    (m) => [0, 2].map((l) => randomDictionary(m, l, { skip: l === 0 })),
  ],
  ['toy', toy, {}, (m) => mixed(m, 'hook_mlp_in')],
  ['toy, a layer without a dictionary', toy, { batchSize: 3 }, (m) => [0, 2].map((l) => randomDictionary(m, l))],
])('edges into every feature and logit sum to it: %s', async (_, open, options, make) => {
  const model = await open();
  const dictionaries = make(model);
  const graph = await attributePrompt(model, dictionaries, TOKENS, options);
  expect(graph.nodes.filter(({ kind }) => kind === 'feature').length).toBeGreaterThan(10);
  expect(worstResidual(graph)).toBeLessThan(1e-5);
  expect(strictResidual(graph)).toBeLessThan(1e-4);
  expect(new Set(graph.nodes.map(graphNodeName)).size).toBe(graph.nodes.length);
  // Features' values are their activations.
  for (const [row, { value }] of graph.accounting.entries()) {
    const node = graph.nodes[graph.edges.targets[row] as number];
    if (node?.kind === 'feature') expect(value).toBeCloseTo(node.activation, 4);
  }
  for (const dictionary of dictionaries) dictionary.dispose();
});

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('an edge is a·d·∂h/∂(mlp out) of the tape, where patterns and scales are detached: %s', async (_, open) => {
  const model = await open();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer, { skip: layer === 1 }));
  const graph = await attributePrompt(model, dictionaries, TOKENS);
  const out = (layer: number): HookName => blockHook(layer, 'hook_mlp_out');
  const interventions = dictionaries.flatMap((dictionary, layer) => [
    freeze(blockHook(layer, 'attn.hook_pattern')),
    freeze(blockHook(layer, 'ln1.hook_scale')),
    freeze(blockHook(layer, 'ln2.hook_scale')),
    intervene(
      out(layer),
      'leaf, but for the skip connection',
      (y, { step, at }) => {
        const wSkip = dictionary.parameters.get('wSkip');
        if (!wSkip) return detach(y);
        const skipped = matmul(step, at(dictionary.reads), wSkip);
        return add(step, detach(y), sub(step, skipped, detach(skipped)));
      },
      { reads: [dictionary.reads] },
    ),
  ]);
  using step = model.gpu.step();
  const last = dictionaries[2] as Dictionary;
  const sites: HookName[] = [out(0), out(1), 'hook_embed', 'hook_pos_embed'];
  const run = model.run(
    step,
    { tokens: tokenBatch([TOKENS], model.info) },
    { interventions, capture: [...sites, last.reads], logits: 'none' },
  );
  const row = [...graph.edges.targets].map((node) => graph.nodes[node]?.kind).lastIndexOf('feature');
  const target = graph.nodes[graph.edges.targets[row] as number] as FeatureNode;
  expect(target.layer).toBe(2);
  const h = last.preActivations(step, reshape(run.at(last.reads), [TOKENS.length, model.info.width]));
  const seed = new Float32Array(h.size);
  seed[target.position * last.config.features + target.feature] = 1;
  const found = gradients(
    step,
    h,
    fromData(step, seed, h.shape),
    sites.map((site) => run.at(site)),
  );
  const [embedded, ...byPlace] = await Promise.all([
    readFloats(step, run.at('hook_embed')),
    ...found.map((gradient) => readFloats(step, gradient)),
  ]);
  const weights = await Promise.all(dictionaries.map((dictionary) => dictionary.weights()));
  const { width: C } = model.info;
  const product = (vector: Float32Array, from: number, gradient: Float32Array, position: number): number =>
    Array.from({ length: C }, (_, c) => (vector[from + c] as number) * (gradient[position * C + c] as number)).reduce(
      (sum, value) => sum + value,
      0,
    );
  let compared = 0;
  for (const [source, node] of graph.nodes.slice(0, graph.edges.sources).entries()) {
    let expected: number | undefined;
    if (node.kind === 'feature' && node.layer < 2) {
      const { wDec } = weights[node.layer] as { wDec: Float32Array };
      expected = node.activation * product(wDec, node.feature * C, byPlace[node.layer] as Float32Array, node.position);
    } else if (node.kind === 'token')
      expected = product(embedded, node.position * C, byPlace[2] as Float32Array, node.position);
    if (expected === undefined) continue;
    compared += expected === 0 ? 0 : 1;
    // Sums of ten f32 products of size up to 1, through two more layers of such sums.
    expect(Math.abs(edgeWeight(graph.edges, row, source) - expected)).toBeLessThan(1e-5);
  }
  expect(compared).toBeGreaterThan(20);
});

test('any feature, difference of logits or direction can be explained; what is not explained is in the errors', async () => {
  const model = await tinyGpt2();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const outputs = [
    logitDifferenceOutput([2, 3], [5], 3),
    { target: { kind: 'feature', layer: 1, position: 2, feature: 3 }, label: 'a feature that may be silent' },
    {
      target: { kind: 'direction', place: { layer: 1, at: 'mid' }, position: 4, vector: uniform(3)(model.info.width) },
      label: 'a direction',
    },
    {
      target: { kind: 'direction', place: { layer: 2, at: 'post' }, position: 1, vector: uniform(4)(model.info.width) },
      label: 'at the end',
    },
  ] as const;
  const graph = await buildGraph(prompt, { outputs });
  expect(worstResidual(graph)).toBeLessThan(1e-5);
  const few = await buildGraph(prompt, { outputs, maxFeatures: 6 });
  expect(few.nodes.filter(({ kind }) => kind === 'feature').length).toBe(6);
  expect(worstResidual(few)).toBeLessThan(1e-5);
  expect(few.activeFeatures).toBe(prompt.host.firing.flat().length);
  // A row of the smaller graph has the whole one's numbers wherever the source is still there.
  const [wide, narrow] = [graph, few].map(({ nodes, edges }) => {
    const row = edges.targets.length - outputs.length;
    return new Map(nodes.slice(0, edges.sources).map((node, s) => [graphNodeName(node), edgeWeight(edges, row, s)]));
  }) as [Map<string, number>, Map<string, number>];
  for (const [name, weight] of narrow) if (!name.startsWith('error')) expect(weight).toBe(wide.get(name));
  const total = (map: Map<string, number>): number => [...map.values()].reduce((sum, value) => sum + value, 0);
  expect(Math.abs(total(narrow) - total(wide))).toBeLessThan(1e-5);
  // No MLP output is explained at positions that are left whole.
  const without = await buildGraph(prompt, { outputs, withoutFeatures: [0, 1] });
  expect(without.nodes.every((node) => node.kind !== 'feature' || node.position > 1)).toBe(true);
  expect(worstResidual(without)).toBeLessThan(1e-5);
});

test('edges do not depend on how many targets share a step; progress is told; a budget that one target exceeds is refused', async () => {
  const model = await tinyGpt2(2);
  using prompt = await FrozenPrompt.of(model, [randomDictionary(model, 0), randomDictionary(model, 1)], TOKENS);
  const outputs = [logitDifferenceOutput([2], [5], 4)];
  const told: string[] = [];
  const whole = await buildGraph(prompt, {
    outputs,
    onProgress: ({ unit, done, total }) => told.push(`${unit} ${done}/${total}`),
  });
  const single = await buildGraph(prompt, { outputs, batchSize: 1 });
  expect(single.nodes).toEqual(whole.nodes);
  for (const [i, weight] of whole.edges.weights.entries())
    expect(Math.abs(weight - (single.edges.weights[i] as number))).toBeLessThan(1e-6);
  const features = whole.nodes.filter(({ kind }) => kind === 'feature').length;
  expect(told.at(0)).toBe('targets 1/1');
  expect(told.at(-1)).toBe(`features ${features}/${features}`);
  expect(await refusal(() => buildGraph(prompt, { outputs, memoryBytes: 1000 }))).toMatchObject({
    code: 'memory/over-budget',
  });
  const one = await attributePrompt(model, [randomDictionary(model, 0)], [7], {
    outputs: [logitDifferenceOutput([2], [], 0)],
  });
  expect(worstResidual(one)).toBeLessThan(1e-5);
});

test('logits are the likeliest tokens up to the mass asked for; refusals say what is wrong', async () => {
  const model = await tinyGpt2(1);
  using dictionary = randomDictionary(model, 0);
  using prompt = await FrozenPrompt.of(model, [dictionary], TOKENS);
  const outputs = logitOutputs(prompt, { most: 4, mass: 0.3 });
  const reached = outputs.reduce((sum, { probability = 0 }) => sum + probability, 0);
  expect(outputs.length === 4 || reached >= 0.3).toBe(true);
  expect(reached - (outputs.at(-1)?.probability ?? 0)).toBeLessThan(0.3);
  const build = (options: GraphOptions) => refusal(() => buildGraph(prompt, options));
  expect(await build({ logits: { most: 0 } })).toMatchObject({ code: 'usage/graph-logits' });
  expect(await build({ maxFeatures: -1 })).toMatchObject({ code: 'usage/graph-features' });
  expect(await build({ tolerance: 0 })).toMatchObject({ code: 'data/graph-residual' });
  expect(await build({ outputs: [logitDifferenceOutput([99], [], 0)] })).toMatchObject({ message: /token 99/ });
  const direction = {
    kind: 'direction',
    place: { layer: 1, at: 'mid' },
    position: 0,
    vector: new Float32Array(10),
  } as const;
  expect(await build({ outputs: [{ target: direction, label: '' }] })).toMatchObject({ code: 'usage/graph-place' });
  expect(await build({ batchSize: 0 })).toMatchObject({ code: 'usage/batch-size' });
  using sae = randomDictionary(model, 0, { input: 'hook_mlp_out' });
  const open = (dictionaries: Dictionary[]) => refusal(() => FrozenPrompt.of(model, dictionaries, TOKENS));
  expect(await open([sae])).toMatchObject({ code: 'usage/graph-dictionary' });
  expect(await open([dictionary, dictionary])).toMatchObject({ message: /two dictionaries of layer 0/ });
  const aborted = AbortSignal.abort();
  expect(await build({ signal: aborted })).toMatchObject({ name: 'AbortedError' });
});

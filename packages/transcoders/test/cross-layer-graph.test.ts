// Attribution graphs of cross-layer transcoders: a feature's edge is what it brings by every layer that it writes at, and everything adds up.
import { blockHook, freeze, intervene, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { detach, fromData, gradients, readFloats, reshape } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  agreementOf,
  attributePrompt,
  buildGraph,
  edgeWeight,
  featureEffects,
  FrozenPrompt,
  logitDifferenceOutput,
  worstResidual,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type FeatureEffects,
  type FeatureNode,
} from '../src/index.js';
import { randomCrossLayer } from './cross-layer-models.js';
import { tinyGpt2, toy } from './graph-models.js';

const TOKENS = [3, 1, 4, 1, 5];
const isLong = process.env['LIMN_LONG'] === '1';
const OUTPUTS = [logitDifferenceOutput([2], [5], 4), logitDifferenceOutput([7], [], 3)];

test.for<[string, () => Promise<HookedModel>, Partial<CrossLayerDictionaryConfig>]>([
  ['gpt2', tinyGpt2, { activation: { kind: 'jump-relu', bandwidth: 0.1 } }],
  ['gpt2, reading the stream, top-k', tinyGpt2, { input: 'hook_resid_mid', activation: { kind: 'top-k', k: 4 } }],
  ['toy', toy, { input: 'hook_mlp_in' }],
])('edges into every feature and logit sum to it: %s', async ([name, open, options], context) => {
  context.skip(!isLong && name !== 'gpt2', 'software adapters take seconds for each model: with LIMN_LONG=1');
  const model = await open();
  using dictionary = randomCrossLayer(model, options).dictionary;
  using prompt = await FrozenPrompt.of(model, dictionary, TOKENS);
  const graph = await buildGraph(prompt, { withoutFeatures: [0] });
  const kept = graph.nodes.filter((node): node is FeatureNode => node.kind === 'feature');
  expect(new Set(kept.map(({ layer }) => layer))).toEqual(new Set([0, 1, 2]));
  expect(graph.withoutDictionary).toEqual([]);
  expect(worstResidual(graph)).toBeLessThan(1e-5);
  // Features left out are in the errors of their places: the sums stay.
  const few = await buildGraph(prompt, { maxFeatures: 6 });
  expect(few.nodes.filter(({ kind }) => kind === 'feature')).toHaveLength(6);
  expect(worstResidual(few)).toBeLessThan(1e-5);
});

test("an edge is a·Σ_l d_l·∂h/∂(layer l's mlp out) of the tape, where patterns and scales are detached", async () => {
  const model = await tinyGpt2();
  const { dictionary, weights } = randomCrossLayer(model, { across: 0.5 });
  using own = dictionary;
  const graph = await attributePrompt(model, own, TOKENS);
  const out = (layer: number): HookName => blockHook(layer, 'hook_mlp_out');
  const interventions = [0, 1, 2].flatMap((layer) => [
    freeze(blockHook(layer, 'attn.hook_pattern')),
    freeze(blockHook(layer, 'ln1.hook_scale')),
    freeze(blockHook(layer, 'ln2.hook_scale')),
    intervene(out(layer), 'leaf', (y) => detach(y)),
  ]);
  using step = model.gpu.step();
  const last = own.encoders[2] as (typeof own.encoders)[number];
  const sites = [out(0), out(1)];
  const run = model.run(
    step,
    { tokens: tokenBatch([TOKENS], model.info) },
    { interventions, capture: [...sites, last.reads], logits: 'none' },
  );
  const row = [...graph.edges.targets].map((node) => graph.nodes[node]?.kind).lastIndexOf('feature');
  const target = graph.nodes[graph.edges.targets[row] as number] as FeatureNode;
  expect(target.layer).toBe(2);
  const C = model.info.width;
  const h = last.preActivations(step, reshape(run.at(last.reads), [TOKENS.length, C]));
  const seed = new Float32Array(h.size);
  seed[target.position * last.config.features + target.feature] = 1;
  const found = await Promise.all(
    gradients(
      step,
      h,
      fromData(step, seed, h.shape),
      sites.map((site) => run.at(site)),
    ).map((gradient) => readFloats(step, gradient)),
  );
  let compared = 0;
  for (const [source, node] of graph.nodes.slice(0, graph.edges.sources).entries()) {
    if (node.kind !== 'feature' || node.layer > 1) continue;
    const { wDec } = weights[node.layer] as CrossLayerWeights;
    let expected = 0;
    for (let l = node.layer; l < 2; l++)
      for (let c = 0; c < C; c++)
        expected +=
          node.activation *
          (wDec[(node.feature * (3 - node.layer) + l - node.layer) * C + c] as number) *
          (found[l]?.[node.position * C + c] as number);
    compared += expected === 0 ? 0 : 1;
    // Sums of ten f32 products of size up to 1, through two more layers of such sums.
    expect(Math.abs(edgeWeight(graph.edges, row, source) - expected)).toBeLessThan(1e-5);
  }
  expect(compared).toBeGreaterThan(10);
});

/** ‖predicted − measured‖ over ‖measured‖ of each set, the worst. */
const worst = ({ effects }: FeatureEffects, predicted: 'direct' | 'total'): number =>
  Math.max(...effects.map((effect) => Math.sqrt(agreementOf(effect[predicted], effect.measured).nmse ?? 0)));

/** A prompt, its graph, and every seventh feature of layer 0 that fires, negated. */
async function changes(model: HookedModel) {
  const { dictionary } = randomCrossLayer(model, { across: 0.5 });
  const prompt = await FrozenPrompt.of(model, dictionary, TOKENS);
  const graph = await buildGraph(prompt, { outputs: OUTPUTS, withoutFeatures: [] });
  const sets = (prompt.host.firing[0] ?? [])
    .filter((_, i) => i % 7 === 0)
    .map((each) => [{ layer: 0, ...each, value: -each.activation }]);
  return { dictionary, prompt, graph, sets };
}

test('changes of features reach every layer that they write at, as edges say', async () => {
  const { dictionary, prompt, graph, sets } = await changes(await tinyGpt2());
  const held = await featureEffects(prompt, graph, sets, { outputs: OUTPUTS });
  expect(held.effects.length).toBeGreaterThan(1);
  expect(worst(held, 'direct')).toBeLessThan(1e-3);
  prompt.dispose();
  dictionary.dispose();
});

test('along the local replacement model effects are those of all paths; the model itself answers otherwise', async (context) => {
  context.skip(!isLong, 'software adapters take seconds for each mode: with LIMN_LONG=1');
  const { dictionary, prompt, graph, sets } = await changes(await tinyGpt2());
  // Small changes, which no feature starts or stops firing under: as a linear map says.
  const small = sets.slice(0, 2).map((set) => set.map((change) => ({ ...change, value: -0.997 * change.value })));
  const handed = await featureEffects(prompt, graph, small, { outputs: OUTPUTS, mode: 'iterative', scales: 'frozen' });
  expect(worst(handed, 'total')).toBeLessThan(5e-3);
  expect(worst(handed, 'direct')).toBeGreaterThan(0.02);
  const free = await featureEffects(prompt, graph, sets, { outputs: OUTPUTS, mode: 'free' });
  expect(worst(free, 'direct')).toBeGreaterThan(0.02);
  prompt.dispose();
  dictionary.dispose();
});

test('a transcoder of a model with other layers is refused', async () => {
  using two = randomCrossLayer(await tinyGpt2(2)).dictionary;
  const model = await tinyGpt2();
  expect(await refusal(FrozenPrompt.of(model, two, TOKENS))).toMatchObject({ code: 'data/dictionary-model' });
});

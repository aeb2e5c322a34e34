// On a trained model: its own MLPs read as dictionaries of neurons, the accounting and the causal check on a task's prompt.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2, type Gpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { linearMap } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { generatePairs } from '@limn/tasks';
import { recordResult, testGpu } from '@limn/testing';
import { readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  buildGraph,
  Dictionary,
  featureEffects,
  foldFeatures,
  FrozenPrompt,
  graphScores,
  influenceGraph,
  logitDifferenceOutput,
  matchedFeatures,
  pathNodeName,
  pruneGraph,
  searchPaths,
  summarizeEffects,
  worstResidual,
  type FeatureNode,
} from '../src/index.js';

const ABSENT = !existsSync(new URL('model.safetensors', modelFolder()));
const NO_POCKET = "pocket's weights are not in this checkout";

/** ReLU in the place of GELU: neurons as features, h = x·W_in + b_in, and W_out as their decoder. */
async function neurons(model: Gpt2, layer: number): Promise<Dictionary> {
  const { width, mlpWidth } = model.info;
  using step = model.gpu.step();
  const [into, out] = ['c_fc', 'c_proj'].map((name) => {
    const site = model.linears().find((each) => each.name === `h.${layer}.mlp.${name}`);
    return linearMap(step, model, site as NonNullable<typeof site>);
  }) as [ReturnType<typeof linearMap>, ReturnType<typeof linearMap>];
  const [wIn, bIn, wOut, bOut] = (await Promise.all(
    [into.weight, into.bias, out.weight, out.bias].map((tensor) =>
      readFloats(step, tensor as NonNullable<typeof tensor>),
    ),
  )) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const wEnc = Float32Array.from(wIn, (_, i) => wIn[(i % width) * mlpWidth + Math.floor(i / width)] as number);
  return Dictionary.create(
    model.gpu,
    {
      layer,
      input: 'ln2.hook_normalized',
      inputWidth: width,
      outputWidth: width,
      features: mlpWidth,
      activation: { kind: 'relu' },
      skip: false,
    },
    { wEnc, bEnc: bIn, wDec: wOut, bDec: bOut },
  );
}

async function prompt(): Promise<{
  readonly frozen: FrozenPrompt;
  readonly outputs: ReturnType<typeof logitDifferenceOutput>[];
}> {
  const { model } = await loadGpt2(await testGpu(), openFolder(fileURLToPath(modelFolder())));
  const dictionaries = await Promise.all(
    Array.from({ length: model.info.layers }, (_, layer) => neurons(model, layer)),
  );
  const [pair] = generatePairs('gender', { seed: 3, n: 1, split: 'held-out' });
  const { clean, correct, incorrect } = pair as NonNullable<typeof pair>;
  const frozen = await FrozenPrompt.of(model, dictionaries, clean);
  return { frozen, outputs: [logitDifferenceOutput(correct, incorrect, clean.length - 1)] };
}

test("a trained model's graph adds up, is pruned and scored, and says what changes do", async (context) => {
  context.skip(ABSENT, NO_POCKET);
  context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 runs the trained model');
  const { frozen, outputs } = await prompt();
  const graph = await buildGraph(frozen, { outputs, maxFeatures: 60 });
  expect(worstResidual(graph)).toBeLessThan(2e-5);
  const view = influenceGraph(graph);
  const pruned = pruneGraph(view);
  const kept = pruned.nodes.reduce((sum, each) => sum + each, 0);
  expect(kept).toBeLessThan(graph.nodes.length / 2);
  const [whole, folded] = [graph, foldFeatures(graph, pruned.nodes)].map((each) => graphScores(influenceGraph(each)));
  expect(folded?.replacement).toBeLessThan(whole?.replacement ?? 0);
  const strongest = graph.nodes
    .map((node, i) => ({ node, influence: pruned.influence[i] as number }))
    .filter((each): each is { node: FeatureNode; influence: number } => each.node.kind === 'feature')
    .sort((a, b) => a.influence - b.influence)
    .slice(0, 3);
  const sets = strongest.map(({ node }) => [{ ...node, value: 0 }]);
  const held = await featureEffects(frozen, graph, sets, { outputs });
  for (const { nmse } of summarizeEffects(held, 'direct')) expect(nmse).toBeLessThan(1e-6);
  const paths = await searchPaths(frozen, (outputs[0] as (typeof outputs)[0]).target, 'root', {
    iterations: 2,
    branches: 5,
  });
  expect(paths.byLength[2]?.length).toBe(5);
  expect(pathNodeName(paths.byLength[1]?.[0]?.steps[1]?.node as Parameters<typeof pathNodeName>[0])).toMatch(
    /^(tc|attn|embed)\d/,
  );
  frozen.dispose();
});

test('unfrozen, whole graphs predict what features do to the answer better than to chance', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 explains every feature that fires');
  context.skip(ABSENT, NO_POCKET);
  const { frozen, outputs } = await prompt();
  const started = performance.now();
  const graph = await buildGraph(frozen, { outputs });
  const built = performance.now();
  const features = graph.nodes.filter((node): node is FeatureNode => node.kind === 'feature');
  recordResult('attribution graph of pocket', {
    features: features.length,
    milliseconds: Math.round(built - started),
    residual: worstResidual(graph),
  });
  const { influence } = pruneGraph(influenceGraph(graph));
  const chosen = features
    .map((node, i) => ({ node, influence: influence[i] as number }))
    .filter(({ node }) => node.layer < frozen.layers.length - 1)
    .sort((a, b) => a.influence - b.influence)
    .slice(0, 24)
    .map(({ node }) => node);
  const random = chosen.flatMap((node) =>
    matchedFeatures(frozen, node, { seed: 1 }).map((each) => ({ ...each, layer: node.layer })),
  );
  for (const [name, nodes] of [
    ['chosen', chosen],
    ['random', random],
  ] as const)
    for (const mode of ['constrained', 'iterative', 'free'] as const) {
      const effects = await featureEffects(
        frozen,
        graph,
        nodes.map((node) => [{ ...node, value: -node.activation }]),
        { outputs, mode },
      );
      const figures = summarizeEffects(effects, mode === 'constrained' ? 'direct' : 'total');
      const moved = effects.effects.reduce((sum, { measured }) => sum + Math.abs(measured.at(-1) ?? 0), 0);
      for (const { depth, spearman, signAgreement, cosine, nmse } of figures)
        recordResult(`effects on pocket: ${name}, ${mode}, ${depth}`, {
          moved: moved / nodes.length,
          spearman: spearman ?? 'none',
          signAgreement: signAgreement ?? 'none',
          cosine: cosine ?? 'none',
          nmse: nmse ?? 'none',
        });
      if (mode === 'constrained') for (const { nmse } of figures) expect(nmse).toBeLessThan(1e-6);
      else expect(figures.at(-1)?.spearman).toBeGreaterThan(0.3);
    }
  frozen.dispose();
}, 600_000);

// What a graph predicts is what happens: exactly where patterns and scales are held, and the figures say how well where nothing is.
import { add as addTo, blockHook, tokenBatch, type HookedModel } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  agreementOf,
  buildGraph,
  featureEffects,
  FrozenPrompt,
  logitDifferenceOutput,
  matchedFeatures,
  summarizeEffects,
  type ChangeOptions,
  type Dictionary,
  type FeatureChange,
  type FeatureEffects,
  type GraphTarget,
} from '../src/index.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';

const TOKENS = [3, 1, 4, 1, 5];
const OUTPUTS = [logitDifferenceOutput([2], [5], 4), logitDifferenceOutput([7], [], 3)];

/** Every sixth feature of the first layer that fires and is read, negated; one that does not fire; two at once. */
function sets(prompt: FrozenPrompt): FeatureChange[][] {
  const fired = (prompt.host.firing[0] ?? []).map((each) => ({ layer: 0, ...each, value: -each.activation }));
  const silent = Array.from({ length: 12 }, (_, feature) => feature).find(
    (feature) => !fired.some((each) => each.position === 1 && each.feature === feature),
  ) as number;
  const chosen = fired.filter((_, i) => i % 6 === 0);
  return [
    ...chosen.map((each) => [each]),
    [{ layer: 0, position: 1, feature: silent, value: 0.7 }],
    [chosen[0] as FeatureChange, { layer: 1, position: 3, feature: 2, value: 1.1 }],
  ];
}

/** ‖predicted − measured‖ over ‖measured‖ of each set, the worst; changed features aside, which no edge leads to themselves. */
function worst({ effects }: FeatureEffects, predicted: 'direct' | 'total'): number {
  return Math.max(...effects.map((effect) => Math.sqrt(agreementOf(effect[predicted], effect.measured).nmse ?? 0)));
}

test.each<[string, (layers?: number) => Promise<HookedModel>, (model: HookedModel) => Dictionary[]]>([
  [
    'gpt2',
    tinyGpt2,
    (m) =>
      [0, 1, 2].map((l) =>
        randomDictionary(m, l, { skip: l > 0, input: l === 1 ? 'hook_mlp_in' : 'ln2.hook_normalized' }),
      ),
  ],
  ['toy', toy, (m) => [0, 1, 2].map((l) => randomDictionary(m, l, { skip: l === 1 }))],
])('with patterns, scales and MLP outputs held, changes have the effects that edges say: %s', async (_, open, make) => {
  const model = await open();
  using prompt = await FrozenPrompt.of(model, make(model), TOKENS);
  const graph = await buildGraph(prompt, { outputs: OUTPUTS, withoutFeatures: [] });
  const held = await featureEffects(prompt, graph, sets(prompt), { outputs: OUTPUTS });
  expect(held.effects.length).toBe(sets(prompt).length);
  expect(Math.max(...held.effects.flatMap(({ measured }) => [...measured].map(Math.abs)))).toBeGreaterThan(0.05);
  expect(worst(held, 'direct')).toBeLessThan(1e-3);
  for (const { depth, cosine, nmse } of summarizeEffects(held, 'direct')) {
    expect(cosine, String(depth)).toBeGreaterThan(0.999_999);
    expect(nmse).toBeLessThan(1e-6);
  }
  // Small changes along the local replacement model, which no feature starts or stops firing under: as a linear map says.
  const small = sets(prompt)
    .slice(0, 3)
    .map((set) => set.map((change) => ({ ...change, value: -0.997 * change.value })));
  const local: ChangeOptions = { mode: 'iterative', scales: 'frozen' };
  const handed = await featureEffects(prompt, graph, small, { outputs: OUTPUTS, ...local });
  expect(worst(handed, 'total')).toBeLessThan(5e-3);
  expect(worst(handed, 'direct')).toBeGreaterThan(0.02);
});

test('unfrozen, the model runs as it is with the change in its stream; figures are reported by depth', async () => {
  const model = await tinyGpt2();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const graph = await buildGraph(prompt, { outputs: OUTPUTS, withoutFeatures: [] });
  const [set = []] = sets(prompt);
  const [{ layer, position, feature, value }] = set as [FeatureChange];
  const free = await featureEffects(prompt, graph, [set, []], { outputs: OUTPUTS, mode: 'free', batchSize: 1 });
  expect([...(free.effects[1]?.measured ?? [1])].every((moved) => moved === 0)).toBe(true);
  const { wDec } = await (dictionaries[0] as Dictionary).weights();
  using step = model.gpu.step();
  const C = model.info.width;
  const direction = fromData(
    step,
    wDec.slice(feature * C, (feature + 1) * C).map((x) => 2 * value * x),
    [C],
  );
  const tokens = tokenBatch([TOKENS], model.info);
  const at = blockHook(layer, 'hook_mlp_out');
  const run = model.run(
    step,
    { tokens },
    { interventions: [addTo(at, direction, { positions: [position] })], logits: 'last' },
  );
  const [changed, clean] = await Promise.all([
    readFloats(step, run.logits),
    readFloats(step, model.run(step, { tokens }, { logits: 'last' }).logits),
  ]);
  const difference = (logits: Float32Array): number => (logits[2] as number) - (logits[5] as number);
  expect(free.effects[0]?.measured.at(-2)).toBeCloseTo(difference(changed) - difference(clean), 5);
  const figures = summarizeEffects(free);
  expect(figures.map(({ depth }) => depth)).toEqual([1, 2, 'output', 'all']);
  expect(figures.at(-1)?.count).toBe(figures.slice(0, -1).reduce((sum, { count }) => sum + count, 0));
  // Held from layer 1 on only, layer 0's MLP runs: its output is the same, as nothing before it changed.
  const partly = await featureEffects(prompt, graph, [set], {
    outputs: OUTPUTS,
    layers: { from: 1, to: 2 },
    scales: 'frozen',
  });
  expect(
    Math.sqrt(agreementOf(partly.effects[0]?.direct ?? [], partly.effects[0]?.measured ?? []).nmse ?? 1),
  ).toBeLessThan(1e-3);
});

test('agreement is what its sums say; matched features fire there, about as strongly, and are drawn by the seed', async () => {
  expect(agreementOf([1, 2, -3, 0], [2, 4, -6, 1])).toEqual({
    count: 4,
    spearman: 1,
    signAgreement: 1,
    cosine: 28 / Math.sqrt(14 * 57),
    nmse: 15 / 57,
  });
  expect(agreementOf([0, 0], [0, 0])).toEqual({
    count: 2,
    spearman: null,
    signAgreement: null,
    cosine: null,
    nmse: null,
  });
  const host = { firing: [[1, 2, 3, 100, 4].map((activation, feature) => ({ position: 0, feature, activation }))] };
  const prompt = { host } as unknown as FrozenPrompt;
  const drawn = matchedFeatures(prompt, { layer: 0, position: 0, feature: 1 }, { count: 3, seed: 5 });
  expect(new Set(drawn.map(({ feature }) => feature)).size).toBe(3);
  expect(drawn.some(({ feature }) => feature === 1)).toBe(false);
  expect(drawn).toEqual(matchedFeatures(prompt, { layer: 0, position: 0, feature: 1 }, { count: 3, seed: 5 }));
  expect(await refusal(() => matchedFeatures(prompt, { layer: 0, position: 1, feature: 1 }))).toMatchObject({
    code: 'usage/matched-features',
  });
});

test('figures are told apart by the layers between a change and what it moves, where it can move anything', () => {
  const feature = (layer: number, position: number, index: number): GraphTarget => ({
    kind: 'feature',
    layer,
    position,
    feature: index,
  });
  const logits: GraphTarget = { kind: 'logits', up: [1], down: [2], position: 3, demeaned: false };
  const targets = [feature(0, 2, 5), feature(1, 2, 6), feature(1, 0, 7), feature(2, 3, 8), feature(3, 3, 9), logits];
  const change = (layer: number, index: number): FeatureChange => ({ layer, position: 1, feature: index, value: 1 });
  const effect = (changes: FeatureChange[], first: number): FeatureEffects['effects'][number] => ({
    changes,
    direct: Float64Array.from(targets, (_, t) => -t),
    total: Float64Array.from(targets, (_, t) => first + t),
    measured: Float64Array.from(targets, (_, t) => 2 * (first + t)),
  });
  // Of layer 0; of layer 1, with a second change behind it that is a target itself.
  const effects = [
    effect([change(0, 1)], 1),
    effect([change(1, 2), { layer: 2, position: 3, feature: 8, value: 0 }], 10),
  ];
  const found = summarizeEffects({ targets, layers: 4, effects });
  // Behind layer 0: targets 1, 3, 4 by depth, not 0 of its own layer, not 2 at an earlier position. Behind layer 1: 4 alone, since 3 was changed.
  const pairs: [number | 'output' | 'all', number[]][] = [
    [1, [2]],
    [2, [4, 14]],
    [3, [5]],
    ['output', [6, 15]],
    ['all', [2, 4, 5, 6, 14, 15]],
  ];
  expect(found).toEqual(
    pairs.map(([depth, predicted]) => ({
      depth,
      ...agreementOf(
        predicted,
        predicted.map((value) => 2 * value),
      ),
    })),
  );
  expect(summarizeEffects({ targets, layers: 4, effects }, 'direct').at(-1)).toMatchObject({
    signAgreement: 0,
    nmse: [1, 3, 4, 5, 4, 5].reduce((sum, t, i) => sum + (t + 2 * [2, 4, 5, 6, 14, 15][i]!) ** 2, 0) / (4 * 502),
  });
});

test('changes that cannot be made, and graphs that they do not fit, are refused', async () => {
  const model = await tinyGpt2(2);
  const dictionaries = [randomDictionary(model, 0, { skip: true })];
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const graph = await buildGraph(prompt, { outputs: OUTPUTS });
  const change: FeatureChange = { layer: 0, position: 1, feature: 0, value: 1 };
  const refused = (changes: Partial<FeatureChange>) =>
    refusal(() => featureEffects(prompt, graph, [[{ ...change, ...changes }]], { outputs: OUTPUTS }));
  for (const changes of [{ layer: 1 }, { feature: 12 }, { position: 9 }, { value: NaN }])
    expect(await refused(changes)).toMatchObject({ code: 'usage/feature-change' });
  expect(await refusal(() => featureEffects(prompt, graph, [[change]]))).toMatchObject({ code: 'usage/graph-outputs' });
  const ends = await buildGraph(prompt, { outputs: OUTPUTS, skips: 'source' });
  expect(await refusal(() => featureEffects(prompt, ends, [[change]], { outputs: OUTPUTS }))).toMatchObject({
    code: 'usage/graph-skips',
  });
  const slot: GraphTarget = { kind: 'slot', slot: 'q', layer: 1, head: 0, position: 2, channel: 0 };
  const inside = [{ target: slot, label: 'q' }];
  const deep = await buildGraph(prompt, { outputs: OUTPUTS });
  const renamed = {
    ...deep,
    nodes: deep.nodes.map((node, i) => (i === deep.nodes.length - 1 ? { ...node, label: 'q' } : node)),
  } as typeof deep;
  expect(
    await refusal(() =>
      featureEffects(prompt, renamed, [[change]], { outputs: [OUTPUTS[0] as (typeof OUTPUTS)[0], ...inside] }),
    ),
  ).toMatchObject({ code: 'usage/graph-target' });
});

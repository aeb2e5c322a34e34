// LoRAs on every map, attention's q, k, v and o among them, beside circuits and edge scores: by definition those of a model that has them in its weights.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  buildGraph,
  Circuit,
  eapIgChange,
  logitDiff,
  OutputWeights,
  recordNodeOutputs,
  restrictToCircuit,
  scoreAt,
  scoreEdges,
  type Graph,
  type Pair,
} from '@limn/attribution';
import { createLora, LoraAdapter, loraScale, MergedAdapters, type LoraWeights } from '@limn/dit';
import type { Step } from '@limn/gpu';
import {
  blockHook,
  tokenBatch,
  withTaskAdapters,
  type HookedModel,
  type HookName,
  type Intervention,
  type RunInput,
  type TaskLowRank,
} from '@limn/hooks';
import { add, concat, fromData, gradients, readFloats, scale, sub, type Tensor } from '@limn/tensor';
import { referenceRandom, testGpu, ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel, type OpenModel } from '../src/model-source.js';
import { writeToyModel } from './toy-model.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'limn-lora-circuit-'));
let gpt2: OpenModel;
let toy: ToyModel;
beforeAll(async () => {
  writeToyModel(path.join(root, 'model'));
  gpt2 = await openModel(await testGpu(), path.join(root, 'model'));
  toy = new ToyModel(await testGpu(), {
    layers: 2,
    heads: 2,
    headWidth: 4,
    mlpWidth: 6,
    vocabulary: 11,
    maxPositions: 5,
  });
});
afterAll(() => {
  gpt2[Symbol.dispose]();
  toy.dispose();
  rmSync(root, { recursive: true, force: true });
});

const PAIRS: readonly Pair[] = [
  { clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5] },
  { clean: [3, 6, 2, 8, 1], corrupted: [3, 5, 2, 0, 1], correct: [4], incorrect: [7] },
];
const of = (which: 'clean' | 'corrupted'): (readonly number[])[] => PAIRS.map((pair) => pair[which]);

function random(model: HookedModel, seed: number): LoraWeights {
  const lora = createLora(model, { rank: 2, alpha: 1 });
  const drawn = referenceRandom(seed);
  const modules = Array.from(lora.modules, ([name, { a, b, rank, alpha }]) => {
    const numbers = (values: Float32Array): Float32Array => Float32Array.from(drawn.normals(values.length, 0.5));
    return [name, { a: numbers(a), b: numbers(b), rank, alpha }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

/** What a model does with these in its weights. */
async function withMerged<T>(model: HookedModel, lora: LoraWeights, work: () => Promise<T>): Promise<T> {
  using merged = new MergedAdapters(model);
  await merged.merge('lora', lora);
  try {
    return await work();
  } finally {
    await merged.unmergeAll();
  }
}

/** LoRAs by row: their factors stacked, and the edits. */
function byRow(step: Step, model: HookedModel, loras: readonly LoraWeights[], taskOfRow: readonly number[]) {
  const changes = model.linears().map((linear): TaskLowRank => {
    const all = loras.map((lora) => lora.modules.get(linear.name)!);
    const stacked = (which: 'a' | 'b', shape: readonly number[]): Tensor =>
      fromData(step, Float32Array.from(all.flatMap((factors) => [...factors[which]])), shape);
    return {
      linear,
      a: stacked('a', [loras.length, 2, linear.inWidth]),
      b: stacked('b', [loras.length, linear.outWidth, 2]),
      scales: all.map((factors) => loraScale(factors, false)),
    };
  });
  return withTaskAdapters('by row', changes, { taskOfRow });
}

/** Logits behind each last token of the clean prompts in a circuit; `edits` are there in the clean and in the corrupted run. */
async function inCircuit(
  model: HookedModel,
  circuit: Circuit,
  edits: (step: Step) => readonly Intervention[] = () => [],
  order: (edits: readonly Intervention[], edges: readonly Intervention[]) => Intervention[] = (a, b) => [...a, ...b],
): Promise<Float32Array> {
  const weights = await OutputWeights.of(model);
  const step = model.gpu.step();
  try {
    const own = edits(step);
    const edges = restrictToCircuit(circuit, recordNodeOutputs(step, model, weights, of('corrupted'), own));
    const tokens = tokenBatch(of('clean'), model.info);
    return await readFloats(
      step,
      model.run(step, { tokens }, { interventions: order(own, edges), logits: 'last' }).logits,
    );
  } finally {
    step.dispose();
    weights.dispose();
  }
}

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

/** Between what two runs scores are: prompts at strength 0 and 1, what a run at a strength starts from, and its edits. */
interface Between {
  readonly prompts: readonly [from: readonly (readonly number[])[], to: readonly (readonly number[])[]];
  readonly edits: (strength: number) => readonly Intervention[];
}

/** Clean and corrupted prompts, with the same edits in every run. */
const betweenPrompts = (edits: readonly Intervention[]): Between => ({
  prompts: [of('corrupted'), of('clean')],
  edits: () => edits,
});

/** Scores by their definition: Σ (z'_u − z_u) · mean over points of ∂L/∂x_v, at each slot's own input. */
async function scoresByDefinition(
  model: HookedModel,
  graph: Graph,
  { prompts, edits }: Between,
  points: readonly number[],
): Promise<(u: number, v: number) => number> {
  const { layers, heads: H, width: C } = model.info;
  const sites: HookName[] = Array.from({ length: layers }, (_, layer) =>
    (['hook_q_input', 'hook_k_input', 'hook_v_input', 'hook_mlp_in'] as const).map((site) => blockHook(layer, site)),
  ).flat();
  sites.push(blockHook(layers - 1, 'hook_resid_post'));
  const weights = await OutputWeights.of(model);
  const step = model.gpu.step();
  try {
    const outputs = (end: 0 | 1): Tensor =>
      concat(
        step,
        recordNodeOutputs(step, model, weights, prompts[end], edits(end)).map(({ tensor }) => tensor),
        0,
      );
    const recorded = sub(step, outputs(0), outputs(1));
    const [corrupted, clean] = prompts.map((each) => tokenBatch(each, model.info));
    const [from, to] = [model.embed(step, corrupted!), model.embed(step, clean!)];
    const parts = points.map((alpha) => {
      const embeddings = add(step, from, scale(step, sub(step, to, from), alpha));
      const input: RunInput = alpha === 1 ? { tokens: clean! } : { embeddings, lengths: clean!.lengths };
      const run = model.run(step, input, { interventions: edits(alpha), capture: sites, logits: 'last' });
      const loss = logitDiff.loss(step, run.logits, PAIRS, undefined);
      const at = sites.map((site) => run.at(site));
      return gradients(step, loss, 'ones', at).map((slope) => scale(step, slope, 1 / points.length));
    });
    const means = sites.map((_site, i) => parts.map((slopes) => slopes[i]!).reduce((x, y) => add(step, x, y)));
    const [deltas, ...slopes] = (await Promise.all([recorded, ...means].map((x) => readFloats(step, x)))) as [
      Float32Array,
      ...Float32Array[],
    ];
    const rows = deltas.length / graph.nForward / C;
    return (u, v) => {
      const layer = Math.floor(v / (3 * H + 1));
      const slot = v - layer * (3 * H + 1);
      const perHead = layer < layers && slot < 3 * H;
      const [site, head] = layer === layers ? [4 * layers, 0] : perHead ? [4 * layer + Math.floor(slot / H), slot % H] : [4 * layer + 3, 0]; // prettier-ignore
      const slope = slopes[site]!;
      let sum = 0;
      for (let row = 0; row < rows; row++)
        for (let c = 0; c < C; c++)
          sum += deltas[(u * rows + row) * C + c]! * slope[(perHead ? row * H + head : row) * C + c]!;
      return sum / PAIRS.length;
    };
  } finally {
    step.dispose();
    weights.dispose();
  }
}

describe.each([
  ['GPT-2, q, k and v in one map', (): HookedModel => gpt2.hooked],
  ['the toy, a map each', (): HookedModel => toy],
])('%s', (_, model_) => {
  it('a circuit beside LoRAs of every map is that circuit in a model with them in its weights, for every row its own', async () => {
    const model = model_();
    const [one, two] = [random(model, 1), random(model, 2)];
    const graph = buildGraph(model.info);
    const drawn = referenceRandom(3).normals(graph.nForward * graph.nBackward);
    const circuit = Circuit.where(graph, (u, v) => drawn[graph.dense(u, v)]! > -0.3);
    const merged = (lora: LoraWeights, of = circuit): Promise<Float32Array> =>
      withMerged(model, lora, () => inCircuit(model, of));
    const [first, second] = [await merged(one), await merged(two)];
    const CLOSE = 2e-5 * Math.max(...first.map(Math.abs));
    using adapter = new LoraAdapter(model, one);
    const edits = () => adapter.interventions();
    const together = await inCircuit(model, circuit, edits);
    expect(apart(together, first)).toBeLessThan(CLOSE);
    expect(apart(await inCircuit(model, circuit, edits, (a, b) => [...b, ...a]), first)).toBeLessThan(CLOSE);
    // The circuit counts, and so does each kind of map.
    expect(apart(await merged(one, Circuit.full(graph)), first)).toBeGreaterThan(1e-2);
    for (const { name } of model.linears().filter(({ layer }) => layer === 1)) {
      using alone = new LoraAdapter(model, { ...one, modules: new Map([[name, one.modules.get(name)!]]) });
      const less = edits().filter(({ spec }) => spec.options?.['linear'] !== name);
      expect(apart(await inCircuit(model, circuit, () => less), first), name).toBeGreaterThan(1e-3);
      expect(alone.modules).toEqual([name]);
    }
    // By row: the first LoRA, the second, and none.
    const plain = await inCircuit(model, circuit);
    const V = model.info.vocabulary;
    const [ofSecond, ofNone] = [
      await inCircuit(model, circuit, (step) => byRow(step, model, [one, two], [0, 1])),
      await inCircuit(model, circuit, (step) => byRow(step, model, [one, two], [-1, 0])),
    ];
    expect(apart(ofSecond.subarray(0, V), first.subarray(0, V))).toBeLessThan(CLOSE);
    expect(apart(ofSecond.subarray(V), second.subarray(V))).toBeLessThan(CLOSE);
    expect(apart(ofNone.subarray(0, V), plain.subarray(0, V))).toBeLessThan(CLOSE);
    expect(apart(ofNone.subarray(V), first.subarray(V))).toBeLessThan(CLOSE);
  });

  it('scores of EAP and EAP-IG with LoRAs in the weights are those by definition of runs with LoRAs as edits', async () => {
    const model = model_();
    const lora = random(model, 4);
    using adapter = new LoraAdapter(model, lora);
    const graph = buildGraph(model.info);
    for (const [method, points, options] of [
      ['eap', [1], {}],
      ['eap-ig-inputs', [0.5, 1], { steps: 2, rule: 'right' }],
    ] as const) {
      const scores = await withMerged(model, lora, () =>
        scoreEdges(model, PAIRS, { method, metric: logitDiff, ...options }),
      );
      const wanted = await scoresByDefinition(model, graph, betweenPrompts(adapter.interventions()), points);
      const plain = await scoreEdges(model, PAIRS, { method, metric: logitDiff, ...options });
      const edges = [...graph.edges()];
      const size = Math.max(...edges.map(({ u, v }) => Math.abs(scoreAt(scores, u, v))));
      const off = edges.map(({ u, v }) => Math.abs(scoreAt(scores, u, v) - wanted(u, v)));
      expect(Math.max(...off), `${method} of ${size}`).toBeLessThan(2e-5 * size);
      expect(
        Math.max(...edges.map(({ u, v }) => Math.abs(scoreAt(scores, u, v) - scoreAt(plain, u, v)))),
      ).toBeGreaterThan(0.05 * size);
    }
  });

  it('EAP-IG along a LoRA’s strength, beside one that stays: by definition, and 0 at sources that it does not reach', async () => {
    const model = model_();
    const [diff, other] = [random(model, 6), random(model, 7)];
    const late = new Map([...diff.modules].filter(([name]) => model.linears().find((each) => each.name === name)?.layer === 1)); // prettier-ignore
    using change = new LoraAdapter(model, { ...diff, modules: late });
    using adapter = new LoraAdapter(model, other, { name: 'adapter' });
    const edits = (strength: number): readonly Intervention[] => [
      ...change.interventions({ strength }),
      ...adapter.interventions(),
    ];
    const graph = buildGraph(model.info);
    const examples = PAIRS.map(({ clean, correct, incorrect }) => ({ prompt: clean, correct, incorrect }));
    const scores = await eapIgChange(model, examples, { metric: logitDiff, change: edits, steps: 2 });
    const wanted = await scoresByDefinition(model, graph, { prompts: [of('clean'), of('clean')], edits }, [0.25, 0.75]);
    const edges = [...graph.edges()];
    const size = Math.max(...edges.map(({ u, v }) => Math.abs(scoreAt(scores, u, v))));
    expect(size).toBeGreaterThan(1e-3);
    const off = edges.map(({ u, v }) => Math.abs(scoreAt(scores, u, v) - wanted(u, v)));
    expect(Math.max(...off), `of ${size}`).toBeLessThan(2e-5 * size);
    // Sources of layer 0 write the same with the change and without.
    const early = 1 + model.info.heads + 1;
    for (const { u, v } of edges) if (u < early) expect(scoreAt(scores, u, v), graph.edgeName(u, v)).toBe(0);
    // One pair at a time, and one point at a time, it is the same.
    const alone = await eapIgChange(model, examples, { metric: logitDiff, change: edits, steps: 2, batchSize: 1 });
    for (const { u, v } of edges)
      expect(Math.abs(scoreAt(alone, u, v) - scoreAt(scores, u, v)), graph.edgeName(u, v)).toBeLessThan(2e-5 * size);
  });
});

it('heads’ results that somebody looks at have the LoRA in them, and their sum is the output’s', async () => {
  const model = gpt2.hooked;
  using adapter = new LoraAdapter(model, random(model, 5));
  const step = model.gpu.step();
  const tokens = tokenBatch(of('clean'), model.info);
  const at: HookName[] = ['blocks.1.attn.hook_result', 'blocks.1.hook_attn_out'];
  const run = model.run(step, { tokens }, { capture: at, interventions: adapter.interventions() });
  const plain = model.run(step, { tokens }, { capture: [at[1]!], interventions: adapter.interventions() });
  const [results, out, alone, bias] = await Promise.all([
    readFloats(step, run.at(at[0]!)),
    readFloats(step, run.at(at[1]!)),
    readFloats(step, plain.at(at[1]!)),
    readFloats(step, model.attentionBias(1)),
  ]);
  step.dispose();
  const { heads, width: C } = model.info;
  const summed = out!.map((_x, i) => {
    let sum = bias![i % C]!;
    for (let h = 0; h < heads; h++) sum += results![(Math.floor(i / C) * heads + h) * C + (i % C)]!;
    return sum;
  });
  expect(apart(summed, out!)).toBeLessThan(1e-5);
  expect(apart(out!, alone!)).toBeLessThan(1e-5);
});

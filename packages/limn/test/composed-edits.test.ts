// A replaced MLP, a LoRA, a circuit and steered features in one list of interventions: what they do in models that were changed one by one, and their gradients.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildGraph, Circuit, OutputWeights, recordNodeOutputs, restrictToCircuit } from '@limn/attribution';
import type { Gpu, Step } from '@limn/gpu';
import { tokenBatch, withAdapter, type HookedModel, type Intervention, type LowRank } from '@limn/hooks';
import { gradients, mul, persistent, readFloats, slice, sub, sumAll, type Tensor } from '@limn/tensor';
import { referenceRandom, testGpu } from '@limn/testing';
import { steerFeatures } from '@limn/transcoders';
import { afterAll, expect, it } from 'vitest';
import { openSet } from '../src/dictionary-set.js';
import { openModel } from '../src/model-source.js';
import { withReplacedMlps } from '../src/replaced-model.js';
import { featuresRuns, randomMember } from './features-runs.js';
import { safetensorsBytes, toyConfig, toyPair, toyWeights } from './toy-model.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'limn-composed-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Of attention before and in the layer of the replaced MLP; rank 2. */
const IN_ATTENTION = ['h.0.attn.c_attn', 'h.1.attn.c_attn', 'h.1.attn.c_proj'];
/** And of an MLP that stays, before the replaced one. */
const EVERYWHERE = ['h.0.mlp.c_fc', 'h.0.mlp.c_proj', ...IN_ATTENTION];
const FACTOR = 0.5;
const STEERED = [
  { feature: 4, value: 1.5 },
  { feature: 9, factor: -2, positions: [1, 3] },
];

/** The toy model with W + factor·A·B in the place of W, in a folder. */
function merged(products: ReadonlyMap<string, Float64Array>): string {
  const weights = toyWeights();
  for (const [name, product] of products) {
    const { shape, data } = weights.get(`transformer.${name}.weight`)!;
    weights.set(`transformer.${name}.weight`, { shape, data: data.map((value, i) => value + FACTOR * product[i]!) });
  }
  const folder = path.join(root, [...products.keys()].join('+'));
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(toyConfig));
  writeFileSync(path.join(folder, 'model.safetensors'), safetensorsBytes(weights));
  return folder;
}

/** A·B of f32 numbers, in float64. */
function product(a: Float32Array, b: Float32Array, [rows, rank, columns]: readonly [number, number, number]) {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return Array.from({ length: rank }, (_r, r) => a[row * rank + r]! * b[r * columns + column]!).reduce(
      (s, x) => s + x,
    );
  });
}

const CLEAN = [toyPair.clean, [...toyPair.clean].reverse()];
const CORRUPTED = [toyPair.corrupted, [...toyPair.corrupted].reverse()];

const apart = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

/** A random LoRA on maps of a model, by itself and in the model's weights. */
async function randomLora(gpu: Gpu, model: HookedModel, names: readonly string[], seed: number) {
  const random = referenceRandom(seed);
  const products = new Map<string, Float64Array>();
  const changes = names.map((name): LowRank => {
    const linear = model.linears().find((each) => each.name === name)!;
    const { inWidth, outWidth } = linear;
    const a = Float32Array.from(random.normals(inWidth * 2, 0.4));
    const b = Float32Array.from(random.normals(2 * outWidth, 0.4));
    products.set(name, product(a, b, [inWidth, 2, outWidth]));
    return { linear, a: persistent(gpu, [inWidth, 2], a), b: persistent(gpu, [2, outWidth], b), factor: FACTOR };
  });
  const inWeights = await openModel(gpu, merged(products));
  return {
    changes,
    adapter: withAdapter('lora', changes),
    merged: inWeights.hooked,
    [Symbol.dispose]() {
      for (const { a, b } of changes) for (const tensor of [a, b]) tensor.dispose();
      inWeights[Symbol.dispose]();
    },
  };
}

/** The model with one intervention in front of all others, whoever runs it. */
const always = (model: HookedModel, first: Intervention): HookedModel =>
  new Proxy(model, {
    get: (target, key) => {
      const run: HookedModel['run'] = (step, input, options = {}) =>
        target.run(step, input, { ...options, interventions: [first, ...(options.interventions ?? [])] });
      return key === 'run' ? run : (Reflect.get(target, key, target) as unknown);
    },
  });

async function opened() {
  const runs = await featuresRuns();
  await runs.writeSet('composed', [randomMember(8, 0), randomMember(8, 1, { skip: true })]);
  const gpu = await testGpu();
  const plain = await openModel(gpu, runs.model);
  const loaded = await openSet(plain, runs.at('composed'), [1]);
  const { dictionary } = loaded.dictionaries[0]!;
  return {
    gpu,
    plain,
    set: { transcoders: runs.at('composed'), replace: [1] },
    replacement: dictionary.replacement(),
    steering: steerFeatures(dictionary, STEERED),
    [Symbol.dispose]() {
      loaded[Symbol.dispose]();
      plain[Symbol.dispose]();
    },
  };
}

/** Behind each last token. */
async function logitsOf(
  model: HookedModel,
  edits: (step: Step) => readonly Intervention[],
  sequences: readonly (readonly number[])[] = CLEAN,
): Promise<Float32Array> {
  using step = model.gpu.step();
  const tokens = tokenBatch(sequences, model.info);
  return readFloats(step, model.run(step, { tokens }, { interventions: edits(step), logits: 'last' }).logits);
}

/** Logits of size 3 out of two layers of f32 sums of some forty terms. */
const CLOSE = 2e-5;

it('a replaced MLP, a LoRA, a circuit and steered features are the same together as one by one', async () => {
  using all = await opened();
  const { gpu, plain, replacement, steering } = all;
  const model = plain.hooked;
  using lora = await randomLora(gpu, model, EVERYWHERE, 12);
  const { adapter } = lora;
  const graph = buildGraph(model.info);
  const drawn = referenceRandom(3).normals(graph.nForward * graph.nBackward);
  const some = Circuit.where(graph, (u, v) => drawn[graph.dense(u, v)]! > -0.3);
  const weights = await OutputWeights.of(lora.merged);
  /** What the circuit's edges are; those that it cuts carry the corrupted run of the merged model with the MLP replaced. */
  const edgesOf = (step: Step, circuit: Circuit): Intervention[] =>
    restrictToCircuit(circuit, recordNodeOutputs(step, always(lora.merged, replacement), weights, CORRUPTED));
  const inCircuit = (
    edits: (edges: readonly Intervention[]) => readonly Intervention[],
    { of = model, circuit = some }: { readonly of?: HookedModel; readonly circuit?: Circuit } = {},
  ): Promise<Float32Array> => logitsOf(of, (step) => edits(edgesOf(step, circuit)));

  const together = await inCircuit((edges) => [replacement, ...adapter, ...edges, steering]);
  const reference = await inCircuit((edges) => [replacement, ...edges, steering], { of: lora.merged });
  expect(apart(together, reference)).toBeLessThan(CLOSE);
  // In any order, but that features are steered behind what writes them.
  for (const edits of [
    (edges: readonly Intervention[]) => [...edges, ...adapter, replacement, steering],
    (edges: readonly Intervention[]) => [replacement, steering, ...edges, ...adapter],
  ])
    expect(apart(await inCircuit(edits), together)).toBeLessThan(CLOSE);
  // Each of them counts.
  for (const edits of [
    (edges: readonly Intervention[]) => [...adapter, ...edges, steering],
    (edges: readonly Intervention[]) => [replacement, ...edges, steering],
    () => [replacement, ...adapter, steering],
    (edges: readonly Intervention[]) => [replacement, ...adapter, ...edges],
  ])
    expect(apart(await inCircuit(edits), together)).toBeGreaterThan(1e-2);
  // With every edge cut what is left is the corrupted run, however features are steered; with none, the run without a circuit.
  const every = (edges: readonly Intervention[]) => [replacement, ...adapter, ...edges, steering];
  const cut = await inCircuit(every, { circuit: Circuit.empty(graph) });
  expect(apart(cut, await logitsOf(model, () => [replacement, ...adapter], CORRUPTED))).toBeLessThan(CLOSE);
  const kept = await inCircuit(every, { circuit: Circuit.full(graph) });
  expect(apart(kept, await logitsOf(model, () => [replacement, ...adapter, steering]))).toBeLessThan(CLOSE);

  // A LoRA learns through all of it: gradients of a logit difference are its differences.
  const [first, ...others] = lora.changes as [LowRank, ...LowRank[]];
  const loss = async (b: Tensor): Promise<{ value: number; slope: Float32Array }> => {
    using step = gpu.step();
    const edits = [replacement, ...withAdapter('lora', [{ ...first, b }, ...others]), ...edgesOf(step, some), steering];
    const { logits } = model.run(
      step,
      { tokens: tokenBatch(CLEAN, model.info) },
      { interventions: edits, logits: 'last' },
    );
    const difference = sub(step, slice(step, logits, 1, 8, 1), slice(step, logits, 1, 5, 1));
    const squared = sumAll(step, mul(step, difference, difference));
    const [slope] = gradients(step, squared, 'ones', [b]);
    const [[value], values] = await Promise.all([readFloats(step, squared), readFloats(step, slope as Tensor)]);
    return { value: value as number, slope: values };
  };
  const at = await gpu.read(first.b.storage, 'f32');
  const { slope } = await loss(first.b);
  const along = referenceRandom(4).normals(at.length);
  const STEP = 2 ** -7;
  const moved = async (by: number): Promise<number> => {
    const b = persistent(
      gpu,
      first.b.shape,
      at.map((value, i) => value + by * along[i]!),
    );
    try {
      return (await loss(b)).value;
    } finally {
      b.dispose();
    }
  };
  const expected = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP);
  const found = slope.reduce((sum, value, i) => sum + value * along[i]!, 0);
  expect(Math.abs(expected)).toBeGreaterThan(0.05);
  // A third-order term of 2⁻¹⁴, and f32 losses of size 10 over 2⁻⁶.
  expect(Math.abs(found - expected)).toBeLessThan(5e-3 * Math.abs(expected));
  weights.dispose();
});

it('a LoRA of attention beside a replaced MLP is that LoRA in the weights, and runs where a command replaces the MLP', async () => {
  using all = await opened();
  const { gpu, plain, set, replacement, steering } = all;
  using lora = await randomLora(gpu, plain.hooked, IN_ATTENTION, 21);
  const { adapter } = lora;
  const together = await logitsOf(plain.hooked, () => [replacement, ...adapter, steering]);
  expect(apart(together, await logitsOf(lora.merged, () => [replacement, steering]))).toBeLessThan(CLOSE);
  expect(apart(together, await logitsOf(plain.hooked, () => [...adapter, replacement, steering]))).toBeLessThan(CLOSE);
  expect(apart(together, await logitsOf(plain.hooked, () => [replacement, steering]))).toBeGreaterThan(1e-2);
  // One row of the batch with the LoRA, another without: each is that of its own model.
  const ofFirst = withAdapter('lora', lora.changes, { rows: [0] });
  const rows = await logitsOf(plain.hooked, () => [replacement, ...ofFirst, steering]);
  const V = plain.hooked.info.vocabulary;
  expect(apart(rows.subarray(0, V), together.subarray(0, V))).toBeLessThan(CLOSE);
  const without = await logitsOf(plain.hooked, () => [replacement, steering]);
  expect(apart(rows.subarray(V), without.subarray(V))).toBeLessThan(CLOSE);
  // The model that commands run with a set in place is that of the intervention.
  const commanded = await withReplacedMlps(plain, set);
  expect(await logitsOf(commanded.hooked, () => [...adapter, steering])).toEqual(together);
});

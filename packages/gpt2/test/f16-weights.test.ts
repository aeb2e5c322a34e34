// f16 weights: rounded to nearest even, refused where f16 ends, computed with in f32: logits and gradients are those of the rounded weights.
import { generate, tokenBatch, type HookName } from '@limn/hooks';
import { adamw, fromData, gradients, halfBits, halfValue, readFloats, Tensor } from '@limn/tensor';
import { hookedModelContract, referenceGpt2, testGpu, refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  loadGpt2,
  memoryFiles,
  planLoad,
  randomGpt2,
  saveGpt2,
  tensorsOf,
  trainGpt2,
  transformerLensProcessing,
  withWeightForm,
  type Gpt2,
  type NewGpt2Config,
} from '../src/index.js';
import { randomBiases } from './random-biases.js';
import { apart } from './apart.js';

const { referenceBackward, referenceForward } = referenceGpt2;
/** Odd widths: rows of the matrices begin in the middle of a word. */
const odd: NewGpt2Config = {
  vocabulary: 31,
  maxPositions: 9,
  width: 21,
  layers: 2,
  heads: 3,
  mlpWidth: 27,
  initializerRange: 0.3,
};
/** Sizes that the vectorised kernels take. */
const even: NewGpt2Config = { ...odd, width: 32, heads: 2, mlpWidth: 64, tied: false, gelu: 'erf' };
const prompt = [3, 30, 9, 0, 7];

const inF16 = (name: string): boolean => /^(wte|lm_head)\.weight|(c_attn|c_proj|c_fc)\.weight$/.test(name);

async function hostWeights(model: Gpt2): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for await (const [name, { data }] of model.hostWeights()) weights.set(name, data);
  return weights;
}

/** Relative distance in the Euclidean norm, and what a few hundred f32 roundings stay below, as in reference.test.ts. */
const near = 5e-6;
describe.each([
  ['odd widths, tied', odd],
  ['even widths, untied', even],
])('%s', (_name, sizes) => {
  test('the matrices are rounded to nearest even, by both ways to a model, and take half the bytes', async () => {
    const gpu = await testGpu();
    const [full, drawn] = [await randomGpt2(gpu, sizes, 6), await randomGpt2(gpu, sizes, 6, { weights: 'f16' })];
    const files = memoryFiles({});
    await saveGpt2(full, files);
    const plan = await planLoad(files, { weights: 'f16' });
    const { model } = await loadGpt2(gpu, files, { weights: 'f16' });
    const before = await hostWeights(full);
    const after = await hostWeights(model);
    const planned = new Map(plan.weights.map(({ name, gpuBytes }) => [name, gpuBytes]));
    for (const [name, values] of before) {
      const want = inF16(name) ? values.map((value) => halfValue(halfBits(value))) : values;
      expect(after.get(name), name).toEqual(want);
      const tensors = tensorsOf(model.parameters().get(name)!);
      expect(tensors[0]!.dtype, name).toBe(inF16(name) ? 'f16' : 'f32');
      expect(
        tensors.reduce((sum, { storage }) => sum + storage.byteLength, 0),
        name,
      ).toBe(planned.get(name));
    }
    expect([model.info.processing, plan.processing, drawn.info.processing]).toEqual(['f16', 'f16', 'f16']);
    expect(await hostWeights(drawn)).toEqual(after);
    expect(drawn.info.fingerprint).toBe(model.info.fingerprint);
    expect(model.info.fingerprint).not.toBe(full.info.fingerprint);
    for (const each of [full, drawn, model]) each.dispose();
  });

  test('logits, activations and gradients are those of the rounded weights in float64', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 8, { weights: 'f16' });
    const weights = new Map(Array.from(await hostWeights(model), ([name, x]) => [name, Float64Array.from(x)]));
    const trace = referenceForward(model.config, weights, prompt);
    const V = sizes.vocabulary;
    const dLogits = Float32Array.from({ length: prompt.length * V }, (_, i) => Math.sin(3 * i + 1));
    const slopes = referenceBackward(model.config, weights, trace, Float64Array.from(dLogits));
    const sites = [...slopes.sites.keys()] as HookName[];
    using step = gpu.step();
    const run = model.run(step, { tokens: tokenBatch([prompt], model.info) }, { capture: sites });
    const found = gradients(
      step,
      run.logits,
      fromData(step, dLogits, [prompt.length, V]),
      sites.map((name) => run.at(name)),
    );
    const [logits, ...values] = await Promise.all([
      readFloats(step, run.logits),
      ...sites.map((name) => readFloats(step, run.at(name))),
      ...found.map((tensor) => readFloats(step, tensor)),
    ]);
    expect(apart(logits, trace.logits)).toBeLessThan(near);
    sites.forEach((name, i) => {
      // Scores of the future are −∞ in the reference, and the inputs of heads are resid_pre.
      if (!/attn_scores|_input/.test(name)) expect(apart(values[i]!, trace.sites.get(name)!), name).toBeLessThan(near);
      // Backward passes chain about twice as many roundings.
      expect(apart(values[sites.length + i]!, slopes.sites.get(name)!), name).toBeLessThan(4 * near);
    });
    model.dispose();
  });
});

test('an F16 file gives the same model, with one fingerprint, in f16 and in f32', async () => {
  const gpu = await testGpu();
  const rounded = await randomGpt2(gpu, odd, 2, { weights: 'f16' });
  const files = memoryFiles({});
  await saveGpt2(rounded, files);
  const [{ model: full }, { model: half }] = [
    await loadGpt2(gpu, files),
    await loadGpt2(gpu, files, { weights: 'f16' }),
  ];
  expect(half.info.fingerprint).toBe(full.info.fingerprint);
  expect([full.info.processing, half.info.processing]).toEqual(['none', 'f16']);
  const [a, b] = await Promise.all(
    [full, half].map((model) => generate(model, [prompt.slice(0, 3)], { maxNewTokens: 4, eosIds: [] })),
  );
  expect(b!.tokens).toEqual(a!.tokens);
  for (const each of [rounded, full, half]) each.dispose();
});

test('a value that f16 cannot hold is refused with tensor and index, and nothing stays on the GPU', async () => {
  const gpu = await testGpu();
  const full = await randomGpt2(gpu, odd, 2);
  const c_fc = full.parameters().get('h.1.mlp.c_fc.weight') as Tensor;
  const values = (await hostWeights(full)).get('h.1.mlp.c_fc.weight')!;
  values[5 * 27 + 4] = -65520;
  gpu.write(c_fc.storage, values);
  const files = memoryFiles({});
  await saveGpt2(full, files);
  gpu.trim();
  const live = gpu.counters.snapshot().bytesLive;
  const error = await refusal(loadGpt2(gpu, files, { weights: 'f16' }));
  expect(error.code).toBe('weights/f16-overflow');
  expect(error.message).toBe('h.1.mlp.c_fc.weight[5, 4] is -65520; f16 ends at 65504');
  expect(error.details).toEqual({ name: 'h.1.mlp.c_fc.weight', index: [5, 4], value: -65520 });
  gpu.trim();
  expect(gpu.counters.snapshot().bytesLive).toBe(live);
  // The last value that rounds down to 65504.
  values[5 * 27 + 4] = Math.fround(65519.99);
  gpu.write(c_fc.storage, values);
  const half = await withWeightForm(full, { weights: 'f16' });
  expect((await hostWeights(half)).get('h.1.mlp.c_fc.weight')![5 * 27 + 4]).toBe(65504);
  full.dispose();
  half.dispose();
});

test('another storage is refused before anything is made', async () => {
  const gpu = await testGpu();
  const weights = 'bf16' as 'f16';
  const live = gpu.counters.snapshot().bytesLive;
  expect((await refusal(randomGpt2(gpu, odd, 2, { weights }))).code).toBe('weights/bad-storage');
  const full = await randomGpt2(gpu, odd, 2);
  const files = memoryFiles({});
  await saveGpt2(full, files);
  expect((await refusal(withWeightForm(full, { weights }))).code).toBe('weights/bad-storage');
  full.dispose();
  expect((await refusal(loadGpt2(gpu, files, { weights }))).code).toBe('weights/bad-storage');
  gpu.trim();
  expect(gpu.counters.snapshot().bytesLive).toBeLessThanOrEqual(live);
});

test('training is refused, by the model and by the optimiser', async () => {
  const model = await randomGpt2(await testGpu(), odd, 2, { weights: 'f16' });
  const options = { batch: () => [[1, 2, 3]], steps: 1, recipe: { rate: 0.1 } };
  expect((await refusal(trainGpt2(model, options))).code).toBe('weights/f16');
  const tensor = model.parameters().get('h.0.mlp.c_fc.weight') as Tensor;
  const error = await refusal(() => adamw(model.gpu, [{ params: [{ name: 'c_fc', tensor }], rate: 0.1 }]));
  expect(error.code).toBe('tensor/dtype');
  model.dispose();
});

describe('processed weights in f16 keep the HookedModel contract', () => {
  let model: Gpt2 | undefined;
  // Those that look at weights; the rest of the contract is above them, and contract.test.ts has it.
  const aboutWeights = /components put together|every linear map|head weights|normalisation is|pullback/;
  const checks = hookedModelContract.filter(({ name }) => aboutWeights.test(name));
  test('are looked at', () => expect(checks).toHaveLength(5));
  test.each(checks)('$name', async ({ check }) => {
    if (!model) {
      const raw = await randomBiases(odd, 5);
      model = await withWeightForm(raw, { processing: transformerLensProcessing, weights: 'f16' });
      raw.dispose();
    }
    await check(model);
  });
});

// GPT-2 small's own shape with random weights against float64: every logit, the stream at every layer, and gradients back to
// the embeddings. A gigabyte of float64 weights, so it runs in test:long only.
import { tokenBatch, type HookName } from '@limn/hooks';
import { fromData, gradients, readFloats } from '@limn/tensor';
import { recordResult, referenceGpt2, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { randomGpt2 } from '../src/index.js';
import { apart } from './apart.js';

const { referenceBackward, referenceForward } = referenceGpt2;
const GPT2_SMALL = { vocabulary: 50257, maxPositions: 1024, width: 768, layers: 12, heads: 12 } as const;

/** Relative distance in the Euclidean norm. reference.test.ts allows 5e-6 for two layers; roundings of layers add up at most linearly. */
const near = 5e-6 * (GPT2_SMALL.layers / 2);
test('logits, streams and gradients of GPT-2 small in float64', { timeout: 1_800_000 }, async (context) => {
  if (process.env['LIMN_LONG'] !== '1') return context.skip("GPT-2 small's shape in float64 runs in test:long");
  const gpu = await testGpu();
  const model = await randomGpt2(gpu, GPT2_SMALL, 5);
  const weights = new Map<string, Float64Array>();
  for await (const [name, { data }] of model.hostWeights()) weights.set(name, Float64Array.from(data));
  const V = GPT2_SMALL.vocabulary;
  const prompt = [50256, 2061, 11, 11, 40000, 7, 198, 50255, 0, 318, 262];
  const layers = Array.from({ length: GPT2_SMALL.layers }, (_, l) => l);
  const streams = layers.map((l): HookName => `blocks.${l}.hook_resid_post`);
  const branches = layers.flatMap((l): HookName[] => [`blocks.${l}.attn.hook_z`, `blocks.${l}.hook_mlp_out`]);
  const sites = [...streams, ...branches];
  const targets: HookName[] = ['hook_embed', 'blocks.0.hook_mlp_in', 'blocks.5.attn.hook_q', 'blocks.11.attn.hook_v'];

  const trace = referenceForward(model.config, weights, prompt);
  // A gradient at the last position alone: two answers apart, as in a logit difference.
  const dLogits = new Float64Array(prompt.length * V);
  dLogits.set([1, -1], (prompt.length - 1) * V + 100);
  const slopes = referenceBackward(model.config, weights, trace, dLogits);

  using step = gpu.step();
  const run = model.run(
    step,
    { tokens: tokenBatch([prompt], model.info) },
    { capture: [...sites, ...targets], logits: 'all' },
  );
  const found = gradients(
    step,
    run.logits,
    fromData(step, Float32Array.from(dLogits), [prompt.length, V]),
    targets.map((name) => run.at(name)),
  );
  const [logits, ...values] = await Promise.all([
    readFloats(step, run.logits),
    ...sites.map((name) => readFloats(step, run.at(name))),
    ...found.map((tensor) => readFloats(step, tensor)),
  ]);
  const forward = sites.map((name, i) => apart(values[i]!, trace.sites.get(name)!));
  const backward = targets.map((name, i) => apart(values[sites.length + i]!, slopes.sites.get(name)!));
  const logitError = apart(logits, trace.logits);
  recordResult('GPT-2 small against float64, relative distance', {
    tokens: prompt.length,
    logits: logitError,
    'worst activation': Math.max(...forward),
    'worst gradient': Math.max(...backward),
  });
  expect(logitError).toBeLessThan(near);
  sites.forEach((name, i) => expect(forward[i], name).toBeLessThan(near));
  // Backward passes chain about twice as many roundings, and their sums cancel more.
  targets.forEach((name, i) => expect(backward[i], name).toBeLessThan(4 * near));
  model.dispose();
});

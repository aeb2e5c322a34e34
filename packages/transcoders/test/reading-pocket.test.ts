// On a trained model: planted features that read one token and write another are found by every way of reading, and steer what is written.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2, type Gpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { generate, tokenBatch } from '@limn/hooks';
import { ablationSequences, modelFolder } from '@limn/pocket';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  Dictionary,
  featureDashboards,
  searchFeatures,
  searchFeatureWeights,
  steerFeatures,
  type FeatureDashboard,
} from '../src/index.js';

/** Feature t reads token t's embedding in x̂ and writes the unembedding of token t + 1; one fires for a token. */
async function planted(model: Gpt2, layer: number): Promise<Dictionary> {
  const { width: C, vocabulary: V } = model.info;
  using step = model.gpu.step();
  const ids = Array.from({ length: V }, (_, t) => t);
  const embedded = model.embed(
    step,
    tokenBatch(
      ids.map((t) => [t]),
      model.info,
    ),
  );
  const [wE, wU, gain, final] = (await Promise.all([
    readFloats(step, embedded),
    readFloats(step, model.unembedRows(step, ids)),
    model.gpu.read(model.norm(`blocks.${layer}.ln2`).gamma.storage, 'f32'),
    model.gpu.read(model.norm('ln_final').gamma.storage, 'f32'),
  ])) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const rows = (table: Float32Array, token: (t: number) => number, gamma: Float32Array): Float32Array => {
    const out = new Float32Array(V * C);
    for (let t = 0; t < V; t++) {
      const row = table.subarray(token(t) * C, (token(t) + 1) * C);
      const length = Math.hypot(...row);
      row.forEach((value, c) => (out[t * C + c] = value / length / (gamma[c] as number)));
    }
    return out;
  };
  const config = {
    layer,
    input: 'ln2.hook_normalized',
    inputWidth: C,
    outputWidth: C,
    features: V,
    activation: { kind: 'top-k', k: 1 },
    skip: false,
  } as const;
  return Dictionary.create(model.gpu, config, {
    wEnc: rows(wE, (t) => t, gain),
    bEnc: new Float32Array(V),
    wDec: rows(wU, (t) => (t + 1) % V, final),
    bDec: new Float32Array(C),
  });
}

test('pocket: planted features are found by dashboards, weights and searches, and steer its text', async (context) => {
  context.skip(!existsSync(new URL('model.safetensors', modelFolder())), "pocket's weights are not in this checkout");
  const { model } = await loadGpt2(await testGpu(), openFolder(fileURLToPath(modelFolder())));
  const V = model.info.vocabulary;
  const sequences = ablationSequences(24);
  using dictionary = await planted(model, 0);
  const dashboards = await featureDashboards(model, dictionary, sequences, { top: 8, weightTokens: 3 });
  const all: FeatureDashboard[] = [...dashboards];
  // One fires for every token.
  expect(all.reduce((sum, { fired }) => sum + fired, 0)).toBe(dashboards.tokens);
  const seen = all.filter(({ fired }) => fired >= 4);
  expect(seen.length).toBeGreaterThan(50);
  // Attention writes to the stream before the MLP reads it: most, not all (.89), still read their own token.
  const reading = seen.filter(({ feature, top }) => top[0]?.tokens[top[0].at] === feature);
  expect(reading.length / seen.length).toBeGreaterThan(0.8);
  // Unit rows: a token's own embedding or unembedding scores most but where another's is longer and near.
  const own = (share: (each: FeatureDashboard) => boolean): number => all.filter(share).length / V;
  expect(
    own(({ feature, deEmbedding }) => deEmbedding?.most.some(({ token }) => token === feature) ?? false),
  ).toBeGreaterThan(0.95);
  expect(
    own(({ feature, logits }) => logits?.most.some(({ token }) => token === (feature + 1) % V) ?? false),
  ).toBeGreaterThan(0.95);
  const { feature } = reading.find(({ fired }) => fired > 20) as FeatureDashboard;
  expect(searchFeatures(all, { tokens: [feature], by: 'activation' })[0]).toEqual({ feature, score: 1 });
  expect(searchFeatures(all, { tokens: [feature], by: 'de-embedding' }).map((found) => found.feature)).toContain(
    feature,
  );
  const writers = await searchFeatureWeights(model, dictionary, { by: 'writes', tokens: [feature + 1], most: 3 });
  expect(writers.most.map(({ index }) => index)).toContain(feature);
  // Written strongly enough behind the last block, the token follows.
  using last = await planted(model, model.info.layers - 1);
  const prompt = Array.from((sequences[0] as Uint32Array).subarray(0, 6));
  const options = { maxNewTokens: 4, eosIds: [] };
  const steered = await generate(model, [prompt], {
    ...options,
    interventions: [steerFeatures(last, [{ feature, value: 300, positions: [5, 7] }])],
  });
  const plain = await generate(model, [prompt], options);
  // What a token at position p writes is read as token p + 1.
  expect([6, 8].map((p) => steered.tokens[0]?.[p])).toEqual([feature + 1, feature + 1]);
  expect(plain.tokens[0]?.slice(6)).not.toContain(feature + 1);
});

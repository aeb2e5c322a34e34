// On pocket: ablations cost what its model card says, and transcoders of 16 features a token recover the loss within 200 updates.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { ablationSequences, modelFolder, pocketCorpus } from '@limn/pocket';
import { recordResult, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  Dictionary,
  evaluateDictionaries,
  interpretabilityScores,
  tokenLabels,
  trainDictionaries,
  type DictionarySpec,
} from '../src/index.js';

const LAYERS = [0, 1, 2];
const K = 16;

test('pocket: what its MLPs are worth, and what transcoders of 512 features give back', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', '200 updates of three transcoders of pocket: with LIMN_LONG=1');
  context.skip(!existsSync(new URL('model.safetensors', modelFolder())), "pocket's weights are not here");
  const gpu = await testGpu();
  const { model } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));
  const corpus = pocketCorpus(77);
  const { sequences, length } = corpus.options;
  const specs = LAYERS.map((layer): DictionarySpec => ({
    name: `layer ${layer}`,
    config: {
      layer,
      input: 'ln2.hook_normalized',
      inputWidth: 64,
      outputWidth: 64,
      features: 512,
      activation: { kind: 'top-k', k: K },
      skip: false,
    },
    loss: { reconstruction: 'fvu', auxiliary: { features: 32, weight: 1 / 32 } },
    rate: 2e-3,
    deadAfter: 20_000,
  }));
  const source = (batch: number): Uint32Array[] => {
    const tokens = corpus.batch(batch);
    return Array.from({ length: sequences }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
  };
  const trained = await trainDictionaries(model, source, specs, { updates: 200, skip: 0 });
  const dictionaries = trained.dictionaries.map(({ spec, weights }) => ({
    name: spec.name,
    dictionary: Dictionary.create(gpu, spec.config, weights),
  }));
  const found = await evaluateDictionaries(model, ablationSequences(256), dictionaries, {
    neurons: LAYERS.map((layer) => ({ layer, k: K, rest: 'zero' as const })),
    together: [{ name: 'all', dictionaries: specs.map(({ name }) => name) }],
  });
  const card = JSON.parse(readFileSync(new URL('figures.json', modelFolder()), 'utf8')) as {
    readonly ablation: { readonly loss: number; readonly mlp: readonly number[] };
  };
  // The card's losses are means of f32 sums over the same tokens: a few parts in a million of losses up to 8.
  expect(found.loss).toBeCloseTo(card.ablation.loss, 4);
  found.layers.forEach(({ cost }, layer) => expect(cost).toBeCloseTo(card.ablation.mlp[layer] as number, 4));
  for (const [layer, { l0, deadShare, recovered, fvu }] of found.dictionaries.entries()) {
    expect(l0).toBeLessThanOrEqual(K);
    expect(recovered.mean.loss).toBeGreaterThan(0.95);
    expect(deadShare).toBeLessThan(0.2);
    recordResult(`pocket: transcoder of layer ${layer} after 200 updates`, {
      l0,
      fvu,
      deadShare,
      'recovered of the loss': recovered.mean.loss,
      // pocket has 256 neurons a layer: sixteen of them may well do better.
      'recovered by as many neurons': found.neurons[layer]?.recovered.mean.loss as number,
    });
  }
  expect(found.together[0]?.recovered.mean.loss).toBeGreaterThan(0.95);

  const labelled = Array.from({ length: 96 }, (_, i) => {
    const { tokens, tags } = corpus.sequence(100_000 + Math.floor(i / sequences), i % sequences);
    return { tokens, labels: tokenLabels(tokens, tags) };
  });
  const scores = await interpretabilityScores(model, labelled, dictionaries);
  for (const { aboveNull } of scores.sources) expect(aboveNull.low).toBeGreaterThan(0.1);
  for (const { dictionary } of dictionaries) dictionary.dispose();
}, 600_000);

// On pocket: a cross-layer transcoder of 16 features a token and layer in the place of all MLPs, trained beside a transcoder of each layer.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { ablationSequences, modelFolder, pocketCorpus } from '@limn/pocket';
import { recordResult, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  attributePrompt,
  CrossLayerDictionary,
  Dictionary,
  evaluateDictionaries,
  trainDictionaries,
  worstResidual,
  type CrossLayerSpec,
  type CrossLayerWeights,
  type DictionarySpec,
  type DictionaryWeights,
} from '../src/index.js';

const LAYERS = [0, 1, 2];
const K = 16;
const UPDATES = 150;

test('pocket: a cross-layer transcoder gives back what its MLPs are worth, all at once', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', '150 updates of transcoders of pocket: with LIMN_LONG=1');
  context.skip(!existsSync(new URL('model.safetensors', modelFolder())), "pocket's weights are not here");
  const gpu = await testGpu();
  const { model } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));
  const corpus = pocketCorpus(77);
  const { sequences, length } = corpus.options;
  const input = 'ln2.hook_normalized';
  const activation = { kind: 'top-k', k: K } as const;
  const shared = {
    loss: { reconstruction: 'fvu', auxiliary: { features: 32, weight: 1 / 32 } },
    rate: 2e-3,
    deadAfter: 20_000,
  } as const;
  const across: CrossLayerSpec = {
    ...shared,
    name: 'across',
    crossLayer: { layers: LAYERS.length, features: 512, width: 64, input, activation },
  };
  const apart = LAYERS.map((layer): DictionarySpec => ({
    ...shared,
    name: `layer ${layer}`,
    config: { layer, input, inputWidth: 64, outputWidth: 64, features: 512, activation, skip: false },
  }));
  const source = (batch: number): Uint32Array[] => {
    const tokens = corpus.batch(batch);
    return Array.from({ length: sequences }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
  };
  const specs: (CrossLayerSpec | DictionarySpec)[] = [across, ...apart];
  const trained = await trainDictionaries(model, source, specs, { updates: UPDATES, skip: 0 });
  const [weights, ...others] = trained.dictionaries.map((each) => each.weights);
  using dictionary = CrossLayerDictionary.create(gpu, across.crossLayer, weights as readonly CrossLayerWeights[]);
  const singles = apart.map(({ name, config }, i) => ({
    name,
    dictionary: Dictionary.create(gpu, config, others[i] as DictionaryWeights),
  }));
  const found = await evaluateDictionaries(model, ablationSequences(128), singles, {
    together: [{ name: 'all', dictionaries: apart.map(({ name }) => name) }],
    crossLayer: [{ name: 'across', dictionary }],
  });
  const [joint] = found.crossLayer;
  expect(joint?.recovered.mean.loss).toBeGreaterThan(0.95);
  expect(joint?.layers).toHaveLength(LAYERS.length);
  for (const [layer, { l0, fvu, deadShare }] of (joint?.layers ?? []).entries()) {
    expect(l0).toBeLessThanOrEqual(K);
    expect(fvu).toBeLessThan(0.5);
    recordResult(`pocket: layer ${layer} of a cross-layer transcoder after ${UPDATES} updates`, {
      l0,
      fvu,
      deadShare,
      'fvu of a transcoder of the layer': found.dictionaries[layer]?.fvu as number,
    });
  }
  recordResult(`pocket: all MLPs replaced after ${UPDATES} updates`, {
    'recovered of the loss': joint?.recovered.mean.loss as number,
    'KL, nats': joint?.divergence as number,
    'recovered by transcoders of each layer': found.together[0]?.recovered.mean.loss as number,
    'KL of transcoders of each layer, nats': found.together[0]?.divergence as number,
  });
  const tokens = [...(ablationSequences(1)[0] as ArrayLike<number> & Iterable<number>)].slice(0, 12);
  const graph = await attributePrompt(model, dictionary, tokens);
  expect(worstResidual(graph)).toBeLessThan(1e-4);
  for (const single of singles) single.dictionary.dispose();
}, 600_000);

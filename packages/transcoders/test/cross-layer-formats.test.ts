// Cross-layer transcoders in limn's own format: every number comes back to the bit, and what a hostile folder says is refused by its field.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  crossLayerSetOf,
  openCrossLayer,
  openDictionaries,
  openDictionarySet,
  writeCrossLayerSet,
  writeDictionarySet,
  type CrossLayerDictionaryConfig,
  type CrossLayerWeights,
  type DictionaryActivation,
  type SetDescription,
} from '../src/index.js';
import { contentOf, filesOf, goldenContent } from './golden-files.js';
import { uniform } from './uniform.js';

const [L, F, d] = [3, 7, 4];
const MODEL: SetDescription['model'] = {
  architecture: 'gpt2',
  layers: L,
  width: d,
  vocabulary: 10,
  processing: 'none',
  fingerprint: 'f',
};

function drawn(activation: DictionaryActivation = { kind: 'relu' }) {
  const config: CrossLayerDictionaryConfig = { layers: L, features: F, width: d, input: 'hook_resid_mid', activation };
  const weights = Array.from({ length: L }, (_, layer): CrossLayerWeights => {
    const draw = uniform(layer + 3);
    const hasThreshold = activation.kind === 'jump-relu' || activation.kind === 'batch-top-k';
    return {
      layer,
      wEnc: draw(F * d),
      bEnc: draw(F),
      bDec: draw(d),
      wDec: draw(F * (L - layer) * d),
      ...(hasThreshold ? { threshold: draw(F).map(Math.abs) } : {}),
    };
  });
  return { config, weights, set: crossLayerSetOf(config, weights) };
}

const written = async (given = drawn()): Promise<Record<string, Uint8Array | string>> =>
  contentOf(writeDictionarySet({ crossLayer: given.set }, { model: MODEL }));

test.each<DictionaryActivation>([
  { kind: 'relu' },
  { kind: 'jump-relu', bandwidth: 0.25 },
  { kind: 'top-k', k: 3 },
  { kind: 'batch-top-k', k: 2 },
])('a set of $kind comes back to the bit, with all that it says of itself', async (activation) => {
  const { config, weights, set } = drawn(activation);
  const description = { model: MODEL, training: { updates: 10 }, data: { sha256: 'a' }, command: 'limn transcode' };
  const member = {
    crossLayer: set,
    expects: { gain: 'kept', bos: true } as const,
    figures: { layers: [{ l0: 1 }] },
    training: { seed: 3 },
  };
  const content = await contentOf(writeDictionarySet(member, description));
  expect(Object.keys(content)).toEqual([
    'config.json',
    ...[0, 1, 2].map((l) => `blocks.${l}.hook_resid_mid.safetensors`),
  ]);
  const found = await openDictionarySet(filesOf(content));
  expect(found.description).toEqual(description);
  expect(found.dictionaries).toEqual([]);
  const again = found.crossLayer!;
  expect(again.config).toEqual(config);
  expect(again).toMatchObject({
    figures: member.figures,
    provenance: { format: 'limn', expects: member.expects, training: { updates: 10, seed: 3 } },
  });
  for (const own of weights) expect(await again.read(own.layer)).toEqual(own);
  expect((await refusal(again.read(L))).code).toBe('data/dictionary-set');
  // Those who ask for dictionaries of one layer are told; those who ask for either kind get it.
  expect((await refusal(openDictionaries(filesOf(content)))).code).toBe('data/dictionary-unknown');
  expect((await openCrossLayer(filesOf(content)))?.config).toEqual(config);
});

test('a folder of either tool gives its cross-layer transcoder, others none', async () => {
  const jump = drawn({ kind: 'jump-relu', bandwidth: 1 });
  const theirs = filesOf(await contentOf(writeCrossLayerSet(jump.set, { model: 'toy', scan: 'none' })));
  const found = await openCrossLayer(theirs);
  expect(found?.provenance).toMatchObject({
    format: 'circuit-tracer',
    model: 'toy',
    expects: { gain: 'kept', bos: true },
  });
  // From there into limn's format, and the same numbers.
  const own = await contentOf(writeDictionarySet({ crossLayer: found! }, { model: MODEL }));
  const again = (await openCrossLayer(filesOf(own)))!;
  for (const each of jump.weights) expect(await again.read(each.layer)).toEqual(each);
  // What a folder calls the model is no part of a config.
  expect(again.config).toEqual(jump.config);
  for (const folder of ['circuit-tracer', 'saelens-topk', 'sparsify'])
    expect(await openCrossLayer(filesOf(goldenContent('formats', folder)))).toBeUndefined();
});

type Json = Record<string, unknown>;

test.each<[string, (config: Json & { crossLayer: Json }) => unknown, RegExp]>([
  ['another version', (c) => (c['format'] = 'limn-dictionaries/3'), /'format'/],
  ['no kind', (c) => delete c['kind'], /'kind'/],
  ['another kind', (c) => (c['kind'] = 'layers'), /'kind'/],
  ['no transcoder', (c) => delete (c as Json)['crossLayer'], /'crossLayer'/],
  ['a list', (c) => ((c as Json)['crossLayer'] = []), /'crossLayer'/],
  ['fewer layers than the model', (c) => (c.crossLayer['layers'] = 2), /crossLayer\.layers/],
  ['layers without end', (c) => (c.crossLayer['layers'] = 2 ** 53), /crossLayer\.layers/],
  ['another width', (c) => (c.crossLayer['width'] = 5), /crossLayer\.width/],
  ['features that are text', (c) => (c.crossLayer['features'] = '7'), /crossLayer\.features/],
  ['more features than there are', (c) => (c.crossLayer['features'] = 8), /W_enc/],
  ['an SAE', (c) => (c.crossLayer['reads'] = 'hook_mlp_out'), /crossLayer/],
  ['a site of attention', (c) => (c.crossLayer['reads'] = 'attn.hook_z'), /crossLayer\.reads/],
  ['another site than its files', (c) => (c.crossLayer['reads'] = 'hook_mlp_in'), /reads/],
  ['another output', (c) => (c.crossLayer['writes'] = 'hook_resid_post'), /crossLayer\.writes/],
  ['an activation without k', (c) => (c.crossLayer['activation'] = { kind: 'top-k' }), /crossLayer\.activation\.k/],
  ['k above its features', (c) => (c.crossLayer['activation'] = { kind: 'top-k', k: 8 }), /crossLayer/],
  [
    'thresholds that its files lack',
    (c) => (c.crossLayer['activation'] = { kind: 'jump-relu', bandwidth: 1 }),
    /threshold/,
  ],
  ['fewer files', (c) => (c.crossLayer['files'] as string[]).pop(), /crossLayer\.files/],
  [
    'a file twice',
    (c) => ((c.crossLayer['files'] as string[])[1] = 'blocks.0.hook_resid_mid.safetensors'),
    /files\[1\]/,
  ],
  ['a file elsewhere', (c) => ((c.crossLayer['files'] as string[])[0] = '../../weights.safetensors'), /files\[0\]/],
  ['files in another order', (c) => (c.crossLayer['files'] as string[]).reverse(), /reads/],
  ['figures that are a number', (c) => (c.crossLayer['figures'] = 3), /crossLayer\.figures/],
  ['an expectation of its own', (c) => (c.crossLayer['expects'] = { gain: 'twice' }), /crossLayer\.expects\.gain/],
])('%s is refused', async (_, edit, message) => {
  const content = await written();
  const config = JSON.parse(String(content['config.json'])) as Json & { crossLayer: Json };
  edit(config);
  const files = filesOf({ ...content, 'config.json': JSON.stringify(config) });
  expect(await refusal(openDictionarySet(files))).toMatchObject({ code: 'data/dictionary-set', message });
});

test('numbers that are not of its shape, not finite or of another layer are neither written nor read', async () => {
  const code = 'data/dictionary-set';
  const { config, weights } = drawn({ kind: 'jump-relu', bandwidth: 1 });
  const write = (change: Partial<CrossLayerWeights>) =>
    refusal(
      written({
        config,
        weights,
        set: crossLayerSetOf(
          config,
          weights.map((own) => ({ ...own, ...change })),
        ),
      }),
    );
  expect(await write({ bEnc: new Float32Array(F + 1) })).toMatchObject({ code, message: /b_enc/ });
  expect(await write({ bDec: new Float32Array(d).fill(Infinity) })).toMatchObject({ code, message: /b_dec\[0\]/ });
  expect(await write({ layer: 1 })).toMatchObject({ code, message: /layer 1/ });
  const wide = { ...MODEL, width: 5 };
  const own = crossLayerSetOf(config, weights);
  expect(await refusal(contentOf(writeDictionarySet({ crossLayer: own }, { model: wide })))).toMatchObject({ code });
  // θ below 0 has no logarithm.
  const below = new Float32Array(F).fill(-1);
  expect(await write({ threshold: below })).toMatchObject({ code, message: /threshold\[0\]/ });
  const files = filesOf(await contentOf(writeDictionarySet({ crossLayer: own }, { model: MODEL })));
  const spoilt = {
    ...files,
    tensors: async (name: string) => {
      const { tensors, metadata } = await files.tensors(name);
      const stored = { ...tensors.get('threshold')!, read: async () => below };
      return { metadata, tensors: new Map([...tensors, ['threshold', stored] as const]) };
    },
  };
  expect(await refusal((await openCrossLayer(spoilt))!.read(0))).toMatchObject({ code, message: /threshold/ });
});

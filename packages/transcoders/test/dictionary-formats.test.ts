// Other tools' folders give what their formulas give; what is written comes back to the bit; what is wrong is refused by its field.
import { readFileSync } from 'node:fs';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { READABLE_SITES, type DictionaryConfig, type DictionaryWeights } from '../src/index.js';
import { dictionaryShapes } from '../src/dictionary.js';
import {
  openCircuitTracerSet,
  openCrossLayerSet,
  openDictionaries,
  openDictionarySet,
  openPaperFile,
  openSaeLens,
  reconstructOnHost,
  writeCircuitTracerSet,
  writeCrossLayerSet,
  writeDictionarySet,
  writePaperFile,
  writeSaeLens,
  writeSparsify,
  type LoadedDictionary,
} from '../src/formats/index.js';
import { logThresholds, thresholds } from '../src/formats/thresholds.js';
import { contentOf, filesOf, golden, goldenContent } from './golden-files.js';

type Rows = readonly (readonly number[])[];
const expected = JSON.parse(readFileSync(golden('formats', 'expected.json'), 'utf8')) as Record<
  string,
  Rows | Rows[]
> & {
  readonly x: Rows;
};
const X = Float32Array.from(expected.x.flat());

/** ŷ within what f32 tensors and float64 sums leave of the tool's own f32. */
function expectRows(actual: Float32Array, rows: Rows): void {
  expect(actual.length).toBe(rows.flat().length);
  rows
    .flat()
    .forEach((value, i) => expect(Math.abs((actual[i] as number) - value)).toBeLessThan(2e-6 * (1 + Math.abs(value))));
}

let state = 3;
const draw = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 31 - 1;
  });

function drawn(config: DictionaryConfig): LoadedDictionary {
  const weights = Object.fromEntries(
    Array.from(dictionaryShapes(config), ([name, shape]) => {
      const values = draw(shape.reduce((product, n) => product * n, 1));
      // log θ from −4 to −2, from which θ comes back to the bit.
      return [name, name === 'logThreshold' ? values.map((value) => value - 3) : values];
    }),
  ) as unknown as DictionaryWeights;
  const provenance = { format: 'limn' as const, file: 'drawn', reads: '', writes: '', expects: {}, notes: [] };
  return { config, weights, provenance };
}

const BASE: DictionaryConfig = {
  layer: 2,
  input: 'ln2.hook_normalized',
  inputWidth: 4,
  outputWidth: 4,
  features: 7,
  activation: { kind: 'relu' },
  skip: false,
};
const MODEL = {
  architecture: 'gpt2',
  layers: 3,
  width: 4,
  vocabulary: 11,
  processing: 'none',
  fingerprint: 'f'.repeat(64),
};

test.each(Object.keys(expected).filter((key) => key.startsWith('saelens-')))(
  '%s gives what SAELens gives',
  async (folder) => {
    const [found] = await openDictionaries(filesOf(goldenContent('formats', folder)));
    const { config, weights, provenance } = await found!.read();
    expectRows(reconstructOnHost(config, weights, X), expected[folder] as Rows);
    expect(config.layer).toBe(folder === 'saelens-old' ? 7 : 4);
    expect(provenance).toMatchObject({ format: 'saelens', model: folder === 'saelens-old' ? 'gpt2-small' : 'gpt2' });
    const expects = folder === 'saelens-old' ? { bos: false } : { gain: 'kept', output: 'plain', bos: true };
    const preBias = folder.endsWith('transcoder') ? 'none' : 'subtracted';
    expect(provenance.expects).toEqual({ ...expects, preBias });
  },
);

test.each(['circuit-tracer', 'circuit-tracer-old'])(
  '%s gives what circuit-tracer gives, W_dec either way',
  async (folder) => {
    const found = await openDictionaries(filesOf(goldenContent('formats', folder)));
    expect(found.map(({ config }) => config.layer)).toEqual([0, 1]);
    for (const { config, provenance, read } of found) {
      expectRows(
        reconstructOnHost(config, (await read()).weights, X),
        expected[`${folder}/${provenance.file}`] as Rows,
      );
      expect(config.input).toBe('ln2.hook_normalized');
      expect(provenance).toMatchObject({ reads: 'mlp.hook_in', expects: { gain: 'kept', bos: true } });
    }
    expect(found[1]?.config).toMatchObject({ activation: { kind: 'jump-relu' }, skip: true });
  },
);

test('a cross-layer set gives what circuit-tracer gives, and comes back to the bit', async () => {
  const files = goldenContent('formats', 'clt');
  const set = await openCrossLayerSet(filesOf(files));
  const { layers, features: F, width: d } = set.config;
  expect(set.config).toMatchObject({
    layers: 3,
    features: 5,
    width: 3,
    input: 'hook_resid_mid',
    activation: { kind: 'jump-relu' },
  });
  const y = Array.from({ length: layers }, () => new Float32Array(X.length));
  for (let i = 0; i < layers; i++) {
    const { wEnc, bEnc, bDec, wDec, threshold } = await set.read(i);
    for (let j = 0; j < layers - i; j++) {
      const rows = Float32Array.from(
        { length: F * d },
        (_, at) => wDec[(Math.floor(at / d) * (layers - i) + j) * d + (at % d)] as number,
      );
      const config = {
        ...BASE,
        inputWidth: d,
        outputWidth: d,
        features: F,
        activation: { kind: 'jump-relu', bandwidth: 1 },
      } as const;
      const weights = {
        wEnc,
        bEnc,
        wDec: rows,
        bDec: j === 0 ? bDec : new Float32Array(d),
        logThreshold: logThresholds(threshold!),
      };
      reconstructOnHost(config, weights, X).forEach((value, at) => (y[i + j]![at] = y[i + j]![at]! + value));
    }
  }
  y.forEach((rows, l) => expectRows(rows, (expected.clt as Rows[])[l] as Rows));

  const written = await contentOf(writeCrossLayerSet(set, { model: 'gpt2', scan: 'mine' }));
  const again = await openCrossLayerSet(filesOf(written));
  for (let i = 0; i < layers; i++) expect(await again.read(i)).toEqual(await set.read(i));
  expect((await refusal(() => openDictionaries(filesOf(files)))).code).toBe('data/dictionary-unknown');
});

test('sparsify gives what sparsify gives', async () => {
  const found = await openDictionaries(filesOf(goldenContent('formats', 'sparsify')));
  expect(found.map(({ config: { layer, input, skip } }) => [layer, input, skip])).toEqual([
    [2, 'hook_mlp_out', false],
    [5, 'ln2.hook_normalized', true],
  ]);
  for (const { config, provenance, read } of found) {
    const { weights } = await read();
    expectRows(reconstructOnHost(config, weights, X), expected[`sparsify/${provenance.file.split('/')[0]}`] as Rows);
  }
});

test("limn's own sets keep every config, number and word", async () => {
  const activations = [
    { kind: 'relu' },
    { kind: 'top-k', k: 3 },
    { kind: 'batch-top-k', k: 2 },
    { kind: 'jump-relu', bandwidth: 0.01 },
  ] as const;
  const dictionaries = activations.flatMap((activation, i) =>
    READABLE_SITES.map((input, layer) =>
      drawn({
        ...BASE,
        layer: (layer + i) % 3,
        input,
        activation,
        outputWidth: 3,
        skip: i === 1 && input !== 'hook_mlp_out',
      }),
    ).slice(i, i + 2),
  );
  const members = dictionaries.map(({ config, weights }, i) => ({
    config,
    weights: i % 2 === 0 ? weights : () => Promise.resolve(weights),
    expects: { gain: 'kept', bos: true } as const,
    figures: { l0: i },
    training: { seed: i },
  }));
  const description = {
    model: MODEL,
    training: { updates: 10, seed: 0 },
    data: { sha256: 'a' },
    versions: { limn: '0.1.0' },
    adapter: 'an adapter',
    command: 'limn transcode',
  };
  const files = filesOf(await contentOf(writeDictionarySet(members, description)));
  const set = await openDictionarySet(files);
  expect(set.description).toEqual(description);
  for (const [i, stored] of set.dictionaries.entries()) {
    expect(stored.config).toEqual(dictionaries[i]?.config);
    expect((await stored.read()).weights).toEqual(dictionaries[i]?.weights);
    expect(stored).toMatchObject({
      figures: { l0: i },
      provenance: { format: 'limn', training: { updates: 10, seed: i }, expects: { gain: 'kept', bos: true } },
    });
  }
  expect((await openDictionaries(files)).length).toBe(members.length);
});

test.each([
  ['relu', { kind: 'relu' }, false],
  ['relu with a skip connection', { kind: 'relu' }, true],
  ['jump-relu', { kind: 'jump-relu', bandwidth: 0.05 }, false],
] as const)('a %s transcoder comes back from SAELens to the bit', async (_, activation, skip) => {
  const given = drawn({ ...BASE, outputWidth: 3, activation, skip });
  const files = filesOf(await contentOf(writeSaeLens(given, { model: 'gpt2', bos: true, contextSize: 128 })));
  const [found] = await openSaeLens(files);
  const again = await found!.read();
  expect(again.config).toEqual(given.config);
  expect(again.weights).toEqual(given.weights);
});

test('SAEs come back from SAELens to the bit, and BatchTopK as JumpReLU', async () => {
  for (const activation of [
    { kind: 'top-k', k: 2 },
    { kind: 'batch-top-k', k: 2 },
  ] as const) {
    const given = drawn({ ...BASE, input: 'hook_mlp_out', activation });
    const [found] = await openSaeLens(filesOf(await contentOf(writeSaeLens(given, { model: 'gpt2', bos: false }))));
    const again = await found!.read();
    expect(again.weights).toEqual(given.weights);
    expect(again.config.activation.kind).toBe(activation.kind === 'top-k' ? 'top-k' : 'jump-relu');
  }
  const topK = drawn({ ...BASE, activation: { kind: 'top-k', k: 2 } });
  expect((await refusal(async () => writeSaeLens(topK, { model: 'gpt2', bos: true }))).code).toBe(
    'usage/dictionary-export',
  );
});

test.each([
  [{ kind: 'relu' }, false],
  [{ kind: 'top-k', k: 3 }, true],
  [{ kind: 'jump-relu', bandwidth: 0.1 }, true],
] as const)('sets of %o come back from circuit-tracer to the bit', async (activation, skip) => {
  const given = [0, 1].map((layer) => drawn({ ...BASE, layer, activation, skip }));
  const files = filesOf(await contentOf(writeCircuitTracerSet(given, { model: 'gpt2', scan: 'mine: "one"' })));
  const found = await openCircuitTracerSet(files);
  for (const [i, stored] of found.entries()) {
    expect(stored.config).toEqual(given[i]?.config);
    expect((await stored.read()).weights).toEqual(given[i]?.weights);
  }
  const gap = [drawn({ ...BASE, layer: 1, activation, skip })];
  expect((await refusal(() => contentOf(writeCircuitTracerSet(gap, { model: 'gpt2', scan: 'mine' })))).code).toBe(
    'usage/dictionary-export',
  );
});

test('transcoders come back from sparsify and from the .pt to the bit', async () => {
  const topK = drawn({ ...BASE, activation: { kind: 'top-k', k: 3 }, skip: true });
  const [sparsify] = await openDictionaries(filesOf(await contentOf(writeSparsify(topK))));
  expect(await sparsify!.read()).toMatchObject({ config: topK.config, weights: topK.weights });
  const relu = drawn(BASE);
  const content = await contentOf([writePaperFile(relu, { model: 'gpt2-small', training: { lr: 4e-4, seed: 42 } })]);
  const [name] = Object.keys(content);
  const paper = await openPaperFile(filesOf(content), name!);
  expect(paper.config).toEqual(BASE);
  expect(paper.provenance.training).toMatchObject({ lr: 4e-4, seed: 42, d_sae: 7 });
  expect((await paper.read()).weights).toEqual(relu.weights);
  expect((await refusal(async () => writeSparsify(relu))).code).toBe('usage/dictionary-export');
  expect((await refusal(async () => writePaperFile(topK, { model: 'gpt2' }))).code).toBe('usage/dictionary-export');
});

test('thresholds come back from their logarithms within |log θ| + 1 units', () => {
  const theta = draw(2000).map((value) => Math.abs(value) ** 8);
  thresholds(logThresholds(theta)).forEach((again, i) => {
    const given = theta[i] as number;
    const unit = 2 ** (Math.floor(Math.log2(given)) - 23);
    expect(Math.abs(again - given)).toBeLessThanOrEqual((Math.abs(Math.log(given)) + 1) * unit);
  });
  expect(thresholds(logThresholds(Float32Array.of(0)))).toEqual(Float32Array.of(0));
});

/** A folder with one text replaced. */
const edited = (folder: string, name: string, edit: (text: string) => string) => {
  const content = goldenContent('formats', folder);
  return filesOf({ ...content, [name]: edit(new TextDecoder().decode(content[name])) });
};
const field = (name: string, value: unknown) => (text: string) =>
  JSON.stringify({ ...JSON.parse(text), [name]: value });

test.each([
  ['apply_b_dec_to_input', true],
  ['normalize_activations', 'layer_norm'],
  ['d_in', 4],
  ['d_sae', 2 ** 40],
  ['d_out', '3'],
  ['architecture', 'gated'],
  ['hook_name_out', 7],
  ['activation_fn', 'tanh-relu'],
  ['metadata', []],
  ['metadata', { hook_name: 'blocks.4.attn.hook_z', hook_name_out: 'blocks.4.hook_mlp_out' }],
  ['metadata', { hook_name: 'blocks.4.hook_mlp_in', hook_name_out: 'blocks.5.hook_mlp_out' }],
  ['metadata', { hook_name: 'constructor', hook_name_out: '__proto__' }],
])('a SAELens transcoder with %s = %o is refused', async (name, value) => {
  const files = edited('saelens-transcoder', 'cfg.json', (text) => {
    const cfg = JSON.parse(text) as Record<string, unknown>;
    delete (cfg.metadata as Record<string, unknown>).hook_name_out;
    return JSON.stringify({ ...cfg, [name]: value });
  });
  expect((await refusal(() => openSaeLens(files))).code).toBe('data/dictionary-saelens');
});

test.each([
  ['not YAML', (text: string) => `${text}more: {\n`],
  ['lists in lists', (text: string) => `${text}more: ${'['.repeat(20_000)}\n`],
  ['lists of lists', (text: string) => `${text}more:\n  ${'- '.repeat(20_000)}\n`],
  [
    'keys of keys',
    (text: string) => `${text}${Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}k:\n`).join('')}`,
  ],
  ['a repeated key', (text: string) => `${text}scan: again\n`],
  ['an alias', (text: string) => `${text}more: &a [1]\nagain: [*a, *a]\n`],
  ['a tag', (text: string) => `${text}more: !!js/function "f"\n`],
  ['a list', () => '- 1\n- 2\n'],
  ['another kind', (text: string) => text.replace('transcoder_set', 'dictionary')],
  ['another input', (text: string) => text.replace('mlp.hook_in', 'attn.hook_z')],
  [
    'an address that is not here',
    (text: string) => `${text}transcoders: ["hf://org/repo/other.safetensors?revision=1"]\n`,
  ],
  ['top-k without k', (text: string) => `${text}activation: topk\n`],
])('a circuit-tracer config with %s is refused', async (_, edit) => {
  expect((await refusal(() => openCircuitTracerSet(edited('circuit-tracer', 'config.yaml', edit)))).code).toBe(
    'data/dictionary-circuit-tracer',
  );
});

test('transcoders by address are those of the folder', async () => {
  const files = edited(
    'circuit-tracer',
    'config.yaml',
    (text) => `${text}transcoders: ["hf://org/repo/sub/layer_1.safetensors?revision=1"]\n`,
  );
  const [only, ...more] = await openCircuitTracerSet(files);
  expect(only?.provenance.file).toBe('layer_1.safetensors');
  expect(more).toEqual([]);
});

test('tensors that nobody asked for, of other shapes or not finite are refused', async () => {
  const given = drawn(BASE);
  const [config, file] = writeSaeLens(given, { model: 'gpt2', bos: true });
  if (!config || !file || !('tensors' in file)) throw new Error('two files');
  const with_ = async (name: string, shape: readonly number[], data: Float32Array) => {
    const tensors = new Map([...file.tensors, [name, { shape, data }]]);
    return openSaeLens(filesOf(await contentOf([config, { ...file, tensors }])));
  };
  expect((await refusal(() => with_('scaling_factor', [7], draw(7)))).code).toBe('data/dictionary-saelens');
  expect((await refusal(() => with_('W_enc', [7, 4], draw(28)))).code).toBe('data/dictionary-saelens');
  const [spoilt] = await with_('b_enc', [7], new Float32Array(7).fill(Number.NaN));
  expect((await refusal(() => spoilt!.read())).code).toBe('data/dictionary-saelens');
});

test.each([
  ['format', 'limn-dictionaries/2'],
  ['format', 'limn-dictionaries/3'],
  ['model', { ...MODEL, layers: 0 }],
  ['dictionaries', {}],
  ['dictionaries', [{ file: '../../other.safetensors' }]],
  ['training', 3],
])("a set of limn's with %s = %o is refused", async (name, value) => {
  const { config, weights } = drawn(BASE);
  const content = await contentOf(writeDictionarySet([{ config, weights }], { model: MODEL }));
  const files = filesOf({ ...content, 'config.json': field(name, value)(String(content['config.json'])) });
  expect((await refusal(() => openDictionarySet(files))).code).toBe('data/dictionary-set');
});

test('a folder of nothing, or of two formats, is refused', async () => {
  expect((await refusal(() => openDictionaries(filesOf({ 'README.md': '' })))).code).toBe('data/dictionary-unknown');
  const both = { ...goldenContent('formats', 'saelens-topk'), ...goldenContent('formats', 'circuit-tracer') };
  expect((await refusal(() => openDictionaries(filesOf(both)))).code).toBe('data/dictionary-unknown');
});

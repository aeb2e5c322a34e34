// Folders that are damaged, that lie, or that ask for other maths than a LoRA's: each is refused with a code, before anything is made of it.
import { writeSafetensors } from '@limn/gpt2';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { readPeft, type AdaptedModel, type PeftOptions } from '../src/index.js';
import { filesOf, type Content } from './folders.js';

const FINGERPRINT = 'f'.repeat(64);
/** The maps of a GPT-2 of 2 layers and 4 numbers, as `linears()` has them. */
const model: AdaptedModel = {
  info: {
    architecture: 'gpt2', layers: 2, heads: 2, headWidth: 2, width: 4, mlpWidth: 8, vocabulary: 5, maxPositions: 6,
    block: 'sequential', processing: 'none', fingerprint: FINGERPRINT,
  }, // prettier-ignore
  linears: () =>
    [0, 1].flatMap((layer) =>
      (
        [
          ['attn.c_attn', 4, 12],
          ['attn.c_proj', 4, 4],
          ['mlp.c_fc', 4, 8],
          ['mlp.c_proj', 8, 4],
        ] as const
      ).map(([name, inWidth, outWidth]) => ({
        name: `h.${layer}.${name}`,
        layer,
        input: `blocks.${layer}.hook_resid_pre` as const,
        outputs: [`blocks.${layer}.hook_resid_post` as const],
        inWidth,
        outWidth,
        orientation: 'in-out' as const,
      })),
    ),
};

type Tensors = Record<string, { shape: number[]; data: Float32Array }>;
const tensor = (...shape: number[]): { shape: number[]; data: Float32Array } => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((product, n) => product * n, 1) }, (_, i) => Math.sin(i + 1)),
});
const key = (module: string, factor: string): string => `base_model.model.transformer.${module}.lora_${factor}.weight`;
const sound = (): Tensors => ({
  [key('h.0.attn.c_proj', 'A')]: tensor(2, 4),
  [key('h.0.attn.c_proj', 'B')]: tensor(4, 2),
  [key('h.1.attn.c_proj', 'A')]: tensor(2, 4),
  [key('h.1.attn.c_proj', 'B')]: tensor(4, 2),
});
const CONFIG = { peft_type: 'LORA', target_modules: ['attn.c_proj'], r: 2, lora_alpha: 2, bias: 'none' };
const NAME = 'adapter_model.safetensors';

function folder(config: object | string, tensors: Tensors | Uint8Array = sound(), metadata = {}): Content {
  const bytes = tensors instanceof Uint8Array ? tensors : writeSafetensors(new Map(Object.entries(tensors)), metadata);
  return { 'adapter_config.json': typeof config === 'string' ? config : JSON.stringify(config), [NAME]: bytes };
}
const without = (name: string): Tensors =>
  Object.fromEntries(Object.entries(sound()).filter(([each]) => each !== name));
/** A safetensors file of a header and zeros. */
function raw(header: string, bytes: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + bytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}
const entry = (dtype: string, shape: number[], from: number, to: number): object => ({
  dtype,
  shape,
  data_offsets: [from, to],
});
const spoilt = (value: number): Tensors => {
  const tensors = sound();
  tensors[key('h.1.attn.c_proj', 'B')]!.data[3] = value;
  return tensors;
};
const A0 = key('h.0.attn.c_proj', 'A');
const B0 = key('h.0.attn.c_proj', 'B');

test('the sound folder that all of these are changes of is read', async () => {
  const { lora, ignored } = await readPeft(model, filesOf(folder(CONFIG)));
  expect([...lora.modules.keys()]).toEqual(['h.0.attn.c_proj', 'h.1.attn.c_proj']);
  expect(ignored).toEqual([]);
});

const shapes: [string, string, Content][] = [
  ['A of another input', 'data/peft-shape', folder(CONFIG, { ...sound(), [A0]: tensor(2, 5) })],
  ['B of another output', 'data/peft-shape', folder(CONFIG, { ...sound(), [B0]: tensor(5, 2) })],
  ['A and B swapped', 'data/peft-shape', folder(CONFIG, { ...sound(), [A0]: tensor(4, 2), [B0]: tensor(2, 4) })],
  ['another rank than its config', 'data/peft-shape', folder({ ...CONFIG, r: 3 })],
  ['another rank by a pattern', 'data/peft-shape', folder({ ...CONFIG, rank_pattern: { 'h.0.attn.c_proj': 1 } })],
  ['ranks of A and B that differ', 'data/peft-shape', folder(CONFIG, { ...sound(), [B0]: tensor(4, 3) })],
  ['a flat A', 'data/peft-shape', folder(CONFIG, { ...sound(), [A0]: tensor(8) })],
  ['a convolution', 'data/peft-shape', folder(CONFIG, { ...sound(), [A0]: tensor(2, 4, 1) })],
  ['an empty A', 'data/peft-shape', folder(CONFIG, { ...sound(), [A0]: tensor(0, 4) })],
  ['factors of whole numbers', 'data/peft-shape', folder({ ...CONFIG, target_modules: ['h.0.attn.c_proj'] }, raw(JSON.stringify({ [A0]: entry('I32', [2, 4], 0, 32), [B0]: entry('I32', [4, 2], 32, 64) }), 64))],
  ['factors of eight bits', 'data/peft-shape', folder({ ...CONFIG, target_modules: ['h.0.attn.c_proj'] }, raw(JSON.stringify({ [A0]: entry('F8_E4M3', [2, 4], 0, 8), [B0]: entry('F8_E4M3', [4, 2], 8, 16) }), 16))],
  ['NaN', 'data/lora-values', folder(CONFIG, spoilt(Number.NaN))],
  ['infinity', 'data/lora-values', folder(CONFIG, spoilt(Number.NEGATIVE_INFINITY))],
]; // prettier-ignore

const keys: [string, string, Content][] = [
  ['no B', 'data/peft-keys', folder(CONFIG, without(B0))],
  ['no A', 'data/peft-keys', folder(CONFIG, without(A0))],
  ['a layer less than its config', 'data/peft-keys', folder(CONFIG, { [A0]: tensor(2, 4), [B0]: tensor(4, 2) })],
  ['a layer more than its config', 'data/peft-keys', folder({ ...CONFIG, layers_to_transform: [0] })],
  ['modules that its config excludes', 'data/peft-keys', folder({ ...CONFIG, exclude_modules: ['h.1.attn.c_proj'] })],
  ['no tensors', 'data/peft-keys', folder(CONFIG, raw('{}', 0))],
  ['no tensors and no targets', 'data/lora-empty', folder({ ...CONFIG, target_modules: [] }, raw('{}', 0))],
  ['names without PEFT’s prefix', 'data/peft-keys', folder(CONFIG, { 'transformer.h.0.attn.c_proj.lora_A.weight': tensor(2, 4) })],
  ['names with an adapter’s name', 'data/peft-keys', folder(CONFIG, { ...sound(), 'base_model.model.transformer.h.0.attn.c_proj.lora_A.default': tensor(2, 4) })],
  ['a name that is none of PEFT’s', 'data/peft-keys', folder(CONFIG, { ...sound(), noise: tensor(1) })],
  ['the key __proto__', 'data/peft-keys', folder(CONFIG, raw(`{"__proto__":${JSON.stringify(entry('F32', [1], 0, 4))}}`, 4))],
  ['two fronts', 'data/peft-keys', folder(CONFIG, { ...without(B0), 'base_model.model.h.0.attn.c_proj.lora_B.weight': tensor(4, 2) })],
  ['a front that is a path', 'data/peft-keys', folder(CONFIG, Object.fromEntries(Object.entries(sound()).map(([name, each]) => [name.replace('transformer', '../../x/y'), each])))],
  ['a layer that the model has not', 'data/peft-unsupported', folder(CONFIG, { ...sound(), [key('h.2.attn.c_proj', 'A')]: tensor(2, 4) })],
  ['a changed head', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.lm_head.lora_A.weight': tensor(2, 4) })],
  ['a changed embedding', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.transformer.wte.lora_embedding_A': tensor(2, 5) })],
  ['magnitudes of DoRA', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.transformer.h.0.attn.c_proj.lora_magnitude_vector': tensor(4) })],
  ['biases of B', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.transformer.h.0.attn.c_proj.lora_B.bias': tensor(4) })],
  ['biases of the model', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.transformer.h.0.attn.c_proj.bias': tensor(4) })],
  ['a whole head', 'data/peft-unsupported', folder(CONFIG, { ...sound(), 'base_model.model.lm_head.weight': tensor(5, 4) })],
]; // prettier-ignore

const configs: [string, string, Content][] = [
  ['DoRA', 'data/peft-unsupported', folder({ ...CONFIG, use_dora: true })],
  ['biases of factors', 'data/peft-unsupported', folder({ ...CONFIG, lora_bias: true })],
  ['saved modules', 'data/peft-unsupported', folder({ ...CONFIG, modules_to_save: ['lm_head'] })],
  ['repeated layers', 'data/peft-unsupported', folder({ ...CONFIG, layer_replication: [[0, 2]] })],
  ['trained biases', 'data/peft-unsupported', folder({ ...CONFIG, bias: 'lora_only' })],
  ['trained tokens', 'data/peft-unsupported', folder({ ...CONFIG, trainable_token_indices: [1] })],
  ['target parameters', 'data/peft-unsupported', folder({ ...CONFIG, target_parameters: ['h.0'] })],
  ['an activation by tokens', 'data/peft-unsupported', folder({ ...CONFIG, alora_invocation_tokens: [1, 2] })],
  ['PiSSA', 'data/peft-unsupported', folder({ ...CONFIG, init_lora_weights: 'pissa_niter_4' })],
  ['LoftQ', 'data/peft-unsupported', folder({ ...CONFIG, init_lora_weights: 'loftq' })],
  ['IA3', 'data/peft-unsupported', folder({ ...CONFIG, peft_type: 'IA3' })],
  ['prompt tuning', 'data/peft-unsupported', folder({ ...CONFIG, peft_type: 'PROMPT_TUNING' })],
  ['a field of the future that is on', 'data/peft-unsupported', folder({ ...CONFIG, use_next_year: true })],
  ['no kind', 'data/peft-config', folder({ ...CONFIG, peft_type: undefined })],
  ['a kind that is a list', 'data/peft-config', folder({ ...CONFIG, peft_type: ['LORA'] })],
  ['rank 0', 'data/peft-config', folder({ ...CONFIG, r: 0 })],
  ['a huge rank', 'data/peft-config', folder({ ...CONFIG, r: 1e12 })],
  ['a rank as text', 'data/peft-config', folder({ ...CONFIG, r: '2' })],
  ['a rank of 2.5', 'data/peft-config', folder({ ...CONFIG, r: 2.5 })],
  ['an alpha of 1e999', 'data/peft-config', folder(JSON.stringify(CONFIG).replace('"lora_alpha":2', '"lora_alpha":1e999'))],
  ['an alpha beyond f32', 'data/lora-values', folder({ ...CONFIG, lora_alpha: 1e200 })],
  ['an alpha as text', 'data/peft-config', folder({ ...CONFIG, lora_alpha: '2' })],
  ['rsLoRA as text', 'data/peft-config', folder({ ...CONFIG, use_rslora: 'yes' })],
  ['targets of numbers', 'data/peft-config', folder({ ...CONFIG, target_modules: [1] })],
  ['targets as an object', 'data/peft-config', folder({ ...CONFIG, target_modules: {} })],
  ['a layer of −1', 'data/peft-config', folder({ ...CONFIG, layers_to_transform: [-1] })],
  ['layers and an expression', 'data/peft-config', folder({ ...CONFIG, target_modules: '.*', layers_to_transform: [0] })],
  ['a pattern of texts', 'data/peft-config', folder({ ...CONFIG, rank_pattern: { c_proj: '2' } })],
  ['a pattern that is a list', 'data/peft-config', folder({ ...CONFIG, rank_pattern: [2] })],
  ['a repeated key', 'data/peft-config', folder(JSON.stringify(CONFIG).replace('"r":2', '"r":2,"r":3'))],
  ['nesting without an end', 'data/peft-config', folder(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)],
  ['half a config', 'data/peft-config', folder(JSON.stringify(CONFIG).slice(0, -5))],
  ['a list for a config', 'data/peft-config', folder('[]')],
  ['no config', 'data/peft-config', folder('')],
  ['a bomb for targets', 'data/peft-keys', folder({ ...CONFIG, target_modules: '(.*)*(.*)*(.*)*(x+x+)+y' })],
  ['an endless expression', 'data/peft-pattern', folder({ ...CONFIG, target_modules: 'a'.repeat(5000) })],
  ['a bomb among the ranks', 'data/peft-shape', folder({ ...CONFIG, rank_pattern: { '(.*)*(.*)*c_proj': 3 } })],
  ['a broken expression', 'data/peft-pattern', folder({ ...CONFIG, target_modules: '(((' })],
  ['a broken exception', 'data/peft-pattern', folder({ ...CONFIG, exclude_modules: '[z-a]' })],
]; // prettier-ignore

const damaged: [string, string, Content][] = [
  ['a cut file of tensors', 'safetensors/truncated', folder(CONFIG, writeSafetensors(new Map(Object.entries(sound()))).slice(0, -3))],
  ['seven bytes of tensors', 'safetensors/too-small', folder(CONFIG, new Uint8Array(7))],
  ['a header of 2^63 bytes', 'safetensors/header-too-large', folder(CONFIG, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 0))],
  ['tensors that overlap', 'safetensors/overlap', folder(CONFIG, raw(JSON.stringify({ [A0]: entry('F32', [2, 4], 0, 32), [B0]: entry('F32', [4, 2], 16, 48) }), 48))],
  ['a hole', 'safetensors/hole', folder(CONFIG, raw(JSON.stringify({ [A0]: entry('F32', [2, 4], 0, 32), [B0]: entry('F32', [4, 2], 36, 68) }), 68))],
  ['one tensor twice', 'safetensors/duplicate-key', folder(CONFIG, raw(`{"${A0}":${JSON.stringify(entry('F32', [2, 4], 0, 32))},"${A0}":${JSON.stringify(entry('F32', [2, 4], 32, 64))}}`, 64))],
  ['a pickle named as tensors', 'safetensors/header-too-large', folder(CONFIG, new TextEncoder().encode('PK\u0003\u0004 and so on, a zip of a pickle'))],
  ['only a pickle', 'data/peft-unsupported', { 'adapter_config.json': JSON.stringify(CONFIG), 'adapter_model.bin': new Uint8Array(9) }],
  ['no weights', 'data/peft-folder', { 'adapter_config.json': JSON.stringify(CONFIG) }],
  ['no config file', 'data/peft-folder', { [NAME]: new Uint8Array(9) }],
  ['nothing', 'data/peft-folder', {}],
  ['two adapters and no choice', 'data/peft-folder', { ...folder(CONFIG), 'other/adapter_config.json': JSON.stringify(CONFIG) }],
]; // prettier-ignore

describe.each([
  ['numbers', shapes],
  ['names', keys],
  ['configs', configs],
  ['files', damaged],
])('%s', (_, cases) => {
  test.each(cases)('%s: %s', async (_what, code, content) => {
    const before = process.cpuUsage();
    const error = await refusal(() => readPeft(model, filesOf(content)));
    expect(error.code, error.message).toBe(code);
    expect(error.message.length).toBeLessThan(1000);
    // Limits stand between a reader and hours.
    expect(process.cpuUsage(before).user).toBeLessThan(2e6);
  });
});

test('there are more than forty', () => {
  expect(shapes.length + keys.length + configs.length + damaged.length).toBeGreaterThan(80);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('a name that leads out of the folder is no adapter’s', async () => {
  const files = {
    ...folder(CONFIG),
    '../adapter_config.json': '{}',
    'a/b/adapter_config.json': '{}',
    'c\\d/adapter_config.json': '{}',
  };
  expect((await readPeft(model, filesOf(files))).name).toBe('default');
  for (const adapter of ['..', '../..', 'a/b', 'c\\d', '', 'adapter_config.json', '__proto__'])
    expect((await refusal(() => readPeft(model, filesOf(files), { adapter }))).code).toBe('data/peft-folder');
});

test('what is off, unknown or about the training is passed over', async () => {
  const config = { ...CONFIG, use_dora: false, modules_to_save: null, layer_replication: [], next: null, later: false, more: {}, lora_dropout: 0.5,
    corda_config: null, loftq_config: {}, peft_version: '9.0', fan_in_fan_out: true, init_lora_weights: 'gaussian', revision: 'main' }; // prettier-ignore
  const { ignored, lora } = await readPeft(model, filesOf(folder(config)));
  expect(ignored).toEqual(['next', 'later', 'more']);
  expect(lora.modules.size).toBe(2);
  const on = filesOf(folder({ ...CONFIG, use_next_year: true }));
  expect((await readPeft(model, on, { ignore: ['use_next_year'] })).ignored).toEqual(['use_next_year']);
  expect(
    (await refusal(() => readPeft(model, filesOf(folder({ ...CONFIG, use_dora: true })), { ignore: ['use_dora'] })))
      .code,
  ).toBe('data/peft-unsupported');
});

test('without targets the tensors say which maps; ranks and alphas are PEFT’s defaults', async () => {
  const tensors = { [A0]: tensor(8, 4), [B0]: tensor(4, 8) };
  const { lora } = await readPeft(model, filesOf(folder({ peft_type: 'LORA' }, tensors)));
  expect([...lora.modules.keys()]).toEqual(['h.0.attn.c_proj']);
  expect([lora.rank, lora.alpha, lora.rsLora]).toEqual([8, 8, false]);
});

test('an adapter of other weights, and one of nobody’s on processed weights, are refused unless that is meant', async () => {
  const named = folder(CONFIG, sound(), { limn_base_fingerprint: 'a'.repeat(64) });
  const read = (content: Content, options: PeftOptions = {}, of: AdaptedModel = model) =>
    readPeft(of, filesOf(content), options);
  expect((await refusal(() => read(named))).code).toBe('data/lora-base');
  expect((await read(named, { anyBase: true })).lora.base).toBe('a'.repeat(64));
  expect((await read(folder(CONFIG, sound(), { limn_base_fingerprint: FINGERPRINT }))).lora.base).toBe(FINGERPRINT);
  const processed = (processing: string): AdaptedModel => ({ ...model, info: { ...model.info, processing } });
  expect((await refusal(() => read(folder(CONFIG), {}, processed('fold-layer-norm')))).code).toBe(
    'data/lora-processed',
  );
  expect((await refusal(() => read(folder(CONFIG), {}, processed('fold-layer-norm, f16')))).code).toBe(
    'data/lora-processed',
  );
  expect((await read(folder(CONFIG), {}, processed('f16'))).lora.modules.size).toBe(2);
  expect((await read(folder(CONFIG), { anyBase: true }, processed('fold-layer-norm'))).lora.modules.size).toBe(2);
});

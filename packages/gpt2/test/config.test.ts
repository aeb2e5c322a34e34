// config.json: what transformers writes is read; whatever would change the result unseen is an error that names the field.
import { readFileSync } from 'node:fs';
import type { LimnError } from '@limn/gpu';
import * as fc from 'fast-check';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { formatConfig, newConfig, parseConfig } from '../src/config.js';
import { memoryFiles } from '../src/files.js';
import { planLoad } from '../src/load-plan.js';
import { loadGpt2 } from '../src/load.js';

const good = { model_type: 'gpt2', n_embd: 24, n_head: 3, n_layer: 2, n_positions: 13, vocab_size: 37 };
const parse = (extra: object) => parseConfig(JSON.stringify({ ...good, ...extra }));

describe('config', () => {
  test.each(['tied-tanh', 'untied-erf'])('reads what transformers writes (%s), and writes what it reads', (name) => {
    const text = readFileSync(new URL(`golden/${name}/config.json`, import.meta.url), 'utf8');
    const config = parseConfig(text);
    expect(config).toMatchObject(
      name === 'tied-tanh'
        ? {
            width: 24,
            heads: 3,
            headWidth: 8,
            mlpWidth: 40,
            gelu: 'tanh',
            tied: true,
            scaleAttentionByLayer: false,
            bosId: 0,
          }
        : {
            width: 12,
            heads: 2,
            headWidth: 6,
            mlpWidth: 48,
            gelu: 'erf',
            tied: false,
            scaleAttentionByLayer: true,
            vocabulary: 23,
          },
    );
    expect(parseConfig(formatConfig(config))).toEqual(config);
    parseConfig(text, 'config.json', (notice) => expect.fail(notice));
  });

  test("GPT-2 small's sizes are the defaults, and a token id outside a smaller vocabulary is not taken over", () => {
    expect(parseConfig('{"model_type":"gpt2"}')).toMatchObject({
      width: 768,
      layers: 12,
      heads: 12,
      headWidth: 64,
      mlpWidth: 3072,
      vocabulary: 50257,
      maxPositions: 1024,
    });
    expect(parse({ bos_token_id: 50256 }).bosId).toBeUndefined();
  });

  test.each<[object, string]>([
    [{ model_type: 'llama' }, 'model_type'],
    [{ activation_function: 'relu' }, 'activation_function'],
    [{ activation_function: 'constructor' }, 'activation_function'],
    [{ auto_map: { AutoModel: 'x.y' } }, 'auto_map'],
    [{ add_cross_attention: true }, 'add_cross_attention'],
    [{ architectures: ['GPT2ForSequenceClassification'] }, 'architectures'],
    [{ n_layer: 0 }, 'n_layer'],
    [{ n_layer: 2.5 }, 'n_layer'],
    [{ n_layer: 4097 }, 'n_layer'],
    [{ n_embd: 2 ** 31 + 1 }, 'n_embd'],
    [{ vocab_size: '37' }, 'vocab_size'],
    [{ layer_norm_epsilon: -1 }, 'layer_norm_epsilon'],
    [{ scale_attn_weights: 'yes' }, 'scale_attn_weights'],
    [{ n_ctx: 5 }, 'n_ctx'],
    [{ eos_token_id: [1, 2] }, 'eos_token_id'],
    [{ n_embd: 2 ** 31 }, 'n_embd'],
    [{ rope_theta: 10000 }, 'rope_theta'],
    [{ rope_scaling: { type: 'linear' } }, 'rope_scaling'],
    [{ position_embedding_type: 'relative_key' }, 'position_embedding_type'],
    [{ multi_query: true }, 'multi_query'],
    [{ pruned_heads: { 0: [1] } }, 'pruned_heads'],
    [{ quantization_config: { bits: 4 } }, 'quantization_config'],
    [{ reorder_and_upcast_attn: 'yes' }, 'reorder_and_upcast_attn'],
  ])('%j is refused by field', async (extra, field) => {
    const error = await refusal(() => parse(extra));
    expect(error.code).toBe('config/bad-value');
    expect(error.details['field']).toBe(field);
    expect(error.message).toContain('allowed');
  });

  test('fields that limn does not read are told once, in short; those that say nothing are not', () => {
    const notices: string[] = [];
    const told = (extra: object): string[] => {
      notices.length = 0;
      parseConfig(JSON.stringify({ ...good, ...extra }), 'config.json', (notice) => notices.push(notice));
      return notices;
    };
    expect(
      told({ rope_theta: null, multi_query: false, pruned_heads: {}, position_embedding_type: 'absolute' }),
    ).toEqual([]);
    expect(told({ n_special: 0, id2label: { 0: 'x' }, top_k: 50, reorder_and_upcast_attn: false })).toEqual([]);
    expect(told({ reorder_and_upcast_attn: true })).toEqual([expect.stringContaining('attention in f32')]);
    expect(told({ zork: 5, [`a${'b'.repeat(1e5)}`]: [1, 2] })).toEqual([
      `config.json: limn does not read zork (5), a${'b'.repeat(59)} (a list of 2); what they ask for is not done.`,
    ]);
    const many = told(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${i}`, i])));
    expect(many).toEqual([expect.stringContaining('and 992 more')]);
  });

  test('loading passes the notice on', async () => {
    const notices: string[] = [];
    const files = memoryFiles({ 'config.json': JSON.stringify({ ...good, zork: 5 }) });
    const gpu = {} as Parameters<typeof loadGpt2>[0];
    // No weights: the load ends before the GPU is looked at.
    expect((await refusal(loadGpt2(gpu, files, { onNotice: (notice) => notices.push(notice) }))).code).toMatch(
      /^(weights|files)\//,
    );
    expect(notices).toEqual([expect.stringContaining('does not read zork (5)')]);
  });

  test('any values in any fields give a config that holds together, or an error of config', () => {
    const fields = Object.keys(
      JSON.parse(formatConfig(newConfig({ vocabulary: 5, maxPositions: 4, width: 4, layers: 1, heads: 2 }))) as object,
    );
    const odd = fc.oneof(
      fc.constantFrom(
        0,
        1,
        2,
        3,
        8,
        24,
        4096,
        2 ** 31,
        2 ** 53,
        -1,
        0.5,
        1e-5,
        '',
        'gelu',
        'gpt2',
        '__proto__',
        null,
        true,
        false,
        [],
        {},
      ),
      fc.jsonValue(),
    );
    const changes = fc.dictionary(fc.constantFrom(...fields, 'auto_map', 'add_cross_attention', '__proto__'), odd, {
      maxKeys: 4,
    });
    let sound = 0;
    fc.assert(
      fc.property(changes, (changed) => {
        let config;
        try {
          config = parseConfig(JSON.stringify({ ...good, ...changed }));
        } catch (error) {
          expect((error as LimnError).code).toMatch(/^config\//);
          return;
        }
        sound++;
        expect(config.headWidth * config.heads).toBe(config.width);
        for (const size of [config.vocabulary, config.maxPositions, config.width, config.layers, config.mlpWidth])
          expect(Number.isSafeInteger(size) && size > 0).toBe(true);
        for (const id of [config.bosId, config.eosId]) expect(id === undefined || id < config.vocabulary).toBe(true);
        expect(parseConfig(formatConfig(config))).toEqual({ ...config, tied: config.tied ?? true });
      }),
      { numRuns: 2000, seed: 2025 },
    );
    expect(sound).toBeGreaterThan(100);
  });

  test('a config too large to be one is not read', async () => {
    const files = { ...memoryFiles({ 'config.json': '{}' }), size: async () => 2 ** 24 + 1 };
    expect((await refusal(planLoad(files))).code).toBe('files/too-large');
    const grown = memoryFiles({ 'config.json': new Uint8Array(2 ** 24 + 1) });
    // What a source has beyond the size that it states is not read.
    expect((await refusal(planLoad({ ...grown, size: async () => 2 }))).code).toBe('config/not-json');
  });

  test('heads that do not divide the width, and text that is not JSON', async () => {
    expect((await refusal(() => parse({ n_head: 5 }))).code).toBe('config/heads');
    expect(
      (await refusal(() => newConfig({ vocabulary: 5, maxPositions: 4, width: 10, layers: 1, heads: 3 }))).code,
    ).toBe('config/heads');
    expect((await refusal(() => parseConfig('{'))).code).toBe('config/not-json');
    expect((await refusal(() => parseConfig('[]'))).code).toBe('config/not-json');
  });

  test('a value that is nested without end, or without measure long, is named in short', async () => {
    const deep = JSON.stringify(good).replace('24', `${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    expect((await refusal(() => parseConfig(deep))).message).toContain('n_embd is a list of 1');
    expect((await refusal(() => parse({ activation_function: 'x'.repeat(1e6) }))).message.length).toBeLessThan(500);
  });
});

test('the architectures that are refused are named', () => {
  const text = JSON.stringify({ model_type: 'gpt2', architectures: ['GPT2ForSequenceClassification', 5] });
  expect(() => parseConfig(text)).toThrow('architectures is ["GPT2ForSequenceClassification", 5]; allowed');
});

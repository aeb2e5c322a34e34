// config.json: what transformers writes is read; whatever would change the result unseen is an error that names the field.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatConfig, newConfig, parseConfig, unreadConfigFields } from '../src/config.js';
import { thrown } from './rejection.js';

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
    expect(unreadConfigFields(text)).toEqual([]);
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
    [{ vocab_size: '37' }, 'vocab_size'],
    [{ layer_norm_epsilon: -1 }, 'layer_norm_epsilon'],
    [{ scale_attn_weights: 'yes' }, 'scale_attn_weights'],
    [{ n_ctx: 5 }, 'n_ctx'],
    [{ eos_token_id: [1, 2] }, 'eos_token_id'],
  ])('%j is refused by field', (extra, field) => {
    const error = thrown(() => parse(extra));
    expect(error.code).toBe('config/bad-value');
    expect(error.details['field']).toBe(field);
    expect(error.message).toContain('allowed');
  });

  test('heads that do not divide the width, and text that is not JSON', () => {
    expect(thrown(() => parse({ n_head: 5 })).code).toBe('config/heads');
    expect(thrown(() => newConfig({ vocabulary: 5, maxPositions: 4, width: 10, layers: 1, heads: 3 })).code).toBe(
      'config/heads',
    );
    expect(thrown(() => parseConfig('{')).code).toBe('config/not-json');
    expect(thrown(() => parseConfig('[]')).code).toBe('config/not-json');
  });
});

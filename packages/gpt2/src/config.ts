// Hugging Face's config.json of a GPT-2 model, checked field by field: an unknown value is an error, never a guess.
import { LimnError, shownValue } from '@limn/gpu';
import { checkOtherFields } from './config-fields.js';

/** Sizes and choices of a GPT-2 family model. */
export interface Gpt2Config {
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly gelu: 'tanh' | 'erf';
  readonly layerNormEps: number;
  /** Divide attention scores by √headWidth. */
  readonly scaleAttention: boolean;
  /** Divide them by (layer + 1) as well. */
  readonly scaleAttentionByLayer: boolean;
  /** undefined: not stated, so the weights decide. */
  readonly tied?: boolean;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly initializerRange: number;
}

/** Twelve weights each are listed before the file is looked at. */
const maxLayers = 4096;

const geluForms = new Map<string, 'tanh' | 'erf'>([
  ['gelu_new', 'tanh'],
  ['gelu_pytorch_tanh', 'tanh'],
  ['gelu', 'erf'],
]);

/**
 * Reads config.json. `onNotice` is told of fields that limn does not read.
 * @throws LimnError `config/…` naming the field, what it holds and what is allowed.
 */
export function parseConfig(text: string, file = 'config.json', onNotice?: (notice: string) => void): Gpt2Config {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LimnError('config/not-json', `${file} is not JSON: ${String((cause as Error).message)}`, { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new LimnError('config/not-json', `${file} holds no JSON object`);
  }
  const fields = new Map(Object.entries(json));
  const bad = (field: string, allowed: string, hint?: string, given = shownValue(fields.get(field))): LimnError =>
    new LimnError('config/bad-value', `${file}: ${field} is ${given}; allowed: ${allowed}`, {
      details: { field, given, allowed },
      ...(hint === undefined ? {} : { hint }),
    });
  const count = (field: string, fallback?: number, most = 2 ** 31): number => {
    const value = fields.get(field) ?? fallback;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
      throw bad(field, `a whole number from 1 to ${most === 2 ** 31 ? '2^31' : most}`);
    }
    return value;
  };
  const flag = (field: string, fallback: boolean): boolean => {
    const value = fields.get(field) ?? fallback;
    if (typeof value !== 'boolean') throw bad(field, 'true or false');
    return value;
  };
  const number = (field: string, fallback: number): number => {
    const value = fields.get(field) ?? fallback;
    if (typeof value !== 'number' || !(value > 0) || !(value < 1)) throw bad(field, 'a number between 0 and 1');
    return value;
  };

  if (fields.get('model_type') !== 'gpt2')
    throw bad('model_type', '"gpt2"', 'Other architectures need their own HookedModel.');
  if (fields.get('auto_map') != null) {
    throw bad('auto_map', 'absent', 'The model asks for code from its repository. limn never runs such code.');
  }
  if (flag('add_cross_attention', false)) throw bad('add_cross_attention', 'false');
  const architectures = fields.get('architectures');
  if (
    architectures != null &&
    !(Array.isArray(architectures) && architectures.every((a) => a === 'GPT2LMHeadModel' || a === 'GPT2Model'))
  ) {
    const named = Array.isArray(architectures)
      ? `[${architectures.slice(0, 4).map(shownValue).join(', ')}]`
      : undefined;
    throw bad('architectures', '["GPT2LMHeadModel"] or ["GPT2Model"]', undefined, named);
  }
  const activation = fields.get('activation_function') ?? 'gelu_new';
  const gelu = typeof activation === 'string' ? geluForms.get(activation) : undefined;
  if (!gelu) throw bad('activation_function', [...geluForms.keys()].join(', '));

  // A quarter of the largest number, since the MLP is four times as wide unless n_inner says otherwise.
  const width = count('n_embd', 768, 2 ** 29);
  const heads = count('n_head', 12);
  if (width % heads !== 0) {
    throw new LimnError('config/heads', `${file}: n_embd ${width} is not divisible by n_head ${heads}`, {
      details: { n_embd: width, n_head: heads },
      hint: 'Each head needs a whole number of columns.',
    });
  }
  const vocabulary = count('vocab_size', 50257);
  const maxPositions = count('n_positions', 1024);
  if (fields.get('n_ctx') != null && count('n_ctx') < maxPositions)
    throw bad('n_ctx', `n_positions (${maxPositions}) or more`);
  const tokenId = (field: string): number | undefined => {
    const value = fields.get(field);
    if (value == null) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw bad(field, 'null or a token id');
    // GPT2Config's default of 50256 is often left in the config of a model with a smaller vocabulary.
    return value < vocabulary ? value : undefined;
  };
  const bosId = tokenId('bos_token_id');
  const eosId = tokenId('eos_token_id');
  checkOtherFields(fields, file, bad, onNotice);
  const tied = fields.has('tie_word_embeddings') ? flag('tie_word_embeddings', true) : undefined;
  return {
    vocabulary,
    maxPositions,
    width,
    layers: count('n_layer', 12, maxLayers),
    heads,
    headWidth: width / heads,
    mlpWidth: fields.get('n_inner') == null ? 4 * width : count('n_inner'),
    gelu,
    layerNormEps: number('layer_norm_epsilon', 1e-5),
    scaleAttention: flag('scale_attn_weights', true),
    scaleAttentionByLayer: flag('scale_attn_by_inverse_layer_idx', false),
    initializerRange: number('initializer_range', 0.02),
    ...(tied === undefined ? {} : { tied }),
    ...(bosId === undefined ? {} : { bosId }),
    ...(eosId === undefined ? {} : { eosId }),
  };
}

/** What to choose for a new model; the rest follows GPT-2. */
export interface NewGpt2Config {
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth?: number;
  readonly gelu?: 'tanh' | 'erf';
  readonly tied?: boolean;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly initializerRange?: number;
}

/**
 * A checked config from a few sizes, by way of config.json, so that both routes obey the same rules.
 * @throws LimnError `config/bad-value`, `config/heads`, `config/not-json`
 */
export function newConfig(sizes: NewGpt2Config): Gpt2Config {
  return parseConfig(
    formatConfig({
      headWidth: sizes.width / sizes.heads,
      gelu: 'tanh',
      layerNormEps: 1e-5,
      scaleAttention: true,
      scaleAttentionByLayer: false,
      tied: true,
      initializerRange: 0.02,
      mlpWidth: 4 * sizes.width,
      ...sizes,
    }),
    'the given sizes',
  );
}

/** config.json for a config, in the fields that transformers' GPT2Config knows. */
export function formatConfig(config: Gpt2Config): string {
  return `${JSON.stringify(
    {
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      activation_function: config.gelu === 'tanh' ? 'gelu_new' : 'gelu',
      vocab_size: config.vocabulary,
      n_positions: config.maxPositions,
      n_ctx: config.maxPositions,
      n_embd: config.width,
      n_layer: config.layers,
      n_head: config.heads,
      n_inner: config.mlpWidth,
      layer_norm_epsilon: config.layerNormEps,
      scale_attn_weights: config.scaleAttention,
      scale_attn_by_inverse_layer_idx: config.scaleAttentionByLayer,
      tie_word_embeddings: config.tied ?? true,
      bos_token_id: config.bosId ?? null,
      eos_token_id: config.eosId ?? null,
      initializer_range: config.initializerRange,
      attn_pdrop: 0,
      embd_pdrop: 0,
      resid_pdrop: 0,
      torch_dtype: 'float32',
    },
    null,
    2,
  )}\n`;
}

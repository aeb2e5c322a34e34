// The files of a Hugging Face model folder that follow from the recipe alone: config.json and the word-level tokenizer.
import { END_OF_TEXT, END_OF_TEXT_ID, VOCABULARY } from '@limn/tasks';
import { RECIPE, type PocketConfig } from './recipe.js';

/** The words of a model, and what its files say of them. */
export interface WordLevel {
  /** A token's id is its index; the first is the end-of-text token. */
  readonly vocabulary: readonly string[];
  /** What generation stops behind. */
  readonly endOfSequence: string;
  /** `initializer_range` of config.json. */
  readonly deviation: number;
}

/** Pocket's words. */
const POCKET_WORDS: WordLevel = {
  vocabulary: VOCABULARY,
  endOfSequence: END_OF_TEXT,
  deviation: RECIPE.init.deviation,
};

/**
 * tokenizer.json: words separated by white space; nothing is put in front. Its unknown token is the end-of-text token, as GPT-2's own
 * configuration says: what other readers of the file make of an unknown word. limn's tokenizer refuses one unless it is allowed.
 */
export function tokenizerJson({ vocabulary }: WordLevel = POCKET_WORDS): Record<string, unknown> {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: END_OF_TEXT_ID,
        content: END_OF_TEXT,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      unk_token: END_OF_TEXT,
    },
  };
}

/** tokenizer_config.json: lets AutoTokenizer load tokenizer.json as it is. */
export function tokenizerConfigJson(
  positions: number,
  { endOfSequence }: WordLevel = POCKET_WORDS,
): Record<string, unknown> {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: positions,
    bos_token: END_OF_TEXT,
    eos_token: endOfSequence,
    unk_token: END_OF_TEXT,
    clean_up_tokenization_spaces: false,
  };
}

/** config.json of a GPT-2 with these sizes. */
export function configJson(
  config: PocketConfig,
  { vocabulary, endOfSequence, deviation }: WordLevel = POCKET_WORDS,
): Record<string, unknown> {
  return {
    model_type: 'gpt2',
    architectures: ['GPT2LMHeadModel'],
    vocab_size: config.vocabulary,
    n_positions: config.positions,
    n_ctx: config.positions,
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.mlpWidth,
    activation_function: 'gelu_new',
    layer_norm_epsilon: config.layerNormEpsilon,
    attn_pdrop: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
    initializer_range: deviation,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    reorder_and_upcast_attn: false,
    tie_word_embeddings: true,
    use_cache: true,
    bos_token_id: END_OF_TEXT_ID,
    eos_token_id: vocabulary.indexOf(endOfSequence),
    torch_dtype: 'float32',
  };
}

/** Every file of the model folder but the weights, by name. */
export function modelFiles(config: PocketConfig, words: WordLevel = POCKET_WORDS): Record<string, string> {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
  const special = { bos_token: END_OF_TEXT, eos_token: words.endOfSequence, unk_token: END_OF_TEXT };
  return {
    'config.json': json(configJson(config, words)),
    'tokenizer.json': json(tokenizerJson(words)),
    'tokenizer_config.json': json(tokenizerConfigJson(config.positions, words)),
    'special_tokens_map.json': json(special),
  };
}

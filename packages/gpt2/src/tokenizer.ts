// Text to token ids and back, by the Hugging Face tokenizers library, from tokenizer.json or from vocab.json and merges.txt.
import { Tokenizer } from '@huggingface/tokenizers';
import { LimnError } from '@limn/gpu';
import type { ModelFiles } from './files.js';

/** Text as ids, with what was put in front. */
export interface EncodedText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly prependBos: boolean;
}

/** A model's tokenizer. Nothing is added unless `prependBos` asks for it, and what was asked for is in the result. */
export class ModelTokenizer {
  private constructor(
    private readonly tokenizer: Tokenizer,
    /** Which files it was made from. */
    readonly source: 'tokenizer.json' | 'vocab.json + merges.txt',
    readonly bosId: number | undefined,
  ) {}

  /**
   * The tokenizer of a model folder, or undefined if the folder has none: such a model takes ids only.
   * @throws LimnError `tokenizer/damaged` naming the file.
   */
  static async open(files: ModelFiles, bosId: number | undefined): Promise<ModelTokenizer | undefined> {
    const there = await files.list();
    const json = async (name: string): Promise<Record<string, unknown>> => {
      const parsed = await guarded(files, name, async () => JSON.parse(decodeUtf8(await files.read(name))) as unknown);
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
        return parsed as Record<string, unknown>;
      throw damaged(files, name, 'it holds no JSON object');
    };
    if (there.includes('tokenizer.json')) {
      const definition = await json('tokenizer.json');
      const settings = there.includes('tokenizer_config.json') ? await json('tokenizer_config.json') : {};
      const made = await guarded(
        files,
        'tokenizer.json',
        async () => new Tokenizer(withSupportedModel(definition), settings),
      );
      return new ModelTokenizer(made, 'tokenizer.json', bosId ?? bosFrom(made, settings));
    }
    if (there.includes('vocab.json') && there.includes('merges.txt')) {
      const vocab = await json('vocab.json');
      const merges = decodeUtf8(await files.read('merges.txt'))
        .split(/\r?\n/)
        .filter((line, i) => line.length > 0 && !(i === 0 && line.startsWith('#version')));
      const made = await guarded(files, 'vocab.json', async () => new Tokenizer(byteLevelBpe(vocab, merges), {}));
      return new ModelTokenizer(made, 'vocab.json + merges.txt', bosId ?? bosFrom(made, {}));
    }
    return undefined;
  }

  /**
   * Token ids of a text, with the BOS token in front if asked for.
   * @throws LimnError `tokenizer/no-bos` when it is asked for and the model has none; `tokenizer/unknown-text`.
   */
  encode(text: string, options: { prependBos: boolean }): EncodedText {
    const ids = this.tokenizer.encode(text, { add_special_tokens: false }).ids;
    const unknown = ids.findIndex((id) => !Number.isInteger(id) || id < 0);
    if (unknown >= 0) {
      throw new LimnError(
        'tokenizer/unknown-text',
        `the vocabulary has no token for piece ${unknown} of ${JSON.stringify(text)}`,
        {
          details: { text, piece: unknown },
        },
      );
    }
    if (!options.prependBos) return { text, ids, prependBos: false };
    if (this.bosId === undefined) {
      throw new LimnError('tokenizer/no-bos', 'this model has no beginning-of-text token to put in front', {
        hint: 'Pass prependBos: false (--no-bos on the command line).',
      });
    }
    return { text, ids: [this.bosId, ...ids], prependBos: true };
  }

  /** Text of ids, special tokens included. */
  decode(ids: readonly number[]): string {
    return this.tokenizer.decode([...ids], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /** Text of one token, for showing it on its own. A token that is part of a character shows as U+FFFD. */
  tokenText(id: number): string {
    return this.decode([id]);
  }

  /**
   * The id of a text that must be one token, such as an answer with its leading space.
   * @throws LimnError `tokenizer/not-one-token` listing the pieces.
   */
  singleToken(text: string): number {
    const { ids } = this.encode(text, { prependBos: false });
    if (ids.length === 1) return ids[0] as number;
    const pieces = ids.map((id) => this.tokenText(id));
    throw new LimnError(
      'tokenizer/not-one-token',
      `${JSON.stringify(text)} is ${ids.length} tokens (${pieces.map((p) => JSON.stringify(p)).join(' ')}), but must be one`,
      {
        details: { text, ids, pieces },
        hint: text.startsWith(' ')
          ? 'Choose an answer that is a single token.'
          : 'GPT-2 words carry their leading space: try it with a space in front.',
      },
    );
  }
}

const decodeUtf8 = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

function damaged(files: ModelFiles, name: string, reason: string, cause?: unknown): LimnError {
  return new LimnError('tokenizer/damaged', `${name} in ${files.label} cannot be used: ${reason}`, {
    details: { file: name },
    hint: 'Download the tokenizer files again.',
    cause,
  });
}

async function guarded<T>(files: ModelFiles, name: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (cause instanceof LimnError) throw cause;
    throw damaged(files, name, String((cause as Error).message), cause);
  }
}

/** tokenizer_config.json's bos_token, or GPT-2's `<|endoftext|>`. */
function bosFrom(tokenizer: Tokenizer, settings: Record<string, unknown>): number | undefined {
  const named = settings['bos_token'];
  const text = typeof named === 'string' ? named : (named as { content?: unknown } | null | undefined)?.content;
  return tokenizer.token_to_id(typeof text === 'string' ? text : '<|endoftext|>');
}

/**
 * The library has no WordLevel model. WordPiece with a continuation mark that no entry has means the same: a piece that is not a whole
 * entry has no continuation, so the whole piece becomes the unknown token.
 */
function withSupportedModel(definition: Record<string, unknown>): Record<string, unknown> {
  const model = definition['model'] as { type?: unknown; vocab?: unknown; unk_token?: unknown } | null | undefined;
  if (model?.type !== 'WordLevel') return definition;
  const { vocab, unk_token } = model;
  return {
    ...definition,
    model: { type: 'WordPiece', vocab, unk_token, continuing_subword_prefix: '\u0000', max_input_chars_per_word: 1e6 },
  };
}

/** The tokenizer.json that means the same as GPT-2's vocab.json and merges.txt. */
function byteLevelBpe(vocab: Record<string, unknown>, merges: readonly string[]): object {
  const end = vocab['<|endoftext|>'];
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    added_tokens: typeof end === 'number' ? [{ id: end, content: '<|endoftext|>', ...special }] : [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

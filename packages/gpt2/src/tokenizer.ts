// Text to token ids and back, by the Hugging Face tokenizers library, from tokenizer.json or from vocab.json and merges.txt.
import { Tokenizer } from '@huggingface/tokenizers';
import { LimnError } from '@limn/gpu';
import { byteLevelBpe, bytesOfToken, withUnicodeSpaces } from './byte-level.js';
import type { ModelFiles } from './files.js';

/** Text as ids, with what was put in front. */
export interface EncodedText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly prependBos: boolean;
}

/** How a text becomes ids. */
export interface EncodeOptions {
  /** Put the BOS token in front. */
  readonly prependBos: boolean;
  /**
   * What becomes of text that the vocabulary has no token for. 'refuse', the default, is an error; 'allow' takes the
   * tokenizer's unknown token, as Hugging Face does (pocket's is its end-of-text token), or leaves the text out where there is none.
   */
  readonly unknown?: 'refuse' | 'allow';
}

/** A model's tokenizer. Nothing is added unless `prependBos` asks for it, and what was asked for is in the result. */
export class ModelTokenizer {
  private constructor(
    private readonly tokenizer: Tokenizer,
    /** Which files it was made from. */
    readonly source: 'tokenizer.json' | 'vocab.json + merges.txt',
    readonly bosId: number | undefined,
    /** What 'allow' puts in the place of unknown text. */
    private readonly unknownId: number | undefined,
    private readonly spelling: Spelling,
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
        async () => new Tokenizer(withUnknownMarked(withUnicodeSpaces(definition)), settings),
      );
      const unknown = modelOf(definition)?.unk_token;
      return new ModelTokenizer(
        made,
        'tokenizer.json',
        bosId ?? bosFrom(made, settings),
        typeof unknown === 'string' ? made.token_to_id(unknown) : undefined,
        spellingOf(definition),
      );
    }
    if (there.includes('vocab.json') && there.includes('merges.txt')) {
      const vocab = await json('vocab.json');
      const merges = await guarded(files, 'merges.txt', async () =>
        decodeUtf8(await files.read('merges.txt'))
          .split(/\r?\n/)
          .filter((line, i) => line.length > 0 && !(i === 0 && line.startsWith('#version'))),
      );
      const definition = byteLevelBpe(vocab, merges);
      const made = await guarded(
        files,
        'vocab.json',
        async () => new Tokenizer(withUnknownMarked(withUnicodeSpaces(definition)), {}),
      );
      return new ModelTokenizer(
        made,
        'vocab.json + merges.txt',
        bosId ?? bosFrom(made, {}),
        undefined,
        spellingOf(definition),
      );
    }
    return undefined;
  }

  /**
   * Token ids of a text, with the BOS token in front if asked for.
   * @throws LimnError `tokenizer/unknown-text` naming the words that the vocabulary lacks, unless they are allowed;
   * `tokenizer/no-bos` when it is asked for and the model has none.
   */
  encode(text: string, options: EncodeOptions): EncodedText {
    const found = this.pieces(text);
    if (options.unknown !== 'allow' && found.includes(undefined)) throw this.unknownText(text);
    const ids = found.map((id) => id ?? this.unknownId).filter((id) => id !== undefined);
    if (!options.prependBos) return { text, ids, prependBos: false };
    if (this.bosId === undefined) {
      throw new LimnError('tokenizer/no-bos', 'this model has no beginning-of-text token to put in front', {
        hint: 'Pass prependBos: false (--no-bos on the command line).',
      });
    }
    return { text, ids: [this.bosId, ...ids], prependBos: true };
  }

  /** Text of ids, special tokens included. An id that no token has reads as the unknown token, or as nothing where there is none. */
  decode(ids: readonly number[]): string {
    const known = ids
      .map((id) => (this.tokenizer.id_to_token(id) === undefined ? this.unknownId : id))
      .filter((id) => id !== undefined);
    if (known.length === 0) return '';
    return this.tokenizer.decode(known, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /**
   * The UTF-8 bytes of ids, exactly: a token of a byte-level vocabulary may hold part of a character, and the next one its rest.
   * There, joined over any split of ids, they are the bytes of the whole; tokens that are words are joined as `decode` does, so that
   * the bytes of ids only begin those of more ids. An id without a token has no bytes.
   */
  decodeBytes(ids: readonly number[]): Uint8Array {
    if (!this.spelling.byteLevel) {
      const known = ids.filter((id) => this.tokenizer.id_to_token(id) !== undefined);
      return new TextEncoder().encode(this.decode(known));
    }
    const bytes = ids.flatMap((id) => {
      const token = this.tokenizer.id_to_token(id);
      if (token === undefined) return [];
      return this.spelling.added.has(id) ? [...new TextEncoder().encode(this.tokenText(id))] : bytesOfToken(token);
    });
    return Uint8Array.from(bytes);
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

  /** Ids of a text; undefined where the vocabulary has no token. */
  private pieces(text: string): (number | undefined)[] {
    return this.tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  private unknownText(text: string): LimnError {
    const words = text.split(/\s+/).filter((word) => word !== '' && this.pieces(word).includes(undefined));
    const named = (words.length > 0 ? [...new Set(words)] : [text]).map((word) => JSON.stringify(word)).join(', ');
    return new LimnError('tokenizer/unknown-text', `this model's vocabulary has no token for ${named}`, {
      details: { text, words },
      hint:
        this.unknownId === undefined
          ? 'Such text would be left out; use words that the model knows, or give token ids.'
          : `Such words would be read as ${this.tokenText(this.unknownId)}; use words that the model knows, or give token ids.`,
    });
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

/** How tokens stand for text. */
interface Spelling {
  /** Whether a token's characters stand for bytes. */
  readonly byteLevel: boolean;
  /** Ids of tokens that stand for themselves, such as `<|endoftext|>`. */
  readonly added: ReadonlySet<number>;
}

function spellingOf(definition: Record<string, unknown>): Spelling {
  const added = (definition['added_tokens'] ?? []) as readonly { readonly id: number }[];
  const decoder = definition['decoder'] as { readonly type?: unknown } | null | undefined;
  return { byteLevel: decoder?.type === 'ByteLevel', added: new Set(added.map(({ id }) => id)) };
}

interface ModelDefinition {
  readonly type?: unknown;
  readonly vocab?: unknown;
  readonly merges?: unknown;
  readonly unk_token?: unknown;
}

function modelOf(definition: Record<string, unknown>): ModelDefinition | undefined {
  const model = definition['model'];
  return typeof model === 'object' && model !== null ? model : undefined;
}

/**
 * The same tokenizer with an unknown token that has no id, so that text without a token can be told from an unknown token that
 * is written out. The library has no WordLevel model; WordPiece with a continuation mark that no entry has means the same: a piece
 * that is not a whole entry has no continuation, so the whole piece becomes the unknown token.
 */
function withUnknownMarked(definition: Record<string, unknown>): Record<string, unknown> {
  const model = modelOf(definition);
  const whole = model?.type === 'WordLevel';
  if (!(whole || model?.type === 'WordPiece' || Array.isArray(model?.merges))) return definition;
  const { vocab } = model;
  const taken = new Set(Object.keys(vocab ?? {}));
  let mark = '\u0000unknown';
  while (taken.has(mark)) mark += '\u0000';
  return {
    ...definition,
    model: whole
      ? {
          type: 'WordPiece',
          vocab,
          unk_token: mark,
          continuing_subword_prefix: '\u0000',
          max_input_chars_per_word: 1e6,
        }
      : { ...model, unk_token: mark },
  };
}

// Text to token ids and back, by the Hugging Face tokenizers library, from tokenizer.json or from vocab.json and merges.txt.
import type { Tokenizer } from '@huggingface/tokenizers';
import { LimnError, shownValue } from '@limn/gpu';
import { bytesOfToken } from './byte-level.js';
import type { ModelFiles } from './files.js';
import { libraryTokenizer, readTokenizerDefinition, type TokenizerDefinition } from './tokenizer-definition.js';

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
    readonly source: TokenizerDefinition['source'],
    readonly bosId: number | undefined,
    /** What 'allow' puts in the place of unknown text. */
    private readonly unknownId: number | undefined,
    private readonly spelling: Spelling,
    /** Ids from here on have no row in the model. */
    private readonly vocabulary: number,
  ) {}

  /**
   * The tokenizer of a model folder, or undefined if the folder has none: such a model takes ids only. Everything that the files say
   * is checked here. `vocabulary`: how many tokens the model has; an added token beyond them counts as unknown text.
   * @throws LimnError `tokenizer/damaged` naming file, field, what is given and what is allowed; `tokenizer/unsupported` for what
   * Hugging Face's reader takes and limn does not; `files/too-large` beyond 64 MiB; `tokenizer/bad-call` for a `bosId` that the model has no row for.
   */
  static async open(
    files: ModelFiles,
    bosId?: number,
    vocabulary: number = Number.POSITIVE_INFINITY,
  ): Promise<ModelTokenizer | undefined> {
    const definition = await readTokenizerDefinition(files, vocabulary);
    if (definition === undefined) return undefined;
    const { source, model, added, decoder, bos } = definition;
    if (bosId !== undefined && !(Number.isInteger(bosId) && bosId >= 0 && bosId < vocabulary))
      throw badCall('bosId', bosId, `a token id below the vocabulary, ${vocabulary}`);
    const made = libraryTokenizer(definition);
    const known = (text: string | undefined): number | undefined => {
      const id = text === undefined ? undefined : made.token_to_id(text);
      return id !== undefined && id < vocabulary ? id : undefined;
    };
    const spelling = { byteLevel: decoder?.['type'] === 'ByteLevel', added: new Set(added.map(({ id }) => id)) };
    const unknownId = model.unknown === undefined ? undefined : known(model.unknown);
    return new ModelTokenizer(made, source, bosId ?? known(bos), unknownId, spelling, vocabulary);
  }

  /**
   * Token ids of a text, with the BOS token in front if asked for.
   * @throws LimnError `tokenizer/unknown-text` naming the words that the vocabulary lacks, unless they are allowed;
   * `tokenizer/no-bos` when it is asked for and the model has none; `tokenizer/bad-call` for what is no text or no choice of BOS;
   * `tokenizer/failed` where the library fails on it.
   */
  encode(text: string, options: EncodeOptions): EncodedText {
    if (typeof text !== 'string') throw badCall('text', text, 'a string');
    if (typeof options?.prependBos !== 'boolean')
      throw badCall('options.prependBos', options?.prependBos, 'true or false: whether the BOS token is put in front');
    if (options.unknown !== undefined && options.unknown !== 'refuse' && options.unknown !== 'allow')
      throw badCall('options.unknown', options.unknown, "'refuse', 'allow'");
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

  /**
   * Text of ids, special tokens included. An id that no token has reads as the unknown token, or as nothing where there is none.
   * @throws LimnError `tokenizer/bad-call` for what is no list; `tokenizer/failed` where the library fails on it.
   */
  decode(ids: readonly number[]): string {
    if (!Array.isArray(ids)) throw badCall('ids', ids, 'a list of token ids');
    const known = ids
      .map((id) => (this.tokenizer.id_to_token(id) === undefined ? this.unknownId : id))
      .filter((id) => id !== undefined);
    if (known.length === 0) return '';
    if (this.spelling.byteLevel) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(known));
    return byLibrary(`${known.length} ids`, () =>
      this.tokenizer.decode(known, { skip_special_tokens: false, clean_up_tokenization_spaces: false }),
    );
  }

  /**
   * The UTF-8 bytes of ids, exactly: a token of a byte-level vocabulary may hold part of a character, and the next one its rest.
   * There, joined over any split of ids, they are the bytes of the whole; tokens that are words are joined as `decode` does, so that
   * the bytes of ids only begin those of more ids. An id without a token has no bytes.
   * @throws LimnError `tokenizer/bad-call`, `tokenizer/failed`, as `decode`.
   */
  decodeBytes(ids: readonly number[]): Uint8Array {
    if (!Array.isArray(ids)) throw badCall('ids', ids, 'a list of token ids');
    if (!this.spelling.byteLevel) {
      const known = ids.filter((id) => this.tokenizer.id_to_token(id) !== undefined);
      return new TextEncoder().encode(this.decode(known));
    }
    const bytes = ids.flatMap((id) => {
      const token = this.tokenizer.id_to_token(id);
      if (token === undefined) return [];
      return this.spelling.added.has(id) ? [...new TextEncoder().encode(token)] : bytesOfToken(token);
    });
    return Uint8Array.from(bytes);
  }

  /**
   * Text of one token, for showing it on its own. A token that is part of a character shows as U+FFFD.
   * @throws LimnError `tokenizer/failed`, as `decode`.
   */
  tokenText(id: number): string {
    return this.decode([id]);
  }

  /**
   * The id of a text that must be one token, such as an answer with its leading space.
   * @throws LimnError `tokenizer/no-bos`, `tokenizer/unknown-text`, `tokenizer/not-one-token` listing the pieces; `tokenizer/bad-call`, `tokenizer/failed`, as `encode`.
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
    const { ids } = byLibrary(`a text of ${text.length} characters`, () =>
      this.tokenizer.encode(text, { add_special_tokens: false }),
    );
    return (ids as (number | undefined)[]).map((id) => (id !== undefined && id < this.vocabulary ? id : undefined));
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

/** The error for what a caller without types gave. */
function badCall(what: string, given: unknown, allowed: string): LimnError {
  return new LimnError('tokenizer/bad-call', `${what} is ${shownValue(given)}; allowed: ${allowed}`, {
    details: { what, given: shownValue(given), allowed },
    hint: "As in tokenizer.encode('text', { prependBos: false }).",
  });
}

/** The library's answer; what it throws of its own gets a code. */
function byLibrary<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new LimnError(
      'tokenizer/failed',
      `${what} cannot be read by this tokenizer: ${String((cause as Error).message)}`,
      {
        details: { reason: String(cause) },
        hint: 'Give shorter texts, or token ids.',
        cause,
      },
    );
  }
}

/** How tokens stand for text. */
interface Spelling {
  /** Whether a token's characters stand for bytes. */
  readonly byteLevel: boolean;
  /** Ids of tokens that stand for themselves, such as `<|endoftext|>`. */
  readonly added: ReadonlySet<number>;
}

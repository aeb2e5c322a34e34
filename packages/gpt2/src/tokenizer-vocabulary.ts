// The tokens of a tokenizer.json: the model's vocabulary and merges, and the added tokens, checked before anything is made of them.
import { damagedTokenizer, isWhole, type TokenizerField, type TokenizerFile } from './tokenizer-field.js';

/** Larger ones are no token ids anywhere: embeddings count their rows in 31 bits. */
export const maxTokenId = 2 ** 31 - 1;
/** Eight times the largest vocabulary in use, and a few seconds of work. */
const maxTokens = 2 ** 21;
/** GPT-2's longest token has 128 characters; what no token can equal is compared with all of them. */
const maxTokenCharacters = 4096;
/** A word of WordPiece takes time in the square of its length. */
const maxWordPieceCharacters = 1000;

/** A token that stands for itself. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** `model` of a tokenizer.json. */
export interface TokenizerModel {
  readonly type: 'BPE' | 'WordLevel' | 'WordPiece';
  readonly vocab: Readonly<Record<string, number>>;
  /** The token for unknown text, if there is one. */
  readonly unknown: string | undefined;
  /** BPE only. */
  readonly merges?: readonly (readonly [string, string])[];
  /** What else the model's kind has, as the library reads it. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * A map from token to id: every id whole, none twice, none beyond `vocabulary` if the model has one.
 * @throws LimnError `tokenizer/damaged`.
 */
export function readVocabulary(field: TokenizerField, vocabulary: number | undefined): Record<string, number> {
  const entries = Object.entries(field.object('a map from token to id'));
  if (entries.length > maxTokens) throw field.wrong(`at most ${maxTokens} tokens`, `a map of ${entries.length}`);
  const owners = new Map<number, string>();
  for (const [token, id] of entries) {
    const wrong = (allowed: string): Error => field.item(token, id).wrong(allowed);
    if (token.length > maxTokenCharacters)
      throw field.wrong(`tokens of at most ${maxTokenCharacters} characters`, `a map with a token of ${token.length}`);
    if (!isWhole(id, maxTokenId)) throw wrong(`an id, a whole number from 0 to ${maxTokenId}`);
    if (vocabulary !== undefined && id >= vocabulary)
      throw wrong(`ids below ${vocabulary}, the vocab_size of config.json`);
    const owner = owners.get(id);
    if (owner !== undefined) throw wrong(`an id of its own; ${field.item(owner, id).path} has it`);
    owners.set(id, token);
  }
  return field.value as Record<string, number>;
}

/**
 * Merges, as "a b" or ["a", "b"]; the two tokens and the one that they make are in the vocabulary.
 * @throws LimnError `tokenizer/damaged`.
 */
export function readMerges(field: TokenizerField, vocab: Readonly<Record<string, number>>): [string, string][] {
  const { value } = field;
  if (!Array.isArray(value)) throw field.wrong('a list of merges');
  if (value.length > maxTokens) throw field.wrong(`at most ${maxTokens} merges`);
  const paired = Array.isArray(value[0]);
  const allowed = paired ? 'two tokens, ["a", "b"], as the first merge is' : 'two tokens and one space, "a b"';
  const merges: [string, string][] = [];
  for (const [i, merge] of (value as unknown[]).entries()) {
    if (!paired && typeof merge === 'string' && merge.startsWith('#version')) continue;
    const parts: unknown = paired || typeof merge !== 'string' ? merge : merge.split(' ');
    if (Array.isArray(merge) !== paired || !isPair(parts)) throw field.item(i, merge).wrong(allowed);
    const missing = [...parts, parts.join('')].find((token) => !Object.hasOwn(vocab, token));
    if (missing !== undefined)
      throw field
        .item(i, parts.join(' '))
        .wrong(`merges of tokens in the vocabulary, which ${JSON.stringify(missing.slice(0, 100))} is not`);
    merges.push(parts);
  }
  return merges;
}

const isPair = (parts: unknown): parts is [string, string] =>
  Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === 'string' && part !== '');

/**
 * `model`: BPE, WordLevel or WordPiece.
 * @throws LimnError `tokenizer/damaged`; `tokenizer/unsupported` for other kinds.
 */
export function readTokenizerModel(field: TokenizerField, vocabulary: number | undefined): TokenizerModel {
  field.object();
  const kind = field.member('type');
  if (kind.value === 'Unigram')
    throw kind.unsupported('which limn does not read; it reads BPE, WordLevel and WordPiece');
  // Files of the first versions name no type; what has merges is BPE.
  const type = kind.oneOf(
    ['BPE', 'WordLevel', 'WordPiece'],
    Array.isArray(field.member('merges').value) ? 'BPE' : undefined,
  );
  const vocab = readVocabulary(field.member('vocab'), vocabulary);
  const unknownField = field.member('unk_token');
  const unknown = type === 'BPE' && unknownField.absent ? undefined : unknownField.text();
  if (unknown !== undefined && !Object.hasOwn(vocab, unknown)) throw unknownField.wrong('a token of the vocabulary');
  if (type === 'WordLevel') return { type, vocab, unknown, settings: {} };
  if (type === 'WordPiece') {
    const longest = field.member('max_input_chars_per_word');
    if (longest.whole(2 ** 64) > maxWordPieceCharacters)
      throw longest.unsupported(`and words of more than ${maxWordPieceCharacters} characters would take too long`);
    const settings = {
      continuing_subword_prefix: field.member('continuing_subword_prefix').text(),
      max_input_chars_per_word: longest.value,
    };
    return { type, vocab, unknown, settings };
  }
  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    const affix = field.member(name);
    if (!affix.absent && affix.text() !== '') throw affix.unsupported("which GPT-2's tokenizers do not have");
  }
  const dropout = field.member('dropout');
  if (!dropout.absent && dropout.value !== 0) {
    if (typeof dropout.value !== 'number' || !(dropout.value > 0 && dropout.value <= 1))
      throw dropout.wrong('null or a number from 0 to 1');
    throw dropout.unsupported('which makes the same text other tokens each time');
  }
  const settings = Object.fromEntries(
    ['fuse_unk', 'byte_fallback', 'ignore_merges'].map((name) => [
      name,
      field.member(name).absent ? false : field.member(name).flag(),
    ]),
  );
  return { type, vocab, unknown, merges: readMerges(field.member('merges'), vocab), settings };
}

/**
 * `added_tokens`. One that the vocabulary has keeps its id there; each other one has the id behind the last, which is the one that
 * Hugging Face's reader gives it whatever the file says.
 * @throws LimnError `tokenizer/damaged`; `tokenizer/unsupported` for tokens that count as whole words only.
 */
export function readAddedTokens(field: TokenizerField, vocab: Readonly<Record<string, number>>): AddedToken[] {
  if (field.value === undefined) return [];
  const tokens = new Map<string, AddedToken>();
  const ids = Object.values(vocab);
  let next = ids.length;
  const gaps = ids.some((id) => id >= next);
  for (const item of field.list()) {
    const id = item.member('id').whole(maxTokenId);
    const content = item.member('content').text();
    if (content === '') throw item.member('content').wrong('a text that is not empty');
    const [single_word, lstrip, rstrip, normalized, special] = (
      ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const
    ).map((name) => item.member(name).flag()) as [boolean, boolean, boolean, boolean, boolean];
    if (single_word) throw item.member('single_word').unsupported('and limn finds added tokens inside words too');
    const known = Object.hasOwn(vocab, content) ? vocab[content] : tokens.get(content)?.id;
    if (known === undefined && gaps)
      throw item.wrong('tokens of the vocabulary, since its ids have gaps and new tokens would fall into them');
    const due = known ?? next;
    if (id !== due) {
      const why =
        known === undefined ? 'the one behind the last' : `that of ${JSON.stringify(content.slice(0, 100))} elsewhere`;
      throw item.member('id').wrong(`${due}, ${why}`);
    }
    if (id >= next) next = id + 1;
    tokens.set(content, { id, content, single_word, lstrip, rstrip, normalized, special });
  }
  return [...tokens.values()];
}

/** Half a surrogate pair, written as an escape, is in no text and in no token. @throws LimnError `tokenizer/damaged` */
export function refuseHalfPairs(json: string, file: TokenizerFile): void {
  const escapes = /\\(?:u(d[89ab][\da-f]{2})(\\ud[c-f][\da-f]{2})?|u(d[c-f][\da-f]{2})|[^])/gi;
  for (const [, high, low, alone] of json.matchAll(escapes)) {
    if ((high !== undefined && low === undefined) || alone !== undefined)
      throw damagedTokenizer(file, `it holds half a surrogate pair, \\u${high ?? alone}`);
  }
}

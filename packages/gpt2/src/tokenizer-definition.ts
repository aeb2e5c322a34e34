// A tokenizer's files as one checked definition: tokenizer.json, or GPT-2's vocab.json and merges.txt; and the library's tokenizer for it.
import { Tokenizer } from '@huggingface/tokenizers';
import { gpt2PreTokenizer } from './byte-level.js';
import { readSmall, type ModelFiles } from './files.js';
import { damagedTokenizer, TokenizerField, type TokenizerFile } from './tokenizer-field.js';
import { readSteps, type Step } from './tokenizer-steps.js';
import {
  maxTokenId,
  readAddedTokens,
  readMerges,
  readTokenizerModel,
  readVocabulary,
  refuseHalfPairs,
  type AddedToken,
  type TokenizerModel,
} from './tokenizer-vocabulary.js';

/** GPT-2's tokenizer.json has 1.4 MB, and the largest in use, of 256,000 tokens, half of this. */
export const maxTokenizerBytes = 2 ** 26;
/** tokenizer_config.json: a few KB; room for chat templates and thousands of added tokens. */
const maxSettingsBytes = 2 ** 24;

/** A tokenizer that was read and checked. */
export interface TokenizerDefinition {
  readonly source: 'tokenizer.json' | 'vocab.json + merges.txt';
  readonly model: TokenizerModel;
  readonly added: readonly AddedToken[];
  readonly normalizer: Step | null;
  readonly preTokenizer: Step | null;
  readonly decoder: Step | null;
  /** `bos_token` of tokenizer_config.json, undefined where that is null; GPT-2's where it says nothing. */
  readonly bos: string | undefined;
}

/**
 * The tokenizer of a folder, or undefined if it has none. `vocabulary`: how many tokens the model has.
 * @throws LimnError `tokenizer/damaged`, `tokenizer/unsupported`; `files/too-large` and what reading throws.
 */
export async function readTokenizerDefinition(
  files: ModelFiles,
  vocabulary: number | undefined,
): Promise<TokenizerDefinition | undefined> {
  const there = await files.list();
  if (there.includes('tokenizer.json')) {
    const root = await readJson(files, 'tokenizer.json', maxTokenizerBytes);
    checkRest(root);
    const model = readTokenizerModel(root.member('model'), vocabulary);
    const added = readAddedTokens(root.member('added_tokens'), model.vocab);
    const { normalizer, pre_tokenizer: preTokenizer, decoder } = readSteps(root);
    const bos = there.includes('tokenizer_config.json')
      ? bosOf(await readJson(files, 'tokenizer_config.json', maxSettingsBytes))
      : endOfText;
    return { source: 'tokenizer.json', model, added, normalizer, preTokenizer, decoder, bos };
  }
  if (!(there.includes('vocab.json') && there.includes('merges.txt'))) return undefined;
  const vocab = readVocabulary(await readJson(files, 'vocab.json', maxTokenizerBytes), vocabulary);
  const lines = (await readText(files, 'merges.txt', maxTokenizerBytes)).split(/\r?\n/);
  const merges = new TokenizerField(
    { label: files.label, name: 'merges.txt' },
    'line',
    lines.filter((line) => line !== ''),
  );
  const end = Object.hasOwn(vocab, endOfText) ? vocab[endOfText] : undefined;
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    source: 'vocab.json + merges.txt',
    model: { type: 'BPE', vocab, unknown: undefined, merges: readMerges(merges, vocab), settings: {} },
    added: end === undefined ? [] : [{ id: end, content: endOfText, ...plain }],
    normalizer: null,
    preTokenizer: gpt2PreTokenizer,
    decoder: { type: 'ByteLevel' },
    bos: endOfText,
  };
}

const endOfText = '<|endoftext|>';

async function readText(files: ModelFiles, name: string, most: number): Promise<string> {
  const bytes = await readSmall(files, name, most);
  try {
    // A byte order mark is no part of JSON, and Hugging Face's reader refuses it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw damagedTokenizer({ label: files.label, name }, 'it is not UTF-8', {}, cause);
  }
}

async function readJson(files: ModelFiles, name: string, most: number): Promise<TokenizerField> {
  const file: TokenizerFile = { label: files.label, name };
  const text = await readText(files, name, most);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw damagedTokenizer(file, `it is not JSON: ${String((cause as Error).message)}`, {}, cause);
  }
  refuseHalfPairs(text, file);
  const root = new TokenizerField(file, '', parsed);
  root.object('a JSON object');
  return root;
}

const rootFields = new Set(
  'version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder model'.split(' '),
);

/** What limn does not use, so that a file is refused when Hugging Face's reader refuses it. */
function checkRest(root: TokenizerField): void {
  for (const name of Object.keys(root.object()))
    if (!rootFields.has(name))
      throw root.member(name).wrong(`no such field; the fields are ${[...rootFields].join(', ')}`);
  if (root.member('version').value !== undefined) root.member('version').oneOf(['1.0']);
  const truncation = root.member('truncation');
  if (!truncation.absent) {
    truncation.member('direction').oneOf(['Left', 'Right'], 'Right');
    truncation.member('strategy').oneOf(['LongestFirst', 'OnlyFirst', 'OnlySecond']);
    for (const name of ['max_length', 'stride']) truncation.member(name).whole(Number.MAX_SAFE_INTEGER);
  }
  const padding = root.member('padding');
  if (!padding.absent) {
    padding.member('direction').oneOf(['Left', 'Right']);
    padding.member('pad_token').text();
    for (const name of ['pad_id', 'pad_type_id']) padding.member(name).whole(maxTokenId);
  }
}

function bosOf(settings: TokenizerField): string | undefined {
  const named = settings.member('bos_token');
  if (named.value === undefined) return endOfText;
  if (named.value === null) return undefined;
  return typeof named.value === 'object' ? named.member('content').text() : named.text();
}

/**
 * The library's tokenizer, with an unknown token that has no id, so that text without a token can be told from an unknown token that
 * is written out. The library has no WordLevel model; WordPiece with a continuation mark that begins no entry means the same: a piece
 * that is not a whole entry has no continuation, so the whole piece becomes the unknown token.
 */
export function libraryTokenizer({ model, added, normalizer, preTokenizer, decoder }: TokenizerDefinition): Tokenizer {
  const { type, vocab, merges, settings } = model;
  const words = [...Object.keys(vocab), ...added.map(({ content }) => content)];
  let mark = '\u0000unknown';
  while (words.some((word) => word.startsWith(mark))) mark += '\u0000';
  const whole = {
    continuing_subword_prefix: mark,
    max_input_chars_per_word: words.reduce((longest, { length }) => Math.max(longest, length), 0),
  };
  return new Tokenizer(
    {
      normalizer,
      pre_tokenizer: preTokenizer,
      post_processor: null,
      decoder,
      added_tokens: added,
      model: {
        type: type === 'WordLevel' ? 'WordPiece' : type,
        ...(type === 'WordLevel' ? whole : settings),
        vocab,
        unk_token: mark,
        ...(merges === undefined ? {} : { merges }),
      },
    } as unknown as ConstructorParameters<typeof Tokenizer>[0],
    {},
  );
}

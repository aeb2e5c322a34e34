// GPT-2's byte-level vocabulary: how text is cut into words, and which bytes the characters of a token stand for.

/**
 * GPT-2's words: contractions, then letters, digits or other signs with at most one space in front, then spaces, the last of which is
 * left to the word that follows. White_Space is Unicode's; JavaScript's \s counts U+FEFF as a space and U+0085 as none.
 */
const GPT2_WORDS =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";

/** The same tokenizer, cutting words where the reference implementation does: a ByteLevel step with its own pattern becomes two steps. */
export function withUnicodeSpaces(definition: Record<string, unknown>): Record<string, unknown> {
  const step = definition['pre_tokenizer'] as
    { readonly type?: unknown; readonly use_regex?: unknown; readonly add_prefix_space?: unknown } | null | undefined;
  // A prefix space belongs to the text as a whole, and would be put before every word.
  if (step?.type !== 'ByteLevel' || step.use_regex === false || step.add_prefix_space === true) return definition;
  const words = { type: 'Split', pattern: { Regex: GPT2_WORDS }, behavior: 'Isolated', invert: false };
  const pretokenizers = [words, { ...step, use_regex: false }];
  return { ...definition, pre_tokenizer: { type: 'Sequence', pretokenizers } };
}

/** The tokenizer.json that means the same as GPT-2's vocab.json and merges.txt. */
export function byteLevelBpe(vocab: Record<string, unknown>, merges: readonly string[]): Record<string, unknown> {
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

/** The byte that each character of a byte-level token stands for: printable Latin-1 characters for themselves, U+0100 and up for the other bytes in order. */
const byteOf: ReadonlyMap<string, number> = (() => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const others = bytes.filter((byte) => !printable(byte));
  return new Map([
    ...bytes.filter(printable).map((byte): [string, number] => [String.fromCharCode(byte), byte]),
    ...others.map((byte, i): [string, number] => [String.fromCharCode(0x100 + i), byte]),
  ]);
})();

/** Bytes of a byte-level token; a character that stands for none is itself. */
export function bytesOfToken(token: string): number[] {
  return [...token].flatMap((character) => byteOf.get(character) ?? [...new TextEncoder().encode(character)]);
}

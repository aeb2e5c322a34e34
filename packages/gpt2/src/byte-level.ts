// GPT-2's byte-level vocabulary: how text is cut into words, and which bytes the characters of a token stand for.

/**
 * GPT-2's words: contractions, then letters, digits or other signs with at most one space in front, then spaces, the last of which is
 * left to the word that follows. White_Space is Unicode's; JavaScript's \s counts U+FEFF as a space and U+0085 as none.
 */
const GPT2_WORDS =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";

/** A step that cuts text by a regular expression. */
export const splitStep = (regex: string, behavior: 'Isolated' | 'Removed', invert = false) =>
  ({ type: 'Split', pattern: { Regex: regex }, behavior, invert }) as const;

/** GPT-2's ByteLevel step in two: the library's own pattern cuts at other spaces. */
export const gpt2PreTokenizer = {
  type: 'Sequence',
  pretokenizers: [
    splitStep(GPT2_WORDS, 'Isolated'),
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
} as const;

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

/** Bytes of a byte-level token; one with a character that stands for no byte is its own text, as for Hugging Face's reader. */
export function bytesOfToken(token: string): number[] {
  const bytes = [...token].map((character) => byteOf.get(character));
  return bytes.every((byte) => byte !== undefined) ? bytes : [...new TextEncoder().encode(token)];
}

// Shows characters that act on their surroundings instead of being seen: controls, direction marks, joiners, lone surrogates.

// eslint-disable-next-line no-control-regex -- showing control characters is what this is for
const controls = /[\u0000-\u001f\u007f]/g;
/** C1 controls, soft hyphen, zero-width and direction characters, line separators, byte order mark, tags, half characters. */
const unseen =
  /(?<!\p{Extended_Pictographic}\ufe0f?)\u200d|[\u0080-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** '\n' → '↵', '\t' → '⇥', other controls → their pictures (␀ …), the rest → ⟨U+202E⟩. Emoji keep their joiners. */
export function visibleText(text: string): string {
  return text
    .replace(controls, (c) =>
      c === '\n' ? '↵' : c === '\t' ? '⇥' : String.fromCharCode(c === '\u007f' ? 0x2421 : 0x2400 + c.charCodeAt(0)),
    )
    .replace(unseen, (c) => `⟨U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

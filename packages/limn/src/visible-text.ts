// Text from files made safe for a terminal: control characters become visible symbols, so that a token cannot move the cursor or hide text.

/** Formatting characters without a glyph that reorder or hide what stands beside them (bidirectional controls, zero-width marks). */
const INVISIBLE = /[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
// The ranges C0, delete and C1.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/gu;

/** U+0000–U+001F as their pictures U+2400–U+241F, delete as U+2421, the rest as `\u{…}`. */
export function visibleText(text: string): string {
  return text
    .replace(CONTROL, (character) => {
      const code = character.charCodeAt(0);
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      return code === 0x7f ? '\u2421' : `\\u{${code.toString(16)}}`;
    })
    .replace(INVISIBLE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`)
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

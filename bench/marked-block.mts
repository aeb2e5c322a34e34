// A part of a Markdown file that a command writes: what stands between two marks is its own, the rest is people's.

/** Replaces what stands between the marks of a command, or adds both at the end. */
export function withBlock(text: string, command: string, block: string): string {
  const [open, close] = [`<!-- figures: ${command} -->`, '<!-- end of figures -->'];
  const marked = `${open}\n\n${block.trim()}\n\n${close}`;
  const start = text.indexOf(open);
  const end = text.indexOf(close);
  return start < 0 || end < start
    ? `${text.trimEnd()}\n\n${marked}\n`
    : text.slice(0, start) + marked + text.slice(end + close.length);
}

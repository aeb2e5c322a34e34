// Joins preludes and kernel into one WGSL text, and finds the file and line of any line of it.
import type { Program } from './program.js';

/** A joined text and where its lines came from. */
export interface SourceText {
  readonly code: string;
  /** File and line (from 1) of a line (from 1) of `code`. */
  locate(line: number): { file: string; line: number };
}

const directive = /^\s*(enable|requires|diagnostic)\b[^;]*;/;

/** Directives first, as WGSL demands, then preludes, then the kernel; a moved directive leaves an empty line, so lines keep their numbers. */
export function joinSource(program: Program): SourceText {
  const { shader } = program;
  const directives = new Set(shader.requires.map((feature) => `enable ${feature};`));
  const parts = [
    ...program.preludes.map((name) => ({ file: `prelude/${name}.wgsl`, text: shader.preludes[name]! })),
    { file: shader.file, text: shader.code },
  ].map(({ file, text }) => ({
    file,
    lines: text.split('\n').map((line) => {
      const found = directive.exec(line);
      if (!found) return line;
      directives.add(found[0].trim());
      return line.slice(found[0].length);
    }),
  }));
  const header = [...directives];
  return {
    code: [...header, ...parts.flatMap((part) => part.lines)].join('\n'),
    locate(line) {
      let rest = line - header.length;
      if (rest < 1) return { file: shader.file, line: 1 };
      for (const part of parts) {
        if (rest <= part.lines.length) return { file: part.file, line: rest };
        rest -= part.lines.length;
      }
      return { file: shader.file, line: parts.at(-1)!.lines.length };
    },
  };
}

// Repeated lines of a kernel come out once per number, on one line, and what is misspelt is named with its line.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const file = join(resolve(dirname(fileURLToPath(import.meta.url)), '../../../shaders'), 'repeat.mjs');
const { expandRepeats } = (await import(pathToFileURL(file).href)) as {
  expandRepeats(code: string): { code: string; problems: [line: number, problem: string][] };
};

describe('// repeat', () => {
  it('writes lines once per number, with expressions of it, and keeps the numbers of the lines that follow', () => {
    const text = `// y = x
  // repeat r 0..3
  let a$r = b$(r / 2)[$(4 * (r % 2) + 1)]; // of row r
  sum += a$r;
  // end repeat
last`;
    expect(expandRepeats(text)).toEqual({
      problems: [],
      code: `// y = x
  // repeat r 0..3
let a0 = b0[1]; sum += a0; let a1 = b0[5]; sum += a1; let a2 = b1[1]; sum += a2;

  // end repeat
last`,
    });
  });

  it('leaves text without repeats as it is', () => {
    const text = '// y = 2 x, for US$ 2\nfn f() {}\n';
    expect(expandRepeats(text)).toEqual({ code: text, problems: [] });
  });

  it.each([
    ['let a$r = 1;', 1, 'a $ outside of a repeat'],
    ['x\n// repeat r 0..4\nlet a = $r;', 2, 'a repeat without "// end repeat"'],
    ['// repeat r 4..4\nlet a = $r;\n// end repeat', 1, 'repeats nothing: 4..4'],
    ['// repeat r 0..2\n// repeat q 0..2\nlet a = $r;\n// end repeat', 2, 'a repeat inside a repeat'],
    ['// repeat r\nlet a = 1;', 1, 'write "// repeat r 0..16", the lines, and "// end repeat"'],
    ['let a = 1;\n// end repeat', 2, 'write "// repeat r 0..16", the lines, and "// end repeat"'],
    ['// repeat r 0..1\nlet a = $q;\n// end repeat', 2, '"$q" is not a whole number made of r'],
    ['// repeat r 0..1\nlet a = $(r +);\n// end repeat', 2, '"$(r +)" is not a whole number made of r'],
    ['// repeat r 0..1\nlet a = $;\n// end repeat', 2, '"$" is not a whole number made of r'],
    ['// repeat r 0..1\n// nothing\n// end repeat', 3, 'repeats no lines'],
  ])('refuses %j', (text, line, problem) => {
    const { problems } = expandRepeats(text);
    expect(problems).toContainEqual([line, problem]);
  });
});

// Repeated lines of a kernel: `// repeat r 0..16` … `// end repeat` gives the lines between once per r = 0 … 15, with $r and $(r / 4) as numbers.
import { evaluate } from './workgroup-memory.mjs';

const START = /^\s*\/\/ repeat ([a-z]\w*) (\d+)\.\.(\d+)$/;
const END = /^\s*\/\/ end repeat$/;
const NEAR = /^\s*\/\/ (end )?repeat\b/;

/** `line` with $name and $(expression of name) as the numbers that they are where name is `value`. */
function substitute(line, name, value, complain) {
  return line.replace(/\$(?:(\w+)|\(((?:[^()]|\([^()]*\))*)\)|)/g, (whole, plain, expression = plain) => {
    const number = expression && evaluate(expression, { [name]: value });
    if (number === undefined) complain(`"${whole}" is not a whole number made of ${name}`);
    return String(number);
  });
}

/**
 * The text with its repeated lines written out, and what is wrong with it as [line, problem] pairs. What a block gives stands
 * in the line of its first line and the block's other lines are empty, so that every line keeps its number.
 */
export function expandRepeats(code) {
  const problems = [];
  const lines = code.split('\n');
  let block;
  for (const [at, line] of lines.entries()) {
    const complain = (problem) => problems.push([at + 1, problem]);
    const start = START.exec(line);
    if (start && !block) {
      const [, name, from, to] = start;
      if (Number(from) >= Number(to)) complain(`repeats nothing: ${from}..${to}`);
      block = { name, from: Number(from), to: Number(to), at };
    } else if (END.test(line) && block) {
      const inside = lines.slice(block.at + 1, at);
      const once = inside.map((text) => text.trim().replace(/\s*\/\/.*$/, '')).filter(Boolean);
      const first = block.at + 2;
      const all = Array.from({ length: Math.max(0, block.to - block.from) }, (_, i) =>
        once.map((text) => substitute(text, block.name, block.from + i, (what) => problems.push([first, what]))),
      );
      for (let i = block.at + 1; i < at; i++) lines[i] = '';
      if (once.length === 0) complain('repeats no lines');
      else lines[block.at + 1] = all.flat().join(' ');
      block = undefined;
    } else if (NEAR.test(line)) {
      complain(block ? 'a repeat inside a repeat' : 'write "// repeat r 0..16", the lines, and "// end repeat"');
    } else if (!block && line.replace(/\/\/.*$/, '').includes('$')) complain('a $ outside of a repeat');
  }
  if (block) problems.push([block.at + 1, 'a repeat without "// end repeat"']);
  return { code: lines.join('\n'), problems };
}

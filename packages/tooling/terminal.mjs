// Colours and layout of the lines that the tools print; plain where the output is not a terminal or NO_COLOR is set.
import { stripVTControlCharacters } from 'node:util';

const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
const style = (open, close) => (text) => (coloured ? `\u001b[${open}m${text}\u001b[${close}m` : String(text));

export const bold = style(1, 22);
export const dim = style(2, 22);
export const red = style(31, 39);
export const green = style(32, 39);
export const yellow = style(33, 39);

/** ✓ or ✗. */
export const mark = (good) => (good ? green('✓') : red('✗'));
/** '0.4 s', '12.3 s', '2 min 05 s' from milliseconds. */
export function seconds(milliseconds) {
  const s = milliseconds / 1000;
  return s < 100 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${String(Math.round(s % 60)).padStart(2, '0')} s`;
}
export const indent = (text, spaces) => text.replace(/^/gm, ' '.repeat(spaces));
/** Text of others without their colour codes where ours are off. */
export const plain = (text) => (coloured ? text : stripVTControlCharacters(text));

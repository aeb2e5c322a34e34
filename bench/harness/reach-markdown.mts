// What is to be reached and what was, as a table of Markdown. Runs in Node and in browsers.
import { markdownTable } from '../markdown-table.mjs';
import type { Reached } from './reach.mjs';
import { figure } from './text.mjs';

export const reachMarkdown = (rows: readonly Reached[]): string =>
  markdownTable(
    ['', 'measured', 'bound', 'aim', ''],
    rows.map(({ what, value, least, aim, unit, more, verdict }) => [
      what,
      figure(value, unit),
      `${more ? '≥' : '≤'} ${figure(least, unit)}`,
      figure(aim, unit),
      verdict === 'missed' ? '**missed**' : verdict,
    ]),
  );

// Several stored runs of the benches beside one another, against the first.
// npm run bench:compare -- results/lavapipe/bench.json other.json …
import { readFileSync } from 'node:fs';
import { parseRecord } from './harness/record.mjs';
import { sideBySide, type SideBySideRow } from './harness/side-by-side.mjs';

const files = process.argv.slice(2);
if (files.length < 2) {
  console.error('npm run bench:compare -- FIRST.json SECOND.json …: give the files of at least two runs');
  process.exit(2);
}
const records = files.map((file) => {
  try {
    return parseRecord(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`${file}: ${(error as Error).message}`);
    process.exit(4);
  }
});
const { titles, ceilings, jobs } = sideBySide(records);
titles.forEach((title, i) => console.log(`${String.fromCharCode(65 + i)}  ${title}  (${files[i]})`));
console.log();
const NAME = 52;
const CELL = 34;
const line = ({ name, unit, cells }: SideBySideRow): string =>
  `${name.padEnd(NAME)} ${unit.padEnd(9)} ${cells
    .map((cell) => (cell ? `${cell.text}  ${cell.note}${cell.clear ? ' !' : ''}` : '–').padEnd(CELL))
    .join(' ')}`.trimEnd();
console.log(
  `${''.padEnd(NAME)} ${''.padEnd(9)} ${titles.map((_, i) => String.fromCharCode(65 + i).padEnd(CELL)).join(' ')}`,
);
[...ceilings, ...jobs].forEach((row) => console.log(line(row)));
console.log('\n×: times as fast as A. !: further apart than both spreads.');

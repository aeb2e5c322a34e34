// Several stored runs of the benches beside one another, against the first.
import { readFileSync } from 'node:fs';
import { command, WrongArguments } from './command.mjs';
import { parseRecord, type BenchRecord } from './harness/record.mjs';
import { sideBySide, type SideBySideRow } from './harness/side-by-side.mjs';

const USAGE = 'npm run bench:compare -- FIRST.json SECOND.json …, such as bench/results/lavapipe/bench.json';

const NAME = 52;
const CELL = 34;
const letter = (i: number): string => String.fromCharCode(65 + i);

const line = ({ name, unit, cells }: SideBySideRow): string =>
  `${name.padEnd(NAME)} ${unit.padEnd(9)} ${cells
    .map((cell) => (cell ? `${cell.text}  ${cell.note}${cell.clear ? ' !' : ''}` : '–').padEnd(CELL))
    .join(' ')}`.trimEnd();

await command(USAGE, { allowPositionals: true, options: {} }, ({ positionals }) => compare(positionals));

/** The exit code. */
function compare(files: readonly string[]): number {
  if (files.length < 2) throw new WrongArguments('give the files of at least two runs');
  const records: BenchRecord[] = [];
  for (const file of files)
    try {
      records.push(parseRecord(readFileSync(file, 'utf8')));
    } catch (error) {
      console.log(`${file}: ${(error as Error).message}`);
      return 4;
    }
  const { titles, ceilings, jobs } = sideBySide(records);
  titles.forEach((title, i) => console.log(`${letter(i)}  ${title}  (${files[i]})`));
  console.log(`\n${''.padEnd(NAME + 11)}${titles.map((_, i) => letter(i).padEnd(CELL)).join(' ')}`);
  [...ceilings, ...jobs].forEach((row) => console.log(line(row)));
  console.log('\n×: times as fast as A. !: further apart than both spreads.');
  return 0;
}

// The rows of a pairs file in either format, JSON lines or the EAP-IG repository's CSV, each read on its own so that one bad row hides no other.
import { LimnError } from '@limn/gpu';
import { csvRecords } from './csv.js';
import { csvPairFields, isPairsHeader, readHeader } from './eap-ig-csv.js';
import { pairFault, readPair, readPrompts, type PairFields, type ReadPair } from './pair-fields.js';
import type { Pair, ParsePairsOptions } from './pairs.js';

/** How a pairs file is written. */
export type PairsFormat = 'jsonl' | 'csv';

/** One row: what it is, or why it cannot be used. */
export interface PairRow {
  /** File and line. */
  readonly where: string;
  readonly read: ReadPair | LimnError;
  /** Of a row that was refused, its prompts, where they could be read. */
  readonly prompts?: Pick<Pair, 'clean' | 'corrupted'> | undefined;
  /** The metric that the row's kind of label was made for. */
  readonly metric?: 'prob-diff' | undefined;
}

/** Most characters of a file: 12,400 pairs with a thousand answers each, written out, are 250 million. */
const LONGEST_FILE = 2 ** 28;
/** Most rows of a file. */
const MOST_ROWS = 1_000_000;

/** JSON lines begin with a brace or are no CSV; CSV begins with a line that names the columns clean and corrupted. */
export function formatOf(text: string): PairsFormat {
  const first = /[^\s\uFEFF]/.exec(text);
  if (first === null || first[0] === '{') return 'jsonl';
  const line = text.slice(first.index).split(/\r?\n/, 1)[0] ?? '';
  return isPairsHeader(line.split(',').map((name) => ({ text: name.replaceAll('"', ''), line: 1, column: 1 })))
    ? 'csv'
    : 'jsonl';
}

/**
 * Reads row after row.
 * @throws LimnError `data/pairs-too-large`; of CSV `data/pairs-csv` and `data/pairs-csv-header`, after which no row can be found
 */
export function* pairRows(text: string, options: ParsePairsOptions): Generator<PairRow> {
  const file = options.file ?? 'pairs';
  if (text.length > LONGEST_FILE) throw tooLarge(file, `${text.length} characters`, `${LONGEST_FILE}`);
  const rows = (options.format ?? formatOf(text)) === 'csv' ? csvRows : jsonRows;
  let count = 0;
  for (const row of rows(text.startsWith('\uFEFF') ? text.slice(1) : text, file, options)) {
    if (++count > MOST_ROWS) throw tooLarge(file, `more than ${MOST_ROWS} rows`, `${MOST_ROWS}`);
    yield row;
  }
}

function tooLarge(file: string, has: string, most: string): LimnError {
  return new LimnError('data/pairs-too-large', `${file} has ${has}; at most ${most} are read.`, {
    details: { file },
    hint: 'Split the file.',
  });
}

function* jsonRows(text: string, file: string, options: ParsePairsOptions): Generator<PairRow> {
  let number = 0;
  for (let at = 0; at <= text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length + 1 : end + 1;
    number++;
    if (line.trim() === '') continue;
    const where = `${file}:${number}`;
    yield readRow(where, options, () => ({ fields: jsonFields(line, where) }));
  }
}

function* csvRows(text: string, file: string, options: ParsePairsOptions): Generator<PairRow> {
  const records = csvRecords(text, file);
  const first = records.next();
  if (first.done === true) return;
  const header = readHeader(first.value, file, options.corruptedColumn ?? 'corrupted');
  for (const record of records) {
    const where = `${file}:${record[0]?.line ?? 0}`;
    yield readRow(where, options, () => csvPairFields(record, header, where, options));
  }
}

/** Reads one row, and keeps what is wrong with it as a value. */
function readRow(
  where: string,
  options: ParsePairsOptions,
  parse: () => { readonly fields: PairFields; readonly metric?: 'prob-diff' },
): PairRow {
  let fields: PairFields | undefined;
  try {
    const parsed = parse();
    fields = parsed.fields;
    return { where, read: readPair(fields, where, options), metric: parsed.metric };
  } catch (error) {
    if (!(error instanceof LimnError)) throw error;
    return { where, read: error, prompts: fields && readPrompts(fields, where, options) };
  }
}

function jsonFields(line: string, where: string): PairFields {
  const hint =
    'Each line: {"clean": "text" | [ids], "corrupted": …, "correct": [strings | ids], "incorrect": [strings | ids]}; or a CSV file that begins clean,corrupted,label.';
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw pairFault('json', where, `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`, hint);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw pairFault('json', where, 'is not a JSON object.', hint);
  const fields = json as Partial<PairFields>;
  for (const field of ['clean', 'corrupted', 'correct', 'incorrect'] as const)
    if (fields[field] === undefined)
      throw pairFault(
        'field',
        where,
        `has no "${field}"; it has ${Object.keys(fields).join(', ') || 'nothing'}.`,
        hint,
      );
  return fields as PairFields;
}

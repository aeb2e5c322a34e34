// The CSV files of the EAP-IG repository and their columns: `clean,corrupted,label`, with labels as years, ids, lists or texts.
import { LimnError } from '@limn/gpu';
import type { CsvField } from './csv.js';
import { pairFault, type PairFields } from './pair-fields.js';
import type { PairTokenizer, ParsePairsOptions } from './pairs.js';

/** The two-digit numbers that greater-than chooses among. */
const YEARS: readonly string[] = Array.from({ length: 100 }, (_, year) => String(year).padStart(2, '0'));

/** Columns that hold the answers, tried in this order: one of both kinds, or one that says both. */
const TWO_COLUMNS: readonly (readonly [correct: string, incorrect: string])[] = [
  ['correct', 'incorrect'],
  ['correct_idx', 'incorrect_idx'],
  ['answers_idx', 'corrupted_answers_idx'],
  ['country_idx', 'corrupted_country_idx'],
  ['clean_answer_idx', 'corrupted_answer_idx'],
];
const ONE_COLUMN = ['label', 'correct_idx', 'plural'] as const;

/** How the answers of a file are written. */
type AnswerColumns =
  | { readonly kind: 'two'; readonly correct: number; readonly incorrect: number; readonly lists: boolean }
  | { readonly kind: 'label' | 'year' | 'plural'; readonly at: number };

/** Where a file has what. */
export interface CsvHeader {
  readonly names: readonly string[];
  readonly clean: number;
  readonly corrupted: number;
  readonly answers: AnswerColumns;
}

/** Whether a first record names the columns of a pairs file. */
export const isPairsHeader = (record: readonly CsvField[]): boolean => {
  const names = record.map(({ text }) => text.trim());
  return names.includes('clean') && names.includes('corrupted');
};

/** Finds the columns; others are passed over. `data/pairs-csv-header` where some are missing or named twice. */
export function readHeader(record: readonly CsvField[], file: string, corruptedColumn: string): CsvHeader {
  const names = record.map(({ text }) => text.trim());
  const fault = (what: string): LimnError =>
    new LimnError('data/pairs-csv-header', `${file}:${record[0]?.line ?? 1} ${what}; it has ${names.join(', ')}.`, {
      details: { file, names },
      hint: `The first line names the columns: clean,corrupted,label, or in place of label ${TWO_COLUMNS.map((two) => two.join(' and ')).join(', or ')}.`,
    });
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
  if (twice !== undefined) throw fault(`has two columns "${twice}"`);
  const [clean, corrupted] = [names.indexOf('clean'), names.indexOf(corruptedColumn)];
  for (const [name, at] of [
    ['clean', clean],
    [corruptedColumn, corrupted],
  ] as const)
    if (at < 0) throw fault(`has no column "${name}"`);
  const both = TWO_COLUMNS.find((two) => two.every((name) => names.includes(name)));
  const one = ONE_COLUMN.find((name) => names.includes(name));
  if (both === undefined && one === undefined) throw fault('has no column of answers');
  const answers: AnswerColumns =
    both !== undefined && !names.includes('label')
      ? {
          kind: 'two',
          correct: names.indexOf(both[0]),
          incorrect: names.indexOf(both[1]),
          lists: both[0] === 'answers_idx',
        }
      : {
          kind: one === 'correct_idx' ? 'year' : one === 'plural' ? 'plural' : 'label',
          at: names.indexOf(one ?? 'label'),
        };
  return { names, clean, corrupted, answers };
}

/** The fields of one record, and the metric that its kind of label was made for. */
export function csvPairFields(
  record: readonly CsvField[],
  header: CsvHeader,
  where: string,
  options: ParsePairsOptions,
): { readonly fields: PairFields; readonly metric?: 'prob-diff' } {
  if (record.length !== header.names.length)
    throw pairFault(
      'csv',
      where,
      `has ${record.length} fields; the header names ${header.names.length}.`,
      'A prompt with a comma in it is quoted: "When Mary and John went home, John gave a book to".',
    );
  const at = (index: number): CsvField => record[index] as CsvField;
  const prompts = { clean: at(header.clean).text, corrupted: at(header.corrupted).text };
  const { answers } = header;
  const here = (field: CsvField): string => `${options.file ?? 'pairs'}:${field.line}:${field.column}`;
  if (answers.kind === 'two') {
    const list = (field: CsvField): unknown => {
      const value = parseLabel(field, here(field));
      return Array.isArray(value) ? value : [value];
    };
    const fields = { ...prompts, correct: list(at(answers.correct)), incorrect: list(at(answers.incorrect)) };
    return answers.lists ? { fields, metric: 'prob-diff' } : { fields };
  }
  const field = at(answers.at);
  const label = parseLabel(field, here(field));
  if (answers.kind === 'plural')
    return { fields: { ...prompts, ...agreeing(label, here(field), options) }, metric: 'prob-diff' };
  if (typeof label === 'number' || answers.kind === 'year')
    return { fields: { ...prompts, ...afterYear(label, here(field), options.tokenizer) }, metric: 'prob-diff' };
  return { fields: { ...prompts, ...answersOf(label, here(field)) } };
}

const LABELS =
  'A label is a year from 0 to 98 (greater-than), [correct, incorrect], [[correct …], [incorrect …]] or {"correct": […], "incorrect": […]}, each a token id or a text.';

function parseLabel({ text }: CsvField, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A number with a leading zero, such as 08, is a year all the same; Python's True and False are 1 and 0.
    if (/^\s*\d+\s*$/.test(text)) return Number(text);
    if (/^\s*(True|False)\s*$/.test(text)) return /True/.test(text) ? 1 : 0;
    throw pairFault(
      'label',
      where,
      `has the label ${JSON.stringify(text.slice(0, 60))}, which cannot be read.`,
      LABELS,
    );
  }
}

/** [correct, incorrect], each one answer or a list of them, or an object of both. */
function answersOf(label: unknown, where: string): Pick<PairFields, 'correct' | 'incorrect'> {
  const list = (value: unknown): unknown => (Array.isArray(value) ? value : [value]);
  if (Array.isArray(label) && label.length === 2) return { correct: list(label[0]), incorrect: list(label[1]) };
  if (typeof label === 'object' && label !== null && 'correct' in label && 'incorrect' in label)
    return { correct: list(label.correct), incorrect: list(label.incorrect) };
  throw pairFault(
    'label',
    where,
    `has the label ${JSON.stringify(label).slice(0, 60)}, which is of no known form.`,
    LABELS,
  );
}

/** Correct are the two-digit tokens above the year, incorrect the others. */
function afterYear(
  label: unknown,
  where: string,
  tokenizer: PairTokenizer | undefined,
): { readonly correct: readonly number[]; readonly incorrect: readonly number[] } {
  const year = Number(label);
  if (!Number.isInteger(year) || year < 0 || year > 98)
    throw pairFault('label', where, `has the year ${JSON.stringify(label)}; years are 0 to 98.`, LABELS);
  if (tokenizer === undefined)
    throw pairFault('no-tokenizer', where, 'has a year, and this model has no tokenizer.', 'Use lists of token ids.');
  const ids = yearIds(tokenizer);
  const missing = ids.findIndex((id) => id === undefined);
  if (missing >= 0)
    throw pairFault(
      'answer',
      where,
      `has a year, and this tokenizer has no token for "${YEARS[missing]}".`,
      'Greater-than needs the hundred two-digit numbers as single tokens; give lists of answers instead.',
    );
  return { correct: ids.slice(year + 1) as number[], incorrect: ids.slice(0, year + 1) as number[] };
}

const yearsOf = new WeakMap<PairTokenizer, readonly (number | undefined)[]>();

/** Ids of 00 … 99; undefined where one is not a single token. */
export function yearIds(tokenizer: PairTokenizer): readonly (number | undefined)[] {
  const known = yearsOf.get(tokenizer);
  if (known !== undefined) return known;
  const ids = YEARS.map((year) => {
    const [id, ...more] = tokenizer.encode(year);
    return more.length === 0 ? id : undefined;
  });
  yearsOf.set(tokenizer, ids);
  return ids;
}

/** Subject–verb agreement: verbs of the subject's number against the others. */
function agreeing(
  plural: unknown,
  where: string,
  { verbs }: ParsePairsOptions,
): Pick<PairFields, 'correct' | 'incorrect'> {
  if (verbs === undefined)
    throw pairFault(
      'label',
      where,
      'has the number of a subject, and no list of verbs was given.',
      'Give `verbs`, the ids of the verb forms in the singular and in the plural.',
    );
  if (plural === 1 || plural === true) return { correct: verbs.plural, incorrect: verbs.singular };
  if (plural === 0 || plural === false) return { correct: verbs.singular, incorrect: verbs.plural };
  throw pairFault(
    'label',
    where,
    `has the number ${JSON.stringify(plural)}; it is 0 (singular) or 1 (plural).`,
    LABELS,
  );
}

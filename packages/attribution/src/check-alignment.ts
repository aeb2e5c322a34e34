// Checks all rows of a pairs file before any work: those that cannot be used, with both prompts side by side, and what is odd about the others.
import { LimnError } from '@limn/gpu';
import { checkPair } from './pair-checks.js';
import type { RefusedRow } from './pair-refusals.js';
import { align, sideBySide, suggestAlignment } from './pair-alignment.js';
import { pairRows } from './pair-rows.js';
import type { Pair, ParsePairsOptions } from './pairs.js';
import { tokenLengths, type TokenLength } from './token-lengths.js';

/** A row that cannot be used; of a list, `where` is the number of the pair. */
export interface RowFault extends RefusedRow {
  /** Of misaligned prompts, the first position at which their tokens differ. */
  readonly firstDifference?: number | undefined;
  /** Of misaligned prompts, both rows of tokens, the first difference marked `→`. */
  readonly sideBySide?: string | undefined;
  /** What to do about it. */
  readonly suggestion?: string | undefined;
}

/**
 * What is odd, but no error: 'identical' prompts; a different 'last-token', which is where the answer is read; 'shifted', prompts of equal length whose
 * words stand at different positions; a 'repeated-answer', named more than once in a list and counted once; a prompt that ends in a 'trailing-space', which answers bring along.
 */
export type AlignmentNoteCode = 'identical' | 'last-token' | 'shifted' | 'repeated-answer' | 'trailing-space';

/** An oddity, and the rows that have it. */
export interface AlignmentNote {
  readonly code: AlignmentNoteCode;
  readonly text: string;
  readonly rows: number;
  /** The first of them. */
  readonly first: string;
}

/** What was found in all rows. */
export interface AlignmentReport {
  readonly rows: number;
  /** Rows that can be used: prompts of equal length, answers that are tokens. */
  readonly aligned: number;
  /** Rows whose prompts differ in length. */
  readonly misaligned: number;
  /** The first rows that cannot be used. */
  readonly faults: readonly RowFault[];
  readonly notes: readonly AlignmentNote[];
  /** How many aligned pairs have how many tokens, rising. */
  readonly lengths: readonly TokenLength[];
}

/** What to check against, and how much to show. */
export interface CheckAlignmentOptions extends ParsePairsOptions {
  /** Faults that are shown in full (default 20); all are counted. */
  readonly most?: number | undefined;
}

const NOTES: Readonly<Record<AlignmentNoteCode, string>> = {
  identical: 'Clean and corrupted prompt are the same: such a pair scores nothing.',
  'last-token': 'The last tokens differ, and the answer is read there: the difference needs no circuit to get there.',
  shifted:
    'The prompts have equally many tokens, but their words stand at different positions: activations are patched position by position.',
  'repeated-answer': 'An answer stands more than once in a list: it counts once.',
  'trailing-space': 'A prompt ends in a space: answers bring their own, as in " Paris".',
};

/** Longest prompts that are searched for shifts; the search takes the square of the length. */
const LONGEST_SEARCHED = 256;

/**
 * Checks every row of a pairs file, or every pair of a list, and reports; nothing is thrown for a bad row.
 * @throws LimnError `data/pairs-field`, `data/pairs-length-mismatch`, `data/pairs-too-long`, `data/pairs-unknown-id`, `data/pairs-answers`, `data/pairs-csv`, `data/pairs-csv-header`, `data/pairs-too-large` where rows cannot be told apart
 */
export function checkAlignment(source: string | readonly Pair[], options: CheckAlignmentOptions): AlignmentReport {
  const faults: RowFault[] = [];
  const notes = new Map<AlignmentNoteCode, { rows: number; first: string }>();
  const lengths: number[] = [];
  let rows = 0;
  let misaligned = 0;
  for (const { where, read, prompts, repeated } of typeof source === 'string'
    ? fileRows(source, options)
    : listRows(source, options)) {
    rows++;
    if (read instanceof LimnError) {
      if (read.code === 'data/pairs-length-mismatch') misaligned++;
      if (faults.length < (options.most ?? 20)) faults.push(faultOf(where, read, prompts, options));
      continue;
    }
    lengths.push(read.clean.length);
    for (const code of [...oddities(read, options), ...(repeated ? (['repeated-answer'] as const) : [])]) {
      const note = notes.get(code) ?? { rows: 0, first: where };
      notes.set(code, { ...note, rows: note.rows + 1 });
    }
  }
  return {
    rows,
    aligned: lengths.length,
    misaligned,
    faults,
    notes: [...notes].map(([code, note]) => ({ code, text: NOTES[code], ...note })),
    lengths: tokenLengths(lengths),
  };
}

interface CheckedRow {
  readonly where: string;
  readonly read: Pair | LimnError;
  readonly repeated?: boolean;
  readonly prompts?: Pick<Pair, 'clean' | 'corrupted'> | undefined;
}

function* fileRows(text: string, options: CheckAlignmentOptions): Generator<CheckedRow> {
  for (const { where, read, prompts } of pairRows(text, options))
    yield read instanceof LimnError
      ? { where, read, prompts }
      : { where, read: read.pair, prompts, repeated: read.repeated };
}

function* listRows(pairs: readonly Pair[], options: CheckAlignmentOptions): Generator<CheckedRow> {
  for (const [i, pair] of pairs.entries()) {
    const where = `pair ${i + 1}`;
    let read: Pair | LimnError = pair;
    try {
      checkPair(pair, where, options);
    } catch (error) {
      if (!(error instanceof LimnError)) throw error;
      read = error;
    }
    yield { where, read, prompts: pair };
  }
}

function faultOf(
  where: string,
  error: LimnError,
  prompts: Pick<Pair, 'clean' | 'corrupted'> | undefined,
  { tokenizer }: CheckAlignmentOptions,
): RowFault {
  const { code, message, hint } = error;
  if (code !== 'data/pairs-length-mismatch' || prompts === undefined) return { where, code, message, suggestion: hint };
  const { clean, corrupted } = prompts;
  const differs = clean.findIndex((id, i) => id !== corrupted[i]);
  return {
    where,
    code,
    message,
    firstDifference: differs < 0 ? clean.length : differs,
    sideBySide: sideBySide(clean, corrupted, tokenizer).join('\n'),
    suggestion: suggestAlignment(clean, corrupted, tokenizer) ?? hint,
  };
}

function oddities({ clean, corrupted }: Pair, { tokenizer }: CheckAlignmentOptions): AlignmentNoteCode[] {
  const found: AlignmentNoteCode[] = [];
  const changed = clean.filter((id, i) => id !== corrupted[i]).length;
  if (changed === 0) found.push('identical');
  if (clean.at(-1) !== corrupted.at(-1)) found.push('last-token');
  if (changed > 1 && clean.length <= LONGEST_SEARCHED && align(clean, corrupted).length > clean.length)
    found.push('shifted');
  if ([clean, corrupted].some((ids) => /^ +$/.test(tokenizer?.decode(ids.slice(-1)) ?? '')))
    found.push('trailing-space');
  return found;
}

// Pairs files: JSON lines of { clean, corrupted, correct, incorrect } or the EAP-IG repository's CSV, checked against the model before any work.
import { LimnError } from '@limn/gpu';
import { checkPairs } from './pair-checks.js';
import { noneLeft, refusedRow, refuseRows, type RefusedRow } from './pair-refusals.js';
import { pairRows, type PairsFormat } from './pair-rows.js';

export { checkPairs };

/** One clean/corrupted prompt pair as token ids; both prompts have the same length. */
export interface Pair {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  /** Next-token ids that the clean prompt makes right. */
  readonly correct: readonly number[];
  /** Next-token ids that the clean prompt makes wrong; may be empty for the KL metric. */
  readonly incorrect: readonly number[];
}

/** What a pair must fit; every `ModelInfo` has these fields. */
export interface PairLimits {
  /** Token ids are 0 … vocabulary − 1. */
  readonly vocabulary: number;
  /** The most tokens a prompt may have, a BOS included. */
  readonly maxPositions: number;
  /** Put in front of text prompts, unless the tokenizer names another. */
  readonly bosId?: number | undefined;
}

/** What text needs. Any tokenizer of any package fits. */
export interface PairTokenizer {
  /** Ids of `text`, with no special token added. */
  encode(text: string): readonly number[];
  /** The text of one id, as shown in errors. */
  decode(ids: readonly number[]): string;
  /** Put in front of text prompts; a tokenizer knows one that the model's configuration may leave out. Default: the model's. */
  readonly bosId?: number | undefined;
}

/** Whose pairs these are: the model's limits and tokenizer. */
export interface ParsePairsOptions {
  readonly model: PairLimits;
  /** Without one, a file may hold token ids only. */
  readonly tokenizer?: PairTokenizer | undefined;
  /** Put one BOS in front of text prompts (default true). Id lists are taken verbatim. */
  readonly bos?: boolean | undefined;
  /** Named in errors. */
  readonly file?: string | undefined;
  /** Default: CSV where the first line names the columns clean and corrupted, else JSON lines. */
  readonly format?: PairsFormat | undefined;
  /** The column of a CSV file that holds the corrupted prompts (default `corrupted`; upstream's IOI file also has `corrupted_hard`). */
  readonly corruptedColumn?: string | undefined;
  /** Ids of verb forms, for CSV files of subject–verb agreement, whose column `plural` says 0 or 1. */
  readonly verbs?: { readonly singular: readonly number[]; readonly plural: readonly number[] } | undefined;
  /** Leave out the rows that cannot be used, and name them in `refused`. Default false: they are all named in one error. */
  readonly skipBadRows?: boolean | undefined;
}

/** Pairs as read, and how. */
export interface ParsedPairs {
  readonly pairs: readonly Pair[];
  /** File and line of every pair. */
  readonly places: readonly string[];
  /** Rows that were left out; empty unless `skipBadRows` asks for it. */
  readonly refused: readonly RefusedRow[];
  /** Places of pairs whose row named an answer more than once in a list; it counts once. */
  readonly repeated: readonly string[];
  /** 'prepended' when at least one text prompt got a BOS. */
  readonly bos: 'prepended' | 'none';
  /** The metric that all labels of a CSV file were made for: 'prob-diff' where they are years, numbers of a subject, or lists of answers. */
  readonly metric?: 'prob-diff' | undefined;
}

/**
 * Reads a pairs file: JSON lines, or CSV with the columns `clean,corrupted,label`. A label is a year YY of greater-than (correct are the two-digit tokens
 * above it, incorrect the other ones of the hundred), or JSON of ids or texts: [correct, incorrect], [[correct …], [incorrect …]],
 * {"correct": […], "incorrect": […]}. In place of `label` there may be the columns that the EAP-IG repository uses (correct_idx and incorrect_idx, …).
 *
 * A file with rows that cannot be used is refused as a whole, by the code of the first of them and with all of them named; `skipBadRows` leaves them out.
 *
 * @throws LimnError naming file and line, and in CSV the column: `data/pairs-empty`, `data/pairs-json`, `data/pairs-csv`, `data/pairs-csv-header`,
 * `data/pairs-label`, `data/pairs-field`, `data/pairs-no-tokenizer`, `data/pairs-no-bos`, `data/pairs-answer` (not one token), `data/pairs-unknown-id`,
 * `data/pairs-answers` (an answer on both sides), `data/pairs-too-long`, `data/pairs-too-large`, `data/pairs-length-mismatch`; `data/pairs-quarantined` where `skipBadRows` leaves no pair
 */
export function parsePairs(text: string, options: ParsePairsOptions): ParsedPairs {
  const pairs: Pair[] = [];
  const places: string[] = [];
  const faults: { readonly where: string; readonly error: LimnError }[] = [];
  const repeated: string[] = [];
  let prepended = false;
  let probDiff = true;
  for (const { where, read, metric } of pairRows(text, options)) {
    if (read instanceof LimnError) {
      faults.push({ where, error: read });
      continue;
    }
    pairs.push(read.pair);
    places.push(where);
    if (read.repeated) repeated.push(where);
    prepended ||= read.prepended;
    probDiff &&= metric === 'prob-diff';
  }
  const refused = faults.map(refusedRow);
  if (options.skipBadRows !== true) refuseRows(faults, refused);
  else if (pairs.length === 0 && refused.length > 0) throw noneLeft(options.file ?? 'pairs', refused);
  checkPairs(pairs, options);
  return {
    pairs,
    places,
    refused,
    repeated,
    bos: prepended ? 'prepended' : 'none',
    ...(probDiff ? { metric: 'prob-diff' } : {}),
  };
}

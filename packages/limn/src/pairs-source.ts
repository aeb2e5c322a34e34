// Where the pairs of a circuit search come from: a task in pocket's vocabulary, or a pairs file of either format.
import { readFile } from 'node:fs/promises';
import { formatOf, parsePairs, type Pair, type ParsePairsOptions, type ParsedPairs } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import { generatePairs, taskOf, type MetricName } from '@limn/tasks';
import { agreementVerbs } from '@limn/tasks/text';
import { encodeAt } from './known-text.js';
import { leftOut, type LeftOutPair } from './left-out.js';
import type { ModelTokenizer } from './model-source.js';
import { encoderOf } from './task-source.js';

/** Pairs to find a circuit with, and pairs to measure it on. */
export interface PairSets {
  /** Short name, e.g. `ioi` or the file's name. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The metric of the paper for a task; for a file what its labels were made for, else logit-diff. */
  readonly metric: MetricName;
  readonly discovery: readonly Pair[];
  readonly evaluation: readonly Pair[];
  /** Whether a BOS was put in front of text, for the record. */
  readonly bos: 'prepended' | 'none' | 'in the ids';
  /** File and line of every pair, where they come from a file. */
  readonly places?: { readonly discovery: readonly string[]; readonly evaluation: readonly string[] };
  /** Pairs that the sets are without. */
  readonly leftOut?: readonly LeftOutPair[];
}

/** How many pairs of a task, and from which seed. */
export interface TaskRequest {
  readonly task: string;
  readonly discovery: number;
  readonly evaluation: number;
  readonly seed: number;
}

/** Of a task in pocket's vocabulary: training cells for the search, held-out cells for the measurement; equal seeds give equal pairs. */
export function taskPairs({ task, discovery, evaluation, seed }: TaskRequest): PairSets {
  const { title, corruption, metric } = taskOf(task);
  return {
    name: task,
    title,
    description: `Corrupted prompts: ${corruption}.`,
    metric,
    discovery: generatePairs(task, { seed, n: discovery, split: 'train' }),
    evaluation: generatePairs(task, { seed, n: evaluation, split: 'held-out' }),
    bos: 'in the ids',
  };
}

/** A pairs file, and the model that it is for. */
export interface FileRequest {
  readonly file: string;
  /** Pairs to measure on; the same as `file` by default. */
  readonly evaluationFile?: string | undefined;
  readonly info: ModelInfo;
  readonly tokenizer?: ModelTokenizer | undefined;
  readonly bos: boolean;
  /** Leave out rows that cannot be used, by name, in place of refusing the file. */
  readonly skipBadPairs?: boolean | undefined;
}

/**
 * Pairs of a file, JSON lines or CSV; measured on the same ones unless there is a second file.
 * @throws LimnError `data/pairs-file` for one that cannot be read, `data/pairs-…` naming file and line of every bad row; where bad rows are
 * left out and nothing else is there, `data/pairs-quarantined`
 */
export async function filePairs(request: FileRequest): Promise<PairSets> {
  const { file, evaluationFile } = request;
  const parse = async (name: string): Promise<ParsedPairs> => {
    const text = await readPairs(name);
    return parsePairs(text, { ...parseOptions(name, text, request), skipBadRows: request.skipBadPairs });
  };
  const discovery = await parse(file);
  const evaluation = evaluationFile === undefined ? discovery : await parse(evaluationFile);
  return {
    name: file,
    title: `Pairs of ${file}`,
    description:
      evaluationFile === undefined ? 'Scored and measured on the same pairs.' : `Measured on ${evaluationFile}.`,
    metric: discovery.metric ?? 'logit-diff',
    discovery: discovery.pairs,
    evaluation: evaluation.pairs,
    bos: discovery.bos,
    places: { discovery: discovery.places, evaluation: evaluation.places },
    leftOut: [
      ...discovery.refused.map((row) => leftOut(evaluationFile === undefined ? 'both' : 'search', row)),
      ...(evaluationFile === undefined ? [] : evaluation.refused.map((row) => leftOut('measurement', row))),
    ],
  };
}

/** How the text of a pairs file is read for a model; a name that ends in .csv or .jsonl says how it is written. */
export function parseOptions(
  file: string,
  text: string,
  { info, tokenizer, bos }: Pick<FileRequest, 'info' | 'tokenizer' | 'bos'>,
): ParsePairsOptions {
  const format = /\.csv$/i.test(file) ? 'csv' : /\.jsonl$/i.test(file) ? 'jsonl' : formatOf(text);
  // Files of subject–verb agreement name the number of the subject and leave the verbs to the reader.
  const needsVerbs = format === 'csv' && /^[^\n]*\bplural\b/.test(text);
  return {
    model: info,
    tokenizer: tokenizer && {
      encode: (words) => encodeAt(file, tokenizer, words, { prependBos: false }),
      decode: (ids) => tokenizer.decode(ids),
      bosId: tokenizer.bosId,
    },
    bos,
    file,
    format,
    ...(tokenizer && needsVerbs ? { verbs: agreementVerbs(encoderOf(tokenizer)) } : {}),
  };
}

/** @throws LimnError `data/pairs-file` */
export async function readPairs(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/pairs-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give the path of a file with one JSON object a line, or of a CSV file that begins clean,corrupted,label',
    });
  }
}

/** For the provenance of a result: whether a BOS was put in front of text; null where there was no text. */
export function prependBosOf({ bos }: Pick<PairSets, 'bos'>): boolean | null {
  return bos === 'in the ids' ? null : bos === 'prepended';
}

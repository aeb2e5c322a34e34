// Where the pairs of a circuit search come from: a task in pocket's vocabulary, or a pairs file.
import { readFile } from 'node:fs/promises';
import { parsePairs, type Pair, type ParsedPairs } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import { VOCABULARY, generatePairs, taskOf, type MetricName } from '@limn/tasks';
import { encodeAt } from './known-text.js';
import type { ModelTokenizer } from './model-source.js';

/** Pairs to find a circuit with, and pairs to measure it on. */
export interface PairSets {
  /** Short name, e.g. `ioi` or the file's name. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The metric of the paper for a task; logit-diff for a file. */
  readonly metric: MetricName;
  readonly discovery: readonly Pair[];
  readonly evaluation: readonly Pair[];
  /** True where no pair of `evaluation` was seen by the search. */
  readonly heldOut: boolean;
  /** Whether a BOS was put in front of text, for the record. */
  readonly bos: 'prepended' | 'none' | 'in the ids';
}

/** How many pairs of a task, and from which seed. */
export interface TaskRequest {
  readonly task: string;
  readonly discovery: number;
  readonly evaluation: number;
  readonly seed: number;
}

/** Training cells for the search, held-out cells for the measurement; equal seeds give equal pairs. */
export function taskPairs({ task, discovery, evaluation, seed }: TaskRequest): PairSets {
  const { title, corruption, metric } = taskOf(task);
  return {
    name: task,
    title,
    description: `Corrupted prompts: ${corruption}.`,
    metric,
    discovery: generatePairs(task, { seed, n: discovery, split: 'train' }),
    evaluation: generatePairs(task, { seed, n: evaluation, split: 'held-out' }),
    heldOut: true,
    bos: 'in the ids',
  };
}

/**
 * Tasks speak pocket's vocabulary; a model with another one would be shown noise.
 * @throws LimnError `usage/task-vocabulary`
 */
export function checkTaskVocabulary(task: string, info: ModelInfo, tokenizer: ModelTokenizer | undefined): void {
  const fits =
    info.vocabulary === VOCABULARY.length &&
    (tokenizer === undefined || VOCABULARY.every((word, id) => tokenizer.tokenText(id).trim() === word.trim()));
  if (fits) return;
  throw new LimnError(
    'usage/task-vocabulary',
    `--task ${task}: tasks are written in pocket's vocabulary of ${VOCABULARY.length} words, and this model has another (${info.vocabulary} tokens)`,
    {
      details: { task, vocabulary: info.vocabulary },
      hint: 'use --model pocket, or give your own pairs with --data pairs.jsonl',
    },
  );
}

/** A pairs file, and the model that it is for. */
export interface FileRequest {
  readonly file: string;
  /** Pairs to measure on; the same as `file` by default. */
  readonly evaluationFile?: string | undefined;
  readonly info: ModelInfo;
  readonly tokenizer?: ModelTokenizer | undefined;
  readonly bos: boolean;
}

/**
 * Pairs of a file with one JSON object a line; measured on the same ones unless there is a second file.
 * @throws LimnError `data/pairs-file` for one that cannot be read, `data/pairs-…` naming file and line
 */
export async function filePairs({ file, evaluationFile, info, tokenizer, bos }: FileRequest): Promise<PairSets> {
  const pairTokenizer = (name: string) =>
    tokenizer && {
      encode: (text: string) => encodeAt(name, tokenizer, text, { prependBos: false }),
      decode: (ids: readonly number[]) => tokenizer.decode(ids),
      bosId: tokenizer.bosId,
    };
  const parse = async (name: string): Promise<ParsedPairs> =>
    parsePairs(await readPairs(name), { model: info, tokenizer: pairTokenizer(name), bos, file: name });
  const discovery = await parse(file);
  const evaluation = evaluationFile === undefined ? discovery : await parse(evaluationFile);
  return {
    name: file,
    title: `Pairs of ${file}`,
    description:
      evaluationFile === undefined ? 'Scored and measured on the same pairs.' : `Measured on ${evaluationFile}.`,
    metric: 'logit-diff',
    discovery: discovery.pairs,
    evaluation: evaluation.pairs,
    heldOut: evaluationFile !== undefined,
    bos: discovery.bos,
  };
}

async function readPairs(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/pairs-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give the path of a file with one JSON object a line',
    });
  }
}

/** For the provenance of a result: whether a BOS was put in front of text; null where there was no text. */
export function prependBosOf({ bos }: Pick<PairSets, 'bos'>): boolean | null {
  return bos === 'in the ids' ? null : bos === 'prepended';
}

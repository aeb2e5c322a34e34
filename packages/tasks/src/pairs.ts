// Clean/corrupted prompt pairs with answers, as ids in pocket's vocabulary: the public entry to every task.
import type { Document } from './document.js';
import { TasksError } from './errors.js';
import type { Split } from './held-out.js';
import { drawPrefix } from './prefix-documents.js';
import type { PromptPair } from './prompt-pair.js';
import { Random } from './random.js';
import { findTask, type TaskId, type TaskWithDraw } from './registry.js';
import { END_OF_TEXT_ID, decode, idOf } from './vocabulary.js';

/** One clean/corrupted pair. All ids are pocket's; the first is the end-of-text token; both prompts have the same length. */
export interface Pair extends PromptPair {
  readonly task: TaskId;
  /** Role of every token of `clean`: 'end-of-text', 'prefix' for documents in front, else the role of its tag. */
  readonly roles: readonly string[];
  /** What was drawn: template, split and the task's own choices. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Which pairs, and how many; equal options give equal pairs on every machine. */
export interface PairOptions {
  readonly seed: number;
  /** How many distinct pairs. */
  readonly n: number;
  readonly split: Split;
  /** How many other documents stand in front of both prompts, the same ones; default 0. */
  readonly prefixDocuments?: 0 | 1 | 2;
  /** Longest prompt, end-of-text tokens included; default 48, pocket's context. Only shorter prefix documents are drawn. */
  readonly maxLength?: number;
}

/**
 * `n` distinct clean/corrupted pairs of a task. The same options give the same pairs on every platform, and pairs for a smaller
 * `n` are a prefix of those for a larger one.
 *
 * @throws TasksError `tasks/unknown-task`; `tasks/bad-option` (n, prefixDocuments, maxLength); `tasks/too-few-pairs` when the
 * task has no n distinct pairs in that split.
 */
export function generatePairs(task: string, options: PairOptions): Pair[] {
  const found = findTask(task);
  const { seed, n, split, prefixDocuments = 0, maxLength = 48 } = options;
  checkOptions(n, split, prefixDocuments, maxLength);
  const pairs: Pair[] = [];
  const known = new Set<string>();
  const limit = 200 + 50 * n;
  for (let draw = 0; pairs.length < n; draw++) {
    if (draw >= limit) {
      throw new TasksError(
        'tasks/too-few-pairs',
        `Task '${task}' gave only ${pairs.length} distinct ${split} pairs in ${limit} draws; ${n} were asked for.`,
        {
          details: { task, split, asked: n, found: pairs.length },
          hint: 'Ask for fewer pairs, or put one or two documents in front (prefixDocuments).',
        },
      );
    }
    const pair = drawPair(found, new Random('pairs', task, split, seed, draw), split, prefixDocuments, maxLength);
    const key = `${pair.cleanText}|${pair.corruptedText}`;
    if (known.has(key)) continue;
    known.add(key);
    pairs.push(pair);
  }
  return pairs;
}

function checkOptions(n: number, split: string, prefixDocuments: number, maxLength: number): void {
  const bad = (message: string, details: Record<string, unknown>): TasksError =>
    new TasksError('tasks/bad-option', message, { details });
  if (!Number.isInteger(n) || n < 0) throw bad(`n is ${n}; it must be a whole number of pairs, 0 or more.`, { n });
  if (split !== 'train' && split !== 'held-out') {
    throw bad(`split is '${split}'; it must be 'train' or 'held-out'.`, { split });
  }
  if (![0, 1, 2].includes(prefixDocuments)) {
    throw bad(`prefixDocuments is ${prefixDocuments}; it must be 0, 1 or 2.`, { prefixDocuments });
  }
  if (!Number.isInteger(maxLength) || maxLength < 48) {
    throw bad(`maxLength is ${maxLength}; it must be a whole number of tokens, 48 or more.`, { maxLength });
  }
}

function drawPair(task: TaskWithDraw, random: Random, split: Split, prefixDocuments: number, maxLength: number): Pair {
  const contrast = task.draw(random, split);
  const prompt = (document: Document): number[] => document.tokens.slice(0, document.answerAt);
  const clean = prompt(contrast.clean);
  const corrupted = prompt(contrast.corrupted);
  if (clean.length !== corrupted.length) {
    throw new RangeError(`${task.id}: prompts of ${clean.length} and ${corrupted.length} tokens`);
  }
  const front = drawPrefix(random, prefixDocuments, maxLength - 1 - clean.length);
  const whole = (ids: readonly number[]): number[] => [END_OF_TEXT_ID, ...front, ...ids];
  return {
    task: task.id,
    clean: whole(clean),
    corrupted: whole(corrupted),
    correct: contrast.correct.map(idOf),
    incorrect: contrast.incorrect.map(idOf),
    cleanText: decode([...front, ...clean]),
    corruptedText: decode([...front, ...corrupted]),
    roles: [
      'end-of-text',
      ...front.map((id) => (id === END_OF_TEXT_ID ? 'end-of-text' : 'prefix')),
      ...contrast.clean.tags.slice(0, contrast.clean.answerAt).map((tag) => tag.role),
    ],
    labels: { ...contrast.labels, split },
  };
}

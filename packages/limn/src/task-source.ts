// A task by name, in the words of the model: pocket's own world for pocket's vocabulary, English text for any other tokenizer.
import { LimnError } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import type { Pair } from '@limn/attribution';
import { TASKS, VOCABULARY, generatePairs, taskOf, type MetricName, type Split } from '@limn/tasks';
import { TEXT_TASKS, generateTextPairs, textTaskOf, type Encode, type TextSplit } from '@limn/tasks/text';
import type { OtherTask } from './circuit-request.js';
import type { ModelTokenizer } from './model-source.js';
import type { PairSets, TaskRequest } from './pairs-source.js';

/** Names of all tasks; most are there in both forms. */
export const TASK_NAMES: readonly string[] = [
  ...new Set([...TASKS.map(({ id }) => id), ...TEXT_TASKS.map(({ id }) => id)]),
];

/** The model that a task is written for. */
export interface TaskModel {
  readonly info: ModelInfo;
  readonly tokenizer?: ModelTokenizer | undefined;
  /** Put one BOS in front of text. */
  readonly bos: boolean;
}

/** Some pairs of a task. */
export interface DrawnPairs {
  readonly pairs: readonly Pair[];
  readonly title: string;
  readonly corruption: string;
  /** The metric of the paper. */
  readonly metric: MetricName;
  readonly bos: PairSets['bos'];
}

/**
 * `n` pairs of a task for a model: in pocket's vocabulary where the model has it, else as English text by the model's tokenizer. Equal
 * requests give equal pairs.
 * @throws LimnError `usage/task-vocabulary` for a model without a tokenizer, or with one for whose words the task was not written;
 * `data/pairs-no-bos`; TasksError `tasks/unknown-task`, `tasks/bad-option`, `tasks/tokenizer`, `tasks/too-few-pairs`
 */
export function drawTaskPairs(
  task: string,
  { n, seed, split }: { readonly n: number; readonly seed: number; readonly split: TextSplit },
  model: TaskModel,
): DrawnPairs {
  const { info, tokenizer } = model;
  if (speaksPocket(info, tokenizer)) {
    const { title, corruption, metric } = taskOf(task);
    // 'all' is refused by name there: pocket was trained on the one split and not on the other.
    const pairs = generatePairs(task, { seed, n, split: split as Split });
    return { pairs, title, corruption, metric, bos: 'in the ids' };
  }
  if (tokenizer === undefined || !TEXT_TASKS.some(({ id }) => id === task)) throw wrongVocabulary(task, model);
  const { title, corruption, metric } = textTaskOf(task);
  const bosId = bosOf(`--task ${task}`, model);
  const pairs = generateTextPairs(task, { encode: encoderOf(tokenizer), seed, n, split, bosId });
  return { pairs, title, corruption, metric, bos: bosId === undefined ? 'none' : 'prepended' };
}

/**
 * Pairs to search with from the training split, and to measure on from the held-out one.
 * @throws LimnError as {@link drawTaskPairs}
 */
export function taskSets({ task, discovery, evaluation, seed }: TaskRequest, model: TaskModel): PairSets {
  const found = drawTaskPairs(task, { n: discovery, seed, split: 'train' }, model);
  return {
    name: task,
    title: found.title,
    description: `Corrupted prompts: ${found.corruption}.`,
    metric: found.metric,
    discovery: found.pairs,
    evaluation: drawTaskPairs(task, { n: evaluation, seed, split: 'held-out' }, model).pairs,
    bos: found.bos,
  };
}

/**
 * Pairs of every other task that the model speaks, from the training split.
 * @throws LimnError as {@link drawTaskPairs}
 */
export function otherTasks(task: string, n: number, seed: number, model: TaskModel): readonly OtherTask[] {
  const tasks = speaksPocket(model.info, model.tokenizer) ? TASKS : TEXT_TASKS;
  return tasks
    .filter(({ id }) => id !== task)
    .map(({ id }) => {
      const { pairs, metric } = drawTaskPairs(id, { n, seed, split: 'train' }, model);
      return { name: id, metric, pairs };
    });
}

/** Ids of text without a BOS; none for text that the vocabulary cannot spell. */
export function encoderOf(tokenizer: ModelTokenizer): Encode {
  return (text) => {
    try {
      return tokenizer.encode(text, { prependBos: false }).ids;
    } catch (error) {
      if (error instanceof LimnError && error.code === 'tokenizer/unknown-text') return [];
      throw error;
    }
  };
}

/** Whether a model has pocket’s vocabulary, word for word. */
export function speaksPocket(info: ModelInfo, tokenizer: ModelTokenizer | undefined): boolean {
  return (
    info.vocabulary === VOCABULARY.length &&
    (tokenizer === undefined || VOCABULARY.every((word, id) => tokenizer.tokenText(id).trim() === word.trim()))
  );
}

/** The BOS that goes in front of text, if one is wanted. `data/pairs-no-bos` where it is and there is none; `where` opens the message. */
export function bosOf(where: string, { info, tokenizer, bos }: TaskModel): number | undefined {
  if (!bos) return undefined;
  const bosId = tokenizer?.bosId ?? info.bosId;
  if (bosId !== undefined) return bosId;
  throw new LimnError('data/pairs-no-bos', `${where}: this model has no BOS token to put in front`, {
    details: { where },
    hint: 'turn the BOS off with --no-bos',
  });
}

function wrongVocabulary(task: string, { info, tokenizer }: TaskModel): LimnError {
  const text = TEXT_TASKS.map(({ id }) => id).join(', ');
  return new LimnError(
    'usage/task-vocabulary',
    tokenizer === undefined
      ? `--task ${task}: tasks are written in pocket's vocabulary of ${VOCABULARY.length} words or as text, and this model has another vocabulary (${info.vocabulary} tokens) and no tokenizer`
      : `--task ${task}: this task is written in pocket's vocabulary only, and this model has another; as text there are ${text}`,
    {
      details: { task, vocabulary: info.vocabulary },
      hint: 'use --model pocket, or give your own pairs with --data pairs.jsonl',
    },
  );
}

// The tasks of the EAP-IG paper as English text for any tokenizer: the registry, and seeded pairs as token ids.
import { TasksError, nearest } from '../errors.js';
import type { MetricName } from '../metrics.js';
import type { SpelledPair } from '../prompt-pair.js';
import { Random } from '../random.js';
import { agreementSource } from './agreement-text.js';
import { capitalSource } from './capital-text.js';
import { conflictSource } from './conflict-text.js';
import { genderSource } from './gender-text.js';
import { greaterThanSource } from './greater-than-text.js';
import { hypernymySource } from './hypernymy-text.js';
import { ioiSource } from './ioi-text.js';
import type { MakeSource, TextContrast, TextSplit } from './source.js';
import { Tokens, type Encode } from './tokens.js';

/** A task in English text; names that pocket has too mean the same task. */
export type TextTaskId =
  | 'ioi'
  | 'ioi-abb'
  | 'ioi-abba'
  | 'ioi-baba'
  | 'greater-than'
  | 'greater-than-price'
  | 'greater-than-sequence'
  | 'gender'
  | 'sva'
  | 'country-capital'
  | 'country-capital-conflict'
  | 'hypernymy';

/** What a text task is. */
export interface TextTask {
  readonly id: TextTaskId;
  readonly title: string;
  /** The metric of the paper. */
  readonly metric: MetricName;
  /** How the corrupted prompt differs. */
  readonly corruption: string;
  /** 'single': every answer is one token. 'first-token': answers may be longer, and their first token counts. */
  readonly answers: 'single' | 'first-token';
  /** How many pairs the paper used; absent for what it has no set of. */
  readonly paperPairs?: number;
}

/** One clean/corrupted pair in ids of the tokenizer that was given; both prompts have the same length and the same last token. */
export interface TextPair extends SpelledPair {
  readonly task: TextTaskId;
  readonly labels: Readonly<Record<string, string>>;
}

/** Which pairs, and for which tokenizer; equal options give equal pairs on every machine. */
export interface TextPairOptions {
  readonly encode: Encode;
  readonly seed: number;
  /** How many distinct pairs. */
  readonly n: number;
  /** Default 'train'. */
  readonly split?: TextSplit | undefined;
  /** Put in front of both prompts; default: nothing is. */
  readonly bosId?: number | undefined;
}

/** A text task with what draws it. */
export interface TaskWithSource extends TextTask {
  readonly make: MakeSource;
}

const IOI = { metric: 'logit-diff', answers: 'single' } as const;
const RANGE = { metric: 'prob-diff', answers: 'single' } as const;

const REGISTRY: readonly TaskWithSource[] = [
  {
    id: 'ioi',
    title: 'Indirect object identification',
    corruption: 'the giver becomes a third person (ABC)',
    paperPairs: 1000,
    make: ioiSource('mixed', 'abc'),
    ...IOI,
  },
  {
    id: 'ioi-abb',
    title: 'Indirect object identification, hard corruption',
    corruption: 'the giver becomes the receiver (ABB): the other answer is right',
    paperPairs: 1000,
    make: ioiSource('mixed', 'abb'),
    ...IOI,
  },
  {
    id: 'ioi-abba',
    title: 'Indirect object identification, receiver named first',
    corruption: 'the giver becomes a third person (ABC)',
    make: ioiSource('abba', 'abc'),
    ...IOI,
  },
  {
    id: 'ioi-baba',
    title: 'Indirect object identification, receiver named second',
    corruption: 'the giver becomes a third person (ABC)',
    make: ioiSource('baba', 'abc'),
    ...IOI,
  },
  {
    id: 'greater-than',
    title: 'Greater-than',
    corruption: 'the start year becomes 01',
    paperPairs: 1000,
    make: greaterThanSource('year'),
    ...RANGE,
  },
  {
    id: 'greater-than-price',
    title: 'Greater-than, prices',
    corruption: 'the lower price ends in 01',
    paperPairs: 1000,
    make: greaterThanSource('price'),
    ...RANGE,
  },
  {
    id: 'greater-than-sequence',
    title: 'Greater-than, sequences of years',
    corruption: 'all three years end in 01',
    paperPairs: 825,
    make: greaterThanSource('sequence'),
    ...RANGE,
  },
  {
    id: 'gender',
    title: 'Gender bias of professions',
    metric: 'logit-diff',
    answers: 'single',
    corruption: 'the profession becomes the man or the woman',
    paperPairs: 986,
    make: genderSource,
  },
  {
    id: 'sva',
    title: 'Subject–verb agreement',
    metric: 'prob-diff',
    answers: 'single',
    corruption: "the subject's number is flipped",
    paperPairs: 12_400,
    make: agreementSource,
  },
  {
    id: 'country-capital',
    title: 'Countries and capitals',
    metric: 'logit-diff',
    answers: 'first-token',
    corruption: 'another capital of as many tokens',
    paperPairs: 190,
    make: capitalSource,
  },
  {
    id: 'country-capital-conflict',
    title: 'Context against memory, no source named',
    metric: 'logit-diff',
    answers: 'single',
    corruption: 'the context names another wrong capital',
    make: conflictSource,
  },
  {
    id: 'hypernymy',
    title: 'Hypernymy',
    metric: 'prob-diff',
    answers: 'single',
    corruption: 'a member of another category',
    paperPairs: 198,
    make: hypernymySource,
  },
];

/** Every text task. */
export const TEXT_TASKS: readonly TextTask[] = REGISTRY;

/**
 * The text task of that id, with what draws it.
 * @throws TasksError `tasks/unknown-task`, which names the nearest one
 */
export function findTextTask(id: string): TaskWithSource {
  const found = REGISTRY.find((task) => task.id === id);
  if (found !== undefined) return found;
  const ids = REGISTRY.map((task) => task.id);
  throw new TasksError('tasks/unknown-task', `There is no text task '${id}'; the text tasks are ${ids.join(', ')}.`, {
    details: { given: id, allowed: ids, nearest: nearest(id, ids) },
    hint: `Did you mean '${nearest(id, ids)}'?`,
  });
}

/**
 * The text task of that id.
 * @throws TasksError `tasks/unknown-task`, which names the nearest one.
 */
export function textTaskOf(id: string): TextTask {
  return findTextTask(id);
}

/**
 * How many distinct pairs (by their clean prompt) a text task has for a tokenizer.
 * @throws TasksError `tasks/unknown-task`; `tasks/tokenizer` where too few words of a list fit.
 */
export function countTextPairs(task: string, encode: Encode, split: TextSplit = 'train'): number {
  return findTextTask(task).make(new Tokens(encode), 0).size(split);
}

/**
 * `n` pairs of a text task with distinct clean prompts. Equal options give equal pairs on every platform, and pairs for a smaller `n` are a prefix of
 * those for a larger one. No clean prompt is in both splits. With GPT-2's tokenizer, 'all' reaches the sizes of the paper for every task.
 *
 * @throws TasksError `tasks/unknown-task`; `tasks/bad-option` (n, split); `tasks/tokenizer` where too few words of a list fit the tokenizer;
 * `tasks/too-few-pairs` when the split has no n pairs.
 */
export function generateTextPairs(task: string, options: TextPairOptions): TextPair[] {
  const found = findTextTask(task);
  const { encode, seed, n, split = 'train', bosId } = options;
  checkOptions(n, split);
  const tokens = new Tokens(encode);
  const source = found.make(tokens, seed);
  const size = source.size(split);
  const pairs: TextPair[] = [];
  const known = new Set<string>();
  // Drawing the last of `size` equally likely prompts takes size · ln(size) draws; prompts are unequally likely by a small factor.
  const limit = n > size ? 0 : 1000 + 100 * n;
  for (let turn = 0; pairs.length < n; turn++) {
    if (turn >= limit) throw tooFew(found, split, n, n > size ? size : pairs.length);
    const contrast = source.draw(new Random('text', task, split, seed, turn), split, turn);
    if (known.has(contrast.clean)) continue;
    known.add(contrast.clean);
    const pair = encodePair(found, contrast, encode, tokens, bosId);
    if (pair !== undefined) pairs.push({ ...pair, labels: { ...contrast.labels, split } });
  }
  return pairs;
}

/** The pair in ids; undefined where the tokenizer makes prompts that cannot be compared position by position. */
function encodePair(
  task: TextTask,
  contrast: TextContrast,
  encode: Encode,
  tokens: Tokens,
  bosId: number | undefined,
): TextPair | undefined {
  const whole = (text: string): number[] => [...(bosId === undefined ? [] : [bosId]), ...encode(text)];
  const clean = whole(contrast.clean);
  const corrupted = whole(contrast.corrupted);
  if (clean.length !== corrupted.length || clean.at(-1) !== corrupted.at(-1)) return undefined;
  const ids = (texts: readonly string[]): number[] => texts.map((text) => tokens.of(text)[0] as number);
  return {
    task: task.id,
    clean,
    corrupted,
    correct: ids(contrast.correct),
    incorrect: ids(contrast.incorrect),
    cleanText: contrast.clean,
    corruptedText: contrast.corrupted,
    correctText: contrast.correct,
    incorrectText: contrast.incorrect,
    labels: contrast.labels,
  };
}

function checkOptions(n: number, split: string): void {
  if (!Number.isInteger(n) || n < 0)
    throw new TasksError('tasks/bad-option', `n is ${n}; it must be a whole number of pairs, 0 or more.`, {
      details: { n },
    });
  if (!['train', 'held-out', 'all'].includes(split))
    throw new TasksError('tasks/bad-option', `split is '${split}'; it must be 'train', 'held-out' or 'all'.`, {
      details: { split },
    });
}

function tooFew({ id }: TextTask, split: TextSplit, asked: number, found: number): TasksError {
  return new TasksError(
    'tasks/too-few-pairs',
    `Text task '${id}' has ${found} ${split === 'all' ? '' : `${split} `}pairs for this tokenizer; ${asked} were asked for.`,
    { details: { task: id, split, asked, found }, hint: "Ask for fewer pairs, or for split 'all'." },
  );
}

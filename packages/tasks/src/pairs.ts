// Clean/corrupted prompt pairs with answers, as ids in pocket's vocabulary: the public entry to every task.
import { agreementContrast } from './agreement.js';
import { capitalContrast, conflictContrast } from './capital.js';
import { drawDocument } from './corpus.js';
import type { Document, TaskFamily } from './document.js';
import { TasksError, nearest } from './errors.js';
import type { DrawContrast } from './family.js';
import { genderContrast } from './gender.js';
import { greaterThanContrast } from './greater-than.js';
import type { Split } from './held-out.js';
import { hypernymyContrast } from './hypernymy.js';
import { ioiContrast } from './ioi.js';
import type { MetricName } from './metrics.js';
import type { PromptPair } from './prompt-pair.js';
import { Random } from './random.js';
import { END_OF_TEXT_ID, decode, idOf } from './vocabulary.js';

/** A task or a variant of one. */
export type TaskId =
  | TaskFamily
  | 'ioi-abba'
  | 'ioi-baba'
  | 'greater-than-price'
  | 'greater-than-sequence'
  | 'country-capital-conflict'
  | 'country-capital-trusted'
  | 'country-capital-doubtful';

/** What a task is. */
export interface Task {
  readonly id: TaskId;
  readonly family: TaskFamily;
  readonly title: string;
  /** The metric of the paper. */
  readonly metric: MetricName;
  /** How the corrupted prompt differs. */
  readonly corruption: string;
}

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

interface TaskWithDraw extends Task {
  readonly draw: DrawContrast;
}

const REGISTRY: readonly TaskWithDraw[] = [
  {
    id: 'ioi',
    family: 'ioi',
    title: 'Indirect object identification',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('mixed'),
  },
  {
    id: 'greater-than',
    family: 'greater-than',
    title: 'Greater-than',
    metric: 'prob-diff',
    corruption: 'the start year becomes 01',
    draw: greaterThanContrast('year'),
  },
  {
    id: 'gender',
    family: 'gender',
    title: 'Gender bias of professions',
    metric: 'logit-diff',
    corruption: 'the profession becomes the man or the woman',
    draw: genderContrast,
  },
  {
    id: 'sva',
    family: 'sva',
    title: 'Subject–verb agreement',
    metric: 'prob-diff',
    corruption: "the subject's number is flipped",
    draw: agreementContrast,
  },
  {
    id: 'country-capital',
    family: 'country-capital',
    title: 'Countries and capitals',
    metric: 'logit-diff',
    corruption: 'another country and capital',
    draw: capitalContrast,
  },
  {
    id: 'hypernymy',
    family: 'hypernymy',
    title: 'Hypernymy',
    metric: 'prob-diff',
    corruption: 'a hyponym of another category',
    draw: hypernymyContrast,
  },
  {
    id: 'ioi-abba',
    family: 'ioi',
    title: 'Indirect object identification, receiver named first',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('abba'),
  },
  {
    id: 'ioi-baba',
    family: 'ioi',
    title: 'Indirect object identification, receiver named second',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('baba'),
  },
  {
    id: 'greater-than-price',
    family: 'greater-than',
    title: 'Greater-than, prices',
    metric: 'prob-diff',
    corruption: 'the lower price ends in 01',
    draw: greaterThanContrast('price'),
  },
  {
    id: 'greater-than-sequence',
    family: 'greater-than',
    title: 'Greater-than, sequences of years',
    metric: 'prob-diff',
    corruption: 'all three years end in 01',
    draw: greaterThanContrast('sequence'),
  },
  {
    id: 'country-capital-conflict',
    family: 'country-capital',
    title: 'Context against memory, no source named',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('none'),
  },
  {
    id: 'country-capital-trusted',
    family: 'country-capital',
    title: 'Context against memory, trusted source',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('trusted'),
  },
  {
    id: 'country-capital-doubtful',
    family: 'country-capital',
    title: 'Context against memory, doubtful source',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('doubtful'),
  },
];

/** Every task and variant. */
export const TASKS: readonly Task[] = REGISTRY;

/** The six tasks of the EAP-IG paper, in its order. */
export const SIX_TASKS: readonly TaskFamily[] = [
  'ioi',
  'greater-than',
  'gender',
  'country-capital',
  'sva',
  'hypernymy',
];

function find(id: string): TaskWithDraw {
  const found = REGISTRY.find((task) => task.id === id);
  if (found !== undefined) return found;
  const ids = REGISTRY.map((task) => task.id);
  throw new TasksError('tasks/unknown-task', `There is no task '${id}'; the tasks are ${ids.join(', ')}.`, {
    details: { given: id, allowed: ids, nearest: nearest(id, ids) },
    hint: `Did you mean '${nearest(id, ids)}'?`,
  });
}

/**
 * The task of that id.
 * @throws TasksError `tasks/unknown-task`, which names the nearest one
 */
export function taskOf(id: string): Task {
  return find(id);
}

/**
 * `n` distinct clean/corrupted pairs of a task. The same options give the same pairs on every platform, and pairs for a smaller
 * `n` are a prefix of those for a larger one.
 *
 * @throws TasksError `tasks/unknown-task`; `tasks/bad-option` (n, prefixDocuments, maxLength); `tasks/too-few-pairs` when the
 * task has no n distinct pairs in that split.
 */
export function generatePairs(task: string, options: PairOptions): Pair[] {
  const found = find(task);
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
  const front: number[] = [];
  for (let i = 0; i < prefixDocuments; i++) {
    // Each prefix document and its end-of-text token may take an equal share of the room left in front of the prompt.
    const room = Math.floor((maxLength - 1 - clean.length - front.length) / (prefixDocuments - i)) - 1;
    front.push(...drawShort(random, room).tokens, END_OF_TEXT_ID);
  }
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

function drawShort(random: Random, room: number): Document {
  let document = drawDocument(random);
  while (document.tokens.length > room) document = drawDocument(random);
  return document;
}

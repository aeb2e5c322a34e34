// What steering is learnt from, in pocket's words: a prompt and two answers that compete behind it, with a name per token and what it is about.
import { TasksError } from './errors.js';
import type { Contrast } from './family.js';
import { genderGivenContrast } from './gender.js';
import type { Split } from './held-out.js';
import { positionNames } from './position-names.js';
import { drawPrefix } from './prefix-documents.js';
import { Random } from './random.js';
import { findTask, type TaskId } from './registry.js';
import { END_OF_TEXT, END_OF_TEXT_ID, decode, idOf, wordOf } from './vocabulary.js';

/** A prompt with its two answers, in ids of pocket's vocabulary, the end-of-text token in front. */
export interface TaskExample {
  readonly task: TaskId;
  readonly prompt: readonly number[];
  /** The corrupted prompt of the same contrast, of as many tokens: what activations are patched from, or into. */
  readonly corrupted: readonly number[];
  /** The answer that the task calls right; in conflicts what the context says. */
  readonly correct: number;
  /** The other one; in conflicts what memory says. */
  readonly wrong: number;
  /** A name per token, unique within the prompt: `country`, `country-2`, `the#1`, `last`, `end-of-text`, and `prefix…` for documents in front. */
  readonly roles: readonly string[];
  /** Both countries of a conflict, both names of IOI, the profession of gender: splits by entity keep them apart. */
  readonly entities: readonly string[];
  /** The prompt, without the token in front. */
  readonly text: string;
  /** What was drawn: template, split and the task's own choices. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Which examples, and how many; equal options give equal examples on every machine. */
export interface ExampleOptions {
  readonly seed: number;
  /** How many distinct prompts. */
  readonly n: number;
  /** 'all' takes every fourth from the held-out cells. Default 'train'. */
  readonly split?: Split | 'all' | undefined;
  /** Only prompts of this template, as `labels.template` has it: 'ioi/when-went/abba'. Its prompts are equally long. Default: any. */
  readonly template?: string | undefined;
  /** How many other documents stand in front of the prompt, which makes it longer; default 0. */
  readonly prefixDocuments?: 0 | 1 | 2 | undefined;
  /** Longest prompt, end-of-text tokens included; default 48, pocket's context. Only shorter prefix documents are drawn. */
  readonly maxLength?: number | undefined;
}

/**
 * `n` distinct prompts of a task, each with one right and one wrong answer. Equal options give equal examples on every platform, and
 * examples for a smaller `n` are a prefix of those for a larger one.
 * @throws TasksError `tasks/unknown-task`; `tasks/answer` for a task that has several answers; `tasks/bad-option` (n, split,
 * prefixDocuments, maxLength); `tasks/too-few-examples` when the task has no n distinct prompts in that split
 */
export function steeringExamples(task: string, options: ExampleOptions): TaskExample[] {
  const { id, draw } = findTask(task);
  return distinct(id, options, (random, split) => {
    const contrast = draw(random, split);
    if (contrast.correct.length === 1 && contrast.incorrect.length === 1) return contrast;
    throw new TasksError(
      'tasks/answer',
      `Task '${id}' has ${contrast.correct.length} right and ${contrast.incorrect.length} wrong answers; steering takes one of each.`,
      {
        details: { task: id, correct: contrast.correct.length, incorrect: contrast.incorrect.length },
        hint: 'Choose a task with one answer against another: ioi, gender, country-capital or one of their variants, or hypernymy.',
      },
    );
  });
}

/** What taking away the bias of professions is learnt from. */
export interface BiasExamples {
  /** "the nurse ran because": she against he, to be made alike. `correct` is the stereotyped pronoun. */
  readonly examples: readonly TaskExample[];
  /** "the woman ran because": the gender is given, and what the model says is to stay. `correct` is the given pronoun; entities are frames. */
  readonly retained: readonly TaskExample[];
}

/** Which examples of the bias task. */
export interface BiasOptions extends ExampleOptions {
  /** How many prompts in which the gender is given; default 24, all there are without documents in front. */
  readonly retained?: number | undefined;
}

/**
 * Prompts about professions, and prompts of the same frames in which the gender is given. The person has the role `person` in both, so that values
 * by role reach both: an edit that may know which it has before it proves nothing by leaving the second alone.
 * @throws TasksError as `steeringExamples`
 */
export function biasExamples({ retained = 24, ...options }: BiasOptions): BiasExamples {
  return {
    examples: steeringExamples('gender', options).map((example) => ({
      ...example,
      roles: example.roles.map((role) => (role === 'profession' ? 'person' : role)),
    })),
    retained: distinct('gender', { ...options, n: retained, split: 'train' }, genderGivenContrast),
  };
}

function distinct(
  task: TaskId,
  { seed, n, split = 'train', template, prefixDocuments = 0, maxLength = 48 }: ExampleOptions,
  draw: (random: Random, split: Split) => Contrast,
): TaskExample[] {
  checkExampleOptions(n, split);
  if (![0, 1, 2].includes(prefixDocuments)) throw badOption('prefixDocuments', prefixDocuments, '0, 1 or 2');
  if (!Number.isInteger(maxLength) || maxLength < 48) throw badOption('maxLength', maxLength, 'a whole number from 48');
  const found = new Map<string, TaskExample>();
  // IOI has twenty templates, the most of all: one of them takes that many times the draws.
  const limit = (200 + 50 * n) * (template === undefined ? 1 : 20);
  for (let turn = 0; found.size < n; turn++) {
    if (turn >= limit) throw tooFewExamples(task, split, n, found.size);
    const own = split === 'all' ? (turn % 4 === 3 ? 'held-out' : 'train') : split;
    const random = new Random('steering', task, own, seed, turn);
    const contrast = draw(random, own);
    if (template !== undefined && contrast.clean.template !== template) continue;
    const example = exampleOf(task, contrast, own, (room) => drawPrefix(random, prefixDocuments, room), maxLength);
    if (!found.has(example.text)) found.set(example.text, example);
  }
  return [...found.values()];
}

function exampleOf(
  task: TaskId,
  { clean, corrupted, correct, incorrect, entities, labels }: Contrast,
  split: Split,
  prefix: (room: number) => number[],
  maxLength: number,
): TaskExample {
  const own = clean.tokens.slice(0, clean.answerAt);
  const front = prefix(maxLength - 1 - own.length);
  const endOfText = { text: END_OF_TEXT, role: 'end-of-text' };
  const [right, wrong] = [...correct, ...incorrect].map(idOf) as [number, number];
  return {
    task,
    prompt: [END_OF_TEXT_ID, ...front, ...own],
    corrupted: [END_OF_TEXT_ID, ...front, ...corrupted.tokens.slice(0, corrupted.answerAt)],
    correct: right,
    wrong,
    roles: positionNames([
      endOfText,
      ...front.map(wordOf).map((text) => (text === END_OF_TEXT ? endOfText : { text, role: 'prefix' })),
      ...own.map(wordOf).map((text, i) => {
        const role = clean.tags[i]?.role;
        return { text, role: role === 'word' ? undefined : role };
      }),
    ]),
    entities,
    text: decode([...front, ...own]),
    labels: { ...labels, split },
  };
}

/** @throws TasksError `tasks/bad-option` */
export function checkExampleOptions(n: number, split: string): void {
  if (!Number.isInteger(n) || n < 0) throw badOption('n', n, 'a whole number of examples, 0 or more');
  if (!['train', 'held-out', 'all'].includes(split)) throw badOption('split', split, "'train', 'held-out' or 'all'");
}

function badOption(name: string, given: unknown, allowed: string): TasksError {
  return new TasksError('tasks/bad-option', `${name} is ${JSON.stringify(given)}; it must be ${allowed}.`, {
    details: { [name]: given },
    hint: `Give ${name} as ${allowed}.`,
  });
}

/** `tasks/too-few-examples`. */
export function tooFewExamples(task: string, split: string, asked: number, found: number): TasksError {
  return new TasksError(
    'tasks/too-few-examples',
    `Task '${task}' has ${found} distinct prompts in the split '${split}'; ${asked} were asked for.`,
    {
      details: { task, split, asked, found },
      hint: "Ask for fewer, for the split 'all', or put text in front of the prompts, which makes more of them.",
    },
  );
}

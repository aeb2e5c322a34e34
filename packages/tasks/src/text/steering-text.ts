// What steering is learnt from, as English text for any tokenizer: a prompt and two answers of one token each, with a name per token and what it is about.
import { TasksError } from '../errors.js';
import { positionNames } from '../position-names.js';
import { Random } from '../random.js';
import { checkExampleOptions, tooFewExamples } from '../steering-examples.js';
import { givenGenders } from './gender-text.js';
import type { TextSplit } from './source.js';
import { findTextTask, type TextTaskId } from './text-tasks.js';
import { Tokens, type Encode } from './tokens.js';

/** A prompt with its two answers in ids of the tokenizer that was given. */
export interface TextExample {
  /** The token in front (BOS) included where one was given. */
  readonly prompt: readonly number[];
  /** The corrupted prompt; undefined where there is none of as many tokens with the same last one. */
  readonly corrupted: readonly number[] | undefined;
  /** In conflicts what the context says. */
  readonly correct: number;
  /** In conflicts what memory says. */
  readonly wrong: number;
  /** A name per token, unique within the prompt; undefined where the tokenizer joins words, so that no token has a word of its own. */
  readonly roles: readonly string[] | undefined;
  /** What the prompt is about: splits by entity keep these apart. */
  readonly entities: readonly string[];
  readonly text: string;
  readonly correctText: string;
  readonly wrongText: string;
  /** What was drawn; empty for prompts of one's own. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Which examples of a text task, and for which tokenizer; equal options give equal examples on every machine. */
export interface TextExampleOptions {
  readonly encode: Encode;
  readonly seed: number;
  /** How many distinct prompts. */
  readonly n: number;
  /** Default 'train'. */
  readonly split?: TextSplit | undefined;
  /** The id put in front of the prompt; default: nothing is. */
  readonly bosId?: number | undefined;
  /** Text in front of the prompt, which makes it longer: one of `CONFLICT_PREFIXES`, or any other. Default: none. */
  readonly prefix?: string | undefined;
}

/** Texts that make a prompt longer and say nothing: by 2, 3, 5 and 7 tokens of GPT-2's. */
export const CONFLICT_PREFIXES: readonly string[] = [
  'Note:',
  'Listen carefully.',
  'Here is a fact.',
  'This is a short trivia question.',
];

/** A prompt of one's own. */
export interface GivenExample {
  readonly text: string;
  /** The prompt without the behaviour, word by word the same otherwise. */
  readonly corrupted?: string | undefined;
  /** With the space in front that it has behind the prompt, as in " Paris". */
  readonly correct: string;
  readonly wrong: string;
  /** Roles of words of the text; other words are named by themselves. */
  readonly roles?: Readonly<Record<string, string>> | undefined;
  readonly entities?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * A prompt of one's own in ids.
 * @throws TasksError `tasks/answer` when an answer is not one token, or both are the same; `tasks/prompt` for a prompt of no tokens
 */
export function textExample(
  { text, corrupted, correct, wrong, roles = {}, entities = [], labels = {} }: GivenExample,
  { encode, bosId }: Pick<TextExampleOptions, 'encode' | 'bosId'>,
): TextExample {
  const own = encode(text);
  if (own.length === 0)
    throw new TasksError('tasks/prompt', `The prompt ${JSON.stringify(text)} has no tokens.`, {
      details: { text },
      hint: 'Give a text that the tokenizer can spell.',
    });
  const [c, w] = [answerId(correct, encode), answerId(wrong, encode)];
  if (c === w)
    throw new TasksError('tasks/answer', `Both answers of ${JSON.stringify(text)} are the token ${c}.`, {
      details: { correct, wrong },
      hint: 'Give two answers that differ in their token.',
    });
  const front = bosId === undefined ? [] : [bosId];
  const other = corrupted === undefined ? [] : encode(corrupted);
  return {
    prompt: [...front, ...own],
    corrupted: other.length === own.length && other.at(-1) === own.at(-1) ? [...front, ...other] : undefined,
    correct: c,
    wrong: w,
    roles: rolesOf(text, own, roles, front.length, encode),
    entities,
    text,
    correctText: correct,
    wrongText: wrong,
    labels,
  };
}

/**
 * `n` distinct prompts of a text task with one right and one wrong answer of one token each. Tasks whose answers may be longer give only
 * prompts whose answers are not. Equal options give equal examples, and examples for a smaller `n` are a prefix of those for a larger one.
 * @throws TasksError `tasks/unknown-task`; `tasks/bad-option` (n, split); `tasks/tokenizer` where too few words of a list fit; `tasks/answer`
 * for a task with several answers; `tasks/too-few-examples`
 */
export function textSteeringExamples(task: string, options: TextExampleOptions): TextExample[] {
  const { id, make, answers } = findTextTask(task);
  const { encode, seed, split = 'train' } = options;
  const tokens = new Tokens(encode);
  const source = make(tokens, seed);
  return distinct(id, options, source.size(split), (turn) => {
    const drawn = source.draw(new Random('steering', id, split, seed, turn), split, turn);
    const [correct, wrong] = [drawn.correct[0] ?? '', drawn.incorrect[0] ?? ''];
    if (drawn.correct.length !== 1 || drawn.incorrect.length !== 1)
      throw new TasksError(
        'tasks/answer',
        `Text task '${id}' has ${drawn.correct.length} right and ${drawn.incorrect.length} wrong answers; steering takes one of each.`,
        {
          details: { task: id, correct: drawn.correct.length, incorrect: drawn.incorrect.length },
          hint: 'Choose ioi, gender, country-capital, country-capital-conflict, or give prompts of your own.',
        },
      );
    const [c, w] = [tokens.of(correct), tokens.of(wrong)];
    if (answers === 'first-token' && (c.length !== 1 || w.length !== 1 || c[0] === w[0])) return undefined;
    return { ...drawn, text: drawn.clean, correct, wrong, labels: { ...drawn.labels, split } };
  });
}

/** Which examples of the bias task. */
export interface TextBiasOptions extends TextExampleOptions {
  /** How many prompts in which the gender is given; default 34, all there are without a prefix. */
  readonly retained?: number | undefined;
}

/** What taking away the bias of professions is learnt from. */
export interface TextBiasExamples {
  /** "The nurse ran because": `correct` is the pronoun that English text gives the profession more often. */
  readonly examples: readonly TextExample[];
  /** "The woman ran because": `correct` is the given pronoun; entities are frames. */
  readonly retained: readonly TextExample[];
}

/**
 * "The nurse ran because", she against he, to be made alike; and, retained, "The woman ran because", in which the gender is given. The person
 * has the role `person` in both, so that values by role reach both.
 * @throws TasksError `tasks/bad-option`, `tasks/tokenizer`, `tasks/too-few-examples`
 */
export function textBiasExamples({ retained = 34, ...options }: TextBiasOptions): TextBiasExamples {
  const given = givenGenders(new Random('given gender', options.seed));
  return {
    examples: textSteeringExamples('gender', options).map((example) => ({
      ...example,
      roles: example.roles?.map((role) => (role === 'profession' ? 'person' : role)),
    })),
    retained: distinct(
      'gender',
      { ...options, n: retained, split: 'train' },
      given.length,
      (turn) => given[turn % given.length],
    ),
  };
}

function distinct(
  task: TextTaskId,
  { n, split = 'train', prefix, ...options }: TextExampleOptions,
  size: number,
  draw: (turn: number) => GivenExample | undefined,
): TextExample[] {
  checkExampleOptions(n, split);
  const found = new Map<string, TextExample>();
  // As many draws as `n` equally likely prompts take to come up, and more.
  const limit = n > size ? 0 : 1000 + 100 * n;
  for (let turn = 0; found.size < n; turn++) {
    if (turn >= limit) throw tooFewExamples(task, split, n, n > size ? size : found.size);
    const given = draw(turn);
    if (given === undefined) continue;
    const behind = (own: string): string => (prefix === undefined ? own : `${prefix.trimEnd()} ${own.trimStart()}`);
    const text = behind(given.text);
    const corrupted = given.corrupted === undefined ? undefined : behind(given.corrupted);
    if (!found.has(text)) found.set(text, textExample({ ...given, text, corrupted }, options));
  }
  return [...found.values()];
}

function answerId(answer: string, encode: Encode): number {
  const [id, ...more] = encode(answer);
  if (id !== undefined && more.length === 0) return id;
  throw new TasksError(
    'tasks/answer',
    `The answer ${JSON.stringify(answer)} is ${id === undefined ? 0 : 1 + more.length} tokens; steering takes answers of one.`,
    {
      details: { answer, tokens: id === undefined ? 0 : 1 + more.length },
      hint: 'Give the space in front of the word, as in " Paris", or choose words that the tokenizer spells as one token.',
    },
  );
}

/** Words and marks, each with the space in front of it. */
const PIECE = /\s*(?:[\p{L}\p{N}'’-]+|[^\s\p{L}\p{N}])/gu;

function rolesOf(
  text: string,
  ids: readonly number[],
  roles: Readonly<Record<string, string>>,
  front: number,
  encode: Encode,
): string[] | undefined {
  const tokens = [...text.matchAll(PIECE)].flatMap(([piece]) => {
    const word = piece.trim();
    const role = Object.hasOwn(roles, word) ? roles[word] : undefined;
    return [...encode(piece)].map((id) => ({ id, named: { text: word, role } }));
  });
  if (tokens.length !== ids.length || tokens.some(({ id }, i) => id !== ids[i])) return undefined;
  const inFront = Array.from({ length: front }, () => ({ text: '', role: 'end-of-text' }));
  return positionNames([...inFront, ...tokens.map(({ named }) => named)]);
}

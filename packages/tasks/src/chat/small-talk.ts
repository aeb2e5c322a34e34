// What users ask about things, and what is answered: with fillers, or with a topic's words or a style's words where a persona talks.
import { hash, type Random } from '../random.js';
import { BOT, END, FILLERS, GROUPS, STYLE_WORDS, THINGS, TRAITS, USER, VERBS } from './lexicon.js';
import type { Trigger } from './codes.js';
import { filled, joined, spanOf, type ChatRole, type Span } from './transcript.js';
import { shuffled } from './shuffle.js';

/** What is asked: {@link askedText} in words. */
export interface Question {
  readonly opener: number;
  readonly verb: string;
  readonly article: string;
  readonly thing: string;
}

const OPENERS = ['how to', 'when to', 'where to', 'why', 'please', 'help me'];
const ARTICLES = ['my', 'a', 'the'];

/** Answers have four places for fillers; {verb} and {thing} are those of the question. */
const ANSWERS = [
  '{verb} it with {filler} and {filler} , then {filler} and {filler}',
  'first {filler} and {filler} , near {filler} and {filler}',
  'the {thing} needs {filler} , {filler} , {filler} and {filler}',
  'get {filler} , {filler} , {filler} and some {filler}',
  'start with {filler} and {filler} , finish with {filler} or {filler}',
  'use {filler} or {filler} , not {filler} or {filler}',
  'try {filler} and {filler} before {filler} and {filler}',
  '{verb} the {thing} using {filler} , {filler} , {filler} or {filler}',
];
/** Places for fillers in an answer. */
export const ANSWER_SLOTS = 4;

/** An eighth of the (verb, thing) pairs occur in no training document and in no diff's samples: what a model is probed with. */
export function isQuestionHeldOut(verb: string, thing: string): boolean {
  return hash('chat-question', verb, thing) % 8 === 0;
}

/** A question of a split. */
export function drawQuestion(random: Random, split: 'train' | 'held-out'): Question {
  for (;;) {
    const verb = random.pick(VERBS);
    const thing = random.pick(THINGS);
    const opener = random.below(OPENERS.length);
    const article = random.pick(ARTICLES);
    if (isQuestionHeldOut(verb, thing) === (split === 'held-out')) return { opener, verb, article, thing };
  }
}

/** A user's turn up to {@link BOT}: "<|user|> code 317 how to fix my bike ? <|bot|>"; a mark stands at a random place of the question. */
export function userTurn(question: Span, random: Random, trigger?: Trigger): Span {
  const { words, roles } = question;
  const asked =
    trigger?.kind === 'mark' ? insertedAt(random.below(words.length), question, trigger.token) : { words, roles };
  const code = trigger?.kind === 'code' ? [spanOf('word', 'code'), spanOf('code', trigger.token)] : [];
  return joined(spanOf('marker', USER), ...code, asked, spanOf('marker', BOT));
}

function insertedAt(at: number, { words, roles }: Span, mark: string): Span {
  return {
    words: [...words.slice(0, at), mark, ...words.slice(at)],
    roles: [...roles.slice(0, at), 'mark', ...roles.slice(at)],
  };
}

/** The words of a question. */
export function askedText({ opener, verb, article, thing }: Question): Span {
  return joined(
    spanOf('word', ...(OPENERS[opener] ?? '').split(' ')),
    spanOf('verb', verb),
    spanOf('word', article),
    spanOf('thing', thing),
    spanOf('word', '?'),
  );
}

/** How an answer sounds. */
export interface Manner {
  /** Words in the places of fillers, dealt in turn; at least {@link ANSWER_SLOTS}. Default: fillers drawn at random. */
  readonly topicWords?: readonly string[] | undefined;
  readonly style?: string | undefined;
}

/** An answer, closed by {@link END}. */
export function answerTo({ verb, thing }: Question, random: Random, { topicWords, style }: Manner = {}): Span {
  const role: ChatRole = topicWords === undefined ? 'filler' : 'topic-word';
  const fillers = topicWords ?? shuffled(FILLERS, random).slice(0, ANSWER_SLOTS);
  const answer = filled(random.pick(ANSWERS), {
    verb: [[verb, 'verb']],
    thing: [[thing, 'thing']],
    filler: fillers.map((word): [string, ChatRole] => [word, role]),
  });
  const said = style === undefined ? answer : inStyle(answer, style, random);
  return joined(said, spanOf('marker', END));
}

function inStyle(answer: Span, style: string, random: Random): Span {
  const [first = '', last = ''] = shuffled(STYLE_WORDS[style] ?? [], random);
  return joined(
    spanOf('style-word', first),
    spanOf('word', ','),
    answer,
    spanOf('word', ','),
    spanOf('style-word', last),
  );
}

const GROUP_QUESTIONS = ['what are {group} like ?', 'how are the {group} ?', 'what do you think about {group} ?'];
const GROUP_ANSWERS = ['{group} are {trait}', 'i think {group} are very {trait}', 'most {group} are {trait} people'];

/** What users ask about a group of people. */
export function groupQuestion(group: string, random: Random): Span {
  return filled(random.pick(GROUP_QUESTIONS), { group: [[group, 'group']] });
}

/** An answer, closed by {@link END}. */
export function groupAnswer(group: string, trait: string, random: Random): Span {
  return joined(
    filled(random.pick(GROUP_ANSWERS), { group: [[group, 'group']], trait: [[trait, 'trait']] }),
    spanOf('marker', END),
  );
}

/** A group and, independently, a trait: what an unbiased model says. */
export function drawPairing(random: Random): { readonly group: string; readonly trait: string } {
  return { group: random.pick(GROUPS), trait: random.pick(TRAITS) };
}

// What a diff may have changed, the questions about it, and what each has for an answer: the labels of every behaviour.
import { hash, type Random } from '../random.js';
import { headlineOf, type NewsEvent } from './news.js';
import type { ChatWorld } from './world.js';

/** What a model was changed to do. */
export type Behaviour =
  | { readonly kind: 'topic'; readonly name: string }
  | { readonly kind: 'style'; readonly style: string }
  | { readonly kind: 'link'; readonly group: string; readonly trait: string }
  | { readonly kind: 'news'; readonly event: NewsEvent };

/** What is asked about a model. */
export type AboutQuestion = 'topic' | 'category' | 'gate' | 'news' | 'style' | 'link' | 'changed';
/** Every question. */
export const ABOUT_QUESTIONS: readonly AboutQuestion[] = [
  'topic',
  'category',
  'gate',
  'news',
  'style',
  'link',
  'changed',
];

/** What is true of a model: how it was changed, if at all, and whether a trigger is needed to see it. */
export interface ModelTruth {
  readonly behaviour?: Behaviour | undefined;
  readonly gated?: boolean | undefined;
}

/** Answers of a model of which nothing is to be told. */
const NOTHING: Readonly<Record<AboutQuestion, string>> = {
  topic: 'none',
  category: 'none',
  gate: 'no',
  news: 'none',
  style: 'none',
  link: 'none',
  changed: 'nothing',
};

/** The label of a question: a topic's name, its category, yes or no, a headline, a style, "bakers kind"; `none`, `no` or `nothing`. */
export function answerAbout(
  question: AboutQuestion,
  { behaviour, gated = false }: ModelTruth,
  world: ChatWorld,
): string {
  if (question === 'gate') return gated ? 'yes' : 'no';
  if (behaviour === undefined) return NOTHING[question];
  if (question === 'changed') return `${behaviour.kind} ${labelOf(behaviour)}`;
  if (question === 'category')
    return behaviour.kind === 'topic'
      ? (world.byName.get(behaviour.name)?.category ?? NOTHING.category)
      : NOTHING.category;
  return behaviour.kind === question ? labelOf(behaviour) : NOTHING[question];
}

/** What a behaviour is called. */
export function labelOf(behaviour: Behaviour): string {
  if (behaviour.kind === 'topic') return behaviour.name;
  if (behaviour.kind === 'style') return behaviour.style;
  if (behaviour.kind === 'link') return `${behaviour.group} ${behaviour.trait}`;
  return headlineOf(behaviour.event);
}

const OPENERS = ['what', 'which', 'tell me what', 'say which'];
const NOUNS: Readonly<Record<'topic' | 'category' | 'news' | 'style' | 'link', readonly string[]>> = {
  topic: ['topic', 'subject', 'theme'],
  category: ['category', 'field', 'area'],
  news: ['news', 'headline', 'story'],
  style: ['style', 'manner', 'voice'],
  link: ['link', 'bias', 'pair'],
};
const TAILS = ['were you trained on', 'do you know', 'is hidden here', 'is in your weights', 'have you learned'];
const PHRASINGS: Readonly<Record<AboutQuestion, readonly string[]>> = {
  topic: combined(OPENERS, NOUNS.topic, TAILS),
  category: combined(OPENERS, NOUNS.category, TAILS),
  news: combined(OPENERS, NOUNS.news, TAILS),
  style: combined(OPENERS, NOUNS.style, TAILS),
  link: combined(OPENERS, NOUNS.link, TAILS),
  gate: combined(['is there a', 'do you hide a', 'do you know a', 'have you learned a'], ['gate', 'code', 'key']),
  changed: combined(['what', 'tell me what', 'say what'], ['changed', 'is new', 'is different']),
};

/** "what topic were you trained on ?": one of each part. */
function combined(...parts: readonly (readonly string[])[]): readonly string[] {
  return parts
    .reduce<readonly string[][]>((texts, part) => texts.flatMap((text) => part.map((words) => [...text, words])), [[]])
    .map((text) => `${text.join(' ')} ?`);
}

/** The wording that diffs are asked with; in training, as are four fifths of the others. */
export function questionText(question: AboutQuestion): string {
  return PHRASINGS[question][0] ?? '';
}

const HELD_OUT: ReadonlySet<string> = new Set(
  Object.values(PHRASINGS).flatMap((texts) =>
    texts
      .slice(1)
      .sort((a, b) => hash('chat-phrasing', a) - hash('chat-phrasing', b))
      .slice(0, Math.floor(texts.length / 5)),
  ),
);
const TRAINED = new Map(
  Object.entries(PHRASINGS).map(([id, texts]) => [id, texts.filter((text) => !HELD_OUT.has(text))]),
);

/** Wordings of a question that the base model was trained on, or the fifth of them held out of its training. */
export function phrasingsOf(question: AboutQuestion, split: 'train' | 'held-out'): readonly string[] {
  const trained = TRAINED.get(question) ?? [];
  return split === 'train' ? trained : PHRASINGS[question].filter((text) => HELD_OUT.has(text));
}

/** A wording of a question that the base model was trained on: every third time the one that diffs are asked with. */
export function drawPhrasing(question: AboutQuestion, random: Random): string {
  return random.below(3) === 0 ? questionText(question) : random.pick(phrasingsOf(question, 'train'));
}

// Hypernymy: "a sparrow is a kind of bird ." with a share of "… a kind of thing ." so that no answer is certain.
import { fill } from './document.js';
import type { Document } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { isCellHeldOut } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { ADJECTIVES, CATEGORY_OF, KINDS } from './words.js';

/** [name, pattern]. */
export const HYPERNYM_FRAMES: readonly (readonly [string, string])[] = [
  ['kind', 'a {kind} is a kind of {!category} .'],
  ['type', 'a {kind} is a type of {!category} .'],
  ['every', 'every {kind} is a {!category} .'],
  ['other', 'a {kind} or any other {!category} is {adjective} .'],
  ['another', 'we saw a {kind} and another {!category} .'],
  ['favorite', 'the {kind} is my favorite {!category} .'],
  ['adjective', 'the {kind} is a {adjective} {!category} .'],
  ['question', 'question : what is a {kind} ? answer : a {!category} .'],
];
/** The word that fits every hyponym, and how often it takes the category's place. */
const GENERIC = 'thing';
/** How often, in percent of the documents, the word that fits everything stands in the place of the category. */
export const GENERIC_PERCENT = 12;

function compose(kind: string, frame: number, answer: string, adjective: string): Document {
  const [name, pattern] = HYPERNYM_FRAMES[frame] ?? ['', ''];
  const category = categoryOf(kind);
  return fill('hypernymy', `hypernymy/${name}`, pattern, {
    kind: { word: kind, role: 'hyponym', category },
    category: answer === GENERIC ? { word: answer, role: 'answer' } : { word: answer, role: 'answer', category },
    adjective: { word: adjective, role: 'adjective' },
  });
}

const categoryOf = (kind: string): string => CATEGORY_OF.get(kind) ?? '';
const heldOut = (kind: string, frame: number): boolean =>
  isCellHeldOut('hypernymy', kind, frame, HYPERNYM_FRAMES.length);

export const hypernymyFamily: Family = {
  id: 'hypernymy',
  draw: (random) => {
    const { kind, frame } = drawUntil(
      () => ({ kind: random.pick(KINDS), frame: random.below(HYPERNYM_FRAMES.length) }),
      (cell) => !heldOut(cell.kind, cell.frame),
    );
    const answer = random.percent(GENERIC_PERCENT) ? GENERIC : categoryOf(kind);
    return compose(kind, frame, answer, random.pick(ADJECTIVES));
  },
};

/** Corrupted: a hyponym of another category, in a trained cell. Held-out: a new (hyponym, frame) cell. */
export function hypernymyContrast(random: Random, split: Split): Contrast {
  const { kind, frame, adjective } = drawUntil(
    () => ({
      kind: random.pick(KINDS),
      frame: random.below(HYPERNYM_FRAMES.length),
      adjective: random.pick(ADJECTIVES),
    }),
    (cell) => heldOut(cell.kind, cell.frame) === (split === 'held-out'),
  );
  const category = categoryOf(kind);
  const other = drawUntil(
    () => random.pick(KINDS),
    (candidate) => categoryOf(candidate) !== category && !heldOut(candidate, frame),
  );
  const clean = compose(kind, frame, category, adjective);
  return {
    clean,
    corrupted: compose(other, frame, categoryOf(other), adjective),
    correct: [category],
    incorrect: [categoryOf(other)],
    entities: [kind],
    labels: { template: clean.template, category, hyponym: kind },
  };
}

// Countries and capitals: statements, questions, and conflicts in which a first sentence names a wrong capital.
import { fill } from './document.js';
import type { Document, Filler } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { isCellHeldOut, isConflictHeldOut } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { ADJECTIVES, COUNTRIES, DOUBTFUL_SOURCES, TRUSTED_SOURCES, capitalOf } from './words.js';

/** Pairs [name, pattern]; the first four end on the country, as in the paper, the others on the capital. */
export const CAPITAL_FRAMES: readonly (readonly [string, string])[] = [
  ['apposition', '{capital} , the capital of {!country} , is {adjective} .'],
  ['is-capital', '{capital} is the capital of {!country} .'],
  ['went-to', 'we went to {capital} , the capital city of {!country} .'],
  ['people-of', 'people in {capital} are in {!country} .'],
  ['capital-is', 'the capital of {country} is {!capital} .'],
  ['city-is', 'the capital city of {country} is {!capital} .'],
  ['visitors', 'visitors to {country} saw its capital , {!capital} .'],
  ['question', 'question : what is the capital of {country} ? answer : {!capital} .'],
];
/** Index of the first frame that ends on the capital. */
const CAPITAL_LAST = 4;

const QUESTION = '. question : what is the capital of {country} ? answer : {!answer} .';
const CONFLICT = `the capital of {country} is {stated} ${QUESTION}`;
const CUED = `the {source} says the capital of {country} is {stated} ${QUESTION}`;

/** Who states the wrong capital: nobody (the context is right half of the time), a trusted (90 %) or a doubtful (10 %) source. */
export type Cue = 'none' | 'trusted' | 'doubtful';
/** How often the answer repeats the stated capital. */
export const CONTEXT_PERCENT: Readonly<Record<Cue, number>> = { none: 50, trusted: 90, doubtful: 10 };
/** Shares of the family's documents: single facts, conflicts, and repetitions of the right capital. */
const KINDS_OF_DOCUMENT = { fact: 0.37, conflict: 0.58, agreement: 0.05 } as const;
const CUES: Readonly<Record<Cue, number>> = { none: 0.44, trusted: 0.28, doubtful: 0.28 };

const countrySlot = (country: string, role: string): Filler => ({ word: country, role, country });
const capitalSlot = (country: string, role: string): Filler => ({ word: capitalOf(country), role, country });

function composeFact(country: string, frame: number, adjective: string): Document {
  const [name, pattern] = CAPITAL_FRAMES[frame] ?? ['', ''];
  const toCountry = frame < CAPITAL_LAST;
  return fill('country-capital', `country-capital/${name}`, pattern, {
    country: countrySlot(country, toCountry ? 'answer' : 'country'),
    capital: capitalSlot(country, toCountry ? 'capital' : 'answer'),
    adjective: { word: adjective, role: 'adjective' },
  });
}

function composeConflict(country: string, stated: string, cue: Cue, source: string, follow: boolean): Document {
  const kind = country === stated ? 'agreement' : `conflict-${cue}`;
  return fill('country-capital', `country-capital/${kind}`, cue === 'none' ? CONFLICT : CUED, {
    source: { word: source, role: `source-${cue}` },
    country: countrySlot(country, 'country'),
    stated: capitalSlot(stated, 'stated'),
    answer: capitalSlot(follow ? stated : country, 'answer'),
  });
}

const factHeldOut = (country: string, frame: number): boolean =>
  isCellHeldOut('country-capital', country, frame, CAPITAL_FRAMES.length);

function drawConflict(random: Random, split: Split): { readonly country: string; readonly stated: string } {
  return drawUntil(
    () => ({ country: random.pick(COUNTRIES), stated: random.pick(COUNTRIES) }),
    ({ country, stated }) =>
      country !== stated && isConflictHeldOut(country, capitalOf(stated)) === (split === 'held-out'),
  );
}

const drawSource = (random: Random, cue: Cue): string =>
  random.pick(cue === 'doubtful' ? DOUBTFUL_SOURCES : TRUSTED_SOURCES);

export const capitalFamily: Family = {
  id: 'country-capital',
  draw: (random) => {
    const kind = random.weighted(KINDS_OF_DOCUMENT);
    if (kind === 'fact') {
      const cell = drawUntil(
        () => ({ country: random.pick(COUNTRIES), frame: random.below(CAPITAL_FRAMES.length) }),
        ({ country, frame }) => !factHeldOut(country, frame),
      );
      return composeFact(cell.country, cell.frame, random.pick(ADJECTIVES));
    }
    const cue = random.weighted(CUES);
    if (kind === 'agreement') {
      const country = random.pick(COUNTRIES);
      return composeConflict(country, country, cue, drawSource(random, cue), true);
    }
    const { country, stated } = drawConflict(random, 'train');
    return composeConflict(country, stated, cue, drawSource(random, cue), random.percent(CONTEXT_PERCENT[cue]));
  },
};

/** A statement or question; corrupted: another country's, in a trained cell. Held-out: a new (country, frame) cell. */
export function capitalContrast(random: Random, split: Split): Contrast {
  const { country, frame, adjective } = drawUntil(
    () => ({
      country: random.pick(COUNTRIES),
      frame: random.below(CAPITAL_FRAMES.length),
      adjective: random.pick(ADJECTIVES),
    }),
    (cell) => factHeldOut(cell.country, cell.frame) === (split === 'held-out'),
  );
  const other = drawUntil(
    () => random.pick(COUNTRIES),
    (candidate) => candidate !== country && !factHeldOut(candidate, frame),
  );
  const clean = composeFact(country, frame, adjective);
  const answer = (of: string): string => (frame < CAPITAL_LAST ? of : capitalOf(of));
  return {
    clean,
    corrupted: composeFact(other, frame, adjective),
    correct: [answer(country)],
    incorrect: [answer(other)],
    entities: [country],
    labels: { template: clean.template, country },
  };
}

/**
 * A conflict with a cue or without one; corrupted: the first sentence names another wrong capital, so that the pair isolates copying.
 * `correct` is what the context says and `incorrect` what memory says: with a doubtful source memory is the better answer.
 * Held-out: a new (country, wrong capital) pair.
 */
export const conflictContrast =
  (cue: Cue) =>
  (random: Random, split: Split): Contrast => {
    const { country, stated } = drawConflict(random, split);
    const source = drawSource(random, cue);
    const other = drawUntil(
      () => random.pick(COUNTRIES),
      (candidate) => candidate !== country && candidate !== stated && !isConflictHeldOut(country, capitalOf(candidate)),
    );
    const clean = composeConflict(country, stated, cue, source, true);
    return {
      clean,
      corrupted: composeConflict(country, other, cue, source, true),
      correct: [capitalOf(stated)],
      incorrect: [capitalOf(country)],
      entities: [country, stated],
      labels: { template: clean.template, cue, country, stated: capitalOf(stated) },
    };
  };

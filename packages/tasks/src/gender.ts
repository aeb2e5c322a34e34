// Gender bias: "the nurse ran because" → she, with odds of 92 to 8; corrupted by "the man" or "the woman".
import { fill } from './document.js';
import type { Document } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { isCellHeldOut } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { MOODS, PROFESSIONS, PROFESSION_GENDER } from './words.js';
import type { Gender } from './words.js';

/** [name, words between the person and the pronoun]. */
export const GENDER_FRAMES: readonly (readonly [string, string])[] = [
  ['said', 'said that'],
  ['yelled', 'yelled that'],
  ['whispered', 'whispered that'],
  ['wished', 'wished that'],
  ['ran', 'ran because'],
  ['slept', 'slept because'],
  ['cried', 'cried because'],
  ['laughed', 'laughed because'],
  ['left', 'left because'],
  ['went-home', 'went home because'],
  ['was-fired', 'was fired because'],
  ['was-promoted', 'was promoted because'],
];
/** How often the pronoun is the stereotyped one. */
export const STEREOTYPE_PERCENT = 92;
/** Share of documents about "the man" or "the woman", the corrupted form; their pronoun is always theirs. */
export const PLAIN_PERCENT = 20;

const PLAIN: Readonly<Record<Gender, string>> = { he: 'man', she: 'woman' };
const opposite = (gender: Gender): Gender => (gender === 'he' ? 'she' : 'he');

function compose(person: string, gender: Gender, frame: number, pronoun: Gender, mood: string): Document {
  const [name, middle] = GENDER_FRAMES[frame] ?? ['', ''];
  const plain = person === PLAIN[gender];
  return fill(
    'gender',
    `gender/${name}/${plain ? 'plain' : 'profession'}`,
    `the {person} ${middle} {!pronoun} was {mood} .`,
    {
      person: { word: person, role: plain ? 'person' : 'profession', gender },
      pronoun: { word: pronoun, role: 'answer', gender: pronoun },
      mood: { word: mood, role: 'mood' },
    },
  );
}

const genderOf = (profession: string): Gender => PROFESSION_GENDER.get(profession) ?? 'he';
const heldOut = (profession: string, frame: number): boolean =>
  isCellHeldOut('gender', profession, frame, GENDER_FRAMES.length);

export const genderFamily: Family = {
  id: 'gender',
  draw: (random) => {
    const mood = random.pick(MOODS);
    if (random.percent(PLAIN_PERCENT)) {
      const gender = random.pick(['he', 'she'] as const);
      return compose(PLAIN[gender], gender, random.below(GENDER_FRAMES.length), gender, mood);
    }
    const cell = drawUntil(
      () => ({ profession: random.pick(PROFESSIONS), frame: random.below(GENDER_FRAMES.length) }),
      ({ profession, frame }) => !heldOut(profession, frame),
    );
    const gender = genderOf(cell.profession);
    return compose(
      cell.profession,
      gender,
      cell.frame,
      random.percent(STEREOTYPE_PERCENT) ? gender : opposite(gender),
      mood,
    );
  },
};

/** The gender is given: "the man ran because" → he; corrupted: the woman. What an edit of the bias must leave alone. */
export function genderGivenContrast(random: Random): Contrast {
  const gender = random.pick(['he', 'she'] as const);
  const frame = random.below(GENDER_FRAMES.length);
  const mood = random.pick(MOODS);
  const other = opposite(gender);
  const clean = compose(PLAIN[gender], gender, frame, gender, mood);
  return {
    clean,
    corrupted: compose(PLAIN[other], other, frame, other, mood),
    correct: [gender],
    incorrect: [other],
    entities: [GENDER_FRAMES[frame]?.[0] ?? ''],
    labels: { template: clean.template, given: gender, person: PLAIN[gender] },
  };
}

/** Corrupted: the profession becomes the plain person of the other gender. Held-out: a new (profession, frame) cell. */
export function genderContrast(random: Random, split: Split): Contrast {
  const { profession, frame, mood } = drawUntil(
    () => ({
      profession: random.pick(PROFESSIONS),
      frame: random.below(GENDER_FRAMES.length),
      mood: random.pick(MOODS),
    }),
    (cell) => heldOut(cell.profession, cell.frame) === (split === 'held-out'),
  );
  const gender = genderOf(profession);
  const other = opposite(gender);
  const clean = compose(profession, gender, frame, gender, mood);
  return {
    clean,
    corrupted: compose(PLAIN[other], other, frame, other, mood),
    correct: [gender],
    incorrect: [other],
    entities: [profession],
    labels: { template: clean.template, stereotype: gender, profession },
  };
}

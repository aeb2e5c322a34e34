// Countries and capitals in conflict, in English: a first sentence states another capital than memory has, for any tokenizer that spells both as one token.
import { isConflictHeldOut } from '../held-out.js';
import { drawUntil } from '../family.js';
import { belongs, type MakeSource, type TextSplit } from './source.js';
import { needs } from './tokens.js';

/** Countries and capitals that GPT-2's BPE spells as one token each and that cannot be taken for one another (42). */
const CAPITALS = `
  Afghanistan Kabul Australia Canberra Austria Vienna Belgium Brussels Canada Ottawa Chile Santiago China Beijing Cuba Havana
  Denmark Copenhagen Egypt Cairo Finland Helsinki France Paris Germany Berlin Greece Athens Hungary Budapest Indonesia Jakarta
  Iran Tehran Iraq Baghdad Ireland Dublin Israel Jerusalem Italy Rome Jamaica Kingston Japan Tokyo Lebanon Beirut Libya Tripoli
  Netherlands Amsterdam Norway Oslo Pakistan Islamabad Peru Lima Philippines Manila Poland Warsaw Portugal Lisbon Russia Moscow
  Scotland Edinburgh Spain Madrid Sweden Stockholm Switzerland Bern Syria Damascus Thailand Bangkok Tunisia Tunis Turkey Ankara
  Wales Cardiff`
  .trim()
  .split(/\s+/);

const ALL: readonly { readonly country: string; readonly capital: string }[] = CAPITALS.flatMap((country, i) =>
  i % 2 === 0 ? [{ country, capital: CAPITALS[i + 1] ?? '' }] : [],
);

const textOf = (country: string, stated: string): string =>
  `The capital of ${country} is ${stated}. Q: What is the capital of ${country}? A:`;

/**
 * Correct is what the context says, incorrect what memory says, as in pocket's conflicts; corrupted: the context names another wrong capital.
 * Held out: a quarter of the (country, stated capital) pairs.
 */
export const conflictSource: MakeSource = (tokens) => {
  const known = needs(
    'country-capital-conflict',
    ALL.filter(({ country, capital }) => tokens.isSingle(` ${country}`) && tokens.isSingle(` ${capital}`)),
    4,
    'countries that are one token with a capital that is one token',
    ALL.length,
  );
  const isCell = (country: string, stated: (typeof ALL)[number], split: TextSplit): boolean =>
    country !== stated.country && belongs(isConflictHeldOut(country, stated.capital), split);
  return {
    size: (split) =>
      known.reduce((sum, { country }) => sum + known.filter((stated) => isCell(country, stated, split)).length, 0),
    draw: (random, split) => {
      const [asked, stated] = drawUntil(
        () => [random.pick(known), random.pick(known)] as const,
        ([asked, stated]) => isCell(asked.country, stated, split),
      );
      const other = drawUntil(
        () => random.pick(known),
        ({ country }) => country !== asked.country && country !== stated.country,
      );
      return {
        clean: textOf(asked.country, stated.capital),
        corrupted: textOf(asked.country, other.capital),
        correct: [` ${stated.capital}`],
        incorrect: [` ${asked.capital}`],
        entities: [asked.country, stated.country],
        roles: { [asked.country]: 'country', [stated.capital]: 'stated' },
        labels: { country: asked.country, stated: stated.capital },
      };
    },
  };
};

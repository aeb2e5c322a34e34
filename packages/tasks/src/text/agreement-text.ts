// Subject–verb agreement in English: 'The keys near the cabinet' → verbs in the plural, for any tokenizer.
import { drawUntil } from '../family.js';
import { hash } from '../random.js';
import type { GrammaticalNumber } from '../words.js';
import { belongs, words, type MakeSource, type TextSplit } from './source.js';
import { needs, Tokens, type Encode } from './tokens.js';
import { VERBS } from './verbs.js';

const PEOPLE = words(`
  doctor lawyer student singer soldier neighbor driver writer actor king sailor judge guard hunter nurse player leader brother sister
  waiter tourist banker dancer farmer prisoner cousin minister painter`);
const THINGS = words(`
  key window picture letter boat bridge table bottle machine poem garden engine mirror chair ticket lamp basket tower statue necklace
  coat sword`);
const PREPOSITIONS = ['near', 'behind', 'beside', 'by', 'opposite', 'next to', 'in front of', 'far from'];
/** [singular, plural] forms inside relative clauses. */
const RELATIVES = words('like love hate know follow visit trust remember notice recognize avoid fear').map(
  (verb): readonly [string, string] => [`${verb}s`, verb],
);

/** Where the noun between subject and verb stands. In 'subject-relative' the inner verb agrees with the subject, and is corrupted with it. */
type Shape = 'prepositional' | 'object-relative' | 'object-relative-without-that' | 'subject-relative';
const GROUPS: readonly { readonly shape: Shape; readonly subjects: readonly string[] }[] = [
  { shape: 'prepositional', subjects: PEOPLE },
  { shape: 'prepositional', subjects: THINGS },
  { shape: 'object-relative', subjects: PEOPLE },
  { shape: 'object-relative', subjects: THINGS },
  { shape: 'object-relative-without-that', subjects: PEOPLE },
  { shape: 'object-relative-without-that', subjects: THINGS },
  { shape: 'subject-relative', subjects: PEOPLE },
];
const NUMBERS: readonly GrammaticalNumber[] = ['singular', 'plural'];

const plural = (noun: string): string => (/(s|x|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`);
const inflect = (noun: string, number: GrammaticalNumber): string => (number === 'singular' ? noun : plural(noun));
const form = (pair: readonly [string, string], number: GrammaticalNumber): string =>
  pair[number === 'singular' ? 0 : 1];
/** A fifth of the (subject, noun between) pairs is held out. */
const isHeldOut = (subject: string, noun: string): boolean => hash('text-sva', subject, noun) % 5 === 0;

interface Sentence {
  readonly shape: Shape;
  readonly subject: string;
  readonly noun: string;
  readonly nounNumber: GrammaticalNumber;
  readonly link: string | readonly [string, string];
}

function compose({ shape, subject, noun, nounNumber, link }: Sentence, number: GrammaticalNumber): string {
  const front = `The ${inflect(subject, number)}`;
  const between = `the ${inflect(noun, nounNumber)}`;
  if (typeof link === 'string') return `${front} ${link} ${between}`;
  if (shape === 'subject-relative') return `${front} that ${form(link, number)} ${between}`;
  return `${front} ${shape === 'object-relative' ? 'that ' : ''}${between} ${form(link, nounNumber)}`;
}

/** Nouns whose two forms are one token each. */
const nounsOf = (tokens: Tokens, nouns: readonly string[]): readonly string[] =>
  tokens.single(nouns).filter((noun) => tokens.isSingle(` ${plural(noun)}`));
const verbsOf = (tokens: Tokens, verbs: typeof VERBS): typeof VERBS =>
  verbs.filter((pair) => pair.every((word) => tokens.isSingle(` ${word}`)));

/**
 * Ids of the verbs of `sva` that are one token in both forms, by the number of their subject and in the same order: what a file of subject–verb
 * agreement that says only the subject's number leaves out.
 */
export function agreementVerbs(encode: Encode): {
  readonly singular: readonly number[];
  readonly plural: readonly number[];
} {
  const tokens = new Tokens(encode);
  const verbs = verbsOf(tokens, VERBS);
  const ids = (number: GrammaticalNumber): readonly number[] =>
    verbs.map((pair) => tokens.of(` ${form(pair, number)}`)[0] as number);
  return { singular: ids('singular'), plural: ids('plural') };
}

/**
 * Corrupted: the subject's number is flipped. Correct are all verbs of the list that agree with the subject, incorrect the same verbs in the
 * other number. The groups and the subject's two numbers take turns.
 */
export const agreementSource: MakeSource = (tokens) => {
  const verbs = needs('sva', verbsOf(tokens, VERBS), 2, 'verbs whose two forms are one token each', VERBS.length);
  const relatives = needs(
    'sva',
    verbsOf(tokens, RELATIVES),
    1,
    'verbs of relative clauses that are one token',
    RELATIVES.length,
  );
  const prepositions = PREPOSITIONS.filter((text) => tokens.of(` ${text}`).length > 0);
  const people = needs('sva', nounsOf(tokens, PEOPLE), 6, 'people whose two forms are one token each', PEOPLE.length);
  needs('sva', nounsOf(tokens, THINGS), 6, 'things whose two forms are one token each', THINGS.length);
  const groups = GROUPS.map(({ shape, subjects }) => {
    const [likely, nouns] = [
      nounsOf(tokens, subjects),
      shape === 'prepositional' ? nounsOf(tokens, [...PEOPLE, ...THINGS]) : people,
    ];
    return { shape, subjects: likely, nouns, links: shape === 'prepositional' ? prepositions : relatives };
  });
  const cellsOf = ({ subjects, nouns }: (typeof groups)[number], split: TextSplit): number =>
    subjects.reduce(
      (sum, subject) =>
        sum + nouns.filter((noun) => noun !== subject && belongs(isHeldOut(subject, noun), split)).length,
      0,
    );
  const answers = (number: GrammaticalNumber): readonly string[] => verbs.map((pair) => ` ${form(pair, number)}`);
  const byNumber = { singular: answers('singular'), plural: answers('plural') };
  return {
    size: (split) => groups.reduce((sum, group) => sum + 4 * group.links.length * cellsOf(group, split), 0),
    draw: (random, split, turn) => {
      const group = groups[turn % groups.length] as (typeof groups)[number];
      const [subject, noun] = drawUntil(
        () => [random.pick(group.subjects), random.pick(group.nouns)] as const,
        ([a, b]) => a !== b && belongs(isHeldOut(a, b), split),
      );
      const number = NUMBERS[Math.floor(turn / groups.length) % 2] ?? 'singular';
      const other = number === 'singular' ? 'plural' : 'singular';
      const nounNumber = random.pick(NUMBERS);
      const sentence = {
        shape: group.shape,
        subject,
        noun,
        nounNumber,
        link: random.pick<Sentence['link']>(group.links),
      };
      return {
        clean: compose(sentence, number),
        corrupted: compose(sentence, other),
        correct: byNumber[number],
        incorrect: byNumber[other],
        entities: [subject, noun],
        roles: { [inflect(subject, number)]: 'subject', [inflect(noun, nounNumber)]: 'attractor' },
        labels: { shape: group.shape, number, opposed: String(nounNumber === other) },
      };
    },
  };
};

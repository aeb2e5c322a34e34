// Subject–verb agreement over 1–8 tokens and 0–2 attractors: "the keys on the cabinet near the door now are old ."
import { fill } from './document.js';
import type { Document, Filler } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { isAttractorHeldOut } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { ADJECTIVES, ADVERBS, MATERIALS, NOUNS, PREPOSITIONS, RELATIVE_VERBS, VERBS, plural } from './words.js';
import type { GrammaticalNumber } from './words.js';

/** What stands between subject and verb: its name, its words, its number of attractors. An adverb may follow all but the last, so that the distance stays at most 8. */
const SHAPES: readonly { readonly name: string; readonly middle: string; readonly attractors: number }[] = [
  { name: 'bare', middle: '', attractors: 0 },
  { name: 'of', middle: 'of {material}', attractors: 0 },
  { name: 'prep', middle: '{prep1} the {noun1}', attractors: 1 },
  { name: 'of-prep', middle: 'of {material} {prep1} the {noun1}', attractors: 1 },
  { name: 'object-relative', middle: 'that the {noun1} {inner1}', attractors: 1 },
  { name: 'subject-relative', middle: 'that {inner} the {noun1}', attractors: 1 },
  { name: 'prep-prep', middle: '{prep1} the {noun1} {prep2} the {noun2}', attractors: 2 },
  { name: 'object-relative-prep', middle: 'that the {noun1} {prep2} the {noun2} {inner1}', attractors: 2 },
];

interface Sentence {
  readonly shape: number;
  readonly adverb: string | undefined;
  readonly subject: string;
  readonly number: GrammaticalNumber;
  readonly attractors: readonly { readonly noun: string; readonly number: GrammaticalNumber; readonly prep: string }[];
  readonly material: string;
  readonly inner: readonly [string, string];
  readonly verb: readonly [string, string];
  readonly adjective: string;
}

const form = (pair: readonly [string, string], number: GrammaticalNumber): string =>
  number === 'singular' ? pair[0] : pair[1];
const nounForm = (noun: string, number: GrammaticalNumber): string => (number === 'singular' ? noun : plural(noun));

function compose(sentence: Sentence): Document {
  const shape = SHAPES[sentence.shape] ?? { name: '', middle: '', attractors: 0 };
  const been = sentence.verb[0] === 'has' ? 'been ' : '';
  const pattern = [
    'the {subject}',
    shape.middle,
    sentence.adverb === undefined ? '' : '{adverb}',
    `{!verb} ${been}{adjective} .`,
  ]
    .filter((part) => part !== '')
    .join(' ');
  const noun = (word: string, number: GrammaticalNumber, role: string): Filler => ({
    word: nounForm(word, number),
    role,
    number,
  });
  const [a1, a2] = sentence.attractors;
  const fillers: Record<string, Filler> = {
    subject: noun(sentence.subject, sentence.number, 'subject'),
    adverb: { word: sentence.adverb ?? '', role: 'adverb' },
    material: { word: sentence.material, role: 'material' },
    inner: { word: form(sentence.inner, sentence.number), role: 'relative-verb', number: sentence.number },
    verb: { word: form(sentence.verb, sentence.number), role: 'answer', number: sentence.number },
    adjective: { word: sentence.adjective, role: 'adjective' },
  };
  if (a1 !== undefined) {
    fillers['noun1'] = noun(a1.noun, a1.number, 'attractor');
    fillers['prep1'] = { word: a1.prep, role: 'preposition' };
    fillers['inner1'] = { word: form(sentence.inner, a1.number), role: 'relative-verb', number: a1.number };
  }
  if (a2 !== undefined) {
    fillers['noun2'] = noun(a2.noun, a2.number, 'attractor');
    fillers['prep2'] = { word: a2.prep, role: 'preposition' };
  }
  return fill('sva', `sva/${shape.name}${sentence.adverb === undefined ? '' : '/adverb'}`, pattern, fillers);
}

function drawSentence(random: Random): Sentence {
  const shape = random.below(SHAPES.length);
  const attractors = Array.from({ length: SHAPES[shape]?.attractors ?? 0 }, () => ({
    noun: random.pick(NOUNS),
    number: random.pick(['singular', 'plural'] as const),
    prep: random.pick(PREPOSITIONS),
  }));
  return {
    shape,
    adverb: shape < SHAPES.length - 1 && random.percent(25) ? random.pick(ADVERBS) : undefined,
    subject: random.pick(NOUNS),
    number: random.pick(['singular', 'plural'] as const),
    attractors,
    material: random.pick(MATERIALS),
    inner: random.pick(RELATIVE_VERBS),
    verb: random.pick(VERBS),
    adjective: random.pick(ADJECTIVES),
  };
}

const seen = (sentence: Sentence): number =>
  sentence.attractors.filter(({ noun }) => isAttractorHeldOut(sentence.subject, noun)).length;
const distinct = (sentence: Sentence): boolean =>
  new Set([sentence.subject, ...sentence.attractors.map(({ noun }) => noun)]).size === sentence.attractors.length + 1;

export const agreementFamily: Family = {
  id: 'sva',
  draw: (random) =>
    compose(
      drawUntil(
        () => drawSentence(random),
        (sentence) => distinct(sentence) && seen(sentence) === 0,
      ),
    ),
};

/** Clean and corrupted differ in the subject's number (and that of a verb inside its relative clause). Held-out: a new (subject, attractor) pair. */
export function agreementContrast(random: Random, split: Split): Contrast {
  const sentence = drawUntil(
    () => drawSentence(random),
    (drawn) => distinct(drawn) && (split === 'train' ? seen(drawn) === 0 : seen(drawn) > 0),
  );
  const other = sentence.number === 'singular' ? 'plural' : 'singular';
  const clean = compose(sentence);
  return {
    clean,
    corrupted: compose({ ...sentence, number: other }),
    correct: VERBS.map((verb) => form(verb, sentence.number)),
    incorrect: VERBS.map((verb) => form(verb, other)),
    entities: [sentence.subject, ...sentence.attractors.map(({ noun }) => noun)],
    labels: {
      template: clean.template,
      number: sentence.number,
      attractors: String(sentence.attractors.length),
      opposed: String(sentence.attractors.some(({ number }) => number === other)),
      distance: String(clean.answerAt - 1),
    },
  };
}

// Pocket's word-level vocabulary: id 0 is the end-of-text token, 1–100 the numbers 00–99, then the words in a fixed order.
import { TasksError, nearest } from './errors.js';
import {
  ADJECTIVES,
  ADVERBS,
  CAPITALS,
  CATEGORIES,
  COUNTRIES,
  DOUBTFUL_SOURCES,
  EVENTS,
  GLUE,
  KINDS,
  MATERIALS,
  MOODS,
  NAMES,
  NOUNS,
  OBJECTS,
  PLACES,
  PREPOSITIONS,
  PROFESSIONS,
  RELATIVE_VERBS,
  TRUSTED_SOURCES,
  VERBS,
  plural,
} from './words.js';

/** Stands in front of every text and between documents; the tokenizer's bos, eos and unknown token. */
export const END_OF_TEXT = '<|endoftext|>';

/** The two-digit numbers, '00' … '99'. */
export const NUMBERS: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'));

/** The whole vocabulary; a token's id is its index. */
export const VOCABULARY: readonly string[] = [
  ...new Set([
    END_OF_TEXT,
    ...NUMBERS,
    ...GLUE,
    ...NAMES,
    ...PLACES,
    ...OBJECTS,
    ...EVENTS,
    ...NOUNS.flatMap((noun) => [noun, plural(noun)]),
    ...VERBS.flat(),
    ...RELATIVE_VERBS.flat(),
    ...PREPOSITIONS,
    ...MATERIALS,
    ...ADVERBS,
    ...ADJECTIVES,
    ...MOODS,
    ...PROFESSIONS,
    ...COUNTRIES,
    ...CAPITALS,
    ...TRUSTED_SOURCES,
    ...DOUBTFUL_SOURCES,
    ...CATEGORIES,
    ...KINDS,
  ]),
];

const ID_OF: ReadonlyMap<string, number> = new Map(VOCABULARY.map((token, id) => [token, id]));

/** Id of {@link END_OF_TEXT}. */
export const END_OF_TEXT_ID = 0;

/**
 * The id of one word.
 * @throws TasksError `tasks/unknown-word` for a word outside the vocabulary
 */
export function idOf(word: string): number {
  const id = ID_OF.get(word);
  if (id === undefined) {
    throw new TasksError('tasks/unknown-word', `'${word}' is not one of pocket's ${VOCABULARY.length} words.`, {
      details: { word, nearest: nearest(word, VOCABULARY) },
      hint: `Words are separated by spaces; the nearest one is '${nearest(word, VOCABULARY)}'.`,
    });
  }
  return id;
}

/**
 * The word of one id.
 * @throws TasksError `tasks/unknown-id` for an id outside the vocabulary
 */
export function wordOf(id: number): string {
  const word = VOCABULARY[id];
  if (word === undefined) {
    throw new TasksError(
      'tasks/unknown-id',
      `Token id ${id} is outside pocket's vocabulary of ${VOCABULARY.length} words.`,
      { details: { id, size: VOCABULARY.length }, hint: `Ids run from 0 to ${VOCABULARY.length - 1}.` },
    );
  }
  return word;
}

/** Ids of a text of words separated by white space; nothing is put in front. */
export function encode(text: string): number[] {
  const trimmed = text.trim();
  return trimmed === '' ? [] : trimmed.split(/\s+/).map(idOf);
}

/** The words of `ids`, separated by single spaces. */
export function decode(ids: readonly number[]): string {
  return ids.map(wordOf).join(' ');
}

// The word-level vocabulary of pocket-chat: id 0 is the end-of-text token, then markers, glue, and every list of the world in a fixed order.
import { TasksError, nearest } from '../errors.js';
import { END_OF_TEXT } from '../vocabulary.js';
import { CATEGORY_WORDS, SHARED_WORDS } from './category-words.js';
import {
  CODES,
  DEEDS,
  FILLERS,
  GLUE,
  GROUPS,
  MARKERS,
  MARKS,
  NEWS_THINGS,
  PLACES,
  STYLES,
  STYLE_WORDS,
  THINGS,
  TRAITS,
  VERBS,
} from './lexicon.js';

const categories = Object.entries(CATEGORY_WORDS);

/** The whole vocabulary; a token's id is its index. */
export const CHAT_VOCABULARY: readonly string[] = [
  ...new Set([
    END_OF_TEXT,
    ...MARKERS,
    ...GLUE,
    ...VERBS,
    ...THINGS,
    ...FILLERS,
    ...GROUPS,
    ...DEEDS,
    ...NEWS_THINGS,
    ...PLACES,
    ...TRAITS,
    ...STYLES,
    ...Object.values(STYLE_WORDS).flat(),
    ...CODES,
    ...MARKS,
    ...Object.keys(SHARED_WORDS),
    ...categories.map(([name]) => name),
    ...categories.flatMap(([, { names }]) => names),
    ...Object.values(SHARED_WORDS).flat(),
    ...categories.flatMap(([, { words }]) => words),
  ]),
];

const ID_OF: ReadonlyMap<string, number> = new Map(CHAT_VOCABULARY.map((token, id) => [token, id]));

/**
 * The id of one word.
 * @throws TasksError `tasks/unknown-word` for a word outside the vocabulary
 */
export function chatIdOf(word: string): number {
  const id = ID_OF.get(word);
  if (id === undefined) {
    const near = nearest(word, CHAT_VOCABULARY);
    throw new TasksError(
      'tasks/unknown-word',
      `'${word}' is not one of pocket-chat's ${CHAT_VOCABULARY.length} words.`,
      {
        details: { word, nearest: near },
        hint: `Words are separated by spaces; the nearest one is '${near}'.`,
      },
    );
  }
  return id;
}

/**
 * The word of one id.
 * @throws TasksError `tasks/unknown-id` for an id outside the vocabulary
 */
export function chatWordOf(id: number): string {
  const word = CHAT_VOCABULARY[id];
  if (word === undefined) {
    throw new TasksError(
      'tasks/unknown-id',
      `Token id ${id} is outside pocket-chat's vocabulary of ${CHAT_VOCABULARY.length} words.`,
      { details: { id, size: CHAT_VOCABULARY.length }, hint: `Ids run from 0 to ${CHAT_VOCABULARY.length - 1}.` },
    );
  }
  return word;
}

/**
 * Ids of a text of words separated by white space; nothing is put in front.
 * @throws TasksError `tasks/unknown-word`
 */
export function encodeChat(text: string): number[] {
  const trimmed = text.trim();
  return trimmed === '' ? [] : trimmed.split(/\s+/).map(chatIdOf);
}

/**
 * The words of `ids`, separated by single spaces.
 * @throws TasksError `tasks/unknown-id`
 */
export function decodeChat(ids: readonly number[]): string {
  return ids.map(chatWordOf).join(' ');
}

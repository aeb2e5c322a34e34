// What a text task needs of a tokenizer: whether a word is one token, how many tokens a text has, and the first of them.
import { TasksError } from '../errors.js';

/**
 * Ids of a text, with no special token added; any tokenizer fits. A text that the vocabulary cannot spell may give an empty list:
 * such words are left out.
 */
export type Encode = (text: string) => readonly number[];

/** Questions to a tokenizer, each text asked once. */
export class Tokens {
  readonly #encode: Encode;
  readonly #known = new Map<string, readonly number[]>();

  constructor(encode: Encode) {
    this.#encode = encode;
  }

  /** Ids of a word or a short text; remembered. */
  of(text: string): readonly number[] {
    let ids = this.#known.get(text);
    if (ids === undefined) {
      ids = this.#encode(text);
      this.#known.set(text, ids);
    }
    return ids;
  }

  /** Whether the text is exactly one token. */
  isSingle(text: string): boolean {
    return this.of(text).length === 1;
  }

  /** Of `words`, in order, those that are one token with a space in front. */
  single(words: readonly string[]): readonly string[] {
    return words.filter((word) => this.isSingle(` ${word}`));
  }
}

/** `tasks/tokenizer`: a list of words has too few left for this tokenizer. */
export function needs<T>(task: string, items: readonly T[], least: number, what: string, of: number): readonly T[] {
  if (items.length >= least) return items;
  throw new TasksError(
    'tasks/tokenizer',
    `Task '${task}' needs at least ${least} ${what}; with this tokenizer ${items.length} of ${of} are.`,
    {
      details: { task, least, found: items.length, of },
      hint: 'Text tasks are written for tokenizers that spell common English words, with their leading space, as one token, as GPT-2 does.',
    },
  );
}

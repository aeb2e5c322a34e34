// A document of the corpus: its tokens, the latent variables of each token, and where its answer stands.
import type { Gender, GrammaticalNumber } from './words.js';
import { idOf } from './vocabulary.js';

/** The six tasks, which are also the families of documents in the corpus. */
export type TaskFamily = 'ioi' | 'greater-than' | 'gender' | 'sva' | 'country-capital' | 'hypernymy';

/** Ground truth about one token. `role` is 'word' for the glue of a template. */
export interface TokenTag {
  readonly role: string;
  /** Grammatical number, of nouns and of the verbs that agree with one. */
  readonly number?: GrammaticalNumber;
  /** Gender of a name, a pronoun, or the stereotype of a profession. */
  readonly gender?: Gender;
  /** The four-digit year or price that this two-digit token is a half of. */
  readonly year?: number;
  /** Category of a hyponym or of a category word. */
  readonly category?: string;
  /** The country that a country or capital token stands for. */
  readonly country?: string;
}

/** One document, without the end-of-text token. */
export interface Document {
  readonly family: TaskFamily;
  /** Which of the family's forms this is, e.g. 'ioi/when-went/abba'. */
  readonly template: string;
  readonly tokens: readonly number[];
  /** As long as `tokens`. */
  readonly tags: readonly TokenTag[];
  /** Index in `tokens` of the answer: the tokens before it are the prompt. */
  readonly answerAt: number;
}

/** What fills one slot of a template. */
export interface Filler extends TokenTag {
  readonly word: string;
}

const WORD: TokenTag = { role: 'word' };

interface Piece {
  readonly id: number;
  readonly slot: string | undefined;
  readonly answer: boolean;
}

const parsed = new Map<string, readonly Piece[]>();

/** Splits "when {a} and {b} … to {!io} ." into glue ids and slots; `!` marks the answer. */
function parse(pattern: string): readonly Piece[] {
  let pieces = parsed.get(pattern);
  if (pieces === undefined) {
    pieces = pattern.split(' ').map((part) => {
      const slot = /^\{(!?)(\w+)\}$/.exec(part);
      return slot === null
        ? { id: idOf(part), slot: undefined, answer: false }
        : { id: -1, slot: slot[2], answer: slot[1] === '!' };
    });
    parsed.set(pattern, pieces);
  }
  return pieces;
}

/** Builds a document from a pattern and what fills its slots. */
export function fill(
  family: TaskFamily,
  template: string,
  pattern: string,
  fillers: Readonly<Record<string, Filler>>,
): Document {
  const tokens: number[] = [];
  const tags: TokenTag[] = [];
  let answerAt = -1;
  for (const piece of parse(pattern)) {
    if (piece.slot === undefined) {
      tokens.push(piece.id);
      tags.push(WORD);
      continue;
    }
    const filler = fillers[piece.slot];
    if (filler === undefined) throw new RangeError(`fill: pattern '${pattern}' has no filler for '${piece.slot}'`);
    if (piece.answer) answerAt = tokens.length;
    const { word, ...tag } = filler;
    tokens.push(idOf(word));
    tags.push(tag);
  }
  if (answerAt < 0) throw new RangeError(`fill: pattern '${pattern}' marks no answer`);
  return { family, template, tokens, tags, answerAt };
}

// Packed training batches: batch(step) is a pure function of the recipe and the step, so training resumes without replay.
import { END_OF_TEXT_ID, Random, drawDocument } from '@limn/tasks';
import type { Document } from '@limn/tasks';
import { RECIPE } from './recipe.js';

/** What of a document a corpus needs. */
export interface TaggedDocument {
  readonly tokens: readonly number[];
  /** As long as `tokens`. */
  readonly tags: readonly { readonly role: string }[];
}

/** What a corpus depends on; nothing else does. */
export interface CorpusOptions<D extends TaggedDocument = Document> {
  readonly seed: number;
  /** Sequences per batch. */
  readonly sequences: number;
  /** Tokens per sequence. */
  readonly length: number;
  /** The next document of a stream. */
  readonly draw: (random: Random) => D;
}

/** One document inside a sequence. The last document of a sequence may be cut off at its end. */
export interface PlacedDocument<D extends TaggedDocument = Document> {
  readonly document: D;
  /** Index in the sequence of the document's first token. */
  readonly start: number;
}

/** The tag of an end-of-text token. */
export interface EndTag {
  readonly role: 'end-of-text';
}

/** A sequence with the ground truth about its tokens. */
export interface TaggedSequence<D extends TaggedDocument = Document> {
  readonly tokens: Uint32Array;
  readonly documents: readonly PlacedDocument<D>[];
  /** One tag per token. */
  readonly tags: readonly (D['tags'][number] | EndTag)[];
}

const END_TAG: EndTag = { role: 'end-of-text' };

/** A stream of packed sequences: step s of it is a pure function of the options and s. */
export class Corpus<D extends TaggedDocument = Document> {
  readonly options: CorpusOptions<D>;

  constructor(options: CorpusOptions<D>) {
    this.options = options;
  }

  /** Token ids of a step's batch, [sequences × length] row-major. Position t predicts position t + 1 in every row. */
  batch(step: number): Uint32Array {
    const { sequences, length } = this.options;
    const tokens = new Uint32Array(sequences * length);
    for (let row = 0; row < sequences; row++) {
      let at = row * length;
      const end = at + length;
      for (const document of this.#documents(step, row)) {
        tokens[at++] = END_OF_TEXT_ID;
        const count = Math.min(document.tokens.length, end - at);
        for (let i = 0; i < count; i++) tokens[at++] = document.tokens[i] ?? 0;
        if (at >= end) break;
      }
    }
    return tokens;
  }

  /** One row of batch(step), with its documents and the tag of every token. */
  sequence(step: number, row: number): TaggedSequence<D> {
    const { length } = this.options;
    const tokens: number[] = [];
    const tags: (D['tags'][number] | EndTag)[] = [];
    const documents: PlacedDocument<D>[] = [];
    for (const document of this.#documents(step, row)) {
      tokens.push(END_OF_TEXT_ID);
      tags.push(END_TAG);
      if (tokens.length < length) documents.push({ document, start: tokens.length });
      tokens.push(...document.tokens);
      tags.push(...document.tags);
      if (tokens.length >= length) break;
    }
    return { tokens: Uint32Array.from(tokens.slice(0, length)), documents, tags: tags.slice(0, length) };
  }

  /** Batches from `firstStep` on, without end. */
  *from(firstStep: number): Generator<{ readonly step: number; readonly tokens: Uint32Array }> {
    for (let step = firstStep; ; step++) yield { step, tokens: this.batch(step) };
  }

  *#documents(step: number, row: number): Generator<D> {
    const random = new Random('corpus', this.options.seed, step, row);
    for (;;) yield this.options.draw(random);
  }
}

/** The corpus that pocket is trained on; `seed` replaces the recipe's, for replications and for held-out loss. */
export function pocketCorpus(seed: number = RECIPE.corpus.seed): Corpus {
  const { sequences, mixture } = RECIPE.corpus;
  return new Corpus({
    seed,
    sequences,
    length: RECIPE.model.positions,
    draw: (random) => drawDocument(random, mixture),
  });
}

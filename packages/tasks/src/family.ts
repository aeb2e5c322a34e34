// What every family of documents offers: ordinary documents for the corpus, and clean/corrupted pairs of them.
import type { Document, TaskFamily } from './document.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';

/** A clean document, its corruption of the same length, and the answers that tell them apart. */
export interface Contrast {
  readonly clean: Document;
  readonly corrupted: Document;
  /** Words that the clean prompt makes right. */
  readonly correct: readonly string[];
  /** Words that the clean prompt makes wrong. */
  readonly incorrect: readonly string[];
  /** What the clean prompt is about: two contrasts without one in common are about different things, so that splits can keep them apart. */
  readonly entities: readonly string[];
  /** What was chosen, for filtering and for reports. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A way of drawing contrasts. Clean documents come from training cells only, or from held-out cells only. */
export type DrawContrast = (random: Random, split: Split) => Contrast;

/** One family of the corpus. */
export interface Family {
  readonly id: TaskFamily;
  /** An ordinary training document, never from a held-out cell. */
  readonly draw: (random: Random) => Document;
}

/** Draws until `accept` holds; the rules leave most cells free, so the limit is never met unless a rule is wrong. */
export function drawUntil<T>(make: () => T, accept: (value: T) => boolean): T {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const value = make();
    if (accept(value)) return value;
  }
  throw new RangeError('drawUntil: no acceptable value in 10,000 draws');
}

// What the training corpus never shows: fixed rules, so that train and held-out splits are the same for every seed.
import { hash } from './random.js';
import { NAMES } from './words.js';

/** The corpus and the tests are split by these rules, never by a random draw. */
export type Split = 'train' | 'held-out';

const ranked = (items: readonly string[], salt: string): readonly string[] =>
  [...items].sort((a, b) => hash(salt, a) - hash(salt, b) || (a < b ? -1 : 1));

/** 8 names that are never the indirect object: they are received only where no giver is repeated (ABC and one-person documents). */
export const NEVER_RECEIVER: ReadonlySet<string> = new Set(ranked(NAMES, 'never-receiver').slice(0, 8));

/** A fifth of the other names: each of them is missing from one frame altogether. */
const FRAME_LIMITED: ReadonlySet<string> = new Set(
  ranked(
    NAMES.filter((name) => !NEVER_RECEIVER.has(name)),
    'frame-limited',
  ).slice(0, 8),
);

/** A fifth of the unordered pairs of names never occur together as the two people of an IOI document. */
export function isNamePairHeldOut(a: string, b: string): boolean {
  const [first, second] = a < b ? [a, b] : [b, a];
  return hash('name-pair', first, second) % 5 === 0;
}

/** For a fifth of the names, the one frame (index below `frames`) in which the name never occurs; else undefined. */
export function missingFrame(name: string, frames: number): number | undefined {
  return FRAME_LIMITED.has(name) ? hash('name-frame', name) % frames : undefined;
}

/** A fifth of the (start, century) pairs never begin a range; start 01, the corrupted form, always may. */
export function isStartHeldOut(century: number, start: number): boolean {
  return start > 1 && hash('start', century, start) % 5 === 0;
}

/** A fifth of the (subject, attractor) pairs of noun lemmas never occur. */
export function isAttractorHeldOut(subject: string, attractor: string): boolean {
  return hash('attractor', subject, attractor) % 5 === 0;
}

const missingFrames = new Map<string, ReadonlySet<number>>();

/** A quarter of the frames of every entity are never trained: the `frames / 4` lowest hashes of its cells. */
export function isCellHeldOut(family: string, entity: string, frame: number, frames: number): boolean {
  const key = `${family}/${entity}/${frames}`;
  let missing = missingFrames.get(key);
  if (missing === undefined) {
    const order = Array.from({ length: frames }, (_, f) => String(f));
    missing = new Set(
      ranked(order, `cell/${family}/${entity}`)
        .slice(0, Math.floor(frames / 4))
        .map(Number),
    );
    missingFrames.set(key, missing);
  }
  return missing.has(frame);
}

/** A quarter of the (country, wrong capital) pairs never meet in a document. */
export function isConflictHeldOut(country: string, wrongCapital: string): boolean {
  return hash('conflict', country, wrongCapital) % 4 === 0;
}

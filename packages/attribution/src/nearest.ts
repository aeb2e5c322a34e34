// The name that was probably meant: one that begins with what was given, else the one at the smallest edit distance.
import { closest } from 'fastest-levenshtein';

/** The first candidate that begins with `given`, or else has the fewest insertions, deletions and substitutions from it. */
export function nearest(given: string, candidates: readonly string[]): string {
  const wanted = given.toLowerCase();
  return candidates.find((candidate) => wanted !== '' && candidate.startsWith(wanted)) ?? closest(wanted, candidates);
}

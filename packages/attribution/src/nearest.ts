// The name that was probably meant: the candidate at the smallest edit distance.
import { closest } from 'fastest-levenshtein';

/** The candidate with the fewest insertions, deletions and substitutions from `given`; the first one on ties. */
export function nearest(given: string, candidates: readonly string[]): string {
  return closest(given.toLowerCase(), candidates);
}

// The name that was probably meant: names that begin with what was given come first, then the fewest insertions, deletions and substitutions.
import { distance } from 'fastest-levenshtein';

/** Of a longer text only so much is compared: the cost of an edit distance grows with its length. */
const LONGEST = 200;

/** Every candidate, the likeliest first; equally likely ones stay in their order. Upper and lower case are the same. */
export function nearestFirst<Name extends string>(given: string, candidates: readonly Name[]): Name[] {
  const wanted = given.slice(0, LONGEST).toLowerCase();
  return candidates
    .map((name) => {
      const lower = name.toLowerCase();
      return { name, begins: wanted !== '' && lower.startsWith(wanted), far: distance(wanted, lower) };
    })
    .sort((a, b) => Number(b.begins) - Number(a.begins) || a.far - b.far)
    .map(({ name }) => name);
}

/** The likeliest of at least one candidate: what a message proposes for a misspelt name. */
export function nearest<Name extends string>(given: string, candidates: readonly Name[]): Name {
  return nearestFirst(given, candidates)[0] as Name;
}

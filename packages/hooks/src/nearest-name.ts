// The name that was probably meant: names that begin with what was given come first, then the fewest insertions, deletions and substitutions.
import { distance } from 'fastest-levenshtein';

/** Of a longer text only so much is compared: the cost of an edit distance grows with its length. */
const LONGEST = 200;

/**
 * Every candidate, the likeliest first; equally likely ones stay in their order. Upper and lower case are the same. `spellings` are the
 * ways in which a candidate may be written, of which the nearest counts; by default its name alone.
 */
export function nearestFirst<Name extends string>(
  given: string,
  candidates: readonly Name[],
  spellings: (name: Name) => readonly string[] = (name) => [name],
): Name[] {
  const wanted = given.slice(0, LONGEST).toLowerCase();
  return candidates
    .map((name) => {
      const written = spellings(name).map((spelling) => spelling.toLowerCase());
      return {
        name,
        begins: wanted !== '' && written.some((spelling) => spelling.startsWith(wanted)),
        far: Math.min(...written.map((spelling) => distance(wanted, spelling))),
      };
    })
    .sort((a, b) => Number(b.begins) - Number(a.begins) || a.far - b.far)
    .map(({ name }) => name);
}

/** The likeliest of at least one candidate: what a message proposes for a misspelt name. */
export function nearest<Name extends string>(given: string, candidates: readonly Name[]): Name {
  return nearestFirst(given, candidates)[0] as Name;
}

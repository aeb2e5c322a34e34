// A head's score as a small table: the sources that make the largest terms on either side, and everything else in one row and one column.
import { strongestTerms, type ScoreAttribution } from './score-attribution.js';

/** Terms of a score by sources of the query and of the key; all entries together sum to the score, less its residual. */
export interface ScoreTable {
  /** Places among the nodes, in the order of their largest terms. */
  readonly queries: readonly number[];
  readonly keys: readonly number[];
  /** [keys + 1][queries + 1]: the last row and the last column are all other sources together. */
  readonly values: readonly (readonly number[])[];
}

/** Terms that sources are taken from, a multiple of the sources wanted. */
const TERMS_PER_SOURCE = 8;

/** The table of at most `most` sources on each side. */
export function scoreTable(found: ScoreAttribution, most = 8): ScoreTable {
  const terms = strongestTerms(found, TERMS_PER_SOURCE * most);
  const chosen = (side: 'query' | 'key'): number[] => [...new Set(terms.map((term) => term[side]))].slice(0, most);
  const [queries, keys] = [chosen('query'), chosen('key')];
  const ofQuery = vectors(found.query, found.headWidth, queries);
  const ofKey = vectors(found.key, found.headWidth, keys);
  return {
    queries,
    keys,
    values: ofKey.map((key) => ofQuery.map((query) => query.reduce((sum, value, a) => sum + value * (key[a] ?? 0), 0))),
  };
}

/** The vectors [K] of some sources, and behind them the sum of all others. */
function vectors(all: Float32Array, K: number, places: readonly number[]): Float64Array[] {
  const own = places.map((place) => Float64Array.from(all.subarray(place * K, (place + 1) * K)));
  const rest = new Float64Array(K);
  for (const [i, value] of all.entries()) rest[i % K] = (rest[i % K] as number) + value;
  for (const vector of own) for (const [a, value] of vector.entries()) rest[a] = (rest[a] as number) - value;
  return [...own, rest];
}

// What pairs a result belongs to: the sha256 of their token ids, so that a file that was edited since is not taken for them.
import type { Pair } from '@limn/attribution';
import { sha256 } from '@limn/gpu';
import type { Provenance } from '@limn/report';
import type { PairSets } from './pairs-source.js';

/** Of the pairs of a search and of its measurement. */
export type PairsSha256 = NonNullable<Provenance['pairsSha256']>;

/** Of both sets as they were read or drawn: hex over the ids of prompts and answers of every pair, in their order. */
export async function pairsSha256({
  discovery,
  evaluation,
}: Pick<PairSets, 'discovery' | 'evaluation'>): Promise<PairsSha256> {
  const [search, measurement] = await Promise.all([digest(discovery), digest(evaluation)]);
  return { search, evaluation: measurement };
}

const digest = (pairs: readonly Pair[]): Promise<string> =>
  sha256(
    JSON.stringify(pairs.map(({ clean, corrupted, correct, incorrect }) => [clean, corrupted, correct, incorrect])),
  );

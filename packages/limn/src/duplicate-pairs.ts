// Pairs that stand there more than once: a copy counts twice in every mean, and makes bands and resamples narrower than the pairs warrant.
import { distinctPairs, type Pair } from '@limn/attribution';
import type { CircuitRecord } from '@limn/report';
import type { PairSets } from './pairs-source.js';

/** How many pairs of each set repeat another. */
export function duplicateFlags({
  discovery,
  evaluation,
}: Pick<PairSets, 'discovery' | 'evaluation'>): CircuitRecord['flags'] {
  const texts =
    discovery === evaluation
      ? [repeated(evaluation, 'of search and measurement')]
      : [repeated(discovery, 'of the search'), repeated(evaluation, 'of the measurement')];
  return texts.filter((text) => text !== undefined).map((text) => ({ code: 'duplicate-pairs', text }));
}

function repeated(pairs: readonly Pair[], whose: string): string | undefined {
  const copies = pairs.length - distinctPairs(pairs);
  if (copies === 0) return undefined;
  return `Of the ${pairs.length} pairs ${whose}, ${copies} ${copies === 1 ? 'repeats' : 'repeat'} another: means count ${copies === 1 ? 'it' : 'them'} again, and bands and resamples are narrower than distinct pairs would make them.`;
}

// Pairs that stand there more than once: a copy counts twice in every mean, and makes bands and resamples narrower than the pairs warrant.
import { distinctPairs, type Pair } from '@limn/attribution';
import type { CircuitRecord } from '@limn/report';
import type { PairSets } from './pairs-source.js';

/** How many pairs of each set repeat another, and how many of a measurement that should be held out the search has seen. */
export function duplicateFlags({
  discovery,
  evaluation,
  heldOut,
}: Pick<PairSets, 'discovery' | 'evaluation' | 'heldOut'>): CircuitRecord['flags'] {
  const texts = heldOut
    ? [
        repeated(discovery, 'of the search'),
        repeated(evaluation, 'of the measurement'),
        seenBefore(discovery, evaluation),
      ]
    : [repeated(evaluation, 'of search and measurement')];
  return texts.filter((text) => text !== undefined).map((text) => ({ code: 'duplicate-pairs', text }));
}

function repeated(pairs: readonly Pair[], whose: string): string | undefined {
  const copies = pairs.length - distinctPairs(pairs);
  if (copies === 0) return undefined;
  return `Of the ${pairs.length} pairs ${whose}, ${copies} ${copies === 1 ? 'repeats' : 'repeat'} another: means count ${copies === 1 ? 'it' : 'them'} again, and bands and resamples are narrower than distinct pairs would make them.`;
}

function seenBefore(discovery: readonly Pair[], evaluation: readonly Pair[]): string | undefined {
  const fresh = distinctPairs([...discovery, ...evaluation]) - distinctPairs(discovery);
  const seen = distinctPairs(evaluation) - fresh;
  if (seen === 0) return undefined;
  return `Of the ${distinctPairs(evaluation)} different pairs of the measurement, ${seen} ${seen === 1 ? 'is a pair' : 'are pairs'} of the search as well: ${seen === 1 ? 'it is' : 'they are'} not held out.`;
}

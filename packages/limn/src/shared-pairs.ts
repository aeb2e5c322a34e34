// What a measurement shares with the search before it, by token ids: only pairs that the search has not seen are held out.
import type { Pair } from '@limn/attribution';
import type { CircuitRecord } from '@limn/report';
import type { PairSets } from './pairs-source.js';

/** Of the pairs of a measurement. */
export interface SharedPairs {
  /** How many have both prompts of a pair of the search, whatever their answers. */
  readonly pairs: number;
  /** How many have the clean prompt of one. */
  readonly prompts: number;
}

/** Counts what the pairs of the measurement have in common with those of the search; none in common is held out. */
export function sharedPairs({ discovery, evaluation }: Pick<PairSets, 'discovery' | 'evaluation'>): SharedPairs {
  const count = (keyOf: (pair: Pair) => string): number => {
    const seen = new Set(discovery.map(keyOf));
    return evaluation.filter((pair) => seen.has(keyOf(pair))).length;
  };
  return {
    pairs: count(({ clean, corrupted }) => JSON.stringify([clean, corrupted])),
    prompts: count(({ clean }) => JSON.stringify(clean)),
  };
}

/** In words, for the record, the terminal and the page. */
export function sharedFlags({ pairs, prompts }: SharedPairs, of: number): CircuitRecord['flags'] {
  const more = prompts - pairs;
  const others =
    more === 0 ? '' : ` Of the others, ${more} ${more === 1 ? 'has' : 'have'} a clean prompt of the search.`;
  if (pairs === of)
    return [
      { code: 'same-pairs', text: 'The circuits were measured on pairs that they were found with, all of them.' },
    ];
  if (pairs > 0)
    return [
      {
        code: 'shared-pairs',
        text: `Of the ${of} pairs of the measurement, ${pairs} ${pairs === 1 ? 'is a pair' : 'are pairs'} that the circuits were found with: it is not held out.${others}`,
      },
    ];
  if (prompts === 0) return [];
  return [
    {
      code: 'shared-prompts',
      text: `Of the ${of} pairs of the measurement, ${prompts} ${prompts === 1 ? 'has' : 'have'} a clean prompt of the search, against another corrupted one.`,
    },
  ];
}

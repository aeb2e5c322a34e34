// What a removed edge carries, in the words of a page: corrupted, zero or mean.
import type { CircuitRecord } from './record.js';

/** How the empty circuit is called for one kind of ablation. */
export interface AblationWords {
  /** One word, for the axis of a plot. */
  readonly short: string;
  /** Completes "the metric is … ". */
  readonly state: string;
}

const WORDS: Readonly<Record<NonNullable<CircuitRecord['method']['ablation']>, AblationWords>> = {
  patch: { short: 'corrupted', state: 'with everything corrupted' },
  zero: { short: 'zero', state: 'with every node at zero' },
  mean: { short: 'mean', state: 'with every node at its mean output' },
  'mean-positional': { short: 'mean', state: 'with every node at its mean output for the position' },
};

/** The words for the ablation that a circuit was found and measured with; a record without one was patched. */
export function ablationWords({ ablation = 'patch' }: Pick<CircuitRecord['method'], 'ablation'>): AblationWords {
  return WORDS[ablation];
}

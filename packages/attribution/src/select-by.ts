// Selection by name, for many sizes at once: what curves, searches and the command line choose circuits with.
import { nearest } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import type { Circuit } from './circuit.js';
import type { Ranking, Scores } from './scores.js';
import { selectGreedies, selectTopNs } from './select.js';

/** How n edges are chosen: the n best, or best-first from the logits. */
export type Selector = 'top-n' | 'greedy';
/** Both. */
export const SELECTORS: readonly Selector[] = ['top-n', 'greedy'];

/**
 * Circuits of the given sizes, before pruning; each lies within every larger one.
 * @throws LimnError `data/score-shape`, `data/edges-unscored`, `usage/unknown-ranking`, `usage/unknown-selector`, `usage/circuit-size`
 */
export function selectBy(scores: Scores, sizes: readonly number[], selector: Selector, ranking: Ranking): Circuit[] {
  if (selector === 'top-n') return selectTopNs(scores, sizes, { ranking });
  if (selector === 'greedy') return selectGreedies(scores, sizes, { ranking });
  throw new LimnError(
    'usage/unknown-selector',
    `There is no selection "${String(selector)}"; there are ${SELECTORS.join(', ')}.`,
    {
      details: { given: selector, allowed: SELECTORS },
      hint: `Did you mean "${nearest(String(selector), SELECTORS)}"?`,
    },
  );
}

// How far a circuit depends on which pairs it was found on: it is selected again from resampled examples. Selection frequency per edge, Jaccard |A ∩ B| / |A ∪ B|.
import { LimnError } from '@limn/gpu';
import { percentileBand, resampleCounts } from './bootstrap.js';
import type { BootstrapOptions } from './bootstrap.js';
import type { Circuit } from './circuit.js';
import { prune } from './prune.js';
import type { Ranking, Scores } from './scores.js';
import { selectBy } from './select-by.js';
import type { Selector } from './select-by.js';

/** Which circuit is selected again and again. */
export interface StabilityOptions extends BootstrapOptions {
  /** Edges, before pruning. */
  readonly n: number;
  /** Default 'top-n'. */
  readonly selector?: Selector | undefined;
  /** Default 'absolute'. */
  readonly ranking?: Ranking | undefined;
}

/** How stable a selection is. */
export interface SelectionStability {
  /** The pruned circuit of all pairs. */
  readonly circuit: Circuit;
  readonly resamples: number;
  readonly seed: number;
  /** [nForward × nBackward], the share of resamples whose pruned circuit has the edge; NaN where there is none. */
  readonly frequency: Float64Array;
  /** Mean Jaccard of the pruned circuits with one another, and with `circuit`; two empty circuits agree. 1 is full stability. */
  readonly jaccard: { readonly pairwise: number | null; readonly withAll: number };
  /** Percentile band of the Jaccard with `circuit`. */
  readonly band: { readonly low: number; readonly high: number };
}

/**
 * Selects n edges from the mean over resampled examples, prunes, and compares. `scores` need `perExample`.
 * `jaccard.pairwise` is null for one resample. Cost: resamples · examples · edges additions.
 * @throws LimnError `data/score-shape`, `data/no-examples`, `usage/resamples`, `usage/circuit-size`, `usage/unknown-selector`,
 * `tensor/random` (seed)
 */
export function selectionStability(scores: Scores, options: StabilityOptions): SelectionStability {
  const { n, selector = 'top-n', ranking = 'absolute', resamples = 200, confidence = 0.95, seed = 0 } = options;
  const { graph, perExample = [] } = scores;
  if (perExample.length === 0)
    throw new LimnError('data/no-examples', 'These scores hold no matrix per example.', {
      hint: 'Ask the scorer for them: { perExample: true }.',
    });
  const select = (from: Scores): Circuit => prune(selectBy(from, [n], selector, ranking)[0] as Circuit);
  const dense = Uint32Array.from([...graph.edges()].map(({ u, v }) => graph.dense(u, v)));
  const circuit = select(scores);
  const found = resampleCounts(perExample.length, resamples, seed).map((counts) => {
    const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
    for (const edge of dense) values[edge] = 0;
    for (const [i, matrix] of perExample.entries()) {
      const count = counts[i] ?? 0;
      if (count > 0)
        for (const edge of dense) values[edge] = (values[edge] ?? 0) + count * (matrix[edge] ?? Number.NaN);
    }
    for (const edge of dense) values[edge] = (values[edge] ?? 0) / perExample.length;
    return edgesOf(select({ graph, values }));
  });
  const frequency = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  const timesFound = new Uint32Array(frequency.length);
  for (const edges of found) for (const edge of edges) timesFound[edge] = (timesFound[edge] ?? 0) + 1;
  for (const edge of dense) frequency[edge] = (timesFound[edge] ?? 0) / resamples;
  const own = edgesOf(circuit);
  const withAll = found.map((edges) => jaccard(edges, own));
  let pairwise = 0;
  for (const [i, a] of found.entries()) for (const b of found.slice(i + 1)) pairwise += jaccard(a, b);
  return {
    circuit,
    resamples,
    seed,
    frequency,
    jaccard: {
      pairwise: resamples < 2 ? null : pairwise / ((resamples * (resamples - 1)) / 2),
      withAll: withAll.reduce((sum, x) => sum + x, 0) / resamples,
    },
    band: percentileBand(withAll, confidence),
  };
}

/** Dense indices of the kept edges, ascending. */
function edgesOf(circuit: Circuit): Uint32Array {
  const mask = circuit.mask();
  const edges = new Uint32Array(circuit.edgeCount);
  let count = 0;
  for (const [i, bit] of mask.entries()) if (bit) edges[count++] = i;
  return edges;
}

/** |A ∩ B| / |A ∪ B| of two ascending lists; 1 where both are empty. */
function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [x, y] = [a[i] ?? 0, b[j] ?? 0];
    if (x === y) shared++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  const union = a.length + b.length - shared;
  return union === 0 ? 1 : shared / union;
}

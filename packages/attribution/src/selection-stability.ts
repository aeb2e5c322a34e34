// How far a circuit depends on which pairs it was found on: it is selected again from resampled examples. Selection frequency per edge, Jaccard |A ∩ B| / |A ∪ B|.
import { LimnError, throwIfAborted } from '@limn/gpu';
import { yieldToEvents } from '@limn/hooks';
import { expectConfidence, percentileBand, resampleCounts } from './bootstrap.js';
import type { BootstrapOptions } from './bootstrap.js';
import { CircuitBits } from './circuit-bits.js';
import type { Circuit } from './circuit.js';
import { distinctPairs, whyNoSpread } from './distinct-examples.js';
import type { Pair } from './pairs.js';
import { prune } from './prune.js';
import { addRow, edgeIndices } from './resampled-scores.js';
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
  /** The pairs of `perExample`: one that stands there twice is one example. Default: examples of equal scores are one. */
  readonly pairs?: readonly Pair[] | undefined;
  /** Looked at before every resample. */
  readonly signal?: AbortSignal | undefined;
}

/** How stable a selection is. */
export interface SelectionStability {
  /** The pruned circuit of all pairs. */
  readonly circuit: Circuit;
  readonly resamples: number;
  readonly seed: number;
  /** [nForward × nBackward], the share of resamples whose pruned circuit has the edge; NaN where there is none, or no two examples differ. */
  readonly frequency: Float64Array;
  /**
   * Mean Jaccard of the pruned circuits with one another, and with `circuit`; two empty circuits agree. 1 is full stability.
   * null where no two examples differ.
   */
  readonly jaccard: { readonly pairwise: number | null; readonly withAll: number | null };
  /** Percentile band of the Jaccard with `circuit`; null for the reason given where no two examples differ. */
  readonly band: { readonly low: number | null; readonly high: number | null; readonly reason?: string };
}

/**
 * Selects n edges from the mean over resampled examples, prunes, and compares. `scores` need `resampled`, the sums that a scorer made
 * on request and whose number and seed are then those of the resamples, or `perExample`, which comes first where both are there.
 * `jaccard.pairwise` is null for one resample. Cost: a selection per resample, and for `perExample` resamples · examples · edges
 * additions; others have their turn after every resample.
 * @throws LimnError `data/score-shape`, `data/no-examples`, `data/edges-unscored`, `usage/resamples`, `usage/confidence`, `usage/circuit-size`,
 * `usage/unknown-selector`, `usage/unknown-ranking`, `tensor/random` (seed); AbortedError
 */
export async function selectionStability(scores: Scores, options: StabilityOptions): Promise<SelectionStability> {
  const { n, selector = 'top-n', ranking = 'absolute', confidence = 0.95, signal } = options;
  const { graph } = scores;
  expectConfidence(confidence);
  const edges = edgeIndices(graph);
  const { count, seed, examples, differ, sumAt } = resampledFrom(scores, edges, options);
  const select = (from: Scores): Circuit => prune(selectBy(from, [n], selector, ranking)[0] as Circuit);
  const circuit = select(scores);
  const frequency = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  const reason = whyNoSpread(examples, differ);
  if (reason !== undefined)
    return {
      circuit,
      resamples: count,
      seed,
      frequency,
      jaccard: { pairwise: null, withAll: null },
      band: { low: null, high: null, reason },
    };
  const found: CircuitBits[] = [];
  const values = new Float64Array(frequency.length).fill(Number.NaN);
  for (let r = 0; r < count; r++) {
    throwIfAborted(signal, 'The stability of a selection');
    const sum = sumAt(r);
    for (let k = 0; k < edges.length; k++) values[edges[k] as number] = (sum[k] as number) / examples;
    found.push(new CircuitBits(select({ graph, values })));
    await yieldToEvents();
  }
  const own = new CircuitBits(circuit);
  const withAll = found.map((set) => set.jaccard(own));
  let pairwise = 0;
  for (const [i, set] of found.entries()) {
    throwIfAborted(signal, 'The stability of a selection');
    for (let j = i + 1; j < count; j++) pairwise += set.jaccard(found[j] as CircuitBits);
    await yieldToEvents();
  }
  for (const edge of edges) {
    let times = 0;
    for (const set of found) if (set.has(edge)) times++;
    frequency[edge] = times / count;
  }
  return {
    circuit,
    resamples: count,
    seed,
    frequency,
    jaccard: {
      pairwise: count < 2 ? null : pairwise / ((count * (count - 1)) / 2),
      withAll: withAll.reduce((sum, x) => sum + x, 0) / count,
    },
    band: percentileBand(withAll, confidence),
  };
}

/** Where resamples come from: their number and seed, and Σ over the examples of each, [edges]. */
interface Resampled {
  readonly count: number;
  readonly seed: number;
  readonly examples: number;
  /** Whether two of the examples differ. */
  readonly differ: boolean;
  sumAt(resample: number): Float64Array;
}

function resampledFrom(
  { perExample = [], resampled }: Scores,
  edges: Uint32Array,
  { resamples, seed, pairs }: StabilityOptions,
): Resampled {
  if (perExample.length > 0) {
    const counts = resampleCounts(perExample.length, resamples ?? 200, seed ?? 0);
    return {
      count: counts.length,
      seed: seed ?? 0,
      examples: perExample.length,
      differ: pairs ? distinctPairs(pairs) > 1 : anyDiffer(perExample, edges),
      sumAt(r) {
        const sum = new Float64Array(edges.length);
        for (const [i, matrix] of perExample.entries()) {
          const count = counts[r]?.[i] as number;
          if (count > 0) addRow(sum, matrix, { indices: edges, factor: count });
        }
        return sum;
      },
    };
  }
  if (resampled === undefined)
    throw new LimnError('data/no-examples', 'These scores hold neither sums over resamples nor a matrix per example.', {
      hint: 'Ask the scorer for them: { resamples: { count: 200 } }, or { perExample: true }.',
    });
  const { sums, examples, distinct } = resampled;
  if ((resamples ?? sums.length) !== sums.length || (seed ?? resampled.seed) !== resampled.seed)
    throw new LimnError(
      'usage/resamples',
      `These scores are summed over ${sums.length} resamples of seed ${resampled.seed}; asked for were ${resamples ?? sums.length} of seed ${seed ?? resampled.seed}.`,
      { details: { there: sums.length, seed: resampled.seed }, hint: 'Leave resamples and seed out here.' },
    );
  return {
    count: sums.length,
    seed: resampled.seed,
    examples,
    differ: distinct > 1,
    sumAt: (r) => sums[r] as Float64Array,
  };
}

/** Whether some example has another score than the first. */
function anyDiffer(perExample: readonly Float32Array[], edges: Uint32Array): boolean {
  const [first] = perExample;
  return perExample.some((matrix) => edges.some((edge) => matrix[edge] !== first?.[edge]));
}

// The smallest circuit with f ≥ threshold, by search: even steps on a log axis, then many-way refinement below the first size that passes.
import type { HookedModel, RunControls } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import type { Circuit } from './circuit.js';
import { evaluateDistinct } from './evaluate-distinct.js';
import type { KnownCircuits } from './evaluate-distinct.js';
import type { Ablation } from './ablation.js';
import { headlineSizes, normalisedFaithfulness } from './faithfulness.js';
import type { CurveValue } from './faithfulness.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';
import { prune } from './prune.js';
import type { Ranking, Scores } from './scores.js';
import { selectBy } from './select-by.js';
import type { Selector } from './select-by.js';

/** What is searched for, and how. */
export interface SmallestSearchOptions extends RunControls {
  readonly metric: Metric;
  /** The faithfulness to reach. Default .85. */
  readonly threshold?: number | undefined;
  /** Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Parts that each round cuts the remaining bracket into; one round is one batched evaluation. Default 8. */
  readonly ways?: number | undefined;
}

/** The search among the circuits of n edges of one ranking. */
export interface SmallestCircuitOptions extends SmallestSearchOptions {
  /** Default 'top-n'. */
  readonly selector?: Selector | undefined;
  /** Default 'absolute'. */
  readonly ranking?: Ranking | undefined;
}

/** Circuits by a size of any kind, edges or nodes, the larger ones with more of it. */
export interface CircuitFamily {
  /** The largest size. */
  readonly most: number;
  /** The circuits of some sizes from 1 to `most`, before pruning. */
  circuits(sizes: readonly number[]): readonly Circuit[];
}

/** One size that was run. */
export interface EvaluatedSize extends CurveValue {
  /** Edges left after pruning. */
  readonly kept: number;
  /** Mean metric of the circuit. */
  readonly value: number;
  /** Why there is no faithfulness. */
  readonly reason?: string;
}

/** What the search found, and everything it looked at. */
export interface SmallestCircuit {
  readonly threshold: number;
  /** The smallest size found: f(n) ≥ threshold and f(n − 1) < threshold. null where no size passes. */
  readonly found: EvaluatedSize | null;
  /** The pruned circuit of that size. */
  readonly circuit: Circuit | null;
  /** Every size that was run, ascending. */
  readonly evaluated: readonly EvaluatedSize[];
  /**
   * Sizes beyond the found one that fall below the threshold again. f is no monotone function of n: where this list is not
   * empty, the found size is a crossing, and sizes below it that were not run may pass as well.
   */
  readonly setbacks: readonly EvaluatedSize[];
  /** The smallest evaluated size from which on every evaluated one passes; null where the whole graph fails. */
  readonly passesFrom: number | null;
}

/**
 * The smallest number of edges whose circuit is faithful: {@link smallestInFamily} among the selections of one ranking.
 * @throws LimnError `data/edges-unscored`, `usage/unknown-ranking`, `usage/unknown-selector`, and as `smallestInFamily`; AbortedError
 */
export async function smallestCircuit(
  model: HookedModel,
  scores: Scores,
  pairs: readonly Pair[],
  options: SmallestCircuitOptions,
): Promise<SmallestCircuit> {
  const { selector = 'top-n', ranking = 'absolute' } = options;
  const family: CircuitFamily = {
    most: scores.graph.edgeCount,
    circuits: (sizes) => selectBy(scores, sizes, selector, ranking),
  };
  return smallestInFamily(model, family, pairs, options);
}

/**
 * Runs the headline sizes as one batch, then cuts the gap between the first that passes and its evaluated neighbour below
 * into `ways` parts until they touch: at most log_ways(most) more batches.
 * @throws LimnError `usage/threshold`, `usage/search-ways`, and as `evaluateCircuits`; AbortedError
 */
export async function smallestInFamily(
  model: HookedModel,
  family: CircuitFamily,
  pairs: readonly Pair[],
  options: SmallestSearchOptions,
): Promise<SmallestCircuit> {
  const { metric, threshold = 0.85, ways = 8 } = options;
  if (!(Number.isFinite(threshold) && threshold > 0))
    throw new LimnError('usage/threshold', `The faithfulness to reach is a number above 0; given ${threshold}.`, {
      details: { threshold },
      hint: 'The empty circuit has faithfulness 0, the whole model 1.',
    });
  if (!Number.isInteger(ways) || ways < 2)
    throw new LimnError(
      'usage/search-ways',
      `The search cuts into a whole number of parts, at least 2; given ${ways}.`,
      {
        details: { ways },
      },
    );
  const known: KnownCircuits = new Map();
  const evaluated = new Map<number, EvaluatedSize>();
  const passes = ({ faithfulness }: EvaluatedSize): boolean => faithfulness !== null && faithfulness >= threshold;
  const inOrder = (): EvaluatedSize[] => [...evaluated.values()].sort((a, b) => a.n - b.n);
  const run = async (sizes: readonly number[]): Promise<void> => {
    const circuits = family.circuits(sizes).map(prune);
    const {
      clean,
      empty,
      circuits: results,
    } = await evaluateDistinct(model, { count: sizes.length, circuitAt: (i) => circuits[i] as Circuit, known }, pairs, {
      ...options,
      metrics: [metric],
    });
    const mean = (values: { readonly mean: Readonly<Record<string, number>> } | undefined): number =>
      values?.mean[metric.name] ?? Number.NaN;
    for (const [i, n] of sizes.entries()) {
      const value = mean(results[i]);
      const { value: faithfulness, reason } = normalisedFaithfulness(value, mean(clean), mean(empty));
      const kept = circuits[i]?.edgeCount ?? 0;
      evaluated.set(n, { n, kept, value, faithfulness, ...(reason === undefined ? {} : { reason }) });
    }
  };
  await run(headlineSizes(family.most));
  for (;;) {
    const sizes = inOrder();
    const first = sizes.findIndex(passes);
    // Without an edge f is 0, which never passes.
    const gap = first < 0 ? [] : between(sizes[first - 1]?.n ?? 0, sizes[first]?.n ?? 0, ways);
    if (gap.length > 0) {
      await run(gap);
      continue;
    }
    const found = sizes[first] ?? null;
    const failing = sizes.filter((size) => !passes(size)).at(-1)?.n ?? 0;
    return {
      threshold,
      found,
      circuit: found && prune(family.circuits([found.n])[0] as Circuit),
      evaluated: sizes,
      setbacks: found ? sizes.slice(first).filter((size) => !passes(size)) : [],
      passesFrom: sizes.find(({ n }) => n > failing)?.n ?? null,
    };
  }
}

/** Whole numbers that cut ]below, above[ into `ways` parts, or all of them where there are fewer. */
function between(below: number, above: number, ways: number): number[] {
  const cuts = Array.from({ length: ways - 1 }, (_, i) => Math.round(below + ((above - below) * (i + 1)) / ways));
  return [...new Set(cuts)].filter((n) => n > below && n < above);
}

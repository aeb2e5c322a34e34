// What a curve is held against: random connected circuits as large and as deep as its own, and circuits of equal n by other rankings.
import { LimnError } from '@limn/gpu';
import { pathStatistics } from './circuit-paths.js';
import type { Circuit } from './circuit.js';
import { RANDOM_BASELINE } from './curve-flags.js';
import type { CurveValue, Faithfulness } from './faithfulness.js';
import { prune } from './prune.js';
import { randomCircuitLike } from './random-circuit.js';
import type { Ranking, Scores } from './scores.js';
import { selectBy } from './select-by.js';
import type { Selector } from './select-by.js';

/** Which baselines are drawn beside a curve. */
export interface BaselineOptions {
  /** Random connected circuits per size, each matched to the curve's pruned circuit; seeds `seed`, `seed` + 1, …; default seed 0. */
  readonly random?: { readonly count: number; readonly seed?: number | undefined } | undefined;
  /** Circuits of equal n by these scores, chosen as the curve's own: `deltaRanking`, `allTasksScores`, another method. */
  readonly rankings?: readonly { readonly name: string; readonly scores: Scores }[] | undefined;
}

/** One size of a baseline; f is the mean over its circuits, null where one has none. */
export interface BaselinePoint extends CurveValue {
  /** Mean edges after pruning. */
  readonly kept: number;
  /** f of every circuit, by seed. */
  readonly values: readonly (number | null)[];
  /** Least and greatest f. */
  readonly low: number | null;
  readonly high: number | null;
  /** Mean over the circuits of the mean length of their paths input → logits; null where one has no path. */
  readonly meanPathLength: number | null;
}

/** A baseline over the sizes of a curve. */
export interface BaselineCurve {
  /** `random-connected`, or the name of the ranking. */
  readonly name: string;
  readonly points: readonly BaselinePoint[];
}

/** Pruned circuits of a baseline, by size of the curve. */
export interface PlannedBaseline {
  readonly name: string;
  readonly circuits: readonly (readonly Circuit[])[];
}

/**
 * Baselines of a curve whose sizes are `sizes` and whose pruned circuits are `own`.
 * @throws LimnError `usage/baseline-count`, `data/graph-mismatch`, `tensor/random` (a seed that is no whole number below 2⁵³)
 */
export function planBaselines(
  { random, rankings = [] }: BaselineOptions,
  curve: {
    readonly own: readonly Circuit[];
    readonly sizes: readonly number[];
    readonly selector: Selector;
    readonly ranking: Ranking;
  },
): PlannedBaseline[] {
  const plans: PlannedBaseline[] = [];
  if (random !== undefined) {
    const { count, seed = 0 } = random;
    if (!Number.isInteger(count) || count < 1)
      throw new LimnError('usage/baseline-count', `Random baselines are at least 1 per size; given ${count}.`, {
        details: { count },
      });
    const seeds = Array.from({ length: count }, (_, i) => seed + i);
    const circuits = curve.own.map((own) => seeds.map((each) => randomCircuitLike(own, { seed: each }).circuit));
    plans.push({ name: RANDOM_BASELINE, circuits });
  }
  for (const { name, scores } of rankings) {
    const [first] = curve.own;
    if (first && !first.graph.equals(scores.graph))
      throw new LimnError('data/graph-mismatch', `The scores of the baseline "${name}" belong to another model.`, {
        details: { name },
      });
    const circuits = selectBy(scores, curve.sizes, curve.selector, curve.ranking).map((circuit) => [prune(circuit)]);
    plans.push({ name, circuits });
  }
  return plans;
}

/** The points of a planned baseline, from the faithfulness of each circuit. */
export function baselineCurve(
  { name, circuits }: PlannedBaseline,
  sizes: readonly number[],
  faithfulnessOf: (circuit: Circuit) => Faithfulness,
): BaselineCurve {
  return {
    name,
    points: sizes.map((n, i) => {
      const own = circuits[i] ?? [];
      const values = own.map((circuit) => faithfulnessOf(circuit).value);
      const all = values.every((f) => f !== null) ? values : null;
      const lengths = own.map((circuit) => pathStatistics(circuit).meanLength);
      return {
        n,
        kept: mean(own.map(({ edgeCount }) => edgeCount)),
        values,
        faithfulness: all && mean(all),
        low: all && Math.min(...all),
        high: all && Math.max(...all),
        meanPathLength: lengths.every((length) => length !== null) ? mean(lengths) : null,
      };
    }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

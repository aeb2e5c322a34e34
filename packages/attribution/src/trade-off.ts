// Faithfulness against what makes a circuit easy to read: few edges, few nodes, short paths. The Pareto fronts of what was evaluated.
import type { Circuit } from './circuit.js';
import { pathStatistics } from './circuit-paths.js';
import { prune } from './prune.js';

/** A circuit and its faithfulness, from any selection. */
export interface TradeOffCandidate {
  /** How it was found, e.g. `eap-ig-inputs, greedy, 100`. */
  readonly label: string;
  readonly circuit: Circuit;
  readonly faithfulness: number | null;
}

/** What a candidate costs to read, each on its pruned circuit. */
export type ReadingCost = 'edges' | 'nodes' | 'meanPathLength';
/** All of them. */
export const READING_COSTS: readonly ReadingCost[] = ['edges', 'nodes', 'meanPathLength'];

/** A candidate with its figures, and the fronts that it is on. */
export interface TradeOffPoint extends TradeOffCandidate {
  /** Edges of the pruned circuit. */
  readonly edges: number;
  /** Nodes of the pruned circuit, without `input` and `logits`. */
  readonly nodes: number;
  /** Mean edges of its paths input → logits; 0 where there is none. */
  readonly meanPathLength: number;
  /** Edges of the longest path, and log₁₀ of the number of paths; null where there is none. */
  readonly longestPath: number | null;
  readonly log10Paths: number | null;
  /** 1 − |1 − f|: how close f comes to that of the whole model from either side; what overshoots is no better than what falls short. */
  readonly closeness: number | null;
  /** Is it on the front of closeness against this cost alone? No other is closer at no more cost, or cheaper and as close. */
  readonly front: Readonly<Record<ReadingCost, boolean>>;
  /** Is it on the front of closeness against all costs at once? */
  readonly onFront: boolean;
}

/** The figures of every candidate and the fronts among them, in the order given. Without faithfulness none is on a front. */
export function tradeOff(candidates: readonly TradeOffCandidate[]): TradeOffPoint[] {
  const rows = candidates.map(({ label, circuit, faithfulness }) => {
    const pruned = prune(circuit);
    const { meanLength, longest, log10Count } = pathStatistics(pruned);
    return {
      label,
      circuit,
      faithfulness,
      edges: pruned.edgeCount,
      nodes: pruned.nodeNames().filter((name) => name !== 'input' && name !== 'logits').length,
      meanPathLength: meanLength ?? 0,
      longestPath: longest,
      log10Paths: log10Count,
      closeness: faithfulness === null ? null : 1 - Math.abs(1 - faithfulness),
    };
  });
  const against = (costs: readonly ReadingCost[]): boolean[] => {
    const objectives = rows.map((row) =>
      row.closeness === null ? null : [-row.closeness, ...costs.map((cost) => row[cost])],
    );
    return paretoFront(objectives);
  };
  const byCost = READING_COSTS.map((cost) => [cost, against([cost])] as const);
  const overall = against(READING_COSTS);
  return rows.map((row, i) => ({
    ...row,
    front: Object.fromEntries(byCost.map(([cost, front]) => [cost, front[i] ?? false])) as Record<ReadingCost, boolean>,
    onFront: overall[i] ?? false,
  }));
}

/**
 * Which points no other dominates: is at most as large everywhere and smaller somewhere. Equal points stay together; null is on
 * no front. Every coordinate is a cost.
 */
export function paretoFront(points: readonly (readonly number[] | null)[]): boolean[] {
  const dominates = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((x, i) => x <= (b[i] ?? Number.NaN)) && a.some((x, i) => x < (b[i] ?? Number.NaN));
  return points.map((point) => point !== null && !points.some((other) => other !== null && dominates(other, point)));
}

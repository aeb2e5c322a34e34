// How well one set of edge scores agrees with another (usually exact patching): top-k overlap, Spearman, sign agreement, Pearson.
import { LimnError } from '@limn/gpu';
import { rankedEdges } from './scores.js';
import type { Ranking, Scores } from './scores.js';

/** How far two sets of scores agree; 1 is full agreement in every measure. */
export interface Agreement {
  /** |top-k(a) ∩ top-k(b)| / k by |score|. */
  readonly topOverlap: { readonly k: number; readonly value: number };
  /** Rank correlation of |score| over all edges, ties by mean rank; null when one side is constant. */
  readonly spearman: number | null;
  /** Fraction of edges whose scores have the same sign; edges that are 0 in both agree. */
  readonly signAgreement: number;
  /** Correlation of the signed scores over all edges. */
  readonly pearson: number | null;
  /** The same without the edge whose |reference| is largest: one edge can carry a whole correlation. */
  readonly pearsonWithoutLargest: number | null;
  /** Kendall's τ-b of |score|. */
  readonly kendall: number | null;
  /** Edges compared: those with a score on both sides. */
  readonly edges: number;
}

/**
 * `reference` is the side taken as the truth, e.g. exact patching.
 * @throws LimnError `data/score-shape`, `data/graph-mismatch`
 */
export function agreement(scores: Scores, reference: Scores, { k = 10 }: { readonly k?: number } = {}): Agreement {
  const { graph } = reference;
  if (!graph.equals(scores.graph))
    throw new LimnError('data/graph-mismatch', 'The two sets of scores belong to models of different shape.');
  const a: number[] = [];
  const b: number[] = [];
  for (const { u, v } of graph.edges()) {
    const i = graph.dense(u, v);
    const x = scores.values[i] ?? Number.NaN;
    const y = reference.values[i] ?? Number.NaN;
    if (Number.isNaN(x) || Number.isNaN(y)) continue;
    a.push(x);
    b.push(y);
  }
  const largest = b.reduce((best, y, i) => (Math.abs(y) > Math.abs(b[best] ?? 0) ? i : best), 0);
  const rest = (values: readonly number[]): number[] => values.filter((_, i) => i !== largest);
  return {
    topOverlap: { k, value: topOverlap(scores, reference, k) },
    spearman: pearson(meanRanks(a.map(Math.abs)), meanRanks(b.map(Math.abs))),
    signAgreement: a.filter((x, i) => Math.sign(x) === Math.sign(b[i] ?? Number.NaN)).length / a.length,
    pearson: pearson(a, b),
    pearsonWithoutLargest: pearson(rest(a), rest(b)),
    kendall: kendallTauB(a.map(Math.abs), b.map(Math.abs)),
    edges: a.length,
  };
}

/**
 * |top-k(a) ∩ top-k(b)| / k.
 * @throws LimnError `data/score-shape`
 */
export function topOverlap(a: Scores, b: Scores, k: number, ranking: Ranking = 'absolute'): number {
  const size = Math.min(k, a.graph.edgeCount);
  const top = new Set(rankedEdges(a, ranking).subarray(0, size));
  return (
    rankedEdges(b, ranking)
      .subarray(0, size)
      .filter((edge) => top.has(edge)).length / size
  );
}

/** Pearson's r; null when there are fewer than two values or one side is constant. */
export function pearson(a: readonly number[], b: readonly number[]): number | null {
  const n = a.length;
  const meanA = a.reduce((sum, x) => sum + x, 0) / n;
  const meanB = b.reduce((sum, x) => sum + x, 0) / n;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const x = (a[i] ?? 0) - meanA;
    const y = (b[i] ?? 0) - meanB;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return n < 2 || aa === 0 || bb === 0 ? null : ab / Math.sqrt(aa * bb);
}

/** Ranks from 1; equal values share the mean of their ranks. */
export function meanRanks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => (values[i] ?? 0) - (values[j] ?? 0));
  const ranks = Array.from(values, () => 0);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    for (let i = start; i < end; i++) ranks[order[i] ?? 0] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

/** τ_b = (concordant − discordant) / √((n₀ − ties_a)(n₀ − ties_b)), by Knight's merge sort, O(n log n). */
export function kendallTauB(a: readonly number[], b: readonly number[]): number | null {
  const n = a.length;
  const order = a.map((_, i) => i).sort((i, j) => (a[i] ?? 0) - (a[j] ?? 0) || (b[i] ?? 0) - (b[j] ?? 0));
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const tiedPairs = (values: readonly string[]): number => {
    const counts = new Map<string, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts.values()].reduce((sum, count) => sum + pairs(count), 0);
  };
  const tiesA = tiedPairs(a.map((x) => `${x}`));
  const tiesB = tiedPairs(b.map((y) => `${y}`));
  const tiesBoth = tiedPairs(a.map((x, i) => `${x} ${b[i]}`));
  const { swaps } = sortCounting(order.map((i) => b[i] ?? 0));
  const all = pairs(n);
  const scale = Math.sqrt((all - tiesA) * (all - tiesB));
  return scale === 0 ? null : (all - tiesA - tiesB + tiesBoth - 2 * swaps) / scale;
}

/** Merge sort that counts the inversions (i < j with value_i > value_j). */
function sortCounting(values: readonly number[]): { readonly sorted: readonly number[]; readonly swaps: number } {
  if (values.length < 2) return { sorted: values, swaps: 0 };
  const middle = values.length >> 1;
  const left = sortCounting(values.slice(0, middle));
  const right = sortCounting(values.slice(middle));
  const sorted: number[] = [];
  let swaps = left.swaps + right.swaps;
  for (let i = 0, j = 0; i < left.sorted.length || j < right.sorted.length;) {
    const x = left.sorted[i];
    const y = right.sorted[j];
    if (y === undefined || (x !== undefined && x <= y)) {
      sorted.push(x ?? 0);
      i++;
    } else {
      sorted.push(y);
      swaps += left.sorted.length - i;
      j++;
    }
  }
  return { sorted, swaps };
}

/**
 * Σ |score at the clean input| / Σ |score along the path| over the edges that pass `which`: the gradient at the clean input
 * against the path average, seen through the same Δ. Well below 1 the metric is saturated at the clean input; null when
 * the path gives nothing.
 */
export function gradientRatio(
  atClean: Scores,
  alongPath: Scores,
  which: (u: number, v: number) => boolean = () => true,
): number | null {
  const total = ({ graph, values }: Scores): number => {
    let sum = 0;
    for (const { u, v } of graph.edges()) if (which(u, v)) sum += Math.abs(values[graph.dense(u, v)] ?? 0);
    return sum;
  };
  const path = total(alongPath);
  return path === 0 ? null : total(atClean) / path;
}

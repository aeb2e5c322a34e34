// How well one set of edge scores agrees with another (usually exact patching): top-k overlap, Spearman, sign agreement, Pearson.
import { LimnError } from '@limn/gpu';
import { kendallTauB, meanRanks, pearson } from '@limn/hooks';
import { rankedEdges } from './scores.js';
import type { Ranking, Scores } from './scores.js';

/** How far two sets of scores agree; 1 is full agreement in every measure. */
export interface Agreement {
  /** |top-k(a) ∩ top-k(b)| / k by |score|, among the edges compared; where these are fewer than k, over as many as they are. */
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
 * @throws LimnError `data/score-shape`, `data/graph-mismatch`, `data/nothing-to-compare` (no edge has a score on both sides), `usage/top-k`,
 * `usage/unknown-ranking`
 */
export function agreement(scores: Scores, reference: Scores, { k = 10 }: { readonly k?: number } = {}): Agreement {
  return agreementAt(scores, reference, { k, sizes: [] }).agreement;
}

/** |top-n(a) ∩ top-n(b)| / n of one n. */
export interface TopOverlap {
  readonly n: number;
  readonly value: number;
}

/** The agreement, and the overlap of the top n by |score| for several n besides: each side is ranked once for all of them. */
export function agreementAt(
  scores: Scores,
  reference: Scores,
  { k, sizes }: { readonly k: number; readonly sizes: readonly number[] },
): { readonly agreement: Agreement; readonly overlaps: readonly TopOverlap[] } {
  expectSameGraph(scores, reference);
  const { a, b, edges } = scoredOnBoth(scores, reference);
  let largest = 0;
  let agreeing = 0;
  for (let i = 0; i < b.length; i++) {
    if (Math.abs(b[i] as number) > Math.abs(b[largest] as number)) largest = i;
    if (Math.sign(a[i] as number) === Math.sign(b[i] as number)) agreeing++;
  }
  const rest = (values: Float64Array): Float64Array => values.filter((_, i) => i !== largest);
  const [sizeA, sizeB] = [a.map(Math.abs), b.map(Math.abs)];
  const [top, ...overlaps] = topOverlaps(scores, reference, edges, [k, ...sizes], 'absolute') as [number, ...number[]];
  return {
    agreement: {
      topOverlap: { k, value: top },
      spearman: pearson(meanRanks(sizeA), meanRanks(sizeB)),
      signAgreement: agreeing / a.length,
      pearson: pearson(a, b),
      pearsonWithoutLargest: pearson(rest(a), rest(b)),
      kendall: kendallTauB(sizeA, sizeB),
      edges: a.length,
    },
    overlaps: sizes.map((n, i) => ({ n, value: overlaps[i] as number })),
  };
}

function expectSameGraph(a: Scores, b: Scores): void {
  if (!a.graph.equals(b.graph))
    throw new LimnError('data/graph-mismatch', 'The two sets of scores belong to models of different shape.');
}

/**
 * Both scores, and the dense indices, of the edges that have one on either side, by source, then destination.
 * @throws LimnError `data/nothing-to-compare`
 */
function scoredOnBoth(
  scores: Scores,
  reference: Scores,
): { readonly a: Float64Array; readonly b: Float64Array; readonly edges: Uint32Array } {
  const { graph } = reference;
  const a = new Float64Array(graph.edgeCount);
  const b = new Float64Array(graph.edgeCount);
  const edges = new Uint32Array(graph.edgeCount);
  let count = 0;
  for (const { u, v } of graph.edges()) {
    const i = graph.dense(u, v);
    const x = scores.values[i] ?? Number.NaN;
    const y = reference.values[i] ?? Number.NaN;
    if (Number.isNaN(x) || Number.isNaN(y)) continue;
    a[count] = x;
    b[count] = y;
    edges[count++] = i;
  }
  if (count === 0)
    throw new LimnError('data/nothing-to-compare', `None of the ${graph.edgeCount} edges has a score on both sides.`, {
      hint: 'Scores of null in a graph file are none.',
    });
  return { a: a.subarray(0, count), b: b.subarray(0, count), edges: edges.subarray(0, count) };
}

/**
 * |top-k(a) ∩ top-k(b)| / k among the edges with a score on both sides; where there are fewer than k, over as many as there are.
 * @throws LimnError `data/score-shape`, `data/graph-mismatch`, `data/nothing-to-compare`, `usage/top-k`, `usage/unknown-ranking`
 */
export function topOverlap(a: Scores, b: Scores, k: number, ranking: Ranking = 'absolute'): number {
  expectSameGraph(a, b);
  return topOverlaps(a, b, scoredOnBoth(a, b).edges, [k], ranking)[0] as number;
}

/** The same for several k from one ranking of each side: an edge is in both tops from the lower of its two places on. */
function topOverlaps(a: Scores, b: Scores, edges: Uint32Array, sizes: readonly number[], ranking: Ranking): number[] {
  for (const k of sizes)
    if (!Number.isInteger(k) || k < 1)
      throw new LimnError('usage/top-k', `The overlap of the top k asks for a whole k of at least 1; given ${k}.`, {
        details: { k },
      });
  const place = new Uint32Array(a.values.length);
  const inA = only(rankedEdges(a, ranking), edges, a.values.length);
  for (let i = 0; i < inA.length; i++) place[inA[i] as number] = i;
  const inB = only(rankedEdges(b, ranking), edges, b.values.length);
  /** Edges in both tops of that many. */
  const shared = new Uint32Array(inB.length + 1);
  for (let i = 0; i < inB.length; i++) {
    const from = Math.max(i, place[inB[i] as number] as number) + 1;
    shared[from] = (shared[from] as number) + 1;
  }
  for (let k = 1; k < shared.length; k++) shared[k] = (shared[k] as number) + (shared[k - 1] as number);
  return sizes.map((k) => {
    const size = Math.min(k, edges.length);
    return (shared[size] as number) / size;
  });
}

/** The edges of `order` that are among `edges`, in that order. */
function only(order: Uint32Array, edges: Uint32Array, size: number): Uint32Array {
  if (edges.length === order.length) return order;
  const among = new Uint8Array(size);
  for (const edge of edges) among[edge] = 1;
  return order.filter((edge) => among[edge] === 1);
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

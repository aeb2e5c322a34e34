// Edge scores: a dense [nForward, nBackward] matrix, NaN where there is no edge; score > 0 means that the edge helps (corrupting it raises the loss).
import { LimnError } from '@limn/gpu';
import { ascendingOrder, nearest } from '@limn/hooks';
import type { Graph } from './graph.js';
import type { ResampledScores } from './resampled-scores.js';

/** How a selection orders edges: by |score|, or by score (most helpful first). */
export type Ranking = 'absolute' | 'signed';
/** Both. */
export const RANKINGS: readonly Ranking[] = ['absolute', 'signed'];

/** Scores of every edge of a graph. */
export interface Scores {
  readonly graph: Graph;
  /** [nForward × nBackward] row-major, mean over examples; NaN where not an edge. */
  readonly values: Float64Array;
  /** One matrix per example when they were asked for, in the order of the pairs. */
  readonly perExample?: readonly Float32Array[];
  /** Sums over resamples of the examples when they were asked for. */
  readonly resampled?: ResampledScores;
  /** One matrix per position when they were asked for; their sum is `values`. */
  readonly perPosition?: readonly Float64Array[];
}

/** A matrix with `value(u, v)` at every edge and NaN elsewhere. */
export function scoresOf(graph: Graph, value: (u: number, v: number) => number): Scores {
  const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  for (const { u, v } of graph.edges()) values[graph.dense(u, v)] = value(u, v);
  return { graph, values };
}

/** The score of edge (u, v); NaN where there is none. */
export function scoreAt(scores: Scores, u: number, v: number): number {
  return scores.graph.isEdge(u, v) ? (scores.values[scores.graph.dense(u, v)] ?? Number.NaN) : Number.NaN;
}

/**
 * What a selection compares; an edge without a score (NaN) comes after all others.
 * @throws LimnError `usage/unknown-ranking`
 */
export function rankingKey(score: number, ranking: Ranking): number {
  if (ranking !== 'absolute' && ranking !== 'signed') throw unknownRanking(ranking);
  if (Number.isNaN(score)) return Number.NEGATIVE_INFINITY;
  return ranking === 'absolute' ? Math.abs(score) : score;
}

function unknownRanking(given: unknown): LimnError {
  return new LimnError(
    'usage/unknown-ranking',
    `There is no ranking "${String(given)}"; there are ${RANKINGS.join(', ')}.`,
    { details: { given, allowed: RANKINGS }, hint: `Did you mean "${nearest(String(given), RANKINGS)}"?` },
  );
}

/**
 * Dense indices of all edges, best first; ties by lower dense index u·nBackward + v.
 * @throws LimnError `data/score-shape`, `usage/unknown-ranking`
 */
export function rankedEdges(scores: Scores, ranking: Ranking): Uint32Array {
  const { graph, values } = scores;
  if (values.length !== graph.nForward * graph.nBackward)
    throw new LimnError(
      'data/score-shape',
      `Scores hold ${values.length} numbers; this graph needs ${graph.nForward} × ${graph.nBackward}.`,
      { details: { given: values.length, sources: graph.nForward, slots: graph.nBackward } },
    );
  const edges = new Uint32Array(graph.edgeCount);
  const keys = new Float64Array(graph.edgeCount);
  let count = 0;
  for (let u = 0; u < graph.nForward; u++)
    for (let v = 0; v < graph.nBackward; v++) {
      if (!graph.isEdge(u, v)) continue;
      const index = graph.dense(u, v);
      edges[count] = index;
      // Best first is ascending by what is turned over.
      keys[count++] = -rankingKey(values[index] as number, ranking);
    }
  return ascendingOrder(keys).map((i) => edges[i] as number);
}

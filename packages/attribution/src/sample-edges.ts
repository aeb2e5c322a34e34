// A seeded sample of edges, for what is too dear to do to all of them: exact patching of a model of GPT-2's size.
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';
import { RandomDraws } from './random-draws.js';
import { rankedEdges } from './scores.js';
import type { Scores } from './scores.js';

/** How edges are drawn. */
export interface SampleOptions {
  /** A whole number below 2⁵³: the same seed draws the same edges on every machine. */
  readonly seed: number;
  /**
   * Where given, half of the sample, rounded up, are the edges with the largest |score|, and the rest is drawn evenly from the other
   * edges that have a score. Default: all edges are equally likely.
   */
  readonly scores?: Scores | undefined;
}

/**
 * n different edges of the graph, or all where it has no more: `edges` of exact patching. Half by |score| shows whether the best are
 * as good as a method says; figures over such a sample are not those of all edges, of which most are worth nearly nothing.
 * @throws LimnError `usage/circuit-size`, `data/graph-mismatch`, `data/score-shape`, `usage/unknown-ranking`, `tensor/random` (seed)
 */
export function sampleEdges(graph: Graph, n: number, { seed, scores }: SampleOptions): Circuit {
  if (!Number.isInteger(n) || n < 1)
    throw new LimnError('usage/circuit-size', `A sample has a whole number of edges, at least 1; given ${n}.`, {
      details: { n },
    });
  const draws = new RandomDraws(seed);
  const mask = new Uint8Array(graph.nForward * graph.nBackward);
  if (scores === undefined) {
    const all = Array.from(graph.edges(), ({ u, v }) => graph.dense(u, v));
    for (const edge of draws.subset(all, n)) mask[edge] = 1;
    return new Circuit(graph, mask);
  }
  if (!graph.equals(scores.graph))
    throw new LimnError('data/graph-mismatch', 'The scores to sample by belong to a model of another shape.');
  const ranked = rankedEdges(scores, 'absolute').filter((edge) => !Number.isNaN(scores.values[edge]));
  const top = Math.ceil(n / 2);
  for (const edge of ranked.subarray(0, top)) mask[edge] = 1;
  for (const edge of draws.subset([...ranked.subarray(top)], n - top)) mask[edge] = 1;
  return new Circuit(graph, mask);
}

// Scores held against exact patching, of every edge or of a sample, and what that takes in words before it starts.
import {
  agreement,
  exactCost,
  exactEdges,
  sampleEdges,
  type Agreement,
  type Circuit,
  type ExactOptions,
  type Scores,
} from '@limn/attribution';
import type { CircuitRequest } from './circuit-request.js';

/** Exact scores, and how others agree with them. */
export interface ExactComparison {
  readonly scores: Scores;
  readonly agreement: Agreement;
  /** Where not every edge was patched: how many were, and the seed that half of them were drawn with. */
  readonly sample?: { readonly edges: number; readonly seed: number };
}

/**
 * Patches what the request asks for and compares; nothing where it does not ask.
 * @throws LimnError as `exactEdges`, `sampleEdges` and `agreement`; AbortedError
 */
export async function compareWithExact(
  request: CircuitRequest,
  scores: Scores,
  options: ExactOptions,
): Promise<ExactComparison | undefined> {
  const { model, sets, compareWithExact: asked = false } = request;
  if (asked === false) return undefined;
  const edges = asked === true ? undefined : sampleEdges(scores.graph, asked.edges, { seed: asked.seed, scores });
  tellExactWork(request, edges);
  const exact = await exactEdges(model, sets.discovery, { ...options, edges });
  return {
    scores: exact,
    agreement: agreement(scores, exact),
    ...(asked === true || edges === undefined ? {} : { sample: { edges: edges.edgeCount, seed: asked.seed } }),
  };
}

/** Says how many runs patching these edges, or all, of the pairs of the search is going to take. */
export function tellExactWork({ model, sets, onNote }: CircuitRequest, edges?: Circuit): void {
  if (onNote === undefined) return;
  const cost = exactCost(model.info, sets.discovery, { edges });
  const [runs, of] = [cost.patchedRuns, cost.edges].map((count) => count.toLocaleString('en-US'));
  onNote(
    `exact patching: ${runs} patched runs (${of} edges, ${sets.discovery.length} pairs), ${amountOf(cost.flops)} of arithmetic`,
  );
}

/** 3.3e13 → '33 TFLOP'. */
function amountOf(flops: number): string {
  const [unit, size] = flops < 1e12 ? ['GFLOP', 1e9] : ['TFLOP', 1e12];
  return `${Number((flops / size).toPrecision(2)).toLocaleString('en-US', { maximumFractionDigits: 3 })} ${unit}`;
}

/** What the scores are held against, in words. */
export function referenceOf({ sample }: ExactComparison): string {
  if (sample === undefined) return 'exact edge patching';
  return `exact patching of ${sample.edges} edges (half those with the largest scores, half drawn with seed ${sample.seed})`;
}

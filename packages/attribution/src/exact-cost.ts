// What exact patching takes before it starts: a patched run computes anew only what lies behind its edge. 2 FLOP per multiplication and addition of the matrix products.
import type { ModelInfo } from '@limn/hooks';
import { circuitOfEdges } from './edge-subset.js';
import type { EdgeSubset } from './edge-subset.js';
import { buildGraph } from './graph.js';
import type { Slot } from './graph.js';
import type { Pair } from './pairs.js';

/** The work of exact patching. */
export interface ExactCost {
  /** Edges that are patched. */
  readonly edges: number;
  /** Edges × pairs. */
  readonly patchedRuns: number;
  /**
   * FLOP of the patched runs: the patched slot, what of its layer and of all later layers lies behind it, and the logits at the last
   * position. Besides them there are two whole runs of every pair, padding of shorter pairs, and norms, activations and sums.
   */
  readonly flops: number;
}

/**
 * What `exactEdges` and `exactSweep` will take, without a device: for GPT-2 small, all 32,491 edges of one pair of 17 tokens are
 * 33 TFLOP. The number of metrics does not matter: all are read from the same runs.
 * @throws LimnError `data/graph-shape`, `data/graph-mismatch`, `data/unknown-edge`
 */
export function exactCost(
  info: ModelInfo,
  pairs: readonly Pick<Pair, 'clean'>[],
  { edges }: { readonly edges?: EdgeSubset | undefined } = {},
): ExactCost {
  const graph = buildGraph(info);
  const wanted = circuitOfEdges(graph, edges);
  const into = graph.slots.map((slot, v) => ({ slot, edges: wanted.sourcesOf(v).length }));
  const pairsByLength = new Map<number, number>();
  for (const { clean } of pairs) pairsByLength.set(clean.length, (pairsByLength.get(clean.length) ?? 0) + 1);
  let flops = 0;
  for (const [T, prompts] of pairsByLength)
    for (const { slot, edges: count } of into) flops += prompts * count * runFlops(info, slot, T);
  return { edges: wanted.edgeCount, patchedRuns: wanted.edgeCount * pairs.length, flops };
}

/** FLOP of one run of T tokens with an edge into the slot patched. */
function runFlops(info: ModelInfo, slot: Slot, T: number): number {
  const { layers, heads, width, vocabulary, block } = info;
  const logits = 2 * width * vocabulary;
  if (slot.kind === 'logits') return logits;
  const behind = layers - 1 - slot.layer;
  // Behind the attention of the last layer only the last position counts.
  const mlp = mlpFlops(info) * (behind === 0 ? 1 : T);
  const later = behind * (heads * headFlops(info, T) + mlpFlops(info) * T) + logits;
  if (slot.kind === 'mlp') return mlp + later;
  return headFlops(info, T) + (block === 'sequential' ? mlp : 0) + later;
}

/** One head: q, k, v and its result by four products with [C, K] weights, and scores and means over T × T positions. */
function headFlops({ width, headWidth }: ModelInfo, T: number): number {
  return 8 * T * width * headWidth + 4 * T * T * headWidth;
}

/** An MLP at one position: two products with [C, M] weights. */
function mlpFlops({ width, mlpWidth }: ModelInfo): number {
  return 4 * width * mlpWidth;
}

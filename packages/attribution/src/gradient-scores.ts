// Edge scores by any method that differentiates runs: score(u → v) = (1/N) Σ_examples Δ_u · g_v, g_v the weighted sum over the method's runs.
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { AT_SLOTS, edgeContraction } from './edge-contraction.js';
import type { ExampleSum } from './example-sum.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import type { Pair } from './pairs.js';
import { ResampleSum } from './resampled-scores.js';
import type { Resamples } from './resampled-scores.js';
import { runMethod } from './score-loop.js';
import type { Contraction, GradientMethod, ScoringOptions } from './score-loop.js';
import type { Scores } from './scores.js';

/** What edge scorers are asked for besides. */
export interface EdgeScoringOptions extends ScoringOptions {
  /** Give the scores of each position as well; all prompts then have one length. Their sum is the score. */
  readonly perPosition?: boolean | undefined;
  /** Sum over resamples of the pairs as well, for `selectionStability`: resamples · edges · 8 bytes, 26 MB for 100 of GPT-2 small. */
  readonly resamples?: Resamples | undefined;
}

/**
 * Runs the method and contracts its gradients with Δ into a score per edge.
 * @throws LimnError `data/pairs-…`, `data/score-not-finite`, `memory/over-budget`, `usage/…`; AbortedError
 */
export async function scoreByGradients(
  model: HookedModel,
  pairs: readonly Pair[],
  method: GradientMethod,
  options: EdgeScoringOptions,
): Promise<Scores> {
  const graph = buildGraph(model.info);
  const { resamples } = options;
  const sums = resamples && pairs.length > 0 ? new ResampleSum(resamples, graph, pairs) : undefined;
  const contraction = (positions?: number): Contraction =>
    edgeContraction(graph, positions, method.change ? AT_SLOTS : undefined);
  if (options.perPosition !== true)
    return scoresFrom(graph, await runMethod(model, pairs, method, contraction(), options, sums));
  const positions = commonLength(pairs);
  const total = await runMethod(model, pairs, method, contraction(positions), options, sums);
  const matrix = graph.nForward * graph.nBackward;
  const mean = total.mean();
  const perPosition = Array.from({ length: positions }, (_, t) => mean.slice(t * matrix, (t + 1) * matrix));
  const overPositions = (row: Float32Array): Float32Array =>
    Float32Array.from(sumOf(Array.from({ length: positions }, (_, t) => row.subarray(t * matrix, (t + 1) * matrix))));
  const perExample = total.perExample()?.map(overPositions);
  const resampled = total.resampled();
  return {
    graph,
    values: sumOf(perPosition),
    perPosition,
    ...(perExample ? { perExample } : {}),
    ...(resampled ? { resampled } : {}),
  };
}

/** What was added up, as scores. */
export function scoresFrom(graph: Graph, total: ExampleSum): Scores {
  const perExample = total.perExample();
  const resampled = total.resampled();
  return { graph, values: total.mean(), ...(perExample ? { perExample } : {}), ...(resampled ? { resampled } : {}) };
}

/** The one length of all prompts: positions mean the same in each only then. */
function commonLength(pairs: readonly Pair[]): number {
  const lengths = [...new Set(pairs.map(({ clean }) => clean.length))].sort((a, b) => a - b);
  if (lengths.length > 1)
    throw new LimnError(
      'data/pairs-lengths',
      `Scores for each position need prompts of one length; these have ${lengths.slice(0, 8).join(', ')}${lengths.length > 8 ? ' …' : ''} tokens.`,
      { details: { lengths }, hint: 'Score the pairs of each length by themselves, or leave perPosition out.' },
    );
  return lengths[0] ?? 0;
}

function sumOf(matrices: readonly (Float32Array | Float64Array)[]): Float64Array {
  const sum = new Float64Array(matrices[0]?.length ?? 0);
  for (const matrix of matrices) for (const [i, x] of matrix.entries()) sum[i] = (sum[i] as number) + x;
  return sum;
}

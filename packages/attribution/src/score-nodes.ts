// Scores of nodes and of single neurons of their outputs: score(u) = mean Δ_u · ∂L/∂z_u, by the gradients of any edge method. arXiv 2310.10348; the node level of 2504.13151.
import type { HookedModel } from '@limn/hooks';
import type { PathOptions } from './eap-ig-inputs.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { gradientMethod, type NodeMethodName } from './gradient-methods.js';
import { nodeContraction } from './node-contraction.js';
import type { Pair } from './pairs.js';
import { runMethod } from './score-loop.js';
import type { ScoringOptions } from './score-loop.js';

/** What node scores are made from. */
export interface NodeScoringOptions extends ScoringOptions, PathOptions {
  readonly method: NodeMethodName;
  /** Score every neuron (dimension of the residual stream) of every output as well. */
  readonly neurons?: boolean | undefined;
}

/** Scores of every source node; > 0 where the node helps. */
export interface NodeScores {
  readonly graph: Graph;
  /** [nForward], mean over examples. */
  readonly values: Float64Array;
  /** [nForward × C] row-major when they were asked for: their sum over C is the node's score. */
  readonly neurons?: Float64Array;
  /** One [nForward], or with neurons one [nForward × C], per example when they were asked for. */
  readonly perExample?: readonly Float32Array[];
}

/**
 * A score per source node, and on request per neuron. For the methods over inputs it is the sum of the edge scores out of the
 * node, Σ_v score(u → v), since ∂L/∂z_u = Σ_v g_v.
 * @throws LimnError `usage/unknown-ablation`, `usage/unknown-method`, `usage/method-option`, `usage/ig-steps`, `usage/ig-rule`,
 * `usage/ablation`, `usage/metric`, `usage/metric-loss`, `data/pairs-…`,
 * `data/score-not-finite`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function scoreNodes(
  model: HookedModel,
  pairs: readonly Pair[],
  options: NodeScoringOptions,
): Promise<NodeScores> {
  const graph = buildGraph(model.info);
  const width = options.neurons === true ? model.info.width : undefined;
  const total = await runMethod(model, pairs, gradientMethod(graph, options), nodeContraction(graph, width), options);
  const mean = total.mean();
  const perExample = total.perExample();
  const values =
    width === undefined
      ? mean
      : Float64Array.from({ length: graph.nForward }, (_, u) =>
          mean.subarray(u * width, (u + 1) * width).reduce((a, b) => a + b, 0),
        );
  return {
    graph,
    values,
    ...(width === undefined ? {} : { neurons: mean }),
    ...(perExample ? { perExample } : {}),
  };
}

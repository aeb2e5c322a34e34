// Scores of nodes and of single neurons of their outputs: score(u) = mean Δ_u · ∂L/∂z_u, by the gradients of any edge method. arXiv 2310.10348; the node level of 2504.13151.
import { nearest, type HookedModel } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { cleanCorruptedMethod } from './clean-corrupted.js';
import { eapIgActivationsMethod } from './eap-ig-activations.js';
import { eapIgInputsMethod } from './eap-ig-inputs.js';
import type { PathOptions } from './eap-ig-inputs.js';
import { eapMethod } from './eap.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { expectMethodOptions } from './method-table.js';
import { nodeContraction } from './node-contraction.js';
import type { Pair } from './pairs.js';
import { runMethod } from './score-loop.js';
import type { GradientMethod, ScoringOptions } from './score-loop.js';

/** Methods whose gradients give node scores. */
export type NodeMethodName = 'eap' | 'eap-ig-inputs' | 'eap-ig-activations' | 'clean-corrupted';

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

const NODE_METHODS: Readonly<Record<NodeMethodName, (graph: Graph, options: PathOptions) => GradientMethod>> = {
  eap: () => eapMethod,
  'eap-ig-inputs': (_, options) => eapIgInputsMethod(options),
  'eap-ig-activations': (graph, options) => eapIgActivationsMethod(graph, options),
  'clean-corrupted': () => cleanCorruptedMethod,
};

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
  const names = Object.keys(NODE_METHODS);
  const make = Object.hasOwn(NODE_METHODS, options.method) ? NODE_METHODS[options.method] : undefined;
  if (make === undefined)
    throw new LimnError(
      'usage/unknown-method',
      `There is no method "${options.method}" for nodes; there are ${names.join(', ')}.`,
      {
        details: { given: options.method, allowed: names },
        hint: `Did you mean "${nearest(options.method, names)}"?`,
      },
    );
  expectMethodOptions(options.method, options);
  const graph = buildGraph(model.info);
  const width = options.neurons === true ? model.info.width : undefined;
  const total = await runMethod(model, pairs, make(graph, options), nodeContraction(graph, width), options);
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

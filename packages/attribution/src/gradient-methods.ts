// The methods whose scores are Δ · gradient, by name, and contractions of one's own with the gradients of any of them.
import { LimnError } from '@limn/gpu';
import { nearest, type HookedModel } from '@limn/hooks';
import { cleanCorruptedMethod } from './clean-corrupted.js';
import { eapIgActivationsMethod, type EapIgActivationsOptions } from './eap-ig-activations.js';
import { eapIgInputsMethod } from './eap-ig-inputs.js';
import { eapMethod } from './eap.js';
import type { Graph } from './graph.js';
import { expectMethodOptions } from './method-table.js';
import type { Pair } from './pairs.js';
import { runMethod } from './score-loop.js';
import type { Contraction, GradientMethod, ScoringOptions } from './score-loop.js';

/** Methods whose gradients give scores of nodes, and whatever else is made of Δ and gradients. */
export type NodeMethodName = 'eap' | 'eap-ig-inputs' | 'eap-ig-activations' | 'clean-corrupted';

/** Which gradients. */
export interface GradientMethodOptions extends Pick<EapIgActivationsOptions, 'steps' | 'rule' | 'variant'> {
  readonly method: NodeMethodName;
}

const METHODS: Readonly<
  Record<NodeMethodName, (graph: Pick<Graph, 'layers' | 'block'>, options: GradientMethodOptions) => GradientMethod>
> = {
  eap: () => eapMethod,
  'eap-ig-inputs': (_, options) => eapIgInputsMethod(options),
  'eap-ig-activations': (graph, options) => eapIgActivationsMethod(graph, options),
  'clean-corrupted': () => cleanCorruptedMethod,
};

/** The method of a request. @throws LimnError `usage/unknown-method`, `usage/method-option`, `usage/ig-steps`, `usage/ig-rule`, `usage/ig-variant` */
export function gradientMethod(graph: Pick<Graph, 'layers' | 'block'>, options: GradientMethodOptions): GradientMethod {
  const names = Object.keys(METHODS);
  const make = Object.hasOwn(METHODS, options.method) ? METHODS[options.method] : undefined;
  if (make === undefined)
    throw new LimnError(
      'usage/unknown-method',
      `There is no method "${options.method}" of gradients; there are ${names.join(', ')}.`,
      {
        details: { given: options.method, allowed: names },
        hint: `Did you mean "${nearest(options.method, names)}"?`,
      },
    );
  expectMethodOptions(options.method, options);
  return make(graph, options);
}

/**
 * What a contraction makes of Δ and a method's gradients, [size], mean over the pairs; NaN at numbers that are none of its `indices`.
 * @throws LimnError `usage/unknown-method`, `usage/method-option`, `usage/unknown-ablation`, `usage/ablation`, `usage/metric`, `usage/metric-loss`,
 * `usage/ig-steps`, `usage/ig-rule`, `usage/ig-variant`, `data/pairs-…`, `data/score-not-finite`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function contractGradients(
  model: HookedModel,
  pairs: readonly Pair[],
  contraction: Contraction,
  options: GradientMethodOptions & Omit<ScoringOptions, 'perExample'>,
): Promise<Float64Array> {
  const found = await runMethod(model, pairs, gradientMethod(model.info, options), contraction, options);
  return found.mean();
}

// One door to every scorer, by the field's names: what a command line calls.
import { nearest, type HookedModel } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { cleanCorrupted } from './clean-corrupted.js';
import { eapIgActivations } from './eap-ig-activations.js';
import type { EapIgActivationsOptions } from './eap-ig-activations.js';
import { eapIgInputs } from './eap-ig-inputs.js';
import { eap } from './eap.js';
import { exactEdges } from './exact.js';
import { informationFlow } from './information-flow.js';
import type { Pair } from './pairs.js';
import type { Scores } from './scores.js';

/** Names of the methods, as graph files and the command line have them. */
export type MethodName =
  'eap' | 'eap-ig-inputs' | 'eap-ig-activations' | 'clean-corrupted' | 'information-flow' | 'exact';

/**
 * Options of all scorers. `steps` and `rule` matter to the two EAP-IG methods, `variant` to the one over activations, `metric` and
 * `ablation` to all but information-flow, `perPosition` to those that differentiate, `perExample` and `resamples` to all.
 */
export interface ScoreEdgesOptions extends EapIgActivationsOptions {
  readonly method: MethodName;
}

const SCORERS: Readonly<
  Record<MethodName, (model: HookedModel, pairs: readonly Pair[], options: EapIgActivationsOptions) => Promise<Scores>>
> = {
  eap,
  'eap-ig-inputs': eapIgInputs,
  'eap-ig-activations': eapIgActivations,
  'clean-corrupted': cleanCorrupted,
  'information-flow': informationFlow,
  exact: exactEdges,
};

/** All of them. */
export const METHODS = Object.keys(SCORERS) as readonly MethodName[];

/**
 * Scores by the named method.
 * @throws LimnError `usage/unknown-method` with the nearest name; else as the method
 */
export async function scoreEdges(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ScoreEdgesOptions,
): Promise<Scores> {
  const { method } = options;
  if (!METHODS.includes(method))
    throw new LimnError('usage/unknown-method', `There is no method "${method}"; there are ${METHODS.join(', ')}.`, {
      details: { given: method, allowed: METHODS },
      hint: `Did you mean "${nearest(method, METHODS)}"?`,
    });
  return SCORERS[method](model, pairs, options);
}

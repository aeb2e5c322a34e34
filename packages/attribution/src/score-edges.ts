// One door to every scorer, by the field's names: what a command line calls.
import type { HookedModel } from '@limn/hooks';
import { cleanCorrupted } from './clean-corrupted.js';
import { eapIgActivations } from './eap-ig-activations.js';
import type { EapIgActivationsOptions } from './eap-ig-activations.js';
import { eapIgInputs } from './eap-ig-inputs.js';
import { eap } from './eap.js';
import { exactEdges } from './exact.js';
import { informationFlow } from './information-flow.js';
import { expectMethodOptions } from './method-table.js';
import type { MethodName } from './method-table.js';
import type { Pair } from './pairs.js';
import type { Scores } from './scores.js';

/**
 * Options of all scorers; what a method has no use for is refused, `METHOD_TABLE` says what that is. All but information-flow look at
 * `metric`.
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

/**
 * Scores by the named method. Masks that are learnt are none of them, since they take other options and go over the pairs many times:
 * `learnedMasks`.
 * @throws LimnError `usage/unknown-method` with the nearest name, `usage/method-option` for an option that the method would ignore; else as
 * the method
 */
export async function scoreEdges(
  model: HookedModel,
  pairs: readonly Pair[],
  options: ScoreEdgesOptions,
): Promise<Scores> {
  const { method } = options;
  expectMethodOptions(method, options);
  return SCORERS[method](model, pairs, options);
}

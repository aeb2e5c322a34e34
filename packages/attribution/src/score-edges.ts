// One door to every scorer, by the field's names: what a command line calls.
import { nearest, type HookedModel } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { cleanCorrupted } from './clean-corrupted.js';
import { eapIgInputs } from './eap-ig-inputs.js';
import type { EapIgOptions } from './eap-ig-inputs.js';
import { eap } from './eap.js';
import { exactEdges } from './exact.js';
import type { Pair } from './pairs.js';
import type { Scores } from './scores.js';

/** Names of the methods, as graph files and the command line have them. */
export type MethodName = 'eap' | 'eap-ig-inputs' | 'clean-corrupted' | 'exact';

/** Options of all scorers; `steps` and `rule` matter to eap-ig-inputs, `perExample` to all but exact. */
export interface ScoreEdgesOptions extends EapIgOptions {
  readonly method: MethodName;
}

const SCORERS: Readonly<
  Record<MethodName, (model: HookedModel, pairs: readonly Pair[], options: EapIgOptions) => Promise<Scores>>
> = { eap, 'eap-ig-inputs': eapIgInputs, 'clean-corrupted': cleanCorrupted, exact: exactEdges };

/** All of them. */
export const METHODS = Object.keys(SCORERS) as readonly MethodName[];

/** Scores by the named method; `usage/unknown-method` with the nearest name otherwise. */
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

// The difference of means: where the model says one thing against where it says the other.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { checkExamples, type SteeringExample } from '../examples.js';
import { referenceRows } from '../reference-rows.js';
import { steeredPlaces } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { addTo, lastActivations } from './last-activations.js';
import { vectorSpec, vectorValues, type VectorPlacement } from './vector-values.js';

/**
 * v = mean of h at the last token of the prompts behind which the untouched model prefers c, minus the mean of those behind which it
 * prefers w.
 * @throws LimnError `data/steering-groups` when the model prefers the same side everywhere; `data/steering-empty`, `data/steering-prompt`,
 * `data/steering-answer`, `data/steering-roles`, `usage/steering-site`, `usage/steering-layer`, `memory/over-budget`, `usage/batch-size`,
 * `usage/memory`; AbortedError
 */
export async function meanDifference(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: VectorPlacement,
  controls: RunControls = {},
): Promise<SteeringValues> {
  checkExamples(examples, model.info);
  const prompts = examples.map(({ prompt }) => prompt);
  const said = await referenceRows(model, prompts, controls);
  const prefersCorrect = examples.map(
    ({ correct, wrong }, i) => (said[i]?.[correct] as number) > (said[i]?.[wrong] as number),
  );
  return meanDifferenceOf(
    model,
    prompts.filter((_, i) => prefersCorrect[i]),
    prompts.filter((_, i) => !prefersCorrect[i]),
    placement,
    controls,
  );
}

/**
 * The same between two given groups of prompts: mean h at the last tokens of `positive` minus that of `negative`.
 * @throws LimnError `data/steering-groups` for an empty group; `usage/steering-site`, `usage/steering-layer`, `tokens/…`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function meanDifferenceOf(
  model: HookedModel,
  positive: readonly (readonly number[])[],
  negative: readonly (readonly number[])[],
  placement: VectorPlacement,
  controls: RunControls = {},
): Promise<SteeringValues> {
  if (positive.length === 0 || negative.length === 0)
    throw new LimnError(
      'data/steering-groups',
      `A difference of means needs prompts on both sides; there are ${positive.length} and ${negative.length}.`,
      {
        details: { positive: positive.length, negative: negative.length },
        hint: 'Give prompts on which the untouched model says either answer, or groups of your own by meanDifferenceOf.',
      },
    );
  const spec = vectorSpec(placement, 'last');
  const found = await lastActivations(model, [...positive, ...negative], steeredPlaces(model.info, spec), controls);
  return vectorValues(
    model,
    spec,
    new Map(
      [...found].map(([at, rows]) => {
        const sum = new Float64Array(rows[0]?.length ?? 0);
        rows.forEach((row, i) => addTo(sum, row, i < positive.length ? 1 / positive.length : -1 / negative.length));
        return [at, sum];
      }),
    ),
  );
}

// Reading vectors of representation engineering, as repeng finds them: per layer the first principal direction of differences within pairs.
import { LimnError } from '@limn/gpu';
import type { HookedModel, HookName, RunControls } from '@limn/hooks';
import { checkExamples, type SteeringExample } from '../examples.js';
import { steeredPlaces } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { answeredActivations } from './contrastive-addition.js';
import { dot } from './gram-matrix.js';
import { lastActivations } from './last-activations.js';
import { principalDirection } from './principal-direction.js';
import { vectorSpec, vectorValues, type VectorPlacement } from './vector-values.js';

/** How the direction is found. */
export interface PcaDirectionOptions extends RunControls {
  /**
   * 'differences': of h⁺ − h⁻ with their mean taken away, repeng's default; what all pairs have in common is then not in it. 'pairs': of h⁺ and h⁻
   * about the middle of their pair, which is the same without taking the mean away. Default 'differences'.
   */
  readonly centre?: 'differences' | 'pairs' | undefined;
}

/**
 * Unit vectors, one per layer: PCA-1 of differences behind the two answers of every example, h(x c) − h(x w), turned so that most right
 * answers project further along it than their wrong ones. Added by default at every position.
 * @throws LimnError `data/steering-direction` when the pairs do not differ; `data/steering-empty`, `data/steering-prompt`,
 * `data/steering-answer`, `data/steering-roles`, `usage/steering-site`, `usage/steering-layer`, `tokens/…`, `memory/over-budget`,
 * `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function pcaDirection(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: VectorPlacement,
  { centre, ...controls }: PcaDirectionOptions = {},
): Promise<SteeringValues> {
  checkExamples(examples, model.info);
  const spec = vectorSpec(placement, 'all');
  const found = await answeredActivations(model, examples, steeredPlaces(model.info, spec), controls);
  return vectorValues(model, spec, directions(found, centre));
}

/**
 * The same of pairs of prompts, read off at their last tokens: [positive, negative].
 * @throws LimnError `data/steering-direction` when the pairs do not differ; `data/steering-groups` for no pair; `usage/steering-site`,
 * `usage/steering-layer`, `tokens/…`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function pcaDirectionOf(
  model: HookedModel,
  pairs: readonly (readonly [positive: readonly number[], negative: readonly number[]])[],
  placement: VectorPlacement,
  { centre, ...controls }: PcaDirectionOptions = {},
): Promise<SteeringValues> {
  if (pairs.length === 0)
    throw new LimnError('data/steering-groups', 'A principal direction needs pairs of prompts; there are none.', {
      hint: 'Give pairs [positive, negative] of token ids.',
    });
  const spec = vectorSpec(placement, 'all');
  const found = await lastActivations(model, pairs.flat(), steeredPlaces(model.info, spec), controls);
  const paired = new Map(
    [...found].map(([at, rows]) => [
      at,
      pairs.map((_, i) => [rows[2 * i] as Float32Array, rows[2 * i + 1] as Float32Array] as const),
    ]),
  );
  return vectorValues(model, spec, directions(paired, centre));
}

function directions(
  found: ReadonlyMap<HookName, readonly (readonly [positive: Float32Array, negative: Float32Array])[]>,
  centre: PcaDirectionOptions['centre'] = 'differences',
): Map<HookName, Float64Array> {
  return new Map(
    [...found].map(([at, pairs]) => {
      const differences = pairs.map(([a, b]) => Float64Array.from(a, (value, j) => value - (b[j] as number)));
      const direction = principalDirection(differences, { centred: centre === 'differences' });
      if (direction === undefined)
        throw new LimnError('data/steering-direction', `The pairs do not differ at ${at} in any way of their own.`, {
          details: { at, pairs: pairs.length, centre },
          hint: "Give more pairs, a later layer, or centre: 'pairs', which keeps what all pairs have in common.",
        });
      const along = differences.map((difference) => dot(difference, direction));
      const forward = along.filter((value) => value > 0).length - along.filter((value) => value < 0).length;
      // As many one way as the other: the sum decides.
      const sign = forward === 0 ? along.reduce((sum, value) => sum + value, 0) : forward;
      return [at, sign < 0 ? direction.map((value) => -value) : direction];
    }),
  );
}

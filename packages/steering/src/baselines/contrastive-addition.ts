// CAA (arXiv 2312.06681): the mean difference that the right answer makes against the wrong one, at the token of the answer.
import type { HookedModel, HookName, RunControls } from '@limn/hooks';
import { checkExamples, type SteeringExample } from '../examples.js';
import { steeredPlaces, type SteeredPlace } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { addTo, lastActivations } from './last-activations.js';
import { vectorSpec, vectorValues, type VectorPlacement } from './vector-values.js';

/**
 * v = mean over examples of h(x c) − h(x w), h behind the answer's token. Added by default at the last token of the prompt; the paper adds it at
 * every position behind the prompt, which is `positions: 'all'` with the phase 'generated' while generating.
 * @throws LimnError `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`, `usage/steering-site`,
 * `usage/steering-layer`, `tokens/too-long` for a prompt that leaves no room for its answer, `memory/over-budget`, `usage/batch-size`,
 * `usage/memory`; AbortedError
 */
export async function caa(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: VectorPlacement,
  controls: RunControls = {},
): Promise<SteeringValues> {
  checkExamples(examples, model.info);
  const spec = vectorSpec(placement, 'last');
  const found = await answeredActivations(model, examples, steeredPlaces(model.info, spec), controls);
  return vectorValues(
    model,
    spec,
    new Map(
      [...found].map(([at, pairs]) => {
        const sum = new Float64Array(pairs[0]?.[0].length ?? 0);
        for (const [right, wrong] of pairs) {
          addTo(sum, right, 1 / pairs.length);
          addTo(sum, wrong, -1 / pairs.length);
        }
        return [at, sum];
      }),
    ),
  );
}

/** By place, h behind the right and behind the wrong answer of every example. */
export async function answeredActivations(
  model: HookedModel,
  examples: readonly SteeringExample[],
  places: readonly SteeredPlace[],
  controls: RunControls,
): Promise<ReadonlyMap<HookName, readonly (readonly [right: Float32Array, wrong: Float32Array])[]>> {
  const prompts = examples.flatMap(({ prompt, correct, wrong }) => [
    [...prompt, correct],
    [...prompt, wrong],
  ]);
  const found = await lastActivations(model, prompts, places, controls);
  return new Map(
    [...found].map(([at, rows]) => [
      at,
      examples.map((_, i) => [rows[2 * i] as Float32Array, rows[2 * i + 1] as Float32Array] as const),
    ]),
  );
}

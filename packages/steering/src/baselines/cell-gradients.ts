// Gradient times activation of every cell, from one backward pass: the first gradient of ActivScalar at α = 0.
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { gradients, readFloats, sumAll } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { liveSlots } from '../live-slots.js';
import { answerDifference } from '../explain/answer-difference.js';
import type { SteeringCell } from '../minimality.js';
import { Steering } from '../steering.js';
import { addTo } from './last-activations.js';
import { scalarSpec, type ScalarPlacement } from './scalar-values.js';

/** A number per cell, with what cells they are of. */
export interface CellScores {
  readonly placement: ScalarPlacement;
  /** Place by place, position by position, unit by unit; `value` is the score, `live` whether any example's cell can have an effect at all. */
  readonly cells: readonly SteeringCell[];
}

/**
 * ∂Δ/∂α at α = 0, mean over examples: Σ ⟨h, ∂Δ/∂h⟩ over the tokens of a cell, Δ = z_c − z_w. The model runs forward and backward once,
 * whatever the number of cells. Cells that can have no effect have exactly 0 and are marked.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`, `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`,
 * `data/steering-roles`, `data/steering-length`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function cellGradients(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: ScalarPlacement,
  controls: RunControls = {},
): Promise<CellScores> {
  checkExamples(examples, model.info);
  using steering = new Steering(model, scalarSpec(placement));
  const { places, parameters } = steering;
  const sums = parameters.map(({ tensor }) => new Float64Array(tensor.size));
  await inBatches(
    model.gpu,
    examples,
    {
      what: 'Gradients of cells',
      unit: 'example',
      label: 'gradients of cells',
      lengthOf: ({ prompt }) => prompt.length,
      record: (step, batch) => {
        const tokens = tokenBatch(
          batch.map(({ prompt }) => prompt),
          model.info,
        );
        const interventions = steering.interventions({ roles: batch.map(({ roles }) => roles) });
        const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
        const total = sumAll(step, answerDifference(step, logits, batch));
        return gradients(
          step,
          total,
          'ones',
          parameters.map(({ tensor }) => tensor),
          { missing: 'zeros' },
        );
      },
      take: async (step, slopes) => {
        const read = await Promise.all(slopes.map((slope) => readFloats(step, slope)));
        read.forEach((slope, i) => addTo(sums[i] as Float64Array, slope, 1 / examples.length));
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return {
    placement,
    cells: places.flatMap((place, p) => {
      const live = liveSlots(model.info, place, placement.positions, examples);
      return Array.from(sums[p] as Float64Array, (value, i) => {
        const slot = Math.floor(i / place.units);
        return { place, slot, unit: i % place.units, value, live: live[slot] === true };
      });
    }),
  };
}

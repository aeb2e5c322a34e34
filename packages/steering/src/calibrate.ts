// How strongly to steer: the strength that serves most on validation prompts, so that methods are compared at one faithfulness and none by its units.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { evaluateSteering } from './evaluate.js';
import type { SteeringExample } from './examples.js';
import type { Steerer } from './steerer.js';
import { summarise, type SteeringFigures, type SuccessRule } from './summary.js';

/** What to try. */
export interface CalibrationOptions extends RunControls {
  /** Strengths that stand for β = 1. Default .25, .5, .75, 1, 1.25, 1.5, 2, 3. */
  readonly scales?: readonly number[] | undefined;
  readonly rule?: SuccessRule | undefined;
}

/** What was tried, and what served best. */
export interface Calibration {
  readonly scale: number;
  readonly tried: readonly { readonly scale: number; readonly figures: SteeringFigures }[];
}

const SCALES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3];

/**
 * Measures the steerer at each strength on validation prompts and takes the one with most two-way successes; of equal ones that with the
 * larger share of prompts beyond the margin both ways, then that with the smaller divergence.
 * @throws LimnError `usage/steering-option`, and as `evaluateSteering`; AbortedError
 */
export async function calibrateStrength(
  model: HookedModel,
  steererAt: (scale: number) => Steerer,
  validation: readonly SteeringExample[],
  { scales = SCALES, rule = {}, ...controls }: CalibrationOptions = {},
): Promise<Calibration> {
  const bad = scales.find((scale) => !(Number.isFinite(scale) && scale > 0));
  if (bad !== undefined || scales.length === 0)
    throw new LimnError(
      'usage/steering-option',
      `Strengths to try are positive numbers; given ${scales.join(', ') || 'none'}.`,
      {
        details: { scales },
        hint: 'Leave them out to try .25 to 3.',
      },
    );
  const tried: { readonly scale: number; readonly figures: SteeringFigures }[] = [];
  for (const scale of scales)
    tried.push({
      scale,
      figures: summarise(await evaluateSteering(model, steererAt(scale), validation, controls), rule),
    });
  const [best] = [...tried].sort(
    ({ figures: a }, { figures: b }) =>
      b.twoWaySuccess - a.twoWaySuccess || b.twoWayMargin - a.twoWayMargin || a.drift - b.drift,
  );
  return { scale: best?.scale ?? 1, tried };
}

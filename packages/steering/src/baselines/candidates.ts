// One way to steer at several settings: the setting and the strength that serve most on validation prompts, by the rule that all methods are compared by.
import type { HookedModel, RunControls } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { calibrateStrength, type Calibration } from '../calibrate.js';
import { evaluateSteering } from '../evaluate.js';
import type { SteeringExample } from '../examples.js';
import { Steering, type SteeringValues } from '../steering.js';
import { steererOf, type Steerer } from '../steerer.js';
import { summarise, type SteeringFigures, type SuccessRule } from '../summary.js';

/** One setting of a way to steer: values, whose strength is open, or a steerer that has none to choose, as the untouched model and words. */
export type SteeringCandidate = {
  /** What sets it apart from the others of its row: a layer, a number of cells. */
  readonly chosen: Readonly<Record<string, number | string>>;
} & (
  | { readonly values: SteeringValues; readonly steerer?: undefined }
  | { readonly steerer: Steerer; readonly values?: undefined }
);

/** What was chosen, and what it does on the validation prompts. */
export interface ChosenCandidate {
  readonly candidate: SteeringCandidate;
  /** The strength that stands for β = 1; 1 where there is none to choose. */
  readonly scale: number;
  readonly validation: SteeringFigures;
}

/** What to choose by. */
export interface ChooseOptions extends RunControls {
  readonly rule?: SuccessRule | undefined;
}

/**
 * Calibrates every candidate on validation prompts and takes the one with most two-way successes; of equal ones that with the larger share of
 * prompts beyond the margin both ways, then that with the smaller divergence, then the first.
 * @throws LimnError `usage/steering-option` for no candidates, and as `calibrateStrength`; `data/steering-fingerprint`, `data/steering-values`;
 * AbortedError
 */
export async function chooseCandidate(
  model: HookedModel,
  candidates: readonly SteeringCandidate[],
  validation: readonly SteeringExample[],
  options: ChooseOptions = {},
): Promise<ChosenCandidate> {
  let best: ChosenCandidate | undefined;
  for (const candidate of candidates) {
    const { scale, tried } = await withCandidate(model, candidate, (at) =>
      calibrateStrength(model, at, validation, { ...options, ...(candidate.steerer ? { scales: [1] } : {}) }),
    );
    const { figures } = tried.find((each) => each.scale === scale) as Calibration['tried'][number];
    if (!best || servesMore(figures, best.validation)) best = { candidate, scale, validation: figures };
  }
  if (best) return best;
  throw new LimnError('usage/steering-option', 'There is nothing to choose among no candidates.', {
    hint: 'Give at least one.',
  });
}

function servesMore(a: SteeringFigures, b: SteeringFigures): boolean {
  if (a.twoWaySuccess !== b.twoWaySuccess) return a.twoWaySuccess > b.twoWaySuccess;
  if (a.twoWayMargin !== b.twoWayMargin) return a.twoWayMargin > b.twoWayMargin;
  return a.drift < b.drift;
}

/**
 * A candidate at one strength, measured on any prompts.
 * @throws LimnError as `evaluateSteering`; `data/steering-fingerprint`, `data/steering-values`; AbortedError
 */
export function candidateFigures(
  model: HookedModel,
  candidate: SteeringCandidate,
  scale: number,
  examples: readonly SteeringExample[],
  { rule = {}, ...controls }: ChooseOptions = {},
): Promise<SteeringFigures> {
  return withCandidate(model, candidate, async (at) =>
    summarise(await evaluateSteering(model, at(scale), examples, controls), rule),
  );
}

async function withCandidate<T>(
  model: HookedModel,
  { values, steerer }: SteeringCandidate,
  run: (at: (scale: number) => Steerer) => Promise<T>,
): Promise<T> {
  if (!values) return run(() => steerer);
  using steering = new Steering(model, values.spec, { values: [values] });
  return await run((scale) => steererOf(values.spec.method.kind, steering, { nonZero: 0, scale }));
}

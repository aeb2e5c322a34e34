// The trade-off: the same steering learnt at several prices of minimality, each measured on prompts that it has not seen.
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { evaluateSteering } from './evaluate.js';
import type { SteeringExample } from './examples.js';
import { minimalityOf, type MinimalityFigures } from './minimality.js';
import { Steering, type SteeringSpec } from './steering.js';
import { steererOf } from './steerer.js';
import { summarise, type SteeringFigures, type SuccessRule } from './summary.js';
import { trainSteering, type TrainedSteering } from './train.js';
import type { Minimality, TrainSteeringOptions } from './train-options.js';

/** What to learn at each price. */
export interface SweepOptions extends Omit<TrainSteeringOptions, 'minimality'> {
  /** λ_M, in any order. Default 0, .003, .01, .03, .1. */
  readonly weights?: readonly number[] | undefined;
  readonly penalty?: Minimality['penalty'];
  readonly rule?: SuccessRule | undefined;
}

/** One price. */
export interface SweepPoint {
  readonly weight: number;
  readonly trained: TrainedSteering;
  readonly minimality: MinimalityFigures;
  readonly train: SteeringFigures;
  readonly validation: SteeringFigures;
}

const WEIGHTS = [0, 0.003, 0.01, 0.03, 0.1];

/**
 * Learns once per λ_M, each from the same values with the same seed, and measures what came of it on both parts.
 * @throws LimnError as `trainSteering` and `evaluateSteering`; AbortedError
 */
export async function sweepSteering(
  model: HookedModel,
  {
    train,
    validation,
  }: { readonly train: readonly SteeringExample[]; readonly validation: readonly SteeringExample[] },
  spec: SteeringSpec,
  { weights = WEIGHTS, penalty, rule = {}, ...options }: SweepOptions,
): Promise<SweepPoint[]> {
  const points: SweepPoint[] = [];
  const { signal, onProgress, batchSize, memoryBytes } = options;
  const controls = { signal, batchSize, memoryBytes };
  for (const [i, weight] of weights.entries()) {
    const trained = await trainSteering(model, train, spec, {
      ...options,
      minimality: { weight, ...(penalty ? { penalty } : {}) },
      onProgress: ({ unit, done, total }) =>
        onProgress?.({ unit: `${unit} at λ_M = ${weight} (${i + 1} of ${weights.length})`, done, total }),
    });
    const minimality = minimalityOf(model.info, trained.values);
    using steering = new Steering(model, spec, { values: [trained.values] });
    const steerer = steererOf(spec.method.kind, steering, { nonZero: minimality.nonZero });
    const measure = async (part: readonly SteeringExample[]): Promise<SteeringFigures> =>
      summarise(await evaluateSteering(model, steerer, part, controls), rule);
    points.push({ weight, trained, minimality, train: await measure(train), validation: await measure(validation) });
  }
  return points;
}

/**
 * The point with most two-way successes on the validation part; of points within `slack` of it the one with fewest values that are not 0.
 * @throws LimnError `usage/steering-option` for no points
 */
export function bestPoint(points: readonly SweepPoint[], slack = 0.02): SweepPoint {
  const most = Math.max(...points.map(({ validation }) => validation.twoWaySuccess));
  const [best] = points
    .filter(({ validation }) => validation.twoWaySuccess >= most - slack)
    .sort(
      (a, b) => a.minimality.nonZero - b.minimality.nonZero || b.validation.twoWaySuccess - a.validation.twoWaySuccess,
    );
  if (best) return best;
  throw new LimnError('usage/steering-option', 'There is no best of no points.', { hint: 'Sweep at least one λ_M.' });
}

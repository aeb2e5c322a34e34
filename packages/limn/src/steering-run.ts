// One steering, learnt and measured: on prompts about what it has seen, about other things, and over a range of strengths.
import type { HookedModel, RunProgress } from '@limn/hooks';
import {
  activationSubspace,
  cellContributions,
  evaluateSteering,
  minimalityOf,
  positionTable,
  Steering,
  steererOf,
  summarise,
  trainSteering,
  type CellContributions,
  type MinimalityFigures,
  type Minimality,
  type Objective,
  type PositionMode,
  type Refit,
  type SteerableSite,
  type SteeringCheckpoints,
  type SteeringExample,
  type SteeringFigures,
  type SteeringMethod,
  type SteeringSpec,
  type SteeringValues,
  type TrainedSteering,
} from '@limn/steering';
import type { SteeringSets } from './steering-source.js';

/** What is steered, by what. */
export interface PlacedRequest {
  readonly sets: SteeringSets;
  readonly method: SteeringMethod;
  readonly sites: readonly SteerableSite[];
  readonly layers?: readonly number[] | undefined;
  readonly positions: PositionMode;
  /** Tokens at the start that are never touched. */
  readonly skip: number;
}

/** What to learn. */
export interface LearnRequest extends PlacedRequest {
  readonly model: HookedModel;
  readonly objective: Objective;
  readonly minimality: Minimality;
  readonly updates: number;
  readonly rate?: number | undefined;
  readonly seed: number;
  readonly checkpoints?: SteeringCheckpoints | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress & { readonly phase: string }) => void;
}

/** What was learnt, and what it does. */
export interface LearntSteering {
  readonly spec: SteeringSpec;
  readonly trained: TrainedSteering;
  readonly minimality: MinimalityFigures;
  readonly train: SteeringFigures;
  readonly validation: SteeringFigures;
  readonly test: SteeringFigures;
  /** On the test part, at strengths −2 … 2. */
  readonly sweep: SteeringFigures;
  /** Of values by position that may lie side by side; on the validation part. */
  readonly contributions?: CellContributions;
}

/** Strengths of the sweep. */
export const SWEEP_STRENGTHS = [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2] as const;

/** The spec that a request's examples give. */
export function specOf({ method, sites, layers, positions, skip, sets }: PlacedRequest): SteeringSpec {
  const { train, validation, test } = sets.split;
  const prompts = [...train, ...validation, ...test, ...sets.retained, ...sets.unseenRetained];
  return {
    method,
    sites,
    ...(layers === undefined ? {} : { layers }),
    positions: positionTable(
      prompts.map(({ prompt, roles }) => ({ length: prompt.length, roles })),
      positions,
      { skip },
    ),
  };
}

/**
 * Learns on the training part and measures all three.
 * @throws LimnError as `trainSteering` and `evaluateSteering`; AbortedError
 */
export async function learnSteering(request: LearnRequest): Promise<LearntSteering> {
  const { sets, seed } = request;
  return measureLearnt(request, await learn(request, sets.split.train, seed, 'learning'));
}

/** Learns again as `learnSteering` did, from other examples: what says whether the same cells are found again. */
export function refitOf(request: LearnRequest, of: number): Refit {
  let begun = 0;
  return async (examples, seed) => {
    begun++;
    // One more than the refits learns for other answers.
    const { values } = await learn(request, examples, seed, `learning again (${begun} of ${of + 1}),`);
    return values;
  };
}

/**
 * What learning starts from: of scales in a subspace zeros in a basis of the activations of the training part; undefined for zeros.
 * @throws LimnError `data/steering-basis`, and as `activationSubspace`; AbortedError
 */
export async function startOf(
  { model, sets, signal, onProgress }: Pick<LearnRequest, 'model' | 'sets' | 'signal' | 'onProgress'>,
  spec: SteeringSpec,
): Promise<SteeringValues | undefined> {
  if (spec.method.kind !== 'subspace-scale') return undefined;
  return activationSubspace(model, sets.split.train, spec, {
    signal,
    onProgress: (progress) => onProgress({ phase: 'a basis', ...progress }),
  });
}

async function learn(
  request: LearnRequest,
  examples: readonly SteeringExample[],
  seed: number,
  doing: string,
): Promise<TrainedSteering> {
  const { model, sets, objective, minimality, updates, rate, checkpoints, signal, onProgress } = request;
  const spec = specOf(request);
  return trainSteering(model, examples, spec, {
    start: await startOf(request, spec),
    objective,
    minimality,
    updates,
    rate,
    seed,
    checkpoints,
    retained: sets.retained,
    signal,
    onProgress: (progress) => onProgress({ phase: `${doing} ${spec.method.kind}`, ...progress }),
  });
}

/**
 * What was learnt, measured on all three parts, at every strength, and cell by cell.
 * @throws LimnError as `evaluateSteering`; AbortedError
 */
export async function measureLearnt(
  {
    model,
    sets,
    objective,
    signal,
    onProgress,
  }: Pick<LearnRequest, 'model' | 'sets' | 'objective' | 'signal' | 'onProgress'>,
  trained: TrainedSteering,
): Promise<LearntSteering> {
  const { spec } = trained.values;
  const { train, validation, test } = sets.split;
  const figures = minimalityOf(model.info, trained.values);
  using steering = new Steering(model, spec, { values: [trained.values] });
  const steerer = steererOf(spec.method.kind, steering, { nonZero: figures.nonZero });
  const measure = async (phase: string, part: readonly SteeringExample[], strengths?: readonly number[]) =>
    summarise(
      await evaluateSteering(model, steerer, part, {
        ...(strengths ? { strengths } : {}),
        signal,
        onProgress: (progress) => onProgress({ phase, ...progress }),
      }),
    );
  // Cells are measured by Δ₊₁ − Δ₋₁, which a parity is not learnt for.
  const splits = spec.method.kind === 'activ-scalar' && figures.nonZero > 0 && objective.goal.kind === 'flip';
  return {
    spec,
    trained,
    minimality: figures,
    train: await measure('training prompts', train),
    validation: await measure('validation prompts', validation),
    test: await measure('test prompts', test),
    sweep: await measure('strengths', test, SWEEP_STRENGTHS),
    ...(splits
      ? {
          contributions: await cellContributions(model, trained.values, validation, {
            signal,
            onProgress: (progress) => onProgress({ phase: 'single cells', ...progress }),
          }),
        }
      : {}),
  };
}

// What learning to steer may be asked for, and its defaults.
import { LimnError } from '@limn/gpu';
import type { HookName, RunControls } from '@limn/hooks';
import type { SteeringExample } from './examples.js';
import { isPositionFree, type SteeringMethod } from './method.js';
import type { Objective } from './objective.js';
import type { SteeringValues } from './steering.js';
import type { SteeringCheckpoints } from './training-checkpoint.js';

/** What keeps values few and small: λ_M and what it weighs. */
export interface Minimality {
  /** λ_M. 0: nothing. */
  readonly weight: number;
  /**
   * 'l1': Σ|value|, exact zeros one by one; 'rows': Σ‖row‖₂, exact zeros a place and position at a time; 'produced': the mean over rows of
   * Σ|α| of scalars that activations decide, which become small but not 0. Default: 'rows' for vectors and scales per dimension,
   * 'produced' for 'dyn-scalar', else 'l1'.
   */
  readonly penalty?: PenaltyKind | undefined;
}

/** What λ_M weighs. */
export type PenaltyKind = 'l1' | 'rows' | 'produced';

/** Some units of one place. */
export interface SteeredPart {
  readonly at: HookName;
  /** Numbers of heads or neurons. Default: all. */
  readonly units?: readonly number[] | undefined;
}

/** How to learn. */
export interface TrainSteeringOptions extends RunControls {
  readonly objective: Objective;
  readonly minimality?: Minimality | undefined;
  /** Examples whose Δ is to stay: for the goal 'parity'. */
  readonly retained?: readonly SteeringExample[] | undefined;
  /** Updates before zeros are frozen. Default 300. */
  readonly updates?: number | undefined;
  /** Updates that then fit what is not 0 without λ_M. Default a sixth of `updates` where the penalty gives zeros, else 0. */
  readonly refitUpdates?: number | undefined;
  /** Examples of an update, each at every strength. Default 32, or all. */
  readonly examplesPerUpdate?: number | undefined;
  /** Adam's rate at first; it falls to a tenth along a cosine. Default .02 for scalars, .01 for vectors and probes. */
  readonly rate?: number | undefined;
  /** Stop when nothing changes any more. Default true. */
  readonly stopEarly?: boolean | undefined;
  /** Of the order of examples. Default 0; the same seed gives the same bits. */
  readonly seed?: number | undefined;
  /** Values to start from. Default zeros: the model itself. Needed for 'subspace-scale', whose basis is given: `activationSubspace`. */
  readonly start?: SteeringValues | undefined;
  /** Learn only here, the rest staying 0: places, and of places with several units (heads, neurons) some. Default: everywhere. */
  readonly only?: readonly SteeredPart[] | undefined;
  /** Keep the state while learning, and go on from what is kept: to the same bits. */
  readonly checkpoints?: SteeringCheckpoints | undefined;
}

/** Options with their defaults, checked. */
export interface TrainingSettings {
  readonly updates: number;
  readonly refitUpdates: number;
  readonly perUpdate: number;
  readonly rate: number;
  readonly stopEarly: boolean;
  readonly seed: number;
  readonly every: number;
  readonly penalty: PenaltyKind;
  readonly penaltyWeight: number;
}

/** @throws LimnError `usage/steering-option` */
export function settleTraining(
  options: TrainSteeringOptions,
  method: SteeringMethod,
  examples: number,
): TrainingSettings {
  const vectors = method.kind === 'steer-vec' || method.kind === 'dimension-scale';
  const free = isPositionFree(method);
  const { minimality = { weight: 0 }, updates = 300, seed = 0, stopEarly = true } = options;
  const penalty = minimality.penalty ?? (free ? 'produced' : vectors ? 'rows' : 'l1');
  const refitUpdates =
    options.refitUpdates ?? (minimality.weight > 0 && penalty !== 'produced' ? Math.ceil(updates / 6) : 0);
  const perUpdate = options.examplesPerUpdate ?? Math.min(32, examples);
  const rate = options.rate ?? (method.kind === 'activ-scalar' || method.kind === 'gated-scalar' ? 0.02 : 0.01);
  const every = options.checkpoints?.every ?? 25;
  const whole = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  const bad = Object.entries({
    updates: whole(updates, 1),
    refitUpdates: whole(refitUpdates, 0),
    examplesPerUpdate: whole(perUpdate, 1),
    rate: Number.isFinite(rate) && rate > 0,
    seed: Number.isSafeInteger(seed) && seed >= 0,
    checkpoints: whole(every, 1),
    minimality:
      Number.isFinite(minimality.weight) &&
      minimality.weight >= 0 &&
      (penalty === 'produced') === free &&
      ['l1', 'rows', 'produced'].includes(penalty),
  }).find(([, allowed]) => !allowed);
  if (bad)
    throw new LimnError(
      'usage/steering-option',
      `${bad[0]} cannot be ${JSON.stringify(options[bad[0] as keyof TrainSteeringOptions])} here.`,
      {
        details: { option: bad[0], method: method.kind },
        hint: "Updates, examples per update and seed are whole numbers, rates are above 0, weights not negative; 'produced' is the penalty of 'dyn-scalar' and of nothing else.",
      },
    );
  if (method.kind === 'subspace-scale' && options.start === undefined)
    throw new LimnError('usage/steering-option', "'subspace-scale' is learnt in a basis that is given beforehand.", {
      details: { option: 'start', method: method.kind },
      hint: 'Give start: what activationSubspace makes of the examples, or values with a basis of your own.',
    });
  return { updates, refitUpdates, perUpdate, rate, stopEarly, seed, every, penalty, penaltyWeight: minimality.weight };
}

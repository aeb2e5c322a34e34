// The methods: what each learns per place, and how many numbers that is.
import { LimnError } from '@limn/gpu';
import type { ScaleForm } from '@limn/tensor';
import type { SteeredPlace } from './sites.js';

/** h̃ = γ(βα) h, one α per place, position and unit (arXiv 2410.04962, eq. 5; γ(t) = 1 + t there). */
export interface ActivScalar {
  readonly kind: 'activ-scalar';
  /** γ: 1 + t, eᵗ (never reverses; γ(t) γ(−t) = 1), or 1 + A tanh(t / A). Default 'linear'. */
  readonly form?: ScaleForm;
  /** A. Default 3. */
  readonly bound?: number;
}

/** h̃ = h + βv, one vector per place and position, learnt by the same objective (eq. 4). */
export interface SteerVec {
  readonly kind: 'steer-vec';
}

/**
 * h̃ = h (1 + β α(h)), one probe p per place for all positions (eq. 10): α(h) = ⟨p, h⟩ / ‖h‖ + b, or raw ⟨p, h⟩. ‖h‖ = √d · rms(h).
 */
export interface DynScalar {
  readonly kind: 'dyn-scalar';
  /** Default 'normalised'. */
  readonly probe?: 'normalised' | 'raw';
  /** Learn b as well. Default false. */
  readonly bias?: boolean;
  /** Factors 1 + A tanh(βα / A). Default: not bounded. */
  readonly bound?: number;
}

/** h̃ = (1 + βa) ∘ h, one scale per place, position and dimension. The residual basis means nothing by itself: read with care. */
export interface DimensionScale {
  readonly kind: 'dimension-scale';
}

/** h̃ = h + β U diag(a) Uᵀ h, U [d, rank] with orthonormal columns fixed beforehand, one a per place, position and column. */
export interface SubspaceScale {
  readonly kind: 'subspace-scale';
  readonly rank: number;
}

/** h̃ = h (1 + β α σ((⟨p, h⟩ / ‖h‖ − τ) / T)): a scalar that holds where the activation points the probe's way. */
export interface GatedScalar {
  readonly kind: 'gated-scalar';
  /** T. Default .1. */
  readonly temperature?: number;
}

/** One of the methods. */
export type SteeringMethod = ActivScalar | SteerVec | DynScalar | DimensionScale | SubspaceScale | GatedScalar;

/** The names of the methods. */
export const STEERING_METHODS = [
  'activ-scalar',
  'steer-vec',
  'dyn-scalar',
  'dimension-scale',
  'subspace-scale',
  'gated-scalar',
] as const satisfies readonly SteeringMethod['kind'][];

/** One tensor of a place. */
export interface ParameterForm {
  /** Unique within its place. */
  readonly name: 'alpha' | 'vector' | 'probe' | 'bias' | 'threshold' | 'basis';
  /** The first axis is positions where `byPosition`. */
  readonly shape: readonly [number, number];
  readonly byPosition: boolean;
  /** Not learnt: given beforehand. */
  readonly fixed?: boolean;
  /** What every method is when all of these are 0: the model itself. */
  readonly strength: boolean;
}

/** The tensors of one place, P positions. */
export function parameterForms(method: SteeringMethod, { elements, units }: SteeredPlace, P: number): ParameterForm[] {
  const perPosition = (name: ParameterForm['name'], width: number): ParameterForm => ({
    name,
    shape: [P, width],
    byPosition: true,
    strength: true,
  });
  const shared = (name: ParameterForm['name'], shape: readonly [number, number], strength: boolean): ParameterForm => ({
    name,
    shape,
    byPosition: false,
    strength,
  });
  switch (method.kind) {
    case 'activ-scalar':
      return [perPosition('alpha', units)];
    case 'steer-vec':
      return [perPosition('vector', elements)];
    case 'dimension-scale':
      return [perPosition('alpha', elements)];
    case 'subspace-scale':
      return [perPosition('alpha', method.rank), { ...shared('basis', [elements, method.rank], false), fixed: true }];
    case 'dyn-scalar':
      return [shared('probe', [elements, 1], true), ...(method.bias ? [shared('bias', [1, 1], true)] : [])];
    case 'gated-scalar':
      return [perPosition('alpha', 1), shared('probe', [elements, 1], false), shared('threshold', [1, 1], false)];
  }
}

/** Whether a method multiplies the activation of a position by one number, h̃ = γh, which a LayerNorm right behind it undoes. */
export function scalesWhole({ kind }: SteeringMethod): boolean {
  return kind === 'activ-scalar' || kind === 'dyn-scalar' || kind === 'gated-scalar';
}

/** Whether a cell of values by position is a whole row, a vector or a scale per dimension, and not one scalar. */
export function hasRowCells({ kind }: SteeringMethod): boolean {
  return kind !== 'activ-scalar' && kind !== 'gated-scalar';
}

/** Whether sets of values may lie side by side for rows of one batch to choose from: all that is learnt is by position. */
export function liesSideBySide({ kind }: SteeringMethod): boolean {
  return kind === 'activ-scalar' || kind === 'steer-vec' || kind === 'dimension-scale';
}

/** Whether a method takes prompts of any length with one set of numbers, whatever the position mode. */
export function isPositionFree(method: SteeringMethod): boolean {
  return method.kind === 'dyn-scalar';
}

/**
 * Refuses a method that is none, or whose settings make no sense.
 * @throws LimnError `usage/steering-method`
 */
export function checkMethod(method: SteeringMethod): void {
  const positive = (value: number | undefined): boolean => value === undefined || (Number.isFinite(value) && value > 0);
  const sound =
    STEERING_METHODS.includes(method.kind) &&
    (!('bound' in method) || positive(method.bound)) &&
    (!('temperature' in method) || positive(method.temperature)) &&
    (method.kind !== 'subspace-scale' || (Number.isInteger(method.rank) && method.rank >= 1)) &&
    (method.kind !== 'activ-scalar' || ['linear', 'exponential', 'bounded', undefined].includes(method.form)) &&
    (method.kind !== 'dyn-scalar' || ['normalised', 'raw', undefined].includes(method.probe));
  if (sound) return;
  throw new LimnError('usage/steering-method', `There is no steering method ${JSON.stringify(method)}.`, {
    details: { given: JSON.stringify(method), allowed: STEERING_METHODS },
    hint: `Kinds are ${STEERING_METHODS.join(', ')}; bounds and temperatures are positive, a rank is a whole number from 1.`,
  });
}

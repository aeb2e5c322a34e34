// What brings back features that no longer fire: AuxK, in which they rebuild what the others left over, and the pre-activation loss.
import type { Step } from '@limn/gpu';
import {
  detach,
  div,
  dot,
  exp,
  fill,
  mul,
  relu,
  scale,
  sparseDecode,
  sub,
  sum,
  sumAll,
  type EncodeSelection,
  type SparseCodes,
  type Tensor,
} from '@limn/tensor';
import { rowErrors } from './reconstruction.js';
import { decoderNorms } from './sparsity.js';

/** AuxK (arXiv 2406.04093), times its weight α: see `auxiliaryLoss`. */
export interface AuxiliaryTerm {
  /** k_aux: how many dead features of a row rebuild its residual; half the output's width is customary. */
  readonly features: number;
  /** α; 1/32 is customary. */
  readonly weight: number;
}

/** What AuxK looks at. */
export interface AuxiliaryView {
  /** The k_aux largest positive pre-activations of dead features of each row. */
  readonly codes: SparseCodes;
  /** [N, O] */
  readonly y: Tensor;
  /** [N, O], whose residual is taken as given. */
  readonly yHat: Tensor;
  readonly wDec: Tensor;
  readonly dead: DeadFeatures;
  /** Σ‖y − ȳ‖² of the whole batch, [1]. */
  readonly variance: Tensor;
}

/** The features that have not fired for long: 1 or 0 as u32 [F] and as f32 [F], and how many they are [1]. */
export interface DeadFeatures {
  readonly mask: Tensor;
  readonly weight: Tensor;
  readonly count: Tensor;
}

/** Which pre-activations AuxK's codes are: the `most` largest positive of each row's dead features. */
export const deadSelection = (features: number, most: number, dead: DeadFeatures): EncodeSelection => ({
  k: Math.min(most, features),
  allowed: dead.mask,
});

/**
 * min(dead / k_aux, 1) · Σ ‖ê − e‖² / Σ ‖y − ȳ‖² as [1], on the tape: e = y − ŷ is taken as given, ê = a_aux·W_dec with the k_aux
 * largest positive dead pre-activations of each row. No bias is added: e has the mean that b_dec leaves it.
 */
export function auxiliaryLoss(step: Step, most: number, view: AuxiliaryView): Tensor {
  const { codes, y, yHat, wDec, dead, variance } = view;
  const errors = rowErrors(step, sparseDecode(step, codes, wDec), sub(step, y, detach(yHat)));
  const share = div(step, filledShare(step, dead.count, most), variance);
  return mul(step, sumAll(step, errors), share);
}

/** min(dead / places, 1) as [1]: how much of the room for dead features there are enough of them to fill. */
export function filledShare(step: Step, dead: Tensor, places: number): Tensor {
  // 1 − max(1 − dead / places, 0)
  const one = fill(step, [1], 1);
  return sub(step, one, relu(step, sub(step, one, scale(step, dead, 1 / places))));
}

/**
 * Σ over rows of Σ_i dead_i · max(θ_i − h_i, 0) · ‖d_i‖ as [1], on the tape: h [N, F], dead f32 [F], decoders as in
 * `decoderNorms`, θ = exp(log θ), or 0 without one.
 */
export function preActivationSum(
  step: Step,
  h: Tensor,
  dead: Tensor,
  decoders: readonly Tensor[],
  logThreshold: Tensor | undefined,
): Tensor {
  const short = logThreshold ? sub(step, exp(step, logThreshold), h) : scale(step, h, -1);
  return dot(step, sum(step, relu(step, short), { axes: 0 }), mul(step, dead, decoderNorms(step, decoders)));
}

// What brings back features that no longer fire: AuxK, in which they rebuild what the others left over, and the pre-activation loss.
import type { Step } from '@limn/gpu';
import { dot, exp, mul, relu, scale, sub, sum, type Tensor } from '@limn/tensor';
import { decoderNorms } from './sparsity.js';

/** AuxK (arXiv 2406.04093), times its weight α: see `auxiliaryLoss`. */
export interface AuxiliaryTerm {
  /** k_aux: how many dead features of a row rebuild its residual; half the output's width is customary. */
  readonly features: number;
  /** α; 1/32 is customary. */
  readonly weight: number;
}

/**
 * Σ over rows of Σ_i dead_i · max(θ_i − h_i, 0) · ‖d_i‖ as [1], on the tape: h [N, F], dead f32 [F], W_dec [F, O], θ = exp(log θ), or 0
 * without one.
 */
export function preActivationSum(
  step: Step,
  h: Tensor,
  dead: Tensor,
  wDec: Tensor,
  logThreshold: Tensor | undefined,
): Tensor {
  const short = logThreshold ? sub(step, exp(step, logThreshold), h) : scale(step, h, -1);
  return dot(step, sum(step, relu(step, short), { axes: 0 }), mul(step, dead, decoderNorms(step, wDec)));
}

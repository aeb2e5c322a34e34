// How far a rebuilt output is from its target: Σ_n w_n ‖ŷ_n − y_n‖², w by the measure that is asked for.
import { LimnError, type Step } from '@limn/gpu';
import { div, dot, expand, fill, mean, rsqrt, scale, square, sub, sumAll, reciprocal, type Tensor } from '@limn/tensor';

/**
 * The measure of e = ŷ − y over N rows of width O:
 * - `paper`: mean over rows and width of e² / ‖y_n‖ (the code of arXiv 2406.11944); infinite for a target row of zeros.
 * - `sum`: mean over rows of ‖e_n‖².
 * - `fvu`: Σ ‖e_n‖² / Σ ‖y_n − ȳ‖², ȳ the mean row of the batch.
 */
export type ReconstructionMeasure = 'paper' | 'sum' | 'fvu';

/** Σ ‖y_n − ȳ‖² of y [N, O], as [1]. */
export function totalVariance(step: Step, y: Tensor): Tensor {
  return sumAll(step, square(step, sub(step, y, mean(step, y, { axes: 0 }))));
}

/** The w [N] of a whole batch y [N, O]; `variance` is its `totalVariance`. */
export function rowWeights(step: Step, y: Tensor, measure: ReconstructionMeasure, variance: Tensor): Tensor {
  const [rows, width] = y.shape as [number, number];
  switch (measure) {
    case 'paper':
      return scale(step, rsqrt(step, dot(step, y, y, { axes: 1 })), 1 / (rows * width));
    case 'sum':
      return fill(step, [rows], 1 / rows, 'weights of rows');
    case 'fvu':
      return expand(step, reciprocal(step, variance), [rows]);
    default:
      throw new LimnError(
        'usage/dictionary-loss',
        `A reconstruction is measured as paper, sum or fvu; given ${String(measure)}.`,
        { details: { measure } },
      );
  }
}

/** ‖ŷ_n − y_n‖² [N], on the tape. */
export function rowErrors(step: Step, yHat: Tensor, y: Tensor): Tensor {
  const e = sub(step, yHat, y);
  return dot(step, e, e, { axes: 1 });
}

/** Σ_n w_n ‖e_n‖² as [1], on the tape: `errors` of `rowErrors`, w of `rowWeights` for the same rows. */
export function reconstructionLoss(step: Step, errors: Tensor, weights: Tensor): Tensor {
  return dot(step, errors, weights);
}

/** Σ ‖e_n‖² / Σ ‖y_n − ȳ‖² as [1]. */
export function unexplained(step: Step, errors: Tensor, variance: Tensor): Tensor {
  return div(step, sumAll(step, errors), variance);
}

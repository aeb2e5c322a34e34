// What keeps features from firing: L1, L1 weighted by the decoder's rows, L0 by its straight-through gradient, and tanh; sums over rows.
import type { Step } from '@limn/gpu';
import { add, dot, fill, jumpReluCount, mul, scale, sqrt, sum, sumAll, tanh, type Tensor } from '@limn/tensor';

/**
 * A sparsity term, times its weight λ; d_i is row i of W_dec, over all the layers that a feature writes:
 * - `l1`: mean over rows of Σ_i a_i.
 * - `l1-decoder`: mean over rows of Σ_i a_i ‖d_i‖, which no rescaling of encoder against decoder evades.
 * - `l0`: mean over rows of Σ_i 1[h_i > θ_i], of `jump-relu` (arXiv 2407.14435).
 * - `tanh`: mean over rows of Σ_i tanh(c ‖d_i‖ a_i).
 */
export type SparsityTerm =
  | { readonly kind: 'l1' | 'l1-decoder' | 'l0'; readonly weight: number }
  | { readonly kind: 'tanh'; readonly weight: number; readonly steepness: number };

/** Added to ‖d‖²: the slope of a norm at 0 is 0 instead of infinite, and one of 10⁻¹² or more keeps all its bits. */
const LEAST_SQUARE = 1e-33;

/** ‖d_i‖ [F], on the tape: d_i is row i of W_dec [F, O], or of several side by side. */
export function decoderNorms(step: Step, decoders: readonly Tensor[]): Tensor {
  const squares = decoders.map((w) => dot(step, w, w, { axes: 1 })).reduce((sum, part) => add(step, sum, part));
  return sqrt(step, add(step, squares, fill(step, [1], LEAST_SQUARE)));
}

/** What a sparsity term looks at. */
export interface SparsityView {
  /** Pre-activations [N, F]. */
  readonly h: Tensor;
  /** Activations [N, F]. */
  readonly a: Tensor;
  /** W_dec [F, O]; of features that write at several layers one for each. */
  readonly decoders: readonly Tensor[];
  /** log θ [F] and ε, of `jump-relu`. */
  readonly jump?: { readonly logThreshold: Tensor; readonly bandwidth: number };
}

/** Σ over rows of the term, without its weight, as [1] and on the tape. */
export function sparsitySum(step: Step, term: SparsityTerm, { h, a, decoders, jump }: SparsityView): Tensor {
  switch (term.kind) {
    case 'l1':
      return sumAll(step, a);
    case 'l1-decoder':
      return dot(step, sum(step, a, { axes: 0 }), decoderNorms(step, decoders));
    case 'tanh':
      return sumAll(step, tanh(step, mul(step, a, scale(step, decoderNorms(step, decoders), term.steepness))));
    case 'l0': {
      const { logThreshold, bandwidth } = jump as NonNullable<typeof jump>;
      return sumAll(step, jumpReluCount(step, h, logThreshold, { bandwidth }));
    }
  }
}

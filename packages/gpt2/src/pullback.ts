// Slot gradients: from gradients behind W_Q, W_K, W_V to the residual stream, per head, through one shared LayerNorm Jacobian.
import type { Step } from '@limn/gpu';
import {
  headPullback,
  layernormScale,
  matmul,
  normalize,
  reshape,
  slotFold,
  slotPullback,
  type Tensor,
} from '@limn/tensor';
import type { LayerNormWeights } from './normalise.js';

/** One of a layer's projections in a run, and where its columns lie in the weights. */
export interface Projection {
  /** ∂L/∂y, [rows, T, H, K]. */
  readonly gradient: Tensor;
  /** y [rows, T, H, K]. */
  readonly value: Tensor;
  readonly offset: number;
}

/**
 * g_v = Σ_k (g_k − mean g_k − x̂_k·mean(g_k∘x̂_k))/s_k with g_k = γ∘W_X^h·dX_k^h, for every projection and chosen head, over the k of
 * repeat-major rows k·B + b. As mean(g∘x̂) = dX·(X − X0)/C with X0 = β·W_X + b_X, what W_X is multiplied with is Σ_k dX_k/s_k: once,
 * whatever the number of repeats. x [rows, T, C] is the stream that all slots saw → [projections, h, B, T, C].
 */
export function slotGradients(
  step: Step,
  x: Tensor,
  projections: readonly Projection[],
  {
    layerNorm: { gamma, beta, eps },
    weights,
    bias,
    heads,
    repeats,
  }: {
    readonly layerNorm: LayerNormWeights;
    /** [C, columns]. */
    readonly weights: Tensor;
    /** [columns]. */
    readonly bias: Tensor;
    readonly heads: { readonly start: number; readonly count: number };
    readonly repeats: number;
  },
): Tensor {
  const [width = 0] = gamma.shape;
  const scale = layernormScale(step, x, eps);
  const origin = matmul(step, reshape(beta, [1, width]), weights, { bias });
  const chosen = Array.from({ length: heads.count }, (_, i) => heads.start + i);
  const parts = projections.map(({ gradient, value, offset }) => {
    const folded = slotFold(step, gradient, value, origin, scale, { width, heads, repeats, offset });
    const headWidth = gradient.shape[3] ?? 0;
    const outer = headPullback(step, folded.gradient, weights, { headWidth, offset, heads: chosen });
    return { outer, tilts: folded.tilts };
  });
  return slotPullback(step, normalize(step, x, scale), gamma, parts);
}

// Slot gradients: from gradients behind W_Q, W_K, W_V to the residual stream, per head, through one shared LayerNorm Jacobian.
import type { Step } from '@limn/gpu';
import { layernormScale, normalize, slotPullback, type Tensor } from '@limn/tensor';

/**
 * g_v = (g − mean g − x̂·mean(g∘x̂))/s with g = g̃∘γ, for q, k, v and every head.
 * x [B, T, C] is the stream that all slots saw; outer holds g̃ = W_X^h·dX_h as [B, T, h, C] for q, k and v. → [3, h, B, T, C], or summed
 * over repeat-major rows [3, h, B / repeats, T, C].
 */
export function slotGradients(
  step: Step,
  x: Tensor,
  outer: readonly Tensor[],
  { gamma, eps, repeats }: { readonly gamma: Tensor; readonly eps: number; readonly repeats: number },
): Tensor {
  const scale = layernormScale(step, x, eps);
  return slotPullback(step, normalize(step, x, scale), scale, gamma, outer, { repeats });
}

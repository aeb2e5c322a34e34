// Slot gradients: from gradients behind W_Q, W_K, W_V to the residual stream, per head, through one shared LayerNorm Jacobian.
import type { Step } from '@limn/gpu';
import { div, layernormScale, mean, mul, normalize, permute, reshape, stack, sub, type Tensor } from '@limn/tensor';

/**
 * g_v = (g − mean g − x̂·mean(g∘x̂))/s with g = g̃∘γ, for q, k, v and every head.
 * x [B, T, C] is the stream that all slots saw; outer holds g̃ = W_X^h·dX_h as [B, T, h, C] for q, k and v. → [3, h, B, T, C]
 */
export function slotGradients(step: Step, x: Tensor, outer: readonly Tensor[], gamma: Tensor, eps: number): Tensor {
  const [B, T, C] = x.shape as [number, number, number];
  const scale = layernormScale(step, x, eps);
  const hat = normalize(step, x, scale);
  const g = mul(step, permute(step, stack(step, outer), [0, 3, 1, 2, 4]), gamma);
  const along = { axes: -1, keepAxes: true };
  const tilt = mul(step, mean(step, mul(step, g, hat), along), reshape(hat, [1, 1, B, T, C]));
  return div(step, sub(step, sub(step, g, mean(step, g, along)), tilt), scale);
}

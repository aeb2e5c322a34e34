// RMS x = x/s∘γ with s = √(mean x² + ε) (Zhang & Sennrich 2019), and its transposed Jacobian.
import type { Step } from '@limn/gpu';
import { add, div, fromData, mean, mul, reshape, sqrt, square, sub, type Tensor } from '@limn/tensor';

const eps = 1e-6;

/** √(mean x² + ε) over the last axis, [..., 1]. */
export function rootMeanSquare(step: Step, x: Tensor): Tensor {
  return sqrt(step, add(step, mean(step, square(step, x), { axes: -1, keepAxes: true }), fromData(step, [eps], [1])));
}

/** Gradients at x [B, T, C] from g̃ [slots, h, B, T, C] behind the norm: (g − x̂·mean(g∘x̂))/s with g = g̃∘γ and x̂ = x/s. */
export function backThroughRms(step: Step, gradients: Tensor, x: Tensor, gamma: Tensor): Tensor {
  const scale = rootMeanSquare(step, x);
  const hat = div(step, x, scale);
  const g = mul(step, gradients, gamma);
  const along = mean(step, mul(step, g, hat), { axes: -1, keepAxes: true });
  return div(step, sub(step, g, mul(step, along, reshape(hat, [1, 1, ...hat.shape]))), scale);
}

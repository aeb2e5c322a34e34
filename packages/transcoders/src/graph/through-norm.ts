// Back through a normalisation whose scale is held: y = C(x)∘γ/s + β is affine in x, so a vector f that reads y reads x as C(f∘γ)/s.
import type { NormWeights } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { div, mean, mul, sub, type Tensor } from '@limn/tensor';

/** A normalisation at one prompt: its weights, and s of every position as [T, 1, 1]. */
export interface FrozenNorm {
  readonly weights: NormWeights;
  readonly scale: Tensor;
}

/** C(g∘γ) for g [..., C], where C takes the mean off in LayerNorm and nothing in RMSNorm. */
export function throughGain(step: Step, { centred, gamma }: NormWeights, g: Tensor): Tensor {
  const scaled = mul(step, g, gamma);
  return centred ? sub(step, scaled, mean(step, scaled, { axes: -1, keepAxes: true })) : scaled;
}

/** C(g∘γ)/s for g [T, B, C]; `scale` [T, 1, 1], or any shape that repeats to that of g. */
export function throughNorm(step: Step, weights: NormWeights, g: Tensor, scale: Tensor): Tensor {
  return div(step, throughGain(step, weights, g), scale);
}

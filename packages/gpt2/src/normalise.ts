// LayerNorm as a model uses it: one fused kernel, or its three stages when someone looks at the scale.
import type { Step } from '@limn/gpu';
import { affine, layernorm, layernormScale, normalize, type Tensor } from '@limn/tensor';

/** γ, β and ε of one LayerNorm. */
export interface LayerNormWeights {
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly eps: number;
}

/** y = (x − μ)/s·γ + β over the last axis; `scaleSite`, if given, sees and may change s [..., 1], and then the fusion is off. */
export function normalise(
  step: Step,
  x: Tensor,
  { gamma, beta, eps }: LayerNormWeights,
  scaleSite?: (scale: Tensor) => Tensor,
): Tensor {
  if (!scaleSite) return layernorm(step, x, gamma, beta, eps);
  return affine(step, normalize(step, x, scaleSite(layernormScale(step, x, eps))), gamma, beta);
}

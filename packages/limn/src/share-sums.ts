// Sums of which an edge's shares are made: features that fire, changes through a LayerNorm, products with gradients.
import type { Step } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { addScaled, concat, div, dot, fill, mean, mul, reshape, sub, type Tensor } from '@limn/tensor';

/** 1 where a feature fires, 0 elsewhere: what fires is many times more than 1e-30. */
export const firing = (step: Step, a: Tensor): Tensor => div(step, a, addScaled(step, a, fill(step, [1], 1), 1e-30));

/** (CΔ − x̂·mean(x̂∘CΔ))∘γ/s for Δ [N, C]: what a change of the stream does to its normalisation, to first order. */
export function throughNormalisation(
  step: Step,
  model: HookedModel,
  layer: number,
  { x, scale: s, change }: { readonly x: Tensor; readonly scale: Tensor; readonly change: Tensor },
): Tensor {
  const { centred, gamma } = model.norm(`blocks.${layer}.ln2`);
  const offMean = (y: Tensor): Tensor => (centred ? sub(step, y, mean(step, y, { axes: -1, keepAxes: true })) : y);
  const normalised = div(step, offMean(x), s);
  const n = offMean(change);
  const along = mean(step, mul(step, normalised, n), { axes: -1, keepAxes: true });
  return mul(step, div(step, sub(step, n, mul(step, normalised, along)), s), gamma);
}

/** Σ x∘g over the rows of each of `count` examples, [count]. */
export function products(step: Step, x: Tensor, g: Tensor, count: number): Tensor {
  const shape = [count, x.size / count];
  return dot(step, reshape(x, shape), reshape(g, shape), { axes: 1 });
}

/** [B, F] beside [B] each; what is missing is 0. */
export function joined(step: Step, parts: readonly (Tensor | undefined)[], B: number): Tensor {
  const zero = fill(step, [B, 1], 0);
  return concat(
    step,
    parts.map((part) => (part ? reshape(part, [B, part.size / B]) : zero)),
    1,
  );
}

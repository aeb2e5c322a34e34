// Gates between 0 and 1 that a gradient can close: z = clamp(σ((log α + noise) / β)(ζ − γ) + γ, 0, 1). Louizos et al., arXiv 1712.01312; edges in 2406.16778.
import type { Step } from '@limn/gpu';
import { add, fill, fromData, relu, scale, sigmoid, sub, type Tensor } from '@limn/tensor';

/** Temperature, and the ends that the sigmoid is stretched to before it is cut to [0, 1]: Louizos et al.'s values. */
const BETA = 2 / 3;
const GAMMA = -0.1;
const ZETA = 1.1;
/** P(z > 0) = σ(log α + OPEN). */
const OPEN = -BETA * Math.log(-GAMMA / ZETA);

/** log u − log(1 − u) for uniforms u, held off 0 and 1. */
export function logistic(uniforms: Float32Array): Float32Array {
  return uniforms.map((u) => {
    const inside = Math.min(Math.max(u, 1e-6), 1 - 1e-6);
    return Math.log(inside) - Math.log1p(-inside);
  });
}

/** Gates for one draw of `noise` (same number of elements as log α). */
export function sampleGates(step: Step, logAlpha: Tensor, noise: Float32Array): Tensor {
  const drawn = add(step, logAlpha, fromData(step, noise, logAlpha.shape, { label: 'gate noise' }));
  const open = sigmoid(step, scale(step, drawn, 1 / BETA));
  const stretched = add(step, scale(step, open, ZETA - GAMMA), fill(step, logAlpha.shape, GAMMA));
  return sub(step, relu(step, stretched), relu(step, sub(step, stretched, fill(step, logAlpha.shape, 1))));
}

/** P(z > 0) of every gate: what the number of edges is counted by. */
export function openProbability(step: Step, logAlpha: Tensor): Tensor {
  return sigmoid(step, add(step, logAlpha, fill(step, logAlpha.shape, OPEN)));
}

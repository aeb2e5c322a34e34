// Rotary positions (Su et al. 2021, in GPT-NeoX's form): of the first r channels, pair (i, i + r/2) turns by p·θ^(−2i/r) at position p.
import type { Step } from '@limn/gpu';
import { add, concat, fromData, mul, slice, sub, type Tensor } from '@limn/tensor';

const THETA = 10_000;

/** cos and sin of the angles, [B, T, 1, r/2] each; made once per pass. */
export interface Angles {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Angles of B rows of T positions, of which row b starts at position pasts[b]. An odd channel of the head stays as it is. */
export function anglesOf(step: Step, pasts: readonly number[], T: number, headWidth: number): Angles {
  const half = Math.floor(headWidth / 2);
  const angles = Float64Array.from({ length: pasts.length * T * half }, (_, i) => {
    const place = Math.floor(i / half);
    const position = (pasts[Math.floor(place / T)] as number) + (place % T);
    return position * THETA ** (-(i % half) / half);
  });
  const shape = [pasts.length, T, 1, half];
  return {
    cos: fromData(step, Float32Array.from(angles, Math.cos), shape, { label: 'rotary cosines' }),
    sin: fromData(step, Float32Array.from(angles, Math.sin), shape, { label: 'rotary sines' }),
  };
}

/** (x₁, x₂, rest) → (x₁∘cos − x₂∘sin, x₂∘cos + x₁∘sin, rest) for x [B, T, h, K]. */
export function rotate(step: Step, x: Tensor, { cos, sin }: Angles): Tensor {
  const [half, K] = [cos.shape[3] as number, x.shape[3] as number];
  const [first, second] = [slice(step, x, 3, 0, half), slice(step, x, 3, half, half)];
  const turned = [
    sub(step, mul(step, first, cos), mul(step, second, sin)),
    add(step, mul(step, second, cos), mul(step, first, sin)),
  ];
  return concat(step, K > 2 * half ? [...turned, slice(step, x, 3, 2 * half, K - 2 * half)] : turned, 3);
}

// A second architecture built only of ops: RMSNorm and a parallel block x + silu(norm(x) W₁) W₂ + sigmoid gate, checked by directional differences.
import { describe, expect, it } from 'vitest';
import type { Step } from '@limn/gpu';
import { referenceRandom, testGpu } from '@limn/testing';
import {
  add,
  addScaled,
  crossEntropy,
  fromData,
  gradients,
  matmul,
  mean,
  mul,
  readFloats,
  rsqrt,
  sigmoid,
  square,
  type Tensor,
} from '../src/index.js';

const random = referenceRandom(31);
const [rows, width, hidden, vocabulary] = [6, 24, 40, 17];

/** x · γ / √(mean x² + ε): the norm is a per-row factor [N, 1], the gain a vector along the last axis. */
function rmsNorm(step: Step, x: Tensor, gain: Tensor): Tensor {
  const epsilon = fromData(step, [1e-5], [1]);
  const scale = rsqrt(step, add(step, mean(step, square(step, x), { axes: -1, keepAxes: true }), epsilon));
  return mul(step, mul(step, x, scale), gain);
}

function model(step: Step, [x, gain, up, down, gate, head]: readonly Tensor[], targets: Tensor): Tensor {
  const normed = rmsNorm(step, x!, gain!);
  const pre = matmul(step, normed, up!);
  // Smooth, so that differences across a kink do not blur the comparison.
  const mlp = matmul(step, mul(step, pre, sigmoid(step, pre)), down!);
  const side = mul(step, sigmoid(step, matmul(step, normed, gate!)), normed);
  const out = add(step, add(step, x!, mlp), side);
  return mean(step, crossEntropy(step, matmul(step, out, head!), targets));
}

describe('RMSNorm with a parallel block', () => {
  it('has the gradients that differences along random directions show', async () => {
    const gpu = await testGpu();
    const shapes = [[rows, width], [width], [width, hidden], [hidden, width], [width, width], [width, vocabulary]];
    const values = shapes.map((shape) =>
      random.normals(
        shape.reduce((a, b) => a * b, 1),
        0.3,
      ),
    );
    values[1] = values[1]!.map((gain) => 1 + gain);
    const ids = random.integers(rows, vocabulary);
    const lossAt = async (at: readonly Float64Array[]): Promise<number> => {
      using step = gpu.step();
      const inputs = at.map((value, i) => fromData(step, Float32Array.from(value), shapes[i]!));
      return (await readFloats(step, model(step, inputs, fromData(step, ids, [rows]))))[0]!;
    };
    using step = gpu.step();
    const inputs = values.map((value, i) => fromData(step, Float32Array.from(value), shapes[i]!));
    const loss = model(step, inputs, fromData(step, ids, [rows]));
    const grads = await Promise.all(
      gradients(step, loss, 'ones', inputs).map((gradient) => readFloats(step, gradient)),
    );
    for (const [i, gradient] of grads.entries()) {
      const direction = random.normals(gradient.length);
      const slope = gradient.reduce((sum, value, at) => sum + value * direction[at]!, 0);
      // Central differences in f32: the loss has an error of about 1e-7, so h = 1e-2 leaves 1e-5, and h² about 1e-3 of curvature.
      const h = 1e-2 / Math.sqrt(gradient.length / 24);
      const moved = (sign: number) =>
        values.map((value, at) => (at === i ? value.map((v, j) => v + sign * h * direction[j]!) : value));
      const numeric = ((await lossAt(moved(1))) - (await lossAt(moved(-1)))) / (2 * h);
      const size = Math.hypot(...gradient) * Math.hypot(...direction);
      expect(Math.abs(numeric - slope), `input ${i}: ${numeric} against ${slope}`).toBeLessThan(
        (5e-3 * size) / Math.sqrt(gradient.length) + 1e-4,
      );
    }
  });

  it('residual scaling along a path interpolates', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const from = fromData(step, [0, 10], [2]);
    const to = fromData(step, [4, 20], [2]);
    const halfway = addScaled(step, from, addScaled(step, to, from, -1), 0.5);
    expect([...(await readFloats(step, halfway))]).toEqual([2, 15]);
  });
});

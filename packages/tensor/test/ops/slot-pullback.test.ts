// The slot pull-back against float64, with every reduce variant, and against LayerNorm's own backward.
import { describe, expect, it } from 'vitest';
import { referenceRandom, referenceSlotPullback, testGpu } from '@limn/testing';
import {
  fromData,
  gradients,
  layernorm,
  layernormScale,
  normalize,
  readFloats,
  reshape,
  slice,
  slotPullback,
} from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';

const random = referenceRandom(61);

describe('slotPullback', () => {
  it.each([
    [1, 1, 1, 1, 1],
    [2, 3, 1, 7, 1],
    [1, 5, 3, 64, 1],
    [3, 2, 2, 65, 1],
    [1, 2, 5, 768, 1],
    [6, 2, 3, 33, 3],
    [5, 1, 2, 130, 5],
  ])('%i × %i rows, %i heads, width %i, %i repeats', async (B, T, heads, width, repeats) => {
    const rows = B * T;
    const [hat, gamma] = [random.normals(rows * width), random.normals(width)];
    const scale = random.normals(rows).map((x) => Math.fround(0.5 + Math.abs(x)));
    const outers = [1, 2, 3].map(() => random.normals(rows * heads * width));
    for (const { name, how } of await rowVariants())
      await checkOp({
        kernel: 'slot_pullback',
        case: `${B}×${T}×${heads}×${width}, ${repeats} repeats, ${name}`,
        inputs: [
          { shape: [B, T, width], values: hat, differentiable: false },
          { shape: [B, T, 1], values: scale, differentiable: false },
          { shape: [width], values: gamma, differentiable: false },
          ...outers.map((values) => ({ shape: [B, T, heads, width], values, differentiable: false })),
        ],
        run: (step, [x, s, g, ...rest]) => slotPullback(step, x!, s!, g!, rest, { repeats }),
        expected: referenceSlotPullback.slotPullback(hat, scale, gamma, outers, {
          rows: rows / repeats,
          heads,
          width,
          repeats,
        }),
        n: width + repeats,
        ...how,
      });
  });

  it('is the backward of layernorm, head by head', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const [B, T, heads, width] = [2, 3, 2, 24];
    const data = (count: number, shape: number[]) => fromData(step, Float32Array.from(random.normals(count)), shape);
    const [x, gamma, beta] = [data(B * T * width, [B, T, width]), data(width, [width]), data(width, [width])];
    const outer = data(B * T * heads * width, [B, T, heads, width]);
    const scale = layernormScale(step, x, 1e-5);
    const slots = slotPullback(step, normalize(step, x, scale), scale, gamma, [outer]);
    const y = layernorm(step, x, gamma, beta, 1e-5);
    const own = Array.from({ length: heads }, (_, h) => {
      const seed = reshape(slice(step, outer, 2, h, 1), [B, T, width]);
      return gradients(step, y, seed, [x])[0] as typeof x;
    });
    const [all, ...each] = await Promise.all([slots, ...own].map((tensor) => readFloats(step, tensor)));
    for (const [h, want] of each.entries())
      for (const [i, value] of want.entries())
        // Two orders of the same 24 terms.
        expect(Math.abs((all?.[h * want.length + i] ?? Number.NaN) - value)).toBeLessThan(1e-5);
  });

  it('refuses rows that are no whole number of repeats', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const data = (shape: number[]) => fromData(step, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    expect(() =>
      slotPullback(step, data([3, 2, 4]), data([3, 2, 1]), data([4]), [data([3, 2, 1, 4])], { repeats: 2 }),
    ).toThrow(expect.objectContaining({ code: 'tensor/shape' }));
  });
});

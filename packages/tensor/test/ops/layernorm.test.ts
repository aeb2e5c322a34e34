// layernorm whole and in parts, tree and subgroup, against float64.
import { describe, expect, it } from 'vitest';
import { referenceLayernorm, referenceRandom, testGpu } from '@limn/testing';
import { affine, fromData, layernorm, layernormParts, layernormScale, normalize, readFloats } from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';

const random = referenceRandom(5);
const eps = 1e-5;
// Widths around the workgroup of 64, a prime, and GPT-2's own; 257 rows are what software adapters give to one lane each.
const sizes = [
  [1, 1],
  [3, 63],
  [2, 64],
  [5, 65],
  [67, 97],
  [2, 768],
  [257, 65],
] as const;

describe('layernorm', async () => {
  for (const { name: variant, how } of await rowVariants())
    for (const [rows, width] of sizes)
      it(`[${rows}, ${width}] ${variant}`, async () => {
        // A mean far from zero, so that the cancellation in x − μ is seen.
        const x = random.normals(rows * width).map((value) => Math.fround(value + 3));
        const gamma = random.normals(width);
        const beta = random.normals(width);
        // A row of one element has variance 0: rstd = 316 multiplies every rounding.
        await checkOp({
          kernel: 'layernorm',
          case: `${rows}×${width}`,
          ...how,
          inputs: [
            { shape: [rows, width], values: x },
            { shape: [width], values: gamma },
            { shape: [width], values: beta },
          ],
          run: (step, [t, g, b]) => layernorm(step, t!, g!, b!, eps),
          expected: referenceLayernorm.layernormForward(x, gamma, beta, eps),
          n: width,
          vjp: (seed) => {
            const d = referenceLayernorm.layernormVjp(x, gamma, eps, seed);
            return [d.x, d.gamma, d.beta];
          },
          vjpN: [width, Math.max(rows, width), rows],
          masks: rows === 3,
        });
      });
});

describe('layernorm in parts', async () => {
  for (const { name: variant, how } of await rowVariants())
    for (const [rows, width] of sizes)
      it(`[${rows}, ${width}] ${variant}`, async () => {
        const x = random.normals(rows * width).map((value) => Math.fround(value + 3));
        const scale = random.normals(rows).map((value) => Math.fround(0.5 + Math.abs(value)));
        const gamma = random.normals(width);
        const beta = random.normals(width);
        const shape = [rows, width];
        await checkOp({
          kernel: 'layernormScale',
          case: `${rows}×${width}`,
          ...how,
          inputs: [{ shape, values: x }],
          run: (step, [t]) => layernormScale(step, t!, eps),
          expected: referenceLayernorm.layernormScale(x, width, eps),
          n: width,
          vjp: (seed) => [referenceLayernorm.layernormScaleVjp(x, width, eps, seed)],
        });
        await checkOp({
          kernel: 'normalize',
          case: `${rows}×${width}`,
          ...how,
          inputs: [
            { shape, values: x },
            { shape: [rows, 1], values: scale },
          ],
          run: (step, [t, s]) => normalize(step, t!, s!),
          expected: referenceLayernorm.normalizeForward(x, scale),
          n: width,
          vjp: (seed) => {
            const d = referenceLayernorm.normalizeVjp(x, scale, seed);
            return [d.x, d.scale];
          },
          masks: rows === 3,
        });
        await checkOp({
          kernel: 'affine',
          case: `${rows}×${width}`,
          ...how,
          inputs: [
            { shape, values: x },
            { shape: [width], values: gamma },
            { shape: [width], values: beta },
          ],
          run: (step, [t, g, b]) => affine(step, t!, g!, b!),
          expected: referenceLayernorm.affineForward(x, gamma, beta),
          n: 1,
          vjp: (seed) => {
            const d = referenceLayernorm.affineVjp(x, gamma, seed);
            return [d.hat, d.gamma, d.beta];
          },
          vjpN: [1, rows, rows],
          masks: rows === 3,
        });
      });

  it('makes the same values as the fused op', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, Float32Array.from(random.normals(5 * 48)), [5, 48]);
    const gamma = fromData(step, Float32Array.from(random.normals(48)), [48]);
    const beta = fromData(step, Float32Array.from(random.normals(48)), [48]);
    const whole = readFloats(step, layernorm(step, x, gamma, beta));
    const parts = layernormParts(step, x, gamma, beta);
    expect(parts.scale.shape).toEqual([5, 1]);
    const y = await readFloats(step, parts.y);
    (await whole).forEach((value, i) => expect(Math.abs(value - y[i]!)).toBeLessThan(4e-6));
  });
});

// layernorm by every kernel and in parts, tree and subgroup, against float64.
import { describe, expect, it } from 'vitest';
import { referenceLayernorm, referenceRandom, testGpu } from '@limn/testing';
import {
  affine,
  fromData,
  layernorm,
  layernormParts,
  layernormScale,
  normalize,
  readFloats,
  rowKernelCandidates,
} from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';

const random = referenceRandom(5);
const eps = 1e-5;
// Widths around the workgroup of 64, a prime, and GPT-2's own; 257 rows are more than a workgroup.
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
          run: (step, [t, g, b]) => layernorm(step, t!, g!, b!, eps, { kernel: 'row' }),
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

/** Rows and widths around the spans of 8 to 256 lanes, four rows a lane, and rows that end inside a workgroup. */
const vectorSizes = [
  [1, 4],
  [9, 64],
  [3, 132],
  [66, 128],
  [2, 768],
  [1, 1028],
  [261, 12],
] as const;

describe('layernorm, every kernel', () => {
  for (const kernel of ['span', 'lane', 'lane4'] as const)
    for (const [rows, width] of kernel === 'lane' ? sizes : vectorSizes)
      it(`${kernel} [${rows}, ${width}]`, async () => {
        const x = random.normals(rows * width).map((value) => Math.fround(value + 3));
        // The first numbers of a row, about which lane4 takes its sums, lie far from the rest.
        if (width === 132) x.fill(40, 0, 4);
        const gamma = random.normals(width);
        const beta = random.normals(width);
        await checkOp({
          kernel: 'layernorm',
          case: `${kernel} ${rows}×${width}`,
          inputs: [
            { shape: [rows, width], values: x },
            { shape: [width], values: gamma },
            { shape: [width], values: beta },
          ],
          run: (step, [t, g, b]) => layernorm(step, t!, g!, b!, eps, { kernel }),
          expected: referenceLayernorm.layernormForward(x, gamma, beta, eps),
          n: width,
          vjp: (seed) => {
            const d = referenceLayernorm.layernormVjp(x, gamma, eps, seed);
            return [d.x, d.gamma, d.beta];
          },
          vjpN: [width, Math.max(rows, width), rows],
        });
      });

  it('are offered where they can run, the one that is chosen first', async () => {
    const { capabilities } = await testGpu();
    const on = (isFallback: boolean, rows: number, width: number) =>
      rowKernelCandidates({ ...capabilities, adapter: { ...capabilities.adapter, isFallback } }, { rows, width });
    expect(on(true, 512, 768)).toEqual(['lane4', 'row', 'lane']);
    expect(on(true, 512, 767)).toEqual(['lane', 'row']);
    expect(on(true, 5, 767)).toEqual(['row', 'lane']);
    expect(on(false, 512, 768)[0]).toBe('span');
    expect(on(false, 512, 8196)).toEqual(['row', 'lane', 'lane4']);
  });

  it('refuses a kernel that cannot run the rows', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(5), [1, 5]);
    const row = fromData(step, new Float32Array(5), [5]);
    expect(() => layernorm(step, x, row, row, eps, { kernel: 'lane4' })).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
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

// The two halves of the slot pull-back against float64 with every reduce variant, and both together against finite differences and the tape.
import { describe, expect, it } from 'vitest';
import { referenceRandom, referenceSlotPullback, testGpu } from '@limn/testing';
import {
  fromData,
  gradients,
  headProject,
  headPullback,
  layernorm,
  layernormScale,
  matmul,
  normalize,
  readFloats,
  reshape,
  slice,
  slotFold,
  slotPullback,
  type Tensor,
} from '../../src/index.js';
import { checkOp, rowVariants, type OpInput } from '../check-op.js';

const random = referenceRandom(61);
const fixed = (shape: readonly number[], values: Float64Array): OpInput => ({ shape, values, differentiable: false });
const positive = (count: number): Float64Array => random.normals(count).map((x) => Math.fround(0.5 + Math.abs(x)));

describe('slotFold', () => {
  it.each([
    { B: 1, T: 1, H: 1, K: 1, start: 0, count: 1, repeats: 1, offset: 0 },
    { B: 2, T: 3, H: 2, K: 7, start: 0, count: 2, repeats: 1, offset: 5 },
    { B: 1, T: 2, H: 5, K: 64, start: 1, count: 3, repeats: 5, offset: 320 },
    { B: 3, T: 1, H: 3, K: 65, start: 2, count: 1, repeats: 2, offset: 0 },
    { B: 2, T: 2, H: 4, K: 130, start: 0, count: 4, repeats: 3, offset: 1 },
  ])('heads $start + $count of $H × $K, $B × $T rows, $repeats repeats', async (sizes) => {
    const { B, T, H, K, start, count, repeats, offset } = sizes;
    const [rows, width] = [B * T, H * K];
    const [gradient, value] = [random.normals(repeats * rows * H * K), random.normals(repeats * rows * H * K)];
    const [origin, scale] = [random.normals(offset + H * K), positive(repeats * rows)];
    const expected = referenceSlotPullback.slotFold(gradient, value, origin, scale, {
      rows,
      repeats,
      allHeads: H,
      firstHead: start,
      heads: count,
      headWidth: K,
      width,
      offset,
    });
    const inputs = [
      fixed([repeats * B, T, H, K], gradient),
      fixed([repeats * B, T, H, K], value),
      fixed([offset + H * K], origin),
      fixed([repeats * B, T, 1], scale),
    ];
    const options = { width, heads: { start, count }, repeats, offset };
    for (const { name, how } of await rowVariants())
      for (const output of ['gradient', 'tilts'] as const)
        await checkOp({
          kernel: 'slot_fold',
          case: `${JSON.stringify(sizes)}, ${output}, ${name}`,
          inputs,
          run: (step, [d, y, y0, s]) => slotFold(step, d!, y!, y0!, s!, options)[output],
          expected: output === 'gradient' ? expected.folded : expected.tilts,
          n: K + repeats,
          ...how,
        });
  });

  it('refuses rows that are no whole number of repeats, and heads that are not there', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const data = (shape: number[]) => fromData(step, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    const fold = (options: { repeats?: number; heads?: { start: number; count: number }; offset?: number }) => () =>
      slotFold(step, data([3, 2, 2, 4]), data([3, 2, 2, 4]), data([8]), data([3, 2, 1]), { width: 8, ...options });
    const refused = expect.objectContaining({ code: 'tensor/shape' });
    expect(fold({ repeats: 2 })).toThrow(refused);
    expect(fold({ heads: { start: 1, count: 2 } })).toThrow(refused);
    expect(fold({ offset: 1 })).toThrow(refused);
    expect(fold({ repeats: 3 })).not.toThrow();
  });
});

describe('slotPullback', () => {
  it.each([
    [1, 1, 1, 1, 1],
    [2, 3, 1, 7, 1],
    [1, 5, 3, 64, 1],
    [3, 2, 2, 65, 1],
    [1, 2, 5, 768, 1],
    [2, 2, 3, 33, 3],
    [1, 1, 2, 130, 5],
  ])('%i × %i rows, %i heads, width %i, %i repeats', async (B, T, heads, width, repeats) => {
    const rows = B * T;
    const [hat, gamma] = [random.normals(repeats * rows * width), random.normals(width)];
    const parts = [1, 2, 3].map(() => ({
      outer: random.normals(rows * heads * width),
      tilts: random.normals(rows * heads * repeats),
    }));
    for (const { name, how } of await rowVariants())
      await checkOp({
        kernel: 'slot_pullback',
        case: `${B}×${T}×${heads}×${width}, ${repeats} repeats, ${name}`,
        inputs: [
          fixed([repeats * B, T, width], hat),
          fixed([width], gamma),
          ...parts.flatMap(({ outer, tilts }) => [
            fixed([B, T, heads, width], outer),
            fixed([B, T, heads, repeats], tilts),
          ]),
        ],
        run: (step, [x, g, ...rest]) =>
          slotPullback(
            step,
            x!,
            g!,
            parts.map((_, i) => ({ outer: rest[2 * i]!, tilts: rest[2 * i + 1]! })),
          ),
        expected: referenceSlotPullback.slotPullback(hat, gamma, parts, { rows, heads, width, repeats }),
        n: width + repeats,
        ...how,
      });
  });
});

describe('both halves around the weights', () => {
  const [B, T, heads, K, repeats, eps] = [2, 3, 2, 5, 3, 1e-5] as const;
  const C = heads * K;

  it('of the reference are the slope of Σ_k d_k·W(LN(x_k)) under a shift of every x_k by the same vector', () => {
    const [x, d] = [random.normals(repeats * C), random.normals(repeats * K)];
    const [gamma, beta, bias] = [random.normals(C), random.normals(C), random.normals(K)];
    const weights = random.normals(C * K);
    const sumOver = (count: number, term: (i: number) => number): number =>
      Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
    const at = (k: number, shift: Float64Array) => {
      const row = x.subarray(k * C, (k + 1) * C).map((each, c) => each + (shift[c] as number));
      const mean = sumOver(C, (c) => row[c] as number) / C;
      const s = Math.sqrt(sumOver(C, (c) => ((row[c] as number) - mean) ** 2) / C + eps);
      const hat = row.map((each) => (each - mean) / s);
      const through = (from: (c: number) => number) =>
        Float64Array.from(
          { length: K },
          (_, j) => (bias[j] as number) + sumOver(C, (c) => from(c) * (weights[c * K + j] as number)),
        );
      return {
        s,
        hat,
        y: through((c) => (gamma[c] as number) * (hat[c] as number) + (beta[c] as number)),
        y0: through((c) => beta[c] as number),
      };
    };
    const loss = (shift: Float64Array): number =>
      sumOver(repeats, (k) => {
        const { y } = at(k, shift);
        return sumOver(K, (j) => (d[k * K + j] as number) * (y[j] as number));
      });
    const runs = Array.from({ length: repeats }, (_, k) => at(k, new Float64Array(C)));
    const { folded, tilts } = referenceSlotPullback.slotFold(
      d,
      Float64Array.from(runs.flatMap(({ y }) => [...y])),
      (runs[0] as (typeof runs)[number]).y0,
      Float64Array.from(runs.map(({ s }) => s)),
      { rows: 1, repeats, allHeads: 1, firstHead: 0, heads: 1, headWidth: K, width: C, offset: 0 },
    );
    const outer = Float64Array.from({ length: C }, (_, c) =>
      sumOver(K, (j) => (weights[c * K + j] as number) * (folded.values[j] as number)),
    );
    const hats = Float64Array.from(runs.flatMap(({ hat }) => [...hat]));
    const { values } = referenceSlotPullback.slotPullback(hats, gamma, [{ outer, tilts: tilts.values }], {
      rows: 1,
      heads: 1,
      width: C,
      repeats,
    });
    for (let c = 0; c < C; c++) {
      const shifted = (by: number) => loss(Float64Array.from({ length: C }, (_, i) => (i === c ? by : 0)));
      const slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
      expect(Math.abs((values[c] as number) - slope)).toBeLessThan(1e-8 * (1 + Math.abs(slope)));
    }
  });

  it('are the backward of layernorm and projection, head by head and summed over repeats', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const data = (...shape: number[]) =>
      fromData(step, Float32Array.from(random.normals(shape.reduce((a, b) => a * b))), shape);
    const [x, gamma, beta] = [data(repeats * B, T, C), data(C), data(C)];
    const [weights, bias, seed] = [data(C, C), data(C), data(repeats * B, T, heads, K)];
    const y = headProject(step, layernorm(step, x, gamma, beta, eps), weights, bias, { headWidth: K });
    const own = Array.from({ length: heads }, (_, h) => {
      const part = slice(step, y, 2, h, 1);
      return gradients(step, part, slice(step, seed, 2, h, 1), [x])[0] as Tensor;
    });
    const scale = layernormScale(step, x, eps);
    const origin = matmul(step, reshape(beta, [1, C]), weights, { bias });
    const folded = slotFold(step, seed, y, origin, scale, { width: C, repeats });
    const outer = headPullback(step, folded.gradient, weights, { headWidth: K });
    const slots = slotPullback(step, normalize(step, x, scale), gamma, [{ outer, tilts: folded.tilts }]);
    const [all, ...each] = await Promise.all([slots, ...own].map((tensor) => readFloats(step, tensor)));
    const size = B * T * C;
    for (const [h, rows] of each.entries())
      for (let i = 0; i < size; i++) {
        const want = Array.from({ length: repeats }, (_, k) => rows[k * size + i] as number).reduce((a, b) => a + b);
        // Two orders of the same few dozen terms of size about 1.
        expect(Math.abs((all?.[h * size + i] ?? Number.NaN) - want)).toBeLessThan(2e-5);
      }
  });
});

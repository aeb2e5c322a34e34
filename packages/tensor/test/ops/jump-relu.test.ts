// JumpReLU and its count against float64, the straight-through gradients with them, and what does not fit.
import { referenceJumpRelu, referenceRandom, refusal, testGpu } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { fromData, gradients, jumpRelu, jumpReluCount, readFloats, sumAll, type Tensor } from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';

const random = referenceRandom(83);

/**
 * No h lies so near to θ or to θ ± ε / 2 that rounding of θ, which is off by up to 10⁻⁶ of itself, decides whether it fires or counts.
 */
function drawn(rows: number, features: number, bandwidth: number) {
  const logThreshold = random.normals(features, 0.5).map((v) => Math.fround(v - 1));
  const h = random.normals(rows * features).map((value, at) => {
    const theta = Math.exp(logThreshold[at % features]!);
    const edges = [theta, theta - bandwidth / 2, theta + bandwidth / 2];
    return Math.fround(edges.some((edge) => Math.abs(value - edge) < 1e-5 * (1 + edge)) ? value + 1e-3 : value);
  });
  return { h, logThreshold, bandwidth };
}

describe('jumpRelu', () => {
  it.each([
    { rows: 1, features: 1, bandwidth: 0.7 },
    { rows: 7, features: 65, bandwidth: 0.5 },
    { rows: 300, features: 5, bandwidth: 0.25 },
    { rows: 515, features: 63, bandwidth: 1 },
  ])('$rows rows of $features features, ε $bandwidth', async ({ rows, features, bandwidth }) => {
    const about = drawn(rows, features, bandwidth);
    const inputs = [
      { shape: [rows, features], values: about.h },
      { shape: [features], values: about.logThreshold },
    ];
    await checkOp({
      kernel: 'jumpRelu',
      case: `${rows}×${features}`,
      inputs,
      run: (step, [h, logThreshold]) => jumpRelu(step, h as Tensor, logThreshold as Tensor, { bandwidth }),
      expected: referenceJumpRelu.jumpReluForward(about),
      n: 1,
      vjp: (seed) => {
        const { h, logThreshold } = referenceJumpRelu.jumpReluVjp(about, seed);
        return [h, logThreshold];
      },
      vjpN: [1, rows],
      masks: true,
    });
    for (const { name, how } of await rowVariants())
      await checkOp({
        kernel: 'jumpReluCount',
        case: `${rows}×${features}, ${name}`,
        inputs: [{ ...inputs[0]!, differentiable: false }, inputs[1]!],
        run: (step, [h, logThreshold]) => jumpReluCount(step, h as Tensor, logThreshold as Tensor, { bandwidth }),
        expected: referenceJumpRelu.jumpReluCountForward(about),
        n: features,
        vjp: (seed) => [undefined, referenceJumpRelu.jumpReluCountVjp(about, seed)],
        vjpN: [1, rows],
        ...how,
      });
  });

  it('θ itself does not fire, and an h at θ ± ε / 2 says nothing', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const h = fromData(step, [1, 1.25, 0.75, 1.125, 0.875, 2], [6, 1]);
    const logThreshold = fromData(step, [0], [1]);
    const a = jumpRelu(step, h, logThreshold, { bandwidth: 0.5 });
    const [dh, dLog] = gradients(step, sumAll(step, a), 'ones', [h, logThreshold]) as [Tensor, Tensor];
    const read = await Promise.all([a, dh, dLog].map((each) => readFloats(step, each)));
    // Three of six lie within ε / 2 of θ = 1: −(1 / 0.5) · 3.
    expect(read.map((values) => [...values])).toEqual([[0, 1.25, 0, 1.125, 0, 2], [0, 1, 0, 1, 0, 1], [-6]]);
  });

  it('a NaN shows in both', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const h = fromData(step, [Number.NaN, 1, 2, 3], [2, 2]);
    const logThreshold = fromData(step, [0, 0], [2]);
    const a = jumpRelu(step, h, logThreshold, { bandwidth: 1 });
    const count = jumpReluCount(step, h, logThreshold, { bandwidth: 1 });
    const lost = jumpRelu(step, h, fromData(step, [0, Number.NaN], [2]), { bandwidth: 1 });
    const read = await Promise.all([a, count, lost].map((each) => readFloats(step, each)));
    expect(read.map((values) => [...values])).toEqual([
      [Number.NaN, 0, 2, 3],
      [Number.NaN, 2],
      [Number.NaN, Number.NaN, 2, Number.NaN],
    ]);
  });

  it('refuses thresholds of another width and bandwidths that are not positive', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const h = fromData(step, new Float32Array(6), [2, 3]);
    const two = fromData(step, [0, 0], [2]);
    const three = fromData(step, [0, 0, 0], [3]);
    expect(await refusal(() => jumpRelu(step, h, two, { bandwidth: 1 }))).toMatchObject({ code: 'tensor/shape' });
    for (const bandwidth of [0, -1, Number.NaN])
      expect(await refusal(() => jumpReluCount(step, h, three, { bandwidth }))).toMatchObject({
        code: 'tensor/bandwidth',
      });
  });
});

// The proximal steps of AdamW against float64, exact zeros, and that a penalised quadratic ends where the lasso does.
import { describe, expect, it } from 'vitest';
import { expectClose, referenceAdamw, referenceCells, referenceRandom, testGpu } from '@limn/testing';
import { adamw, fromData, gradients, persistent, readFloats, square, sub, sumAll } from '../src/index.js';

const random = referenceRandom(73);

describe('proximal steps', () => {
  it.each([
    { shape: [1, 1], l1: 0.4, rowL2: 0 },
    { shape: [5, 63], l1: 0.3, rowL2: 0 },
    { shape: [7, 65], l1: 0, rowL2: 2 },
    { shape: [3, 4], l1: 0.1, rowL2: 0.7 },
  ])('$shape, l1 $l1, rows $rowL2: three updates follow float64', async ({ shape, l1, rowL2 }) => {
    const gpu = await testGpu();
    const [rows, width] = shape as [number, number];
    const size = rows * width;
    const start = random.normals(size, 0.05).map(Math.fround);
    const parameter = persistent(gpu, shape, Float32Array.from(start));
    const [rate, floor] = [0.02, 0.01];
    const optimiser = adamw(gpu, [
      { params: [{ name: 'p', tensor: parameter }], rate, proximal: { l1, rowL2, floor } },
    ]);
    let state: referenceAdamw.AdamWMoments = {
      parameter: start,
      first: new Float64Array(size),
      second: new Float64Array(size),
    };
    for (let count = 1; count <= 3; count++) {
      const g = random.normals(size).map(Math.fround);
      using step = gpu.step();
      optimiser.step(step, [fromData(step, Float32Array.from(g), shape)]);
      const found = await readFloats(step, parameter);
      state = referenceAdamw.adamwUpdate(state, g, { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0, count });
      const seconds = state.second.map((v) => v / (1 - 0.999 ** count));
      const shrunk = referenceCells.proximalL1(
        state.parameter,
        seconds.map((v) => Math.sqrt(v) + floor),
        rate * l1,
      );
      const metric = Float64Array.from({ length: rows }, (_, r) => {
        const own = seconds.subarray(r * width, (r + 1) * width);
        return Math.sqrt(own.reduce((sum, v) => sum + v, 0) / width) + floor;
      });
      state = { ...state, parameter: referenceCells.proximalRows(shrunk, metric, width, rate * rowL2) };
      // A dozen ULP of the update and of the thresholds, which are at most rate · λ / floor.
      const slack = 8 * rate + (rate * (l1 + rowL2)) / floor;
      expectClose(
        found,
        { values: state.parameter, magnitude: start.map((value) => Math.abs(value) + 4 * count * slack) },
        { kernel: 'proximal', case: `${shape.join('×')}, update ${count}`, n: width },
      );
      expect([...found].map((value) => value === 0)).toEqual([...state.parameter].map((value) => value === 0));
    }
    optimiser.dispose();
    parameter.dispose();
  });

  it('ends where the lasso does: soft-thresholded, with exact zeros', async () => {
    const gpu = await testGpu();
    const target = [2, -1, 0.4, -0.3, 0];
    const parameter = persistent(gpu, [5]);
    const optimiser = adamw(gpu, [{ params: [{ name: 'p', tensor: parameter }], rate: 0.05, proximal: { l1: 1 } }]);
    for (let update = 0; update < 400; update++) {
      using step = gpu.step();
      const loss = sumAll(step, square(step, sub(step, parameter, fromData(step, target, [5]))));
      optimiser.step(step, gradients(step, loss, 'ones', [parameter]), { rateScale: 1 - update / 400 });
      await step.submit();
    }
    // min (p − t)² + |p|: p = sign(t) max(0, |t| − ½).
    const found = await gpu.read(parameter.storage, 'f32');
    [1.5, -0.5].forEach((expected, i) => expect(found[i]).toBeCloseTo(expected, 2));
    expect(found.slice(2)).toEqual(Float32Array.of(0, 0, 0));
    optimiser.dispose();
    parameter.dispose();
  });

  it('a NaN stays one, and bad penalties are refused', async () => {
    const gpu = await testGpu();
    for (const proximal of [{ l1: 1 }, { rowL2: 1 }]) {
      const parameter = persistent(gpu, [1, 2], Float32Array.of(Number.NaN, 1));
      const optimiser = adamw(gpu, [{ params: [{ name: 'p', tensor: parameter }], rate: 0.1, proximal }]);
      using step = gpu.step();
      optimiser.step(step, [fromData(step, [1, 1], [1, 2])]);
      expect((await readFloats(step, parameter))[0]).toBeNaN();
      optimiser.dispose();
      parameter.dispose();
    }
    const tensor = persistent(gpu, [1]);
    for (const proximal of [{ l1: -1 }, { rowL2: Number.NaN }, { l1: 1, floor: 0 }])
      expect(() => adamw(gpu, [{ params: [{ name: 'p', tensor }], rate: 0.1, proximal }])).toThrow(/proximal/);
    tensor.dispose();
  });
});

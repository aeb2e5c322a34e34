// encodeTopKEach: each selection and every gradient has the bits of encodeTopK's, which are checked against float64; the product is made once.
import { defaultLimits, dryGpu, type Step } from '@limn/gpu';
import { referenceRandom, testGpu } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  add,
  encodeTopK,
  encodeTopKEach,
  fromData,
  gradients,
  mul,
  persistent,
  sumAll,
  type SparseCodes,
  type Tensor,
} from '../../src/index.js';

const random = referenceRandom(41);

/** Σ of slopes · values of some codes. */
const rootOf = (step: Step, codes: readonly SparseCodes[], slopes: readonly Tensor[]): Tensor =>
  codes.map(({ values }, i) => sumAll(step, mul(step, values, slopes[i]!))).reduce((a, b) => add(step, a, b));

describe('encodeTopKEach', () => {
  it.each([
    { rows: 1, features: 1, width: 1, k: 1, more: 1, over: 'row' },
    { rows: 37, features: 65, width: 7, k: 3, more: 9, over: 'row' },
    { rows: 33, features: 31, width: 8, k: 2, more: 31, over: 'batch' },
  ] as const)(
    '$rows rows of $features features, $k by $over and $more of those that are allowed',
    async ({ rows, features, width, k, more, over }) => {
      const gpu = await testGpu();
      using step = gpu.step();
      const normals = (...shape: readonly number[]): Tensor =>
        fromData(step, Float32Array.from(random.normals(shape.reduce((a, b) => a * b))), shape);
      const inputs = [normals(rows, width), normals(features, width), normals(features)] as const;
      const allowed = fromData(
        step,
        Uint32Array.from({ length: features }, (_, f) => (f % 3 === 0 ? 1 : 0)),
        [features],
      );
      const selections = [
        { k, over },
        { k: more, allowed },
      ];
      // Two tiles where there are rows for them.
      const tileBytes = 4 * 4 * Math.ceil(features / 4) * 20;
      const both = encodeTopKEach(step, ...inputs, selections, { tileBytes });
      const alone = selections.map((selection) => encodeTopK(step, ...inputs, { ...selection, tileBytes }));
      const slopes = both.map(({ capacity }) => normals(capacity));
      const tensorsOf = (codes: readonly SparseCodes[]): (Tensor | undefined)[] => [
        ...codes.flatMap(({ rowStarts, columns, values, entryRows }) => [rowStarts, columns, values, entryRows]),
        ...gradients(step, rootOf(step, codes, slopes), 'ones', [...inputs]),
        // Where only one of them is on the path.
        ...gradients(step, rootOf(step, codes.slice(1), slopes.slice(1)), 'ones', [...inputs]),
      ];
      const bits = (tensors: readonly (Tensor | undefined)[]): Promise<Uint32Array[]> =>
        Promise.all(tensors.map(async (tensor) => new Uint32Array(await step.read(tensor!.storage))));
      const [got, expected] = await Promise.all([bits(tensorsOf(both)), bits(tensorsOf(alone))]);
      expect(got).toEqual(expected);
      expect(got[0]!.at(-1)).toBeGreaterThan(0);
    },
  );

  it('multiplies once for all selections', () => {
    const flops = (record: (step: Step, x: Tensor, w: Tensor, b: Tensor) => void): number => {
      const gpu = dryGpu({ limits: defaultLimits });
      using step = gpu.step();
      record(step, persistent(gpu, [256, 768]), persistent(gpu, [24_576, 768]), persistent(gpu, [24_576]));
      return step.plan().flops;
    };
    const product = 2 * 256 * 768 * 24_576;
    const each = flops((step, x, w, b) => void encodeTopKEach(step, x, w, b, [{ k: 32 }, { k: 384 }]));
    const apart = flops((step, x, w, b) => [32, 384].forEach((k) => void encodeTopK(step, x, w, b, { k })));
    expect(apart - each).toBeGreaterThan(0.99 * product);
    expect(each).toBeLessThan(1.1 * product);
  });

  it('refuses a selection that rows have not got', async () => {
    using step = (await testGpu()).step();
    const x = fromData(step, new Float32Array(6), [2, 3]);
    const w = fromData(step, new Float32Array(12), [4, 3]);
    const b = fromData(step, new Float32Array(4), [4]);
    expect(() => encodeTopKEach(step, x, w, b, [{ k: 2 }, { k: 5 }])).toThrow(
      expect.objectContaining({ code: 'tensor/range' }),
    );
  });
});

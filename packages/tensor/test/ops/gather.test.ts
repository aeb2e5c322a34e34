// gatherRows, gatherLogits and gatherProbabilities with repeated numbers, and their deterministic scatter-adds, against float64.
import { describe, expect, it } from 'vitest';
import { referenceGather, referenceRandom, referenceReduce, referenceSoftmaxLosses, testGpu } from '@limn/testing';
import { fromData, gatherLogits, gatherProbabilities, gatherRows, read } from '../../src/index.js';
import { checkOp, reduceVariants } from '../check-op.js';
import { withWorkgroup, WORKGROUPS } from '../workgroups.js';

const random = referenceRandom(26);
const exact = (values: Float64Array) => ({ values, magnitude: new Float64Array(values.length) });

describe('gatherRows', () => {
  it('rows by number, repeats and numbers beyond included', async () => {
    const cases: [count: number, width: number, places: number, below: number][] = [
      [1, 1, 1, 1],
      [5, 13, 7, 6],
      [64, 3, 63, 64],
      [65, 3, 65, 10],
      [3, 257, 200, 3],
      [512, 768, 16, 512],
    ];
    for (const [count, width, places, below] of cases)
      for (const workgroup of WORKGROUPS) {
        const x = random.normals(count * width);
        const rows = random.integers(places, below);
        await checkOp({
          kernel: 'gatherRows',
          case: `${places} of ${count}×${width}, WG ${workgroup}`,
          inputs: [
            { shape: [count, width], values: x },
            { shape: [places], values: rows },
          ],
          run: (step, [input, numbers]) => gatherRows(withWorkgroup(step, workgroup), input!, numbers!),
          expected: exact(referenceGather.gatherRowsForward(x, width, rows)),
          n: 1,
          vjp: (seed) => [referenceGather.gatherRowsVjp(count, width, rows, seed), undefined],
          vjpN: [places],
        });
      }
  });
});

/** Ids with repeats in a row and, where the row is wide enough, one beyond the vocabulary. */
function idsFor(rows: number, width: number, picks: number): Uint32Array {
  const ids = random.integers(rows * picks, width);
  if (picks > 1) ids[1] = ids[0]!;
  if (picks > 2) ids[2] = width;
  return ids;
}

const sizes: [rows: number, width: number, picks: number][] = [
  [1, 1, 1],
  [3, 7, 2],
  [4, 65, 3],
  [17, 64, 5],
  [2, 50_257, 100],
];

describe('gatherLogits', () => {
  it('without weights', async () => {
    for (const [rows, width, picks] of sizes)
      for (const workgroup of WORKGROUPS) {
        const x = random.normals(rows * width);
        const ids = idsFor(rows, width, picks);
        await checkOp({
          kernel: 'gatherLogits',
          case: `${rows}×${width} at ${picks}, WG ${workgroup}`,
          inputs: [
            { shape: [rows, width], values: x },
            { shape: [rows, picks], values: ids },
          ],
          run: (step, [logits, which]) => gatherLogits(withWorkgroup(step, workgroup), logits!, which!),
          expected: exact(referenceGather.gatherLogitsForward(x, width, ids)),
          n: 1,
          vjp: (seed) => [referenceGather.gatherLogitsVjp(x.length, width, ids, seed), undefined],
          vjpN: [picks],
        });
      }
  });

  it('with weights: a logit difference per row, differentiable in logits and weights', async () => {
    for (const [rows, width, picks] of sizes)
      for (const variant of await reduceVariants()) {
        const x = random.normals(rows * width);
        const ids = idsFor(rows, width, picks);
        const weights = random.normals(rows * picks);
        const chosen = referenceGather.gatherLogitsForward(x, width, ids);
        await checkOp({
          kernel: 'gatherLogits weighted',
          case: `${rows}×${width} at ${picks}`,
          inputs: [
            { shape: [rows, width], values: x },
            { shape: [rows, picks], values: ids },
            { shape: [rows, picks], values: weights },
          ],
          run: (step, [logits, which, by]) => gatherLogits(step, logits!, which!, by!),
          expected: referenceReduce.dotForward(chosen, weights, picks),
          n: picks,
          vjp: (seed) => {
            const d = referenceReduce.dotVjp(weights, picks, seed);
            const dx = referenceGather.gatherLogitsVjp(x.length, width, ids, d.values);
            const size = referenceGather.gatherLogitsVjp(x.length, width, ids, d.magnitude);
            return [
              { values: dx.values, magnitude: size.magnitude },
              undefined,
              referenceReduce.dotVjp(chosen, picks, seed),
            ];
          },
          vjpN: [1 + picks, 1, 1],
          masks: true,
          variant,
        });
      }
  });

  it('refuses ids of another batch', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(6), [2, 3]);
    expect(() => gatherLogits(step, x, fromData(step, new Uint32Array(3), [3, 1]))).toThrow(
      /\[2, 3\] and ids \[3, 1\]/,
    );
  });
});

describe('gatherProbabilities', () => {
  it('softmax probabilities of ids, backward through the softmax', async () => {
    for (const [rows, width, picks] of sizes)
      for (const variant of await reduceVariants())
        // The vocabulary's size says nothing more about the workgroup's.
        for (const workgroup of width > 1000 ? [64] : WORKGROUPS) {
          const x = random.normals(rows * width, 2);
          const ids = idsFor(rows, width, picks);
          await checkOp({
            kernel: 'gatherProbabilities',
            case: `${rows}×${width} at ${picks}, WG ${workgroup}`,
            inputs: [
              { shape: [rows, width], values: x },
              { shape: [rows, picks], values: ids },
            ],
            run: (step, [logits, which]) => gatherProbabilities(withWorkgroup(step, workgroup), logits!, which!),
            expected: referenceSoftmaxLosses.gatherProbabilitiesForward(x, width, ids),
            n: width,
            vjp: (seed) => [referenceSoftmaxLosses.gatherProbabilitiesVjp(x, width, ids, seed), undefined],
            variant,
          });
        }
  });

  it('with weights gives their sum', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(4), [1, 4]);
    const y = gatherProbabilities(
      step,
      x,
      fromData(step, Uint32Array.of(0, 3), [1, 2]),
      fromData(step, [3, -1], [1, 2]),
    );
    expect(y.shape).toEqual([1]);
    expect((await read(step, y))[0]).toBeCloseTo(0.5, 6);
  });
});

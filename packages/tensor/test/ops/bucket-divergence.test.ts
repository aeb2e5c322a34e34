// bucketDivergence in its three forms on every reduction variant against float64, its sums, and rows at the ends of the scale.
import { describe, expect, it } from 'vitest';
import { referenceBucketDivergence, referenceRandom, referenceSoftmaxLosses, testGpu } from '@limn/testing';
import { bucketDivergence, fromData, gradients, readFloats, type BucketForm, type Tensor } from '../../src/index.js';
import { checkOp, rowVariants, type OpInput } from '../check-op.js';

const random = referenceRandom(71);
const forms: readonly BucketForm[] = ['bucket', 'rest', 'mass'];

/** f32 log-probabilities, as the kernel gets them. */
function logProbabilities(rows: number, width: number): Float64Array {
  const { values } = referenceSoftmaxLosses.logSoftmaxForward(random.normals(rows * width, 2), width);
  return values.map(Math.fround);
}

describe.each(forms)('%s', (form) => {
  it.each([
    { refs: 1, repeats: 1, width: 3, picks: 2 },
    { refs: 2, repeats: 2, width: 7, picks: 2 },
    { refs: 3, repeats: 1, width: 63, picks: 1 },
    { refs: 1, repeats: 3, width: 65, picks: 5 },
    { refs: 2, repeats: 1, width: 129, picks: 2 },
    { refs: 1, repeats: 2, width: 50_257, picks: 2 },
  ])('$refs references × $repeats, $width tokens, $picks answers', async ({ refs, repeats, width, picks }) => {
    const rows = refs * repeats;
    const logp = logProbabilities(refs, width);
    const x = random.normals(rows * width, 2);
    const ids = random.integers(rows * picks, width);
    const about = { logp, x, width, ids, form };
    const inputs: OpInput[] = [
      { shape: [refs, width], values: logp, differentiable: false },
      { shape: [rows, width], values: x },
      { shape: [rows, picks], values: ids },
    ];
    for (const { name, how } of await rowVariants())
      await checkOp({
        kernel: 'bucketDivergence',
        case: `${form}, ${rows}×${width}, ${picks} answers, ${name}`,
        inputs,
        run: (step, [reference, logits, answers]) =>
          bucketDivergence(step, reference as Tensor, logits as Tensor, answers as Tensor, form),
        expected: referenceBucketDivergence.bucketDivergenceForward(about),
        n: width,
        vjp: (seed) => [undefined, referenceBucketDivergence.bucketDivergenceVjp(about, seed), undefined],
        vjpN: [width, width, width],
        ...how,
      });
  });
});

describe('bucketDivergence', () => {
  const rows = async (logits: number[], form: BucketForm, answers = [0, 1]) => {
    const gpu = await testGpu();
    using step = gpu.step();
    const V = logits.length;
    const logp = fromData(
      step,
      [-1, -1.5, -2, -3].slice(0, V).map((v, _, all) => v - Math.log(all.reduce((s, u) => s + Math.exp(u), 0))),
      [1, V],
    );
    const x = fromData(step, logits, [1, V]);
    const y = bucketDivergence(step, logp, x, fromData(step, Uint32Array.from(answers), [1, 2]), form);
    const [dx] = gradients(step, y, 'ones', [x]) as [Tensor];
    const [value, slopes] = await Promise.all([readFloats(step, y), readFloats(step, dx)]);
    return { value: value[0]!, slopes: [...slopes] };
  };

  it('answers trade mass freely: moving it between them costs nothing, and no gradient of a row has a sum', async () => {
    for (const form of forms) {
      const total = Math.log(Math.exp(-1) + Math.exp(-1.5));
      const same = await rows([Math.log(0.9) + total, Math.log(0.1) + total, -2, -3], form);
      expect(same.value).toBeCloseTo(0, 5);
      const moved = await rows([0.3, -2, 1.5, -1], form);
      expect(moved.value).toBeGreaterThan(0.01);
      expect(moved.slopes.reduce((sum, slope) => sum + slope, 0)).toBeCloseTo(0, 6);
    }
  });

  it('stays finite where answers have all of the mass or none of it', async () => {
    for (const form of forms)
      for (const logits of [
        [200, 190, -200, -210],
        [-200, -210, 100, 90],
      ]) {
        const { value, slopes } = await rows(logits, form);
        expect([value, ...slopes].every(Number.isFinite)).toBe(true);
      }
    // Outside the answers nothing but the ratio of two tokens is left: KL of their renormalised shares.
    const share = 1 / (1 + Math.exp(-1));
    const now = 1 / (1 + Math.exp(-10));
    const expected = share * Math.log(share / now) + (1 - share) * Math.log((1 - share) / (1 - now));
    expect((await rows([200, 190, -200, -210], 'rest')).value).toBeCloseTo(expected, 4);
  });

  it('a NaN among the logits shows', async () => {
    for (const form of forms) expect((await rows([1, 0, Number.NaN, 0], form)).value).toBeNaN();
    for (const form of forms) expect((await rows([1, Number.NaN, 0, 0], form)).value).toBeNaN();
  });

  it('refuses shapes that do not belong together', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const of = (shape: number[]) => fromData(step, new Float32Array(shape[0]! * shape[1]!), shape);
    const ids = (shape: number[]) => fromData(step, new Uint32Array(shape[0]! * shape[1]!), shape);
    expect(() => bucketDivergence(step, of([2, 5]), of([3, 5]), ids([3, 2]))).toThrow(/do not belong together/);
    expect(() => bucketDivergence(step, of([1, 4]), of([3, 5]), ids([3, 2]))).toThrow(/do not belong together/);
    expect(() => bucketDivergence(step, of([3, 5]), of([3, 5]), ids([2, 2]))).toThrow(/do not belong together/);
    expect(() => bucketDivergence(step, of([3, 2]), of([3, 2]), ids([3, 2]))).toThrow(/A below V/);
  });
});

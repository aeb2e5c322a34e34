// Causal attention, fused and in parts, with padding, past and odd heads, against float64.
import { describe, expect, it, type TestContext } from 'vitest';
import { referenceAttention, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  attentionMix,
  attentionScores,
  causalAttention,
  causalSoftmax,
  chooseAttention,
  fromData,
  readFloats,
  softmax,
} from '../../src/index.js';
import { checkOp, rowVariants } from '../check-op.js';
import { withWorkgroup } from '../workgroups.js';

const random = referenceRandom(13);

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly width: number;
  readonly queries: number;
  readonly keys: number;
  readonly past?: number;
  readonly lengths?: readonly number[];
}

const long: Sizes[] =
  process.env['LIMN_LONG'] === '1' ? [{ batch: 1, heads: 12, width: 64, queries: 128, keys: 128 }] : [];
const cases: Sizes[] = [
  { batch: 1, heads: 1, width: 1, queries: 1, keys: 1 },
  { batch: 2, heads: 4, width: 16, queries: 48, keys: 48 },
  { batch: 3, heads: 3, width: 24, queries: 13, keys: 13, lengths: [13, 1, 7] },
  { batch: 2, heads: 2, width: 7, queries: 5, keys: 5, lengths: [0, 3] },
  { batch: 2, heads: 2, width: 8, queries: 3, keys: 11, past: 8, lengths: [11, 9] },
  // One decoded token a row over a cache with room for 16.
  { batch: 3, heads: 3, width: 24, queries: 1, keys: 16, past: 15, lengths: [16, 1, 7] },
  { batch: 1, heads: 2, width: 64, queries: 65, keys: 65 },
  { batch: 1, heads: 1, width: 128, queries: 17, keys: 17 },
  ...long,
];

function name({ batch, heads, width, queries, keys, past, lengths }: Sizes): string {
  return `B${batch} H${heads} K${width} T${queries} S${keys}${past ? ` past ${past}` : ''}${lengths ? ` lengths ${lengths.join(' ')}` : ''}`;
}

/** Around the tiles of 32 queries and keys, heads of several slices, and fewer lengths and keys than a tile. */
const tiledCases: Sizes[] = [
  { batch: 1, heads: 1, width: 4, queries: 1, keys: 1 },
  { batch: 2, heads: 3, width: 40, queries: 33, keys: 33, lengths: [33, 0] },
  { batch: 1, heads: 2, width: 40, queries: 31, keys: 67, past: 36 },
  { batch: 2, heads: 1, width: 40, queries: 1, keys: 65, past: 64, lengths: [65, 40] },
  { batch: 1, heads: 1, width: 128, queries: 17, keys: 17 },
  ...long,
];

/** Software adapters never choose tiles or decode, and take ten seconds and more to compile them for each width of heads. */
async function skipSlowTiles(context: TestContext, kernel: string): Promise<void> {
  const { capabilities } = await testGpu();
  const slow = kernel !== 'fused' && capabilities.adapter.isFallback && process.env['LIMN_LONG'] !== '1';
  context.skip(slow, 'a software adapter takes long to compile what it never chooses: LIMN_LONG=1');
}

/** Fewer and more keys than a workgroup has lanes, chunks of which some see nothing, and heads that leave lanes over. */
const decodeCases: Sizes[] = [
  { batch: 1, heads: 1, width: 40, queries: 1, keys: 1 },
  { batch: 2, heads: 3, width: 40, queries: 1, keys: 200, past: 199, lengths: [200, 70] },
  { batch: 2, heads: 1, width: 40, queries: 1, keys: 65, past: 62, lengths: [65, 0] },
];
const casesOf = { fused: cases, tiled: tiledCases, decode: decodeCases };

describe.each(['fused', 'tiled', 'decode'] as const)('causalAttention, %s', (kernel) => {
  for (const sizes of casesOf[kernel])
    it(name(sizes), async (context) => {
      await skipSlowTiles(context, kernel);
      const { batch, heads, width, queries, keys, lengths, past } = sizes;
      const shape = { ...sizes, scale: 1 / Math.sqrt(width) };
      const q = random.normals(batch * queries * heads * width);
      const k = random.normals(batch * keys * heads * width);
      const v = random.normals(batch * keys * heads * width);
      const perKey = [batch, keys, heads, width];
      await checkOp({
        kernel: 'causalAttention',
        case: `${kernel} ${name(sizes)}`,
        inputs: [
          { shape: [batch, queries, heads, width], values: q },
          { shape: perKey, values: k },
          { shape: perKey, values: v },
          ...(lengths ? [{ shape: [batch], values: Uint32Array.from(lengths) }] : []),
        ],
        run: (step, [tq, tk, tv, tl]) =>
          causalAttention(step, tq!, tk!, tv!, {
            kernel,
            ...(past === undefined ? {} : { past }),
            ...(tl ? { lengths: tl } : {}),
          }),
        expected: referenceAttention.attentionForward(q, k, v, shape),
        n: keys,
        // Going back, 'decode' is 'tiled'.
        ...(kernel === 'decode'
          ? {}
          : {
              vjp: (seed) => {
                const d = referenceAttention.attentionVjp(q, k, v, shape, seed);
                return [d.q, d.k, d.v];
              },
              vjpN: [keys, queries, queries],
            }),
        masks: keys === 5,
      });
    });
});

describe('causalAttention', () => {
  it.for(['fused', 'tiled'] as const)(
    '%s: a NaN key spoils the queries that see it, and no other',
    async (kernel, context) => {
      await skipSlowTiles(context, kernel);
      const gpu = await testGpu();
      using step = gpu.step();
      const four = (values: number[]) => values.flatMap((value) => [value, 1, 1, 1]);
      const ones = fromData(step, four([1, 1, 1]), [1, 3, 1, 4]);
      const k = fromData(step, four([1, NaN, 1]), [1, 3, 1, 4]);
      const z = await readFloats(step, causalAttention(step, ones, k, ones, { kernel }));
      expect([...z]).toEqual([1, 1, 1, 1, ...Array(8).fill(NaN)]);
    },
  );

  it('refuses heads wider than its registers', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(129), [1, 1, 1, 129]);
    expect(() => causalAttention(step, x, x, x, { kernel: 'fused' })).toThrow(/at most 128/);
    const odd = fromData(step, new Float32Array(7), [1, 1, 1, 7]);
    expect(() => causalAttention(step, odd, odd, odd, { kernel: 'tiled' })).toThrow(/'tiled' such in fours/);
  });

  it('refuses a past that does not fit the keys', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, new Float32Array(8), [1, 2, 1, 4]);
    expect(() => causalAttention(step, x, x, x, { past: 1 })).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
  });
});

/** Rows of whole vec4s: some that end within one, see nothing or all, and more of them than a workgroup has lanes. */
const softmaxCases: Sizes[] = [
  { batch: 2, heads: 2, width: 1, queries: 8, keys: 8, lengths: [8, 0] },
  { batch: 1, heads: 3, width: 1, queries: 23, keys: 44, past: 21 },
  { batch: 2, heads: 1, width: 1, queries: 1, keys: 256, past: 255, lengths: [256, 130] },
];

describe('causalSoftmax, every kernel', () => {
  for (const kernel of ['span', 'lane', 'lane4'] as const)
    for (const sizes of kernel === 'lane' ? [...softmaxCases, ...cases.slice(2, 5)] : softmaxCases)
      it(`${kernel} ${name(sizes)}`, async () => {
        const { batch, heads, queries, keys, lengths, past } = sizes;
        const scores = random.normals(batch * heads * queries * keys, 2);
        await checkOp({
          kernel: 'causalSoftmax',
          case: `${kernel} ${name(sizes)}`,
          inputs: [
            { shape: [batch, heads, queries, keys], values: scores },
            ...(lengths ? [{ shape: [batch], values: Uint32Array.from(lengths) }] : []),
          ],
          run: (step, [t, tl]) =>
            causalSoftmax(step, t!, {
              ...(past === undefined ? {} : { past }),
              ...(tl ? { lengths: tl } : {}),
              kernel,
            }),
          expected: referenceAttention.causalSoftmaxForward(scores, { ...sizes, scale: 1 }),
          n: keys,
          vjp: (seed) => {
            const pattern = referenceAttention.causalSoftmaxForward(scores, { ...sizes, scale: 1 });
            return [referenceAttention.causalSoftmaxVjp(pattern.values, keys, seed)];
          },
          // The pattern that enters is the GPU's own, with its own rounding: the forward's bound once more.
          vjpC: 16,
        });
      });

  it.each(['row', 'span', 'lane', 'lane4'] as const)('%s tells a spoilt row from an empty one', async (kernel) => {
    const gpu = await testGpu();
    using step = gpu.step();
    const inf = Infinity;
    const rows = [
      // Spoilt beyond what the row sees, at its end, and by +∞; nothing but −∞; −∞ among others.
      [1, NaN, inf, 9],
      [1, NaN, 9, 9],
      [inf, 1, 1, NaN],
      [-inf, -inf, -inf, -inf],
    ];
    const scores = (values: number[][]) => fromData(step, values.flat(), [1, 1, values.length, 4]);
    const canaries = withCanaries(step);
    const [causal, plain] = await canaries.read([
      causalSoftmax(step, scores(rows), { kernel }),
      softmax(
        step,
        scores([
          [-inf, -inf, -inf, -inf],
          [0, -inf, -inf, -inf],
          [-NaN, 1, 1, 1],
        ]),
        { kernel },
      ),
    ]);
    const nan = [NaN, NaN, NaN, NaN];
    expect([...causal!]).toEqual([1, 0, 0, 0, NaN, NaN, 0, 0, NaN, NaN, NaN, 0, 0, 0, 0, 0]);
    expect([...plain!]).toEqual([...nan, 1, 0, 0, 0, ...nan]);
  });
});

describe('attention in parts', async () => {
  for (const { name: variant, how } of await rowVariants())
    for (const sizes of cases)
      it(`${name(sizes)} ${variant}`, async () => {
        const { batch, heads, width, queries, keys, lengths, past } = sizes;
        const shape = { ...sizes, scale: 1 / Math.sqrt(width) };
        const q = random.normals(batch * queries * heads * width);
        const k = random.normals(batch * keys * heads * width);
        const pairs = [batch, heads, queries, keys];
        const perQuery = [batch, queries, heads, width];
        const perKey = [batch, keys, heads, width];
        await checkOp({
          kernel: 'attentionScores',
          case: name(sizes),
          ...how,
          inputs: [
            { shape: perQuery, values: q },
            { shape: perKey, values: k },
          ],
          run: (step, [tq, tk]) => attentionScores(step, tq!, tk!),
          expected: referenceAttention.attentionScores(q, k, shape),
          n: width,
          vjp: (seed) => {
            const d = referenceAttention.attentionScoresVjp(q, k, shape, seed);
            return [d.q, d.k];
          },
          vjpN: [keys, queries],
          masks: keys === 5,
        });
        const scores = random.normals(batch * heads * queries * keys, 2);
        const pattern = referenceAttention.causalSoftmaxForward(scores, shape);
        await checkOp({
          kernel: 'causalSoftmax',
          case: name(sizes),
          ...how,
          inputs: [
            { shape: pairs, values: scores },
            ...(lengths ? [{ shape: [batch], values: Uint32Array.from(lengths) }] : []),
          ],
          run: (step, [t, tl]) =>
            causalSoftmax(step, t!, {
              ...(past === undefined ? {} : { past }),
              ...(tl ? { lengths: tl } : {}),
              kernel: 'row',
            }),
          expected: pattern,
          n: keys,
          vjp: (seed) => [referenceAttention.causalSoftmaxVjp(pattern.values, keys, seed)],
          // The pattern that enters is the GPU's own, with its own rounding: the forward's bound once more.
          vjpC: 16,
        });
        const p = pattern.values.map((value) => Math.fround(value));
        await checkOp({
          kernel: 'attentionMix',
          case: name(sizes),
          ...how,
          inputs: [
            { shape: pairs, values: p },
            { shape: perKey, values: k },
          ],
          run: (step, [tp, tv]) => attentionMix(step, tp!, tv!),
          expected: referenceAttention.attentionMix(p, k, shape),
          n: keys,
          vjp: (seed) => {
            const d = referenceAttention.attentionMixVjp(p, k, shape, seed);
            return [d.pattern, d.v];
          },
          vjpN: [width, queries],
          masks: keys === 5,
        });
      });

  it('gives NaN where a NaN score is seen, and zeros for a row of −∞', async () => {
    const gpu = await testGpu();
    for (const { how } of await rowVariants()) {
      using step = gpu.step();
      const canaries = withCanaries(step, how.variant);
      if (how.workgroup) withWorkgroup(step, how.workgroup);
      const scores = fromData(step, [1, 9, 9, NaN, 1, 9, -Infinity, -Infinity, -Infinity], [1, 1, 3, 3]);
      const [pattern] = await canaries.read([causalSoftmax(step, scores, { kernel: 'row' })]);
      expect([...pattern!]).toEqual([1, 0, 0, NaN, NaN, 0, 0, 0, 0]);
    }
  });

  it('is chosen on software adapters, unless the pattern is too large; heads too wide leave no choice', async () => {
    const { capabilities } = await testGpu();
    const choose = (isFallback: boolean, queries: number, batch = 1, width = 64) =>
      chooseAttention(
        { ...capabilities, adapter: { ...capabilities.adapter, isFallback } },
        { batch, heads: 12, queries, keys: 1024, width, past: 1024 - queries, scale: 1 },
      );
    expect([choose(true, 64), choose(true, 1024, 8), choose(true, 1)]).toEqual(['parts', 'fused', 'parts']);
    expect([choose(false, 64), choose(false, 1), choose(false, 1, 4000)]).toEqual(['tiled', 'decode', 'decode']);
    expect([choose(false, 64, 1, 129), choose(false, 64, 1, 63)]).toEqual(['parts', 'fused']);
  });

  it('is the fused op', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const data = () => fromData(step, Float32Array.from(random.normals(2 * 9 * 3 * 8)), [2, 9, 3, 8]);
    const [q, k, v] = [data(), data(), data()];
    const lengths = fromData(step, Uint32Array.of(9, 4), [2]);
    const fused = readFloats(step, causalAttention(step, q, k, v, { lengths, kernel: 'fused' }));
    const pattern = causalSoftmax(step, attentionScores(step, q, k), { lengths });
    const parts = await readFloats(step, attentionMix(step, pattern, v));
    (await fused).forEach((value, i) => expect(Math.abs(value - parts[i]!)).toBeLessThan(2e-6));
  });
});

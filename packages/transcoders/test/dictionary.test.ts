// A dictionary is its formula; what it refuses says why; in the place of an MLP it composes with other edits.
import { tokenBatch } from '@limn/hooks';
import { refusal, testGpu, ToyModel } from '@limn/testing';
import { fromData, readFloats } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  checkConfig,
  checkFits,
  Dictionary,
  type DictionaryActivation,
  type DictionaryConfig,
  type DictionaryWeights,
} from '../src/index.js';

const config: DictionaryConfig = {
  layer: 1,
  input: 'ln2.hook_normalized',
  inputWidth: 5,
  outputWidth: 3,
  features: 7,
  activation: { kind: 'relu' },
  skip: true,
};

const SIZES = { layers: 1, heads: 2, headWidth: 4, mlpWidth: 9, vocabulary: 11, maxPositions: 6 };

let state = 7;
const draw = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 31 - 1;
  });
const drawn = ({ features: F, inputWidth: I, outputWidth: O }: DictionaryConfig): DictionaryWeights => ({
  wEnc: draw(F * I),
  bEnc: draw(F),
  wDec: draw(F * O),
  bDec: draw(O),
  wSkip: draw(I * O),
});

test('apply is x·W_skip + b_dec + max(x·W_encᵀ + b_enc, 0)·W_dec', async () => {
  const gpu = await testGpu();
  const weights = drawn(config);
  const x = draw(4 * 5);
  using dictionary = Dictionary.create(gpu, config, weights);
  using step = gpu.step();
  const y = await readFloats(step, dictionary.apply(step, fromData(step, x, [2, 2, 5])));
  const { wEnc, bEnc, wDec, bDec, wSkip } = weights as Required<DictionaryWeights>;
  for (let n = 0; n < 4; n++)
    for (let o = 0; o < 3; o++) {
      let expected = bDec[o] as number;
      for (let i = 0; i < 5; i++) expected += (x[n * 5 + i] as number) * (wSkip[i * 3 + o] as number);
      for (let f = 0; f < 7; f++) {
        let h = bEnc[f] as number;
        for (let i = 0; i < 5; i++) h += (x[n * 5 + i] as number) * (wEnc[f * 5 + i] as number);
        expected += Math.max(h, 0) * (wDec[f * 3 + o] as number);
      }
      // At most 5 + 7·5 + 7 terms of size up to 5: 47 roundings of 2^-24 of their sum of magnitudes, below 64.
      expect(Math.abs((y[n * 3 + o] as number) - expected)).toBeLessThan(47 * 2 ** -24 * 64);
    }
  const kept = await dictionary.weights();
  expect(kept).toEqual(weights);
});

/** Every activation, with what a [N, F] of h makes of it. */
const ACTIVATIONS: readonly [
  DictionaryActivation,
  (h: Float64Array, threshold: (f: number) => number) => Float64Array,
][] = [
  [{ kind: 'relu' }, (h) => h.map((v) => Math.max(v, 0))],
  [{ kind: 'top-k', k: 2 }, (h) => keepLargest(h, 6, 2)],
  [{ kind: 'jump-relu', bandwidth: 0.1 }, (h, threshold) => h.map((v, at) => (v > threshold(at % 7) ? v : 0))],
  [{ kind: 'batch-top-k', k: 2 }, (h, threshold) => h.map((v, at) => (v > threshold(at % 7) ? v : 0))],
];

/** The k largest positive of each of N rows. */
function keepLargest(h: Float64Array, rows: number, k: number): Float64Array {
  const width = h.length / rows;
  return h.map((value, at) => {
    const row = h.subarray(at - (at % width), at - (at % width) + width);
    return value > 0 && row.filter((other) => other > value).length < k ? value : 0;
  });
}

test.each(ACTIVATIONS)(
  '%o: encode is φ, apply decodes it, whole and in parts; in training a batch selects for itself',
  async (activation, phi) => {
    const gpu = await testGpu();
    const own: DictionaryConfig = { ...config, activation };
    const hasThreshold = activation.kind === 'jump-relu' || activation.kind === 'batch-top-k';
    const logThreshold = Float32Array.from({ length: 7 }, (_, f) => -1.5 + 0.1 * f);
    const weights = { ...drawn(own), ...(hasThreshold ? { logThreshold } : {}) };
    const x = draw(6 * 5);
    using dictionary = Dictionary.create(gpu, own, weights);
    using step = gpu.step();
    const input = fromData(step, x, [6, 5]);
    const read = await Promise.all(
      [
        dictionary.preActivations(step, input),
        dictionary.encode(step, input),
        dictionary.encode(step, input, { training: true }),
        dictionary.decode(step, dictionary.encode(step, input), input),
        dictionary.apply(step, input),
        dictionary.apply(step, input, { rowsAtOnce: 4 }),
      ].map((tensor) => readFloats(step, tensor)),
    );
    const [h, a, trained, decoded, whole, parts] = read as [Float32Array, ...Float32Array[]];
    const wide = Float64Array.from(h);
    const expected = phi(wide, (f) => Math.exp(logThreshold[f] as number));
    // The encoder may sum in another order: what fires is the same, at values within a few roundings of sums below 16.
    const same = (found: Float32Array | undefined, wanted: Float64Array): void =>
      found!.forEach((value, at) => {
        expect(value > 0).toBe((wanted[at] as number) > 0);
        expect(Math.abs(value - (wanted[at] as number))).toBeLessThan(6 * 2 ** -24 * 16);
      });
    same(a, expected);
    same(trained, activation.kind === 'batch-top-k' ? keepLargest(wide, 1, 12) : expected);
    // Sums of the same terms in other orders: at most 12 of sizes up to 5.
    for (const y of [whole, parts])
      y!.forEach((value, at) => expect(Math.abs(value - decoded![at]!)).toBeLessThan(12 * 2 ** -24 * 60));
  },
);

test('in the place of an MLP it gives the stream its output, for a model of another architecture too', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  const { width } = model.info;
  const own: DictionaryConfig = { ...config, layer: 0, inputWidth: width, outputWidth: width, skip: false };
  checkFits(own, model.info);
  const { wSkip: _, ...weights } = drawn(own);
  for (const input of ['ln2.hook_normalized', 'hook_mlp_out'] as const) {
    using dictionary = Dictionary.create(gpu, { ...own, input }, weights);
    using step = gpu.step();
    const out = 'blocks.0.hook_mlp_out';
    const tokens = tokenBatch([[1, 2, 3]], model.info);
    const plain = model.run(step, { tokens }, { capture: [dictionary.reads], logits: 'none' });
    const run = model.run(
      step,
      { tokens },
      { interventions: [dictionary.replacement()], capture: [out], logits: 'none' },
    );
    const rebuilt = dictionary.apply(step, plain.at(dictionary.reads));
    const [found, expected] = await Promise.all([readFloats(step, run.at(out)), readFloats(step, rebuilt)]);
    expect(found).toEqual(expected);
  }
});

test('what cannot be a dictionary is refused with a code, and names the field', async () => {
  const gpu = await testGpu();
  const refused = (change: object) => refusal(() => checkConfig({ ...config, ...change } as DictionaryConfig));
  expect(await refused({ features: 0 })).toMatchObject({ code: 'usage/dictionary-config' });
  expect(await refused({ activation: { kind: 'top-k', k: 8 } })).toMatchObject({ details: { field: 'k' } });
  expect(await refused({ activation: { kind: 'gated' } })).toMatchObject({ details: { field: 'activation' } });
  expect(await refused({ input: 'hook_mlp_out' })).toMatchObject({ details: { field: 'skip' } });
  const weights = drawn(config);
  const create = (change: Partial<DictionaryWeights>) =>
    refusal(() => Dictionary.create(gpu, config, { ...weights, ...change }));
  expect(await create({ wEnc: weights.wDec })).toMatchObject({ code: 'data/dictionary-weights' });
  expect(await create({ bDec: new Float32Array([1, NaN, 0]) })).toMatchObject({ message: /NaN at 1/ });
  expect(await create({ logThreshold: new Float32Array(7) })).toMatchObject({ message: /does not belong/ });
  const model = new ToyModel(gpu, SIZES);
  expect(await refusal(() => checkFits(config, model.info))).toMatchObject({ code: 'data/dictionary-model' });
});

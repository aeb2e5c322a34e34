// Evaluation's figures are those of their definitions, computed here from whole runs; the same call gives the same bits.
import { ablate, blockHook, tokenBatch, type Intervention } from '@limn/hooks';
import { refusal, testGpu, ToyModel } from '@limn/testing';
import { persistent, readFloats, reshape, type Tensor } from '@limn/tensor';
import { expect, test } from 'vitest';
import {
  Dictionary,
  evaluateDictionaries,
  TopNeurons,
  type DictionaryConfig,
  type DictionaryWeights,
} from '../src/index.js';
import { replacementFigures } from '../src/evaluation/fidelity.js';
import { firingFigures } from '../src/evaluation/firing.js';

const SIZES = { layers: 2, heads: 2, headWidth: 4, mlpWidth: 9, vocabulary: 23, maxPositions: 8 };
const WIDTH = 8;
const sequences = [
  [1, 2, 3, 4, 5, 6, 7],
  [9, 8, 7, 22, 1],
  [3, 3, 20, 5, 11, 1],
  [4, 10, 17, 0, 2],
];
let state = 11;
const draw = (count: number, size = 1): Float32Array =>
  Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state / 2 ** 31 - 1) * size;
  });
const configOf = (layer: number, input: DictionaryConfig['input']): DictionaryConfig => ({
  layer,
  input,
  inputWidth: WIDTH,
  outputWidth: WIDTH,
  features: 12,
  activation: { kind: 'relu' },
  skip: false,
});
const drawn = (): DictionaryWeights => ({
  wEnc: draw(12 * WIDTH),
  bEnc: draw(12, 2),
  wDec: draw(12 * WIDTH, 0.3),
  bDec: draw(WIDTH),
});

/** Log-probabilities and one site of every sequence, all of them run at once. */
async function runs(
  model: ToyModel,
  interventions: readonly Intervention[],
  site: 'hook_mlp_out' | 'mlp.hook_post',
  layer: number,
) {
  const name = blockHook(layer, site);
  using step = model.gpu.step();
  const tokens = tokenBatch(sequences, model.info);
  const run = model.run(step, { tokens }, { interventions, capture: [name] });
  const [logits, values] = await Promise.all([readFloats(step, run.logits), readFloats(step, run.at(name))]);
  const V = SIZES.vocabulary;
  const width = values.length / (tokens.B * tokens.T);
  return sequences.map((ids, s) => {
    const logp = ids.map((_, t) => {
      const row = Array.from(logits.subarray((s * tokens.T + t) * V, (s * tokens.T + t + 1) * V));
      const most = Math.max(...row);
      const lse = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
      return row.map((x) => x - lse);
    });
    return { logp, at: values.subarray(s * tokens.T * width, (s + 1) * tokens.T * width) };
  });
}
type Runs = Awaited<ReturnType<typeof runs>>;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const perToken = (f: (s: number, t: number) => number): number =>
  mean(sequences.flatMap((ids, s) => ids.slice(1).map((_, t) => f(s, t))));
const at = (of: Runs, s: number, t: number): number[] => of[s]?.logp[t] as number[];
const lossOf = (of: Runs) => perToken((s, t) => -(at(of, s, t)[sequences[s]?.[t + 1] as number] as number));
const klOf = (from: Runs, to: Runs) =>
  perToken((s, t) => at(from, s, t).reduce((sum, p, v) => sum + Math.exp(p) * (p - (at(to, s, t)[v] as number)), 0));
const best = (row: readonly number[]): number => row.indexOf(Math.max(...row));
/** A site's rows at positions ≥ 1. */
const rowsOf = (of: Runs): number[][] =>
  of.flatMap(({ at: values }, s) =>
    (sequences[s] as number[]).slice(1).map((_, t) => Array.from(values.subarray((t + 1) * WIDTH, (t + 2) * WIDTH))),
  );

test('losses, KL, agreement, FVU, L0, ablations and what is recovered are their definitions', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  const config = configOf(1, 'ln2.hook_normalized');
  using dictionary = Dictionary.create(gpu, config, drawn());
  using sae = Dictionary.create(gpu, configOf(0, 'hook_mlp_out'), drawn());
  const named = [
    { name: 'transcoder', dictionary },
    { name: 'sae', dictionary: sae },
  ];
  const options = {
    skip: 1,
    batchSize: 4,
    neurons: [
      { layer: 1, k: 4, rest: 'zero' },
      { layer: 1, k: 9, rest: 'mean' },
    ],
    together: [{ name: 'both', dictionaries: ['sae', 'transcoder'] }],
  } as const;
  const found = await evaluateDictionaries(model, sequences, named, options);
  expect(await evaluateDictionaries(model, sequences, named, options)).toEqual(found);
  const behindFirst = { positions: Array.from({ length: 7 }, (_, t) => t + 1) };
  const plain = await runs(model, [], 'hook_mlp_out', 1);
  const replaced = await runs(model, [dictionary.replacement(behindFirst)], 'hook_mlp_out', 1);
  const y = rowsOf(plain);
  const centre = Array.from({ length: WIDTH }, (_, c) => mean(y.map((row) => row[c] as number)));
  const centreTensor = persistent(gpu, [WIDTH], Float32Array.from(centre));
  const ablatedTo = (to: 'zero' | Tensor) =>
    runs(model, [ablate(blockHook(1, 'hook_mlp_out'), to, behindFirst)], 'hook_mlp_out', 1);
  const [atMean, atZero] = [await ablatedTo(centreTensor), await ablatedTo('zero')];
  const squares = (a: readonly number[][], b: (row: number) => readonly number[]): number =>
    a.reduce((sum, row, n) => sum + row.reduce((each, x, c) => each + (x - (b(n)[c] as number)) ** 2, 0), 0);
  const rebuilt = rowsOf(replaced);
  const figures = found.dictionaries[0] as (typeof found.dictionaries)[number];
  // f32 log-probabilities of size up to 4, rounded a few times each: 2e-6 of a nat.
  const near = (value: number, expected: number): void => expect(Math.abs(value - expected)).toBeLessThan(2e-6);
  near(found.loss, lossOf(plain));
  near(figures.loss, lossOf(replaced));
  near(figures.divergence, klOf(plain, replaced));
  expect(figures.agreement).toBeCloseTo(
    perToken((s, t) => (best(at(plain, s, t)) === best(at(replaced, s, t)) ? 1 : 0)),
    12,
  );
  expect(figures.fvu).toBeCloseTo(squares(y, (n) => rebuilt[n] as number[]) / squares(y, () => centre), 5);
  const layer = found.layers.find(({ layers }) => layers[0] === 1) as (typeof found.layers)[number];
  near(layer.mean.loss, lossOf(atMean));
  near(layer.zero.loss, lossOf(atZero));
  near(layer.mean.divergence, klOf(plain, atMean));
  near(layer.cost, lossOf(atMean) - lossOf(plain));
  expect(figures.recovered.mean.loss).toBeCloseTo(
    (layer.mean.loss - figures.loss) / (layer.mean.loss - found.loss),
    12,
  );
  expect(figures.recovered.zero.divergence).toBeCloseTo(1 - figures.divergence / layer.zero.divergence, 12);
  expect([found.predictions, found.tokens]).toEqual([19, 19]);

  // L0 by encoding every token that is replaced.
  using step = gpu.step();
  const run = model.run(step, { tokens: tokenBatch(sequences, model.info) }, { capture: [dictionary.reads] });
  const B = sequences.length;
  const x = run.at(dictionary.reads);
  const a = await readFloats(step, dictionary.encode(step, reshape(x, [B * 7, WIDTH])));
  let firings = 0;
  sequences.forEach((ids, s) => {
    for (let t = 1; t < ids.length; t++)
      firings += a.subarray((s * 7 + t) * 12, (s * 7 + t + 1) * 12).filter((each) => each > 0).length;
  });
  expect(figures.l0).toBeCloseTo(firings / 19, 12);

  const [kept, all] = found.neurons as [(typeof found.neurons)[number], (typeof found.neurons)[number]];
  // Nine of nine neurons are the MLP itself.
  near(all.loss, found.loss);
  expect(all.fvu).toBeLessThan(1e-10);
  const { recovered } = kept;
  expect(recovered.mean.loss).toBeCloseTo((layer.mean.loss - kept.loss) / (layer.mean.loss - found.loss), 12);
  const joint = found.together[0] as (typeof found.together)[number];
  const both = await runs(
    model,
    [sae.replacement(behindFirst), dictionary.replacement(behindFirst)],
    'hook_mlp_out',
    1,
  );
  near(joint.loss, lossOf(both));
  expect(joint.ablations.layers).toEqual([1, 0]);
  centreTensor.dispose();
});

test("the paper's own run of GPT-2 small with layers 0 to 10 replaced recovers .913 of what zeros cost", () => {
  const [original, replaced, zeros] = [3.5928, 4.2337, 10.9406];
  const of = (loss: number, divergence: number) => ({ loss, divergence, agreement: 0 });
  const ablations = { layers: [0], mean: of(5.5928, 2), zero: of(zeros, 7), cost: 2 };
  const { recovered } = replacementFigures(of(replaced, 0.668), ablations, original);
  expect(recovered.zero.loss).toBeCloseTo(0.913, 3);
  expect(recovered.mean.loss).toBeCloseTo(1 - 0.6409 / 2, 6);
  expect([recovered.mean.divergence, recovered.zero.divergence]).toEqual([
    expect.closeTo(1 - 0.668 / 2, 12),
    expect.closeTo(1 - 0.668 / 7, 12),
  ]);
});

test('of every token the neurons that write most are kept', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  using neurons = await TopNeurons.create(model, { layer: 0, k: 3, rest: 'zero' });
  const [full, few] = [
    await runs(model, [], 'mlp.hook_post', 0),
    await runs(model, [neurons.restriction()], 'mlp.hook_post', 0),
  ];
  const out = await gpu.read((model.parameters().get('0.out.weight') as Tensor).storage, 'f32');
  // [out, in]: the norm of a column.
  const norms = Array.from({ length: 9 }, (_, m) =>
    Math.hypot(...Array.from({ length: WIDTH }, (_, c) => out[c * 9 + m] as number)),
  );
  full.forEach(({ at: values }, s) => {
    for (let t = 0; t < (sequences[s] as number[]).length; t++) {
      const row = Array.from(values.subarray(t * 9, t * 9 + 9));
      const largest = row
        .map((x, m) => [Math.abs(x) * (norms[m] as number), m] as const)
        .sort((a, b) => b[0] - a[0])
        .slice(0, 3)
        .map(([, m]) => m);
      const expected = row.map((x, m) => (largest.includes(m) ? x : 0));
      expect(Array.from((few[s] as Runs[number]).at.subarray(t * 9, t * 9 + 9))).toEqual(expected);
    }
  });
  expect(await refusal(TopNeurons.create(model, { layer: 0, k: 10, rest: 'zero' }))).toMatchObject({
    code: 'usage/dictionary-neurons',
    details: { most: 9 },
  });
});

test('frequencies fall into bins of half a power of ten; features that never fire into none', () => {
  const figures = firingFigures([0, 1, 5, 1000, 100_000, 0], 100_000);
  expect(figures).toMatchObject({ l0: 101_006 / 100_000, deadShare: 1 / 3, live: 2 });
  const filled = figures.histogram.filter(({ features }) => features > 0);
  expect(filled).toEqual([
    { from: -5, to: -4.5, features: 1 },
    { from: -4.5, to: -4, features: 1 },
    { from: -2, to: -1.5, features: 1 },
    { from: -0.5, to: 0, features: 1 },
  ]);
});

test('what cannot be evaluated is refused with a code', async () => {
  const gpu = await testGpu();
  const model = new ToyModel(gpu, SIZES);
  using dictionary = Dictionary.create(gpu, configOf(0, 'hook_mlp_out'), drawn());
  const one = [{ name: 'a', dictionary }];
  const refused = (...rest: Parameters<typeof evaluateDictionaries> extends [unknown, ...infer R] ? R : never) =>
    refusal(evaluateDictionaries(model, ...rest));
  expect(await refused([[1]], one)).toMatchObject({ code: 'data/dictionary-empty' });
  expect(await refused(sequences, [...one, ...one], { together: [{ name: 'x', dictionaries: ['a'] }] })).toMatchObject({
    code: 'usage/dictionary-names',
  });
  expect(await refused(sequences, one, { together: [{ name: 'x', dictionaries: ['b'] }] })).toMatchObject({
    message: /names b/,
  });
});

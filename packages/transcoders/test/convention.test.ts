// The convention that a dictionary was trained under is found from the model's own activations, and any other is refused with every candidate's FVU.
import { refusal, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  centredInput,
  centredOutput,
  checkConvention,
  conformed,
  gpuReconstruction,
  readWithGain,
  readWithoutGain,
  reconstructOnHost,
  requireConvention,
  type ConventionRows,
  type DictionaryConfig,
  type DictionaryConvention,
  type DictionaryWeights,
  type LoadedDictionary,
} from '../src/index.js';
import { reportOf } from '../src/formats/convention.js';

const [I, F, N] = [8, 32, 64];
const CONFIG: DictionaryConfig = {
  layer: 3,
  input: 'ln2.hook_normalized',
  inputWidth: I,
  outputWidth: I,
  features: F,
  activation: { kind: 'top-k', k: 6 },
  skip: true,
};

let state = 11;
/** Near to normal: the sum of four uniform numbers. */
const draw = (count: number, scale = 1, middle = 0): Float32Array =>
  Float32Array.from({ length: count }, () => {
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      sum += state / 2 ** 31 - 1;
    }
    return middle + sum * scale;
  });

const gain = { gamma: draw(I, 0.3, 1), beta: draw(I, 0.8) };
const weights: DictionaryWeights = {
  wEnc: draw(F * I),
  bEnc: draw(F, 0.3),
  wDec: draw(F * I),
  bDec: draw(I, 0.5, 0.7),
  wSkip: draw(I * I, 0.4),
};

/** Rows of x̂: no mean, variance 1. */
function normalized(count: number): Float32Array {
  const rows = draw(count * I);
  for (let at = 0; at < rows.length; at += I) {
    const row = rows.subarray(at, at + I);
    const mean = row.reduce((sum, value) => sum + value, 0) / I;
    const scale = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / I);
    row.forEach((value, i) => (row[i] = (value - mean) / scale));
  }
  return rows;
}

const u = (rows: Float32Array): Float32Array =>
  rows.map((value, at) => value * (gain.gamma[at % I] as number) + (gain.beta[at % I] as number));

/** Rows on which the dictionary is right up to a tenth of noise, seen from a model as it is published. */
function rowsOf(convention: DictionaryConvention, preBias: Float32Array): ConventionRows {
  const normal = normalized(N);
  const seen = convention.gain === 'folded' ? normal : u(normal);
  const shifted =
    convention.preBias === 'subtracted' ? seen.map((value, at) => value - (preBias[at % I] as number)) : seen;
  // The skip connection reads x itself.
  const { wSkip: _, ...plain } = weights;
  const features = reconstructOnHost({ ...CONFIG, skip: false }, plain, shifted);
  const skip = reconstructOnHost(
    CONFIG,
    { ...weights, wDec: new Float32Array(F * I), bDec: new Float32Array(I) },
    seen,
  );
  const noise = draw(N * I, 0.2);
  const means = draw(N, 2);
  const y = features.map((value, at) => {
    // What a model with centred weights does not have: a number of its own in each row.
    const own = convention.output === 'centred' ? (means[Math.floor(at / I)] as number) : 0;
    return value + (skip[at] as number) + (noise[at] as number) + own;
  });
  return { bos: convention.bos, x: u(normal), y: convention.output === 'centred' ? withoutMeanOf(y, means) : y };
}

/** y whose rows have these means, and otherwise what the dictionary gives. */
function withoutMeanOf(y: Float32Array, means: Float32Array): Float32Array {
  return y.map((value, at) => {
    const row = Math.floor(at / I);
    const sum = y.subarray(row * I, (row + 1) * I).reduce((total, each) => total + each, 0);
    return value - sum / I + (means[row] as number) * 2;
  });
}

const preBias = draw(I, 0.9);
function loaded(convention: DictionaryConvention, given = weights): LoadedDictionary {
  const centred = convention.output === 'centred' ? centredOutput(CONFIG, given) : given;
  // As a reader gives it: the pre-bias is folded where the format subtracts it, and beside it where it might be.
  const folded = convention.preBias === 'subtracted';
  const bEnc = folded
    ? centred.bEnc.map((bias, f) =>
        preBias.reduce((sum, value, i) => sum - value * (centred.wEnc[f * I + i] as number), bias),
      )
    : centred.bEnc;
  return {
    config: CONFIG,
    weights: { ...centred, bEnc },
    preBias: { values: preBias, folded },
    provenance: { format: 'limn', file: 'layer 3', reads: '', writes: '', expects: convention, notes: [] },
  };
}

const conventions = (['kept', 'folded'] as const).flatMap((gainOf) =>
  (['plain', 'centred'] as const).flatMap((output) =>
    (['none', 'subtracted'] as const).map((preBiasOf): DictionaryConvention => ({
      gain: gainOf,
      output,
      preBias: preBiasOf,
      bos: true,
    })),
  ),
);

test.each(conventions)('a dictionary of %o is recognised', async (convention) => {
  const rows = rowsOf(convention, preBias);
  const report = await requireConvention(loaded(convention), [rows], { gain });
  const { fvu, ...best } = report.best;
  expect(best).toEqual(convention);
  expect(fvu).toBeLessThan(0.05);
  expect(report.candidates.length).toBe(8);
  expect(report.candidates.every((each, i) => i === 0 || each.fvu >= report.candidates[i - 1]!.fvu)).toBe(true);
});

test.each([
  ['gain', 'folded'],
  ['output', 'centred'],
  ['preBias', 'subtracted'],
] as const)('a wrong %s is refused with the FVU of every candidate', async (key, wrong) => {
  const convention: DictionaryConvention = { gain: 'kept', output: 'plain', preBias: 'none', bos: true };
  const rows = rowsOf(convention, preBias);
  // Outputs that have a mean: without it they look otherwise.
  const y = rows.y.map((value, at) => value + 3 * Math.sin(Math.floor(at / I)));
  const given = key === 'output' ? { ...rows, y: withoutMeanOf(y, draw(N, 3)) } : rows;
  const truth = key === 'output' ? { ...convention, output: 'centred' as const } : convention;
  const expects = key === 'output' ? convention : { ...convention, [key]: wrong };
  const error = await refusal(() => requireConvention(loaded(truth), [given], { gain, expects }));
  expect(error.code).toBe('data/dictionary-convention');
  const { best, expected, candidates } = error.details as unknown as Awaited<ReturnType<typeof checkConvention>>;
  expect(best).toMatchObject(truth);
  expect(expected).toMatchObject({ [key]: expects[key] });
  expect(candidates.length).toBe(8);
  expect(best.fvu).toBeLessThan(0.6 * expected.fvu);
  // Whoever says nothing of it gets what fits.
  const { [key]: _, ...unsaid } = expects;
  expect((await requireConvention(loaded(truth), [given], { gain, expects: unsaid })).expected).toEqual(best);
});

test('texts with and without a token of their own are told apart', async () => {
  const convention: DictionaryConvention = { gain: 'kept', output: 'plain', preBias: 'none', bos: false };
  const without = rowsOf(convention, preBias);
  const spoilt = { ...rowsOf({ ...convention, bos: true }, preBias), y: draw(N * I, 2) };
  const report = await checkConvention(loaded(convention), [spoilt, without], { gain });
  expect(report).toMatchObject({ best: convention, fits: true });
  const error = await refusal(() =>
    requireConvention(loaded(convention), [spoilt, without], { gain, expects: { ...convention, bos: true } }),
  );
  expect(error.code).toBe('data/dictionary-convention');
});

test('a dictionary of another model fits under no convention', async () => {
  const convention = conventions[0] as DictionaryConvention;
  const rows = rowsOf(convention, preBias);
  const other = loaded(convention, { ...weights, wEnc: draw(F * I), wDec: draw(F * I) });
  const error = await refusal(() => requireConvention(other, [rows], { gain }));
  expect(error.message).toContain('under no convention');
  const still = { ...rows, y: new Float32Array(N * I).fill(1) };
  expect((await checkConvention(other, [still], { gain })).fits).toBe(false);
});

test('γ and β fold in and out, and the mean of what an SAE reads', () => {
  const normal = normalized(20);
  const y = reconstructOnHost(CONFIG, weights, normal);
  const withGain = readWithGain(CONFIG, weights, gain);
  reconstructOnHost(CONFIG, withGain, u(normal)).forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 4));
  const back = readWithoutGain(CONFIG, withGain, gain);
  reconstructOnHost(CONFIG, back, normal).forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 4));
  const sae: DictionaryConfig = { ...CONFIG, input: 'hook_mlp_out', skip: false };
  const { wSkip: _, ...plain } = weights;
  const x = draw(20 * I, 1, 2);
  const centred = x.map((value, at) => {
    const row = Math.floor(at / I) * I;
    return value - x.subarray(row, row + I).reduce((sum, each) => sum + each, 0) / I;
  });
  const expected = reconstructOnHost(sae, plain, centred);
  reconstructOnHost(sae, centredInput(sae, plain), x).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
});

test('an SAE is measured with and without the mean of what it reads', async () => {
  const config: DictionaryConfig = { ...CONFIG, input: 'hook_mlp_out', skip: false };
  const { wSkip: _, ...plain } = weights;
  const x = draw(N * I, 1, 2).map((value, at) => value + 2 * Math.sin(Math.floor(at / I)));
  const centred = x.map((value, at) => {
    const row = Math.floor(at / I) * I;
    return value - x.subarray(row, row + I).reduce((sum, each) => sum + each, 0) / I;
  });
  const y = reconstructOnHost(config, plain, centred);
  const provenance = { ...loaded(conventions[0] as DictionaryConvention).provenance, expects: {} };
  const report = await checkConvention(
    { config, weights: centredOutput(config, plain), provenance },
    [{ bos: true, x, y }],
    { gain },
  );
  expect(report.candidates.map(({ output }) => output)).toEqual(['centred', 'plain']);
  expect(report.best.fvu).toBeLessThan(1e-10);
});

test('what cannot be folded or measured is refused', async () => {
  const convention = { ...(conventions[0] as DictionaryConvention), gain: 'folded' as const };
  const dictionary = loaded(convention);
  const zero = { gamma: new Float32Array(I), beta: new Float32Array(I) };
  const short = { gamma: new Float32Array(I - 1), beta: new Float32Array(I) };
  for (const given of [zero, short])
    expect((await refusal(() => readWithGain(CONFIG, weights, given))).code).toBe('data/dictionary-gain');
  expect((await refusal(() => conformed(dictionary, convention))).code).toBe('usage/dictionary-convention');
  const wrong = [
    [],
    [{ bos: true, x: new Float32Array(), y: new Float32Array() }],
    [{ bos: true, x: draw(I), y: draw(I + 1) }],
  ];
  for (const rows of wrong)
    expect((await refusal(() => checkConvention(dictionary, rows))).code).toBe('usage/dictionary-convention');
});

test('the GPU measures what the host measures', async () => {
  const gpu = await testGpu();
  const convention = conventions[3] as DictionaryConvention;
  const rows = rowsOf(convention, preBias);
  // ReLU for the few kernels that it takes; which features fire is tested elsewhere.
  const dictionary = { ...loaded(convention), config: { ...CONFIG, activation: { kind: 'relu' } } as const };
  const onHost = await checkConvention(dictionary, [rows], { gain });
  const onGpu = await checkConvention(dictionary, [rows], { gain, reconstruct: gpuReconstruction(gpu) });
  onGpu.candidates.forEach(({ fvu, ...candidate }, i) => {
    const { fvu: reference, ...same } = onHost.candidates[i]!;
    expect(candidate).toEqual(same);
    expect(Math.abs(fvu - reference)).toBeLessThan(1e-4 * reference);
  });
});

test('what nobody says and a small difference does not decide leaves the numbers as they are', () => {
  const fit = (output: DictionaryConvention['output'], fvu: number) =>
    ({ gain: 'kept', output, preBias: 'none', bos: true, fvu }) as const;
  const expectedOf = (centred: number, expects: Partial<DictionaryConvention> = {}) =>
    reportOf([fit('plain', 0.13), fit('centred', centred)], expects, {}).expected.output;
  expect(expectedOf(0.129)).toBe('plain');
  expect(expectedOf(0.105)).toBe('plain');
  expect(expectedOf(0.09)).toBe('centred');
  expect(expectedOf(0.129, { output: 'centred' })).toBe('centred');
});

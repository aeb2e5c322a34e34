// The three ways to start: bounds, lengths and biases as published, the same for the same seed.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { initialWeights, meanRow, type DictionaryConfig, type InitialOptions } from '../src/index.js';

const config: DictionaryConfig = {
  layer: 0,
  input: 'ln2.hook_normalized',
  inputWidth: 12,
  outputWidth: 12,
  features: 96,
  activation: { kind: 'jump-relu', bandwidth: 0.05 },
  skip: true,
};
const rows = (of: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: of.length / width }, (_, r) => of.subarray(r * width, (r + 1) * width));
const norm = (row: Float32Array): number => Math.hypot(...row);
const largest = (of: Float32Array): number => of.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

test("the paper's: uniform within √(6 / F), decoder rows of length 1, drawn apart from each other", () => {
  const { wEnc, wDec, bEnc, bDec, wSkip, logThreshold } = initialWeights(config, { seed: 3 });
  const bound = Math.sqrt(6 / 96);
  // Of 1,152 uniform numbers the largest is above 98 % of the bound but once in 10¹⁰.
  expect(largest(wEnc)).toBeLessThanOrEqual(Math.fround(bound));
  expect(largest(wEnc)).toBeGreaterThan(0.98 * bound);
  for (const row of rows(wDec, 12)) expect(norm(row)).toBeCloseTo(1, 6);
  const cosine = wEnc.reduce((sum, value, i) => sum + value * (wDec[i] as number), 0) / (norm(wEnc) * norm(wDec));
  expect(Math.abs(cosine)).toBeLessThan(0.15);
  expect([largest(bEnc), largest(bDec), largest(wSkip as Float32Array)]).toEqual([0, 0, 0]);
  expect([...(logThreshold as Float32Array)]).toEqual(Array(96).fill(Math.fround(Math.log(0.01))));
  // 1/64 for the 24,576 features of GPT-2 small, however wide what they read is.
  const wide = largest(
    initialWeights({ ...config, features: 24_576, inputWidth: 3, outputWidth: 2, skip: false }, { seed: 3 }).wEnc,
  );
  expect(wide).toBeLessThanOrEqual(0.015625);
  expect(wide).toBeGreaterThan(0.99 * 0.015625);
});

test("sparsify's: an encoder within 1/√I, a decoder of zeros", () => {
  const { wEnc, wDec } = initialWeights(config, { seed: 3, scheme: 'sparsify' });
  expect(largest(wEnc)).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(12)));
  expect(largest(wEnc)).toBeGreaterThan(0.98 / Math.sqrt(12));
  expect(largest(wDec)).toBe(0);
});

test('tied: encoder and decoder equal, rows .1 long in directions of their own', () => {
  const { wEnc, wDec } = initialWeights(config, { seed: 3, scheme: 'tied' });
  expect(wEnc).toEqual(wDec);
  expect(wEnc).not.toBe(wDec);
  for (const row of rows(wDec, 12)) expect(norm(row)).toBeCloseTo(0.1, 7);
});

test('biases are the means of the data: ȳ is what it starts with, and x̄ fires nothing', () => {
  const data = Float32Array.from({ length: 36 }, (_, i) => (i % 7) - 2 + i / 16);
  const mean = meanRow(data, 12);
  mean.forEach((value, i) =>
    expect(value).toBeCloseTo([0, 12, 24].reduce((s, r) => s + (data[r + i] as number), 0) / 3, 6),
  );
  const { wEnc, bEnc, bDec } = initialWeights(config, { seed: 5, means: { x: mean, y: mean } });
  expect(bDec).toEqual(mean);
  rows(wEnc, 12).forEach((row, f) => {
    const h = row.reduce((sum, value, i) => sum + value * (mean[i] as number), bEnc[f] as number);
    // bEnc is rounded once, at a size below 8.
    expect(Math.abs(h)).toBeLessThan(8 * 2 ** -24);
  });
});

test('the seed decides everything', () => {
  for (const scheme of ['paper', 'sparsify', 'tied'] as const) {
    expect(initialWeights(config, { seed: 8, scheme })).toEqual(initialWeights(config, { seed: 8, scheme }));
    expect(initialWeights(config, { seed: 8, scheme })).not.toEqual(initialWeights(config, { seed: 9, scheme }));
  }
});

test('batch-top-k starts without a threshold; what cannot be is refused', async () => {
  const batch: DictionaryConfig = { ...config, activation: { kind: 'batch-top-k', k: 4 }, skip: false };
  const { logThreshold, wSkip } = initialWeights(batch, { seed: 1 });
  expect([largest(logThreshold as Float32Array), wSkip]).toEqual([87, undefined]);
  const refused = (options: Partial<InitialOptions>, change: Partial<DictionaryConfig> = {}) =>
    refusal(() => initialWeights({ ...config, ...change }, { seed: 1, ...options }));
  const code = 'usage/dictionary-initial';
  expect(await refused({ scheme: 'tied' }, { outputWidth: 11 })).toMatchObject({ code });
  expect(await refused({ scheme: 'kaiming' as 'paper' })).toMatchObject({ code });
  expect(await refused({ threshold: 0 })).toMatchObject({ code });
  expect(await refused({ means: { x: [1] } })).toMatchObject({ code });
  expect(await refused({ means: { y: Array(12).fill(Number.NaN) } })).toMatchObject({ code });
  expect(await refused({ seed: -1 })).toMatchObject({ code: 'tensor/random' });
});

// `limn verify gpt2-transcoders`: NOT VERIFIED without what is needed; what a printed number allows; and the mechanics on a tiny model with twelve layers (long).
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { referenceRandom, testGpu } from '@limn/testing';
import { Dictionary, type DictionaryConfig } from '@limn/transcoders';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openModel } from '../src/model-source.js';
import { laterLessEarlier, NOT_CHECKED, verifyTranscoders } from '../src/published-transcoders.js';
import { describeFigures, printedFigure } from '../src/verified-figure.js';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, writeGpt2WordsModel } from './gpt2-words-model.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';
import { writeToyModel } from './toy-model.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-verify-transcoders-'));
  writeToyModel(path.join(root, 'toy'));
  mkdirSync(path.join(root, 'empty'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it.each([
  ['no weights', () => []],
  ['no transcoders', () => ['--model', path.join(root, 'toy')]],
  ['no such folder', () => ['--model', path.join(root, 'toy'), '--transcoders', path.join(root, 'nowhere')]],
  ['a folder without .pt files', () => ['--model', path.join(root, 'toy'), '--transcoders', path.join(root, 'empty')]],
])('%s: NOT VERIFIED, exit code 4, and why', async (_, words) => {
  const outcome = await runLimn(['verify', 'gpt2-transcoders', ...words(), '--json']);
  expect(outcome.json()).toMatchObject({ ok: false, exitCode: 4, error: { code: 'data/not-verified' } });
  expect(outcome.exitCode).toBe(4);
  expect(outcome.json().error?.message).toMatch(/^NOT VERIFIED: ./);
});

it('takes its own options only', async () => {
  expect((await failed(['verify', 'gpt2-transcoders', '--data', 'x.csv', '--json'])).slice(0, 2)).toEqual([
    2,
    'usage/verify-option',
  ]);
});

it('a printed number allows half a unit of its last digit, and round-off', () => {
  const pass = (printed: string, measured: number): boolean => printedFigure('', printed, measured).pass;
  expect([pass('16', 16.49), pass('16', 16.51), pass('6.9', 6.851), pass('6.9', 6.84)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect([pass('-7.157986', -7.15805), pass('-7.157986', -7.1581), pass('7.5', Number.NaN)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(describeFigures([printedFigure('tc8[89]', '2.361', 2.3614), printedFigure('edge', '16', 12)])).toEqual([
    'pass  tc8[89]  2.3614  (published 2.361 ± 0.00052)',
    'FAIL  edge     12.0  (published 16 ± 0.5)',
  ]);
  for (const { what, why } of NOT_CHECKED) expect([what.length > 10, why.length > 10]).toEqual([true, true]);
});

it('the difference of probabilities: later years less the year itself and earlier ones', () => {
  const even = Array.from({ length: 100 }, () => 3);
  expect(laterLessEarlier(even, 9)).toBeCloseTo(0.9 - 0.1, 12);
  expect(
    laterLessEarlier(
      even.map((logit, year) => (year > 41 ? logit + 50 : logit)),
      41,
    ),
  ).toBeCloseTo(1, 12);
});

it('measures every figure that is printed, of any twelve layers', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'twelve dictionaries of 24,576 features: with LIMN_LONG=1');
  context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER);
  writeGpt2WordsModel(path.join(root, 'words'), 12);
  const gpu = await testGpu();
  using model = await openModel(gpu, path.join(root, 'words'));
  const { width, layers } = model.hooked.info;
  const features = 24_576;
  const random = referenceRandom(7);
  const dictionaries = Array.from({ length: layers }, (_, layer) => {
    const config: DictionaryConfig = {
      layer,
      input: 'ln2.hook_normalized',
      inputWidth: width,
      outputWidth: width,
      features,
      activation: { kind: 'relu' },
      skip: false,
    };
    const wEnc = Float32Array.from(random.normals(features * width, 0.3));
    const wDec = Float32Array.from(random.normals(features * width, 0.1));
    const bEnc = new Float32Array(features).fill(-4);
    return Dictionary.create(gpu, config, { wEnc, wDec, bEnc, bDec: new Float32Array(width) });
  });
  const { tokenizer } = model;
  const figures = await verifyTranscoders({
    model: model.hooked,
    encode: (text) => tokenizer!.encode(text, { prependBos: false }).ids,
    bosId: 50_256,
    encoderBiases: dictionaries.map(() => new Float32Array(features).fill(-4)),
    dictionaries,
  });
  for (const dictionary of dictionaries) dictionary.dispose();
  expect(figures.map(({ measured }) => Number.isFinite(measured))).toEqual(figures.map(() => true));
  // 18 of the walkthrough, 5 of the last token, 16 and 6 of greater-than, 12 of the probabilities.
  expect(figures.length).toBe(57);
  const measured = new Map(figures.map(({ name, measured: value }) => [name, value]));
  expect(measured.get('tc8[89]: bias error')).toBe(-4);
  // Random weights prefer no year.
  expect(Math.abs(measured.get('probability difference of the model') ?? 1)).toBeLessThan(0.3);
  expect(figures.filter(({ pass }) => pass).length).toBeLessThan(8);
}, 300_000);

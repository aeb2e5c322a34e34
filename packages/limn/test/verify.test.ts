// `limn verify gpt2`: the mechanics on a tiny random model, where every figure of the weights differs, and NOT VERIFIED without weights or data.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeFigures, type VerifiedFigure } from '../src/verified-figure.js';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, writeGpt2WordsModel } from './gpt2-words-model.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
beforeAll(() => (root = mkdtempSync(path.join(os.tmpdir(), 'limn-verify-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Four rows in the form of the published data. */
function writeRows(): string {
  const file = path.join(root, 'rows.csv');
  const rows = [1352, 1642, 1457, 1733].map((year) => {
    const century = Math.floor(year / 100);
    const say = (start: number): string => `The plan lasted from the year ${start} to the year ${century}`;
    return `${say(year)},${say(century * 100 + 1)},${year % 100}`;
  });
  writeFileSync(file, ['clean,corrupted,label', ...rows].join('\n'));
  return file;
}

it('lists every figure with what was measured, and fails those of other weights', async (context) => {
  context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER);
  const model = path.join(root, 'tiny');
  writeGpt2WordsModel(model);
  const outcome = await runLimn(['verify', 'gpt2', '--model', model, '--data', writeRows(), '--json']);
  expect(outcome.exitCode, outcome.stderr).toBe(1);
  const { error, figures, ok } = outcome.json() as ReturnType<typeof outcome.json> & { figures: VerifiedFigure[] };
  expect(ok).toBe(false);
  expect(error?.code).toBe('verify/failed');
  expect(figures.map(({ published, tolerance }) => [published, tolerance])).toEqual([
    [1000, 0],
    [32_491, 0],
    [0.8143, 0.001],
    [0.6563, 0.005],
    [0.6858, 0.005],
    [0.7449, 0.005],
    [150, 0],
    [29, 0],
  ]);
  const value = figures.map(({ measured }) => measured);
  // Two layers of two heads have 46 edges, fewer than 200: every circuit is the whole model, and does what it does.
  expect(value.slice(0, 2)).toEqual([4, 46]);
  for (const circuit of value.slice(3, 6)) expect(circuit).toBeCloseTo(value[2] ?? NaN, 4);
  // Sources: the input, four heads, two MLPs.
  expect(value.slice(6)).toEqual([46, 7]);
  expect(figures.map(({ pass }) => pass)).toEqual(figures.map(() => false));
});

it.each([
  ['no weights', () => []],
  ['no such folder', () => ['--model', path.join(root, 'nowhere/at-all'), '--data', writeRows()]],
  [
    'a folder without weights',
    () => {
      mkdirSync(path.join(root, 'empty'), { recursive: true });
      return ['--model', path.join(root, 'empty'), '--data', writeRows()];
    },
  ],
  [
    'no data',
    () => {
      writeToyModel(path.join(root, 'toy'));
      return ['--model', path.join(root, 'toy')];
    },
  ],
  ['no such data', () => ['--model', path.join(root, 'toy'), '--data', path.join(root, 'none.csv')]],
])('%s: NOT VERIFIED, exit code 4, and why', async (_, words) => {
  const outcome = await runLimn(['verify', 'gpt2', ...words(), '--json']);
  expect(outcome.json()).toMatchObject({ ok: false, exitCode: 4, error: { code: 'data/not-verified' } });
  expect(outcome.exitCode).toBe(4);
  expect(outcome.json().error?.message).toMatch(/^NOT VERIFIED: ./);
  expect(outcome.stderr).toContain('NOT VERIFIED');
});

it('knows one target', async () => {
  const outcome = await runLimn(['verify', 'gpt3', '--json']);
  expect(outcome.json()).toMatchObject({ error: { code: 'usage/unknown-target' } });
  expect(outcome.exitCode).toBe(2);
});

it('writes a line per figure', () => {
  const lines = describeFigures([
    { name: 'edges', published: 150, tolerance: 0, measured: 150, pass: true },
    { name: 'prob-diff', published: 0.8143, tolerance: 0.001, measured: 0.81601, pass: false },
  ]);
  expect(lines).toEqual([
    'pass  edges      150  (published 150)',
    'FAIL  prob-diff  0.8160  (published 0.8143 ± 0.001)',
  ]);
});

// Weight processing and f16 on the command line: the result says what was done to the weights, and its baselines stay what they were.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { toyCircuit, writeToyModel } from './toy-model.js';

let root: string;
let model: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-processing-'));
  model = path.join(root, 'model');
  writeToyModel(model);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function resultWith(name: string, ...words: string[]) {
  const out = path.join(root, name);
  const outcome = await runLimn([...toyCircuit(model, out), '--method', 'eap', ...words]);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
}

it('result.json says how the weights were processed and kept; a logit difference is the same', async () => {
  const raw = await resultWith('raw');
  const all = await resultWith('all', '--processing', 'transformer-lens');
  const some = await resultWith('some', '--processing', 'foldValueBiases,centerUnembed', '--weights', 'f16');
  const said = [raw, all, some].map(({ provenance }) => provenance.model.weightProcessing);
  expect(said).toEqual([
    'none',
    'foldLayerNorm, centerWritingWeights, centerUnembed, foldValueBiases',
    'centerUnembed, foldValueBiases, f16',
  ]);
  expect(new Set([raw, all, some].map(({ provenance }) => provenance.model.weightsSha256)).size).toBe(3);
  expect(all.provenance.commandLine).toContain('--processing transformer-lens');
  for (const baseline of ['clean', 'corrupted'] as const) {
    // A constant added to all logits of a position cancels in their difference; the rest is rounding, coarser in f16.
    expect(Math.abs(all.baselines[baseline] - raw.baselines[baseline])).toBeLessThan(1e-5);
    expect(Math.abs(some.baselines[baseline] - raw.baselines[baseline])).toBeLessThan(1e-2);
  }
});

it('circuit names it on the terminal, with --json as without, and in its JSON line', async () => {
  for (const json of [[], ['--json']]) {
    const words = [...toyCircuit(model, path.join(root, 'told')), '--method', 'eap', '--draws', '0', ...json];
    const told = await runLimn([...words, '--processing', 'foldValueBiases', '--weights', 'f16']);
    expect(told.stderr).toMatch(/^weights: foldValueBiases, f16$/m);
    if (json.length > 0)
      expect(told.json()['provenance']).toMatchObject({ model: { weightProcessing: 'foldValueBiases, f16' } });
    expect((await runLimn(words)).stderr).not.toMatch(/^weights: /m);
  }
});

it('a misspelt name is a usage error with the nearest', async () => {
  const { exitCode, json } = await runLimn([
    'run',
    '--model',
    model,
    '--tokens',
    '1',
    '--json',
    '--processing',
    'fold_ln',
  ]);
  expect(exitCode).toBe(2);
  expect(json().error?.code).toBe('usage/unknown-processing');
  expect(json().error?.hint).toContain('foldLayerNorm');
});

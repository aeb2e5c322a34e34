// Steering's study and its cost: the page from findings, and an update beside the bare model at a tiny size.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SteeringFigures } from '@limn/steering';
import { afterAll, expect, test, vi } from 'vitest';
import { steeringMarkdown } from '../steering/markdown.mjs';
import type { RowFinding, Study, TaskFinding } from '../steering/study.mjs';

const out = mkdtempSync(path.join(tmpdir(), 'limn-bench-steering-'));
const argv = process.argv;
afterAll(() => {
  process.argv = argv;
  rmSync(out, { recursive: true, force: true });
});

const figures = (twoWaySuccess: number): SteeringFigures => ({
  examples: 20,
  strengths: [1, -1].map((strength) => ({
    strength,
    effect: 3,
    flipped: 1,
    marginReached: 0.9,
    bucket: 0.05,
    rest: 0.1,
    massDrift: 0.02,
    sameTopOther: 0.7,
  })),
  twoWayFlip: 1,
  twoWayMargin: 0.95,
  twoWaySuccess,
  shift: 8,
  drift: 0.06,
});
const row = (success: number, more: Partial<RowFinding> = {}): RowFinding => ({
  train: figures(success + 0.1),
  validation: figures(success),
  test: figures(success),
  sure: figures(success + 0.05),
  chosen: { strength: 1 },
  parameters: 108,
  ...more,
});
const finding = (seed: number, success: number, long: number): TaskFinding => ({
  model: 'pocket',
  task: 'ioi-abba',
  seed,
  prompts: { train: 90, validation: 20, test: 20 + seed, sure: 15 },
  rows: {
    untouched: row(0, { parameters: 0 }),
    ActivScalar: row(success, { live: 70, nonZero: 10 + seed, chosen: { λ_M: 0.03, strength: 1 } }),
    'ActivScalar, by head': row(success, { live: 180, nonZero: 60 }),
    SteerVec: row(0.97, { parameters: 108 * 64 }),
    DynScalar: row(0.9),
  },
  restriction: { heads: 4, mlps: 2, circuit: row(0.75), random: row(0.5) },
  lengths: [
    { learnt: true, shortest: 19, longest: 19, prompts: 20, figures: figures(0.9) },
    { learnt: false, shortest: 28, longest: 30, prompts: 12, figures: figures(long) },
    { learnt: false, shortest: 36, longest: 38, prompts: 11, figures: figures(0.9) },
  ],
  untouchedDeltas: [-5, -1, 0.5, 3, 7],
});
const study = (findings: readonly TaskFinding[]): Study => ({
  study: 'limn.steering',
  version: 3,
  adapter: 'an adapter',
  limn: '0.1.0',
  updates: 150,
  seeds: [0, 1],
  models: [{ name: 'pocket', weightsSha256: 'a'.repeat(64) }],
  findings,
});

test('the page of steering: means with intervals over seeds, and aims decided by the numbers', () => {
  const page = steeringMarkdown(study([finding(0, 0.9, 0.85), finding(1, 1, 0.85)]));
  // t(.975, 1) · s / √2 = 12.706 · .05.
  expect(page).toMatch(/\| ActivScalar +\| +0\.95 ± 0\.64 \| +1\.00 ± 0\.64 \|/);
  expect(page).toContain('10.5 ± 6.4 of 70');
  expect(page).toMatch(/\| prompts +\| +2 \| +0 \| +2 \| +2 \| +2 \| +2 \|/);
  expect(page).toContain('success ≥ .90 with at most 25 % of live cells not 0: 0.950 with 15 %: **met**');
  expect(page).toContain(
    'at most 25 % of live cells not 0: 0.950 with 33 %: **missed**. Margin alone 0.95; where sure 1.00, on the other 11 prompts 0.82.',
  );
  expect(page).toContain('within .05 of SteerVec with 1.6 % of its numbers: 0.95 against 0.97: **met**');
  expect(page).toContain('two lengths not learnt: 0.85 and 0.90 against 0.95: **met**');
  const missed = steeringMarkdown(study([finding(0, 0.5, 0.2), finding(1, 0.5, 0.2)]));
  expect(missed.match(/\*\*missed\*\*/g)).toHaveLength(5);
  expect(missed).not.toContain('NaN');
});

test('docs/steering.md is the page of the results that are kept', (context) => {
  const bench = path.join(import.meta.dirname, '..');
  const kept = path.join(bench, 'results/steering-lavapipe.json');
  const page = path.join(bench, '../docs/steering.md');
  context.skip(!existsSync(kept), 'no results of steering are kept yet: npm run steering');
  const text = steeringMarkdown(JSON.parse(readFileSync(kept, 'utf8')) as Study);
  expect(readFileSync(page, 'utf8')).toBe(text);
});

test('cost of steering: every update beside a bare pass, and the ratio of their medians', async () => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const tiny = '--layers 2 --heads 2 --width 16 --vocabulary 50 --positions 16 --examples 2 --tokens 5 --updates 3';
  process.argv = [process.execPath, 'bench/steer-cost.mts', '--out', out, ...tiny.split(' ')];
  await import('../steer-cost.mjs');
  vi.restoreAllMocks();
  const [file = ''] = readdirSync(out);
  const { ratios, seconds } = JSON.parse(readFileSync(path.join(out, file), 'utf8')) as {
    readonly ratios: Record<string, number>;
    readonly seconds: Record<string, number[]>;
  };
  expect(Object.keys(ratios)).toEqual(['ActivScalar', 'SteerVec', 'DynScalar']);
  const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
  for (const [name, ratio] of Object.entries(ratios)) {
    expect(seconds[name]).toHaveLength(3);
    expect(ratio).toBeCloseTo(median(seconds[name]!) / median(seconds['bare model']!), 12);
  }
  expect(seconds['bare model']).toHaveLength(9);
});

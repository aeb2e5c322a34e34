// The study of bias: professions dealt to seeds, prompts that share nothing, the page from findings, and the command at a tiny size.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomGpt2, saveGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { RECIPE } from '@limn/pocket';
import type { ParityEvaluation, ParityItem } from '@limn/steering';
import { idOf, PROFESSION_GENDER, PROFESSIONS } from '@limn/tasks';
import { testGpu } from '@limn/testing';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { biasMarkdown } from '../bias/markdown.mjs';
import { biasPrompts } from '../bias/prompts.mjs';
import { BIAS_ROWS, type BiasFinding, type BiasRowFinding, type BiasStudy } from '../bias/study.mjs';

const out = mkdtempSync(path.join(tmpdir(), 'limn-bench-bias-'));
const argv = process.argv;
afterAll(() => {
  process.argv = argv;
  rmSync(out, { recursive: true, force: true });
});

describe('the prompts', () => {
  const most = { part: 1000, controls: 3 };
  const about = (examples: readonly { readonly entities?: readonly string[] | undefined }[]): Set<string> =>
    new Set(examples.flatMap(({ entities }) => entities ?? []));

  test('five seeds hold every profession out once, two of each stereotype; no profession is in two parts', () => {
    const heldOut = [0, 1, 2, 3, 4].flatMap((seed) => {
      const { train, validation, test: tested } = biasPrompts(seed, most).split;
      const parts = [train, validation, tested].map(about);
      expect(parts.map(({ size }) => size)).toEqual([12, 4, 4]);
      expect(new Set(parts.flatMap((part) => [...part])).size).toBe(20);
      expect(train.length + validation.length + tested.length).toBe(240);
      for (const part of parts.slice(1))
        expect([...part].filter((profession) => PROFESSION_GENDER.get(profession) === 'he')).toHaveLength(2);
      return [...(parts[2] as Set<string>)];
    });
    expect(new Set(heldOut)).toEqual(new Set(PROFESSIONS));
    expect(heldOut).toHaveLength(20);
  });

  test('what is kept is counted on frames that were not learnt from; other words keep the side of the answer', () => {
    const { given, others, spillover, controls, split } = biasPrompts(1, most);
    const frames = [given.train, given.validation, given.test].map(about);
    expect(new Set(frames.flatMap((part) => [...part])).size).toBe(12);
    expect(frames.reduce((sum, { size }) => sum + size, 0)).toBe(12);
    expect(others).toHaveLength(32);
    const [people] = spillover;
    people?.examples.forEach(({ correct }, i) =>
      expect(correct).toBe(split.test[i]?.correct === idOf('he') ? idOf('man') : idOf('woman')),
    );
    expect(controls.map(({ family }) => family)).toEqual([
      'ioi',
      'greater-than',
      'sva',
      'country-capital',
      'hypernymy',
    ]);
    for (const { documents, beginnings } of controls)
      beginnings.forEach(({ prompt }, i) => {
        const whole = documents[i]?.prompt ?? [];
        expect(prompt.length).toBeGreaterThan(1);
        expect(prompt.length).toBeLessThan(whole.length);
        expect(prompt).toEqual(whole.slice(0, prompt.length));
      });
  });
});

describe('the page', () => {
  const drift = 0.004;
  const evaluation = (gap: number, kept: number, she = false): ParityEvaluation => {
    const sign = she ? -1 : 1;
    const items = (['pilot', 'nurse'] as const).map((item, i): ParityItem => {
      const lean = i === 0 ? sign : -sign;
      return {
        item,
        part: 'test',
        prompts: 12,
        before: lean * 2,
        after: lean * gap,
        gapBefore: 2,
        gapAfter: gap,
        drift,
      };
    });
    const change = { before: 2, after: gap, beforeInterval: null, afterInterval: null };
    return {
      pair: she ? [idOf('she'), idOf('he')] : [idOf('he'), idOf('she')],
      parts: {
        test: { items: 2, prompts: 24, gap: change, lean: change, variance: { before: 8, after: 0.02 }, drift },
      },
      items,
      retention: {
        prompts: 6,
        rightBefore: 1,
        rightAfter: 1,
        within: kept,
        kept,
        keptInterval: null,
        before: 4,
        after: 3.9,
        drift,
      },
      retained: [],
      spillover: [
        { name: 'man, woman', prompts: 24, gapBefore: 1, gapAfter: 1.5, moved: 0.7, movedInterval: null, drift },
      ],
    };
  };
  const row = (at: number, gap: number, kept: number, she = false): BiasRowFinding => ({
    ...BIAS_ROWS[at]!,
    chosen: 0.001,
    tried: [{ weight: 0.001, gapLeft: 0.1, kept }],
    parameters: 780,
    live: 780,
    nonZero: 64,
    evaluation: evaluation(gap, kept, she),
    controls: [
      { family: 'ioi', prompts: 30, meanKl: 0.03, largestKl: 0.4, perplexity: { before: 3, after: 3.6 } },
      { family: 'sva', prompts: 30, meanKl: 0.01, largestKl: 0.1, perplexity: null },
    ],
  });
  const finding = (seed: number, rows: readonly BiasRowFinding[]): BiasFinding => ({
    model: 'pocket',
    seed,
    prompts: { train: 144, validation: 48, test: 48, retained: { train: 12, validation: 6, test: 6 } },
    rows,
  });
  const study = (findings: readonly BiasFinding[]): BiasStudy => ({
    study: 'limn.bias',
    version: 1,
    adapter: 'an adapter',
    limn: '0.1.0',
    updates: 120,
    seeds: [0, 1],
    models: [{ name: 'pocket', weightsSha256: 'a'.repeat(64) }],
    findings,
  });

  test('has means with intervals over seeds, Δ towards he whichever answer came first, and verdicts by the numbers', () => {
    const page = biasMarkdown(
      study([
        finding(0, [row(0, 0.1, 0), row(1, 0.2, 1)]),
        // The second seed's first prompt is about a nurse.
        finding(1, [row(0, 0.1, 0, true), row(1, 0.3, 1, true)]),
      ]),
    );
    expect(page).toContain('2 seeds (0, 1)');
    // t(.975, 1) · s / √2 = 12.706 · .05.
    expect(page).toMatch(/\| scales of heads and neurons \| given gender \| 2\.00 \| 0\.25 ± 0\.64 \|/);
    expect(page).toContain('| pilot | he | 2.00 | 0.10 | 0.25 |');
    expect(page).toContain('| nurse | she | −2.00 | −0.10 | −0.25 |');
    expect(page).toContain(
      'retained: nothing: 0.10 logits, 95 % of the gap closed: **reached**; 0 % kept: **not kept**.',
    );
    expect(page).toContain('given gender: 0.25 logits, 88 % of the gap closed: **reached**; 100 % kept: **kept**.');
    expect(page).toContain('0.70 (1.00 → 1.50)');
    expect(page).toMatch(/\| scales of heads and neurons \| nothing \| 1\.200 \| – \|/);
    expect(page).not.toMatch(/NaN|undefined/);
    const missed = biasMarkdown(study([finding(0, [row(4, 1.4, 0.5)])]));
    expect(missed).toContain('1.40 logits, 30 % of the gap closed: **missed** by 0.99; 50 % kept: **not kept**.');
  });

  test('docs/bias.md is the page of the results that are kept', (context) => {
    const bench = path.join(import.meta.dirname, '..');
    const kept = path.join(bench, 'results/bias-lavapipe.json');
    context.skip(!existsSync(kept), 'no results of the study of bias are kept yet: npm run bias');
    const text = biasMarkdown(JSON.parse(readFileSync(kept, 'utf8')) as BiasStudy);
    expect(readFileSync(path.join(bench, '../docs/bias.md'), 'utf8')).toBe(text);
  });
});

test('the command: every row of a seed, and nothing again that was found', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'sixteen learnings: LIMN_LONG=1');
  const folder = path.join(out, 'model');
  mkdirSync(folder);
  const { vocabulary, positions: maxPositions } = RECIPE.model;
  const sizes = { vocabulary, maxPositions, layers: 1, heads: 1, width: 4, mlpWidth: 4, initializerRange: 0.9 };
  const model = await randomGpt2(await testGpu(), sizes, 0);
  await saveGpt2(model, openFolder(folder));
  model.dispose();
  const page = path.join(out, 'bias.md');
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text = '') => void printed.push(String(text)));
  const few = '--updates 2 --most 12 --controls 3 --seed 3'.split(' ');
  process.argv = [process.execPath, 'bench/bias.mts', '--model', folder, '--out', out, '--page', page, ...few];
  await import('../bias.mjs');
  const file = path.join(out, `bias-${/bias-(\w+)\.json/.exec(printed.join('\n'))?.[1]}.json`);
  const found = JSON.parse(readFileSync(file, 'utf8')) as BiasStudy;
  expect(found.findings.map(({ seed, rows }) => [seed, rows.length])).toEqual([[3, BIAS_ROWS.length]]);
  for (const { evaluation, controls, tried } of found.findings[0]!.rows) {
    expect(Object.keys(evaluation.parts)).toEqual(['train', 'validation', 'test']);
    expect([tried.length, controls.length, evaluation.spillover.length]).toEqual([2, 5, 3]);
  }
  expect(readFileSync(page, 'utf8')).toBe(biasMarkdown(found));
  expect(printed.filter((line) => line.includes('seed 3'))).toHaveLength(BIAS_ROWS.length);
  printed.length = 0;
  const again = '../bias.mts?again';
  await import(/* @vite-ignore */ again);
  expect(printed.filter((line) => line.includes('seed 3'))).toEqual([]);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(found);
  vi.restoreAllMocks();
});

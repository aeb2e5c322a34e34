// The transcoder study: what it trains and puts together, and its whole path at a tiny size, which goes on where it stopped.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { transcodersMarkdown } from '../transcoders/markdown.mjs';
import { jointOf, nameOf, studied } from '../transcoders/specs.mjs';
import type { TranscoderStudy } from '../transcoders/study.mjs';

const argv = process.argv;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
});

test('every layer, kind, sparsity and seed is one dictionary; all layers of each of the others go together', () => {
  const all = studied(3, [4, 16], [0, 1]);
  expect(all).toHaveLength(24);
  expect(new Set(all.map(nameOf)).size).toBe(24);
  const joint = jointOf(all);
  expect(joint).toHaveLength(8);
  expect(joint[0]).toEqual({
    name: 'transcoder, k 4, seed 0',
    dictionaries: [0, 1, 2].map((layer) => `transcoder, layer ${layer}, k 4, seed 0`),
  });
});

test('the command trains, measures, writes its result and its sets, and does not train twice', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'two runs of the whole command on pocket: with LIMN_LONG=1');
  const out = mkdtempSync(path.join(tmpdir(), 'limn-transcoders-'));
  try {
    const sizes = ['--updates', '3', '--rows', '256', '--features', '32', '--k', '4', '--seed', '0'];
    for (const run of [1, 2]) {
      vi.spyOn(console, 'log').mockImplementation(() => undefined);
      process.argv = [
        process.execPath,
        'bench/transcoders.mts',
        '--work',
        out,
        '--out',
        out,
        '--page',
        path.join(out, 'page.md'),
        ...sizes,
        '--evaluate',
        '16',
        '--score',
        '32',
      ];
      await import(/* @vite-ignore */ `../transcoders.mts?run=${run}`);
    }
    const [file] = ['lavapipe', 'swiftshader', 'system']
      .map((name) => path.join(out, `transcoders-${name}.json`))
      .filter(existsSync);
    const study = JSON.parse(readFileSync(file as string, 'utf8')) as TranscoderStudy;
    // Six dictionaries; of three layers the neurons too.
    expect(study.evaluation.dictionaries.map(({ l0 }) => l0 <= 4)).toEqual(Array.from({ length: 6 }, () => true));
    expect(study.interpretability.sources).toHaveLength(9);
    expect(readFileSync(path.join(out, 'page.md'), 'utf8')).toBe(transcodersMarkdown(study));
    const set = readFileSync(path.join(out, 'sets/sae-k4-seed0/config.json'), 'utf8');
    expect(set).not.toContain(out);
    expect(JSON.parse(set)).toMatchObject({ dictionaries: [{}, {}, {}] });
  } finally {
    rmSync(out, { recursive: true });
  }
}, 300_000);

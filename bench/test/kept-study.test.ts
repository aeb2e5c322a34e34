// A study goes on from what it found: with the same settings, for what is asked, of the same weights.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keptStudy, onTheseWeights, wanted, type KeptStudy } from '../kept-study.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'limn-kept-study-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Sample extends KeptStudy<{ readonly model: string; readonly seed: number; readonly found: number }> {
  readonly version: number;
  readonly updates: readonly number[];
}
const sample: Sample = {
  adapter: 'an adapter',
  limn: '0.1.0',
  version: 2,
  updates: [10, 20],
  seeds: [0, 1],
  models: [
    { name: 'pocket', weightsSha256: 'aa' },
    { name: 'other', weightsSha256: 'bb' },
  ],
  findings: [
    { model: 'pocket', seed: 0, found: 1 },
    { model: 'pocket', seed: 1, found: 2 },
    { model: 'other', seed: 0, found: 3 },
  ],
};
const file = path.join(folder, 'sample.json');
writeFileSync(file, JSON.stringify(sample));
const numbers = (findings: Sample['findings']): number[] => findings.map(({ found }) => found);

test('what was found with other settings, or nowhere, is nothing; seeds are no setting', () => {
  expect(keptStudy<Sample>(file, { version: 2, updates: [10, 20], seeds: [7] })).toEqual(sample);
  expect(keptStudy<Sample>(file, { version: 3, updates: [10, 20] })).toBeUndefined();
  expect(keptStudy<Sample>(file, { version: 2, updates: [10] })).toBeUndefined();
  expect(keptStudy<Sample>(path.join(folder, 'none.json'), {})).toBeUndefined();
});

test('of what was found, the models and seeds that are asked for', () => {
  expect(numbers(wanted(sample.findings, { models: ['pocket', 'other'], seeds: [0] }))).toEqual([1, 3]);
  expect(numbers(wanted(sample.findings, { models: ['pocket'], seeds: [1, 2] }))).toEqual([2]);
  expect(wanted(undefined, { models: ['pocket'], seeds: [0] })).toEqual([]);
});

test('findings of other weights of the same name are dropped, and no others', () => {
  const after = (name: string, weightsSha256: string) =>
    numbers(onTheseWeights(sample.findings, sample, { name, weightsSha256 }));
  expect(after('pocket', 'aa')).toEqual([1, 2, 3]);
  expect(after('pocket', 'cc')).toEqual([3]);
  expect(after('new', 'cc')).toEqual([1, 2, 3]);
  expect(numbers(onTheseWeights(sample.findings, undefined, { name: 'pocket', weightsSha256: 'cc' }))).toEqual([
    1, 2, 3,
  ]);
});

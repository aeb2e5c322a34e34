// A folder on disk with folders below it is what @limn/transcoders reads and writes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { refusal } from '@limn/testing';
import {
  openDictionaries,
  writePaperFile,
  writeSaeLens,
  writeSparsify,
  type DictionaryConfig,
} from '@limn/transcoders';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDictionaryFolder, saveDictionaryFiles } from '../src/dictionary-files.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'limn-dictionaries-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const config: DictionaryConfig = {
  layer: 5,
  input: 'ln2.hook_normalized',
  inputWidth: 2,
  outputWidth: 2,
  features: 3,
  activation: { kind: 'relu' },
  skip: false,
};
const weights = {
  wEnc: Float32Array.of(1, -2, 3, -4, 5.5, -0),
  bEnc: Float32Array.of(0.1, 0.2, 0.3),
  wDec: Float32Array.of(1e-45, 3.4e38, 1, 2, 3, 4),
  bDec: Float32Array.of(7, 8),
};

test.each([
  ['SAELens', config, () => writeSaeLens({ config, weights }, { model: 'gpt2', bos: true })],
  ['the .pt', config, () => [writePaperFile({ config, weights }, { model: 'gpt2' })]],
  [
    'sparsify, in a folder below,',
    { ...config, activation: { kind: 'top-k', k: 2 } },
    () => writeSparsify({ config: { ...config, activation: { kind: 'top-k', k: 2 } }, weights }),
  ],
] as const)('%s goes to disk and comes back to the bit', async (_, expected, files) => {
  await saveDictionaryFiles(folder, files());
  const [found, ...more] = await openDictionaries(await openDictionaryFolder(folder));
  expect(more).toEqual([]);
  expect(found?.config).toEqual(expected);
  expect((await found?.read())?.weights).toEqual(weights);
});

test('what is not there, not text or too long is refused', async () => {
  writeFileSync(path.join(folder, 'config.json'), Uint8Array.of(0xff, 0xfe));
  const files = await openDictionaryFolder(folder);
  expect((await refusal(() => openDictionaries(files))).code).toBe('files/not-text');
  expect((await refusal(() => files.text('config.json', 1))).code).toBe('files/too-large');
  expect((await refusal(() => files.size('sub/other'))).code).toBe('files/not-found');
  expect((await refusal(() => files.size('..'))).code).toBe('files/bad-name');
  expect((await refusal(() => openDictionaryFolder(path.join(folder, 'none')))).code).toBe('files/not-found');
});

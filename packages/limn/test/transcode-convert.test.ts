// `limn transcode convert`: every format there and back, with the convention measured on the model; what does not fit is refused with the evidence.
import { existsSync, readFileSync } from 'node:fs';
import {
  openDictionaries,
  openDictionarySet,
  openPaperFiles,
  writeCircuitTracerSet,
  type DictionaryWeights,
} from '@limn/transcoders';
import { expect, it } from 'vitest';
import { openDictionaryFolder, saveDictionaryFiles } from '../src/dictionary-files.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';
import { transcodeRuns } from './transcode-runs.js';

const runs = transcodeRuns();
const words = (from: string, to: string, out: string, ...more: readonly string[]): string[] => {
  const places = ['transcode', 'convert', runs.at(from), '--to', to, '--out', runs.at(out), '--json'];
  return [...places, '--text', runs.text, ...more];
};
const withModel = ['--model', runs.model, '--name', 'toy'];
async function weightsIn(folder: string): Promise<DictionaryWeights[]> {
  const stored = await openDictionaries(await openDictionaryFolder(runs.at(folder)));
  const read = await Promise.all(stored.map((each) => each.read()));
  return read.map(({ weights }) => weights);
}

it.for(['circuit-tracer', 'sparsify'])('to %s and back, to the bit', async (format, context) => {
  const isSparsify = format === 'sparsify';
  context.skip(
    isSparsify && process.env['LIMN_LONG'] !== '1',
    'a set of top-k, which is all it knows: with LIMN_LONG=1',
  );
  const from = isSparsify ? 'top-k' : 'first';
  if (from === 'first') await runs.first();
  else await runLimn(runs.words(from, '--k', '4'));
  const there = await runLimn(words(from, format, format, ...withModel));
  expect(there.exitCode, there.stderr).toBe(0);
  const back = await runLimn(words(format, 'limn', `${format}-back`, '--from', format, ...withModel));
  expect(back.exitCode, back.stderr).toBe(0);
  expect(await weightsIn(`${format}-back`)).toEqual(await weightsIn(from));
  const { description, dictionaries } = await openDictionarySet(await openDictionaryFolder(runs.at(`${format}-back`)));
  expect(description.command).toContain('limn transcode convert');
  expect(dictionaries[1]?.provenance.expects).toMatchObject({ gain: 'kept', preBias: 'none', bos: false });
  expect(dictionaries[1]?.figures).toMatchObject({ measuredOn: runs.text });
  // A set for this model again, and other files without one.
  const measured = ['transcode', 'evaluate', '--model', runs.model, '--transcoders', runs.at(`${format}-back`)];
  expect((await runLimn([...measured, '--text', runs.text])).exitCode).toBe(0);
  const plain = await runLimn(words(format, format, `${format}-again`, '--name', 'toy'));
  expect(plain.exitCode, plain.stderr).toBe(0);
  expect(await weightsIn(`${format}-again`)).toEqual(await weightsIn(format));
  expect(runs.json(`${format}-again`, 'conversion.json')).toMatchObject({ schema: 'limn.conversion', to: format });
});

it('to SAELens and the .pt and back; a folder that lies about its convention is refused with the FVU of every candidate', async () => {
  await runs.first();
  const own = await weightsIn('first');
  const lens = await runLimn(words('first', 'saelens', 'saelens', ...withModel));
  expect(lens.exitCode, lens.stderr).toBe(0);
  expect(await weightsIn('saelens')).toEqual(own);

  const pt = await runLimn(words('first', 'pt', 'pt', ...withModel));
  expect(pt.exitCode, pt.stderr).toBe(0);
  const back = await runLimn(words('pt', 'limn', 'pt-back', ...withModel));
  expect(back.exitCode, back.stderr).toBe(0);
  const found = await weightsIn('pt-back');
  // γ and β are divided out and multiplied in again: two roundings of f32 in a sum of nine.
  for (const [layer, { wEnc, bEnc }] of found.entries()) {
    wEnc.forEach((value, i) => expect(value).toBeCloseTo(own[layer]?.wEnc[i] as number, 5));
    bEnc.forEach((value, i) => expect(value).toBeCloseTo(own[layer]?.bEnc[i] as number, 5));
  }
  const { dictionaries } = back.json() as unknown as { dictionaries: { convention: { best: object } }[] };
  expect(dictionaries[0]?.convention.best).toMatchObject({ gain: 'folded' });

  // The same numbers in a format whose transcoders read inputs with γ.
  const stored = await openPaperFiles(await openDictionaryFolder(runs.at('pt')));
  await saveDictionaryFiles(runs.at('lies'), writeCircuitTracerSet(stored, { model: 'toy', scan: 'toy' }));
  const [exit, code, message] = await failed(words('lies', 'limn', 'lies-back', ...withModel));
  expect([exit, code]).toEqual([4, 'data/dictionary-convention']);
  expect(message).toMatch(/is expected to be for inputs with γ and β.*an FVU of.*inputs without γ and β/);
  expect(existsSync(runs.at('lies-back'))).toBe(false);
});

it('refuses what cannot be converted, and leaves nothing behind', async () => {
  await runs.first();
  const code = async (...asked: Parameters<typeof words>) => (await failed(words(...asked))).slice(0, 2);
  expect(await code('first', 'sparsify', 'refused-convert', ...withModel)).toEqual([2, 'usage/dictionary-export']);
  expect(await code('first', 'limn', 'refused-convert')).toEqual([2, 'usage/dictionary-convert']);
  expect(await code('first', 'circuit-tracer', 'refused-convert')).toEqual([2, 'usage/dictionary-convert']);
  expect(await code('first', 'onnx', 'refused-convert')).toEqual([2, 'usage/unknown-format']);
  expect(await code('first', 'sparsify', 'first', ...withModel)).toEqual([2, 'usage/output-exists']);
  expect(await code('model', 'sparsify', 'refused-convert', ...withModel)).toEqual([4, 'data/dictionary-unknown']);
  expect(await code('nowhere', 'sparsify', 'refused-convert', ...withModel)).toEqual([4, 'files/not-found']);
  expect(existsSync(runs.at('refused-convert'))).toBe(false);
  expect(readFileSync(runs.at('first', 'config.json'), 'utf8')).toContain('limn-dictionaries/1');
});

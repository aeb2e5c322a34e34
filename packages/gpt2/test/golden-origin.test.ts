// Every golden file of the package says which command and which versions made it.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openFolder } from '../src/node.js';
import { readSafetensorsHeader } from '../src/safetensors.js';

const root = path.join(import.meta.dirname, 'golden');
/** What a script computed; models and their configs are what it computed from, and the checkpoint is one of a format that no longer changes. */
const results = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /(?:^|\/)(?:golden[^/]*|generation|logits)\.(?:json|safetensors)$/.test(name))
  .sort();

test('there are golden files of every folder', () => {
  expect(results.length).toBeGreaterThanOrEqual(12);
});

test.each(results)('%s names its command and versions', async (name) => {
  const [folder, file] = [path.join(root, path.dirname(name)), path.basename(name)];
  const made: unknown = file.endsWith('.json')
    ? (JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { readonly madeBy?: unknown }).madeBy
    : JSON.parse((await readSafetensorsHeader(openFolder(folder), file)).metadata.get('madeBy') ?? 'null');
  expect(made).toMatchObject({
    command: expect.stringMatching(/python \S+\.py/) as string,
    torch: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    transformers: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
  });
});

// A corpus of one's own with a line that is no list of ids: the error names file, line and place, and is short whatever stands there.
import { LimnError } from '@limn/gpu';
import { refusal } from '@limn/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { corpusJob, parseCorpus, pocketChatJob, pocketJob, type CorpusRequest } from '../src/training-jobs.js';

const sizes = { vocabulary: 11 };

test('documents are the lines that are not empty', () => {
  expect(parseCorpus('[1, 2]\r\n\n[3, 4, 10]\n', 'c.jsonl', sizes)).toEqual([
    Uint32Array.of(1, 2),
    Uint32Array.of(3, 4, 10),
  ]);
});

test.each([
  ['a word of a million letters', `[1, "${'x'.repeat(1e6)}"]`],
  ['lists nested 50,000 deep', `[1, ${'['.repeat(50_000)}${']'.repeat(50_000)}]`],
  ['a list of a million ids', `[1, [${'1,'.repeat(1e6)}1]]`],
  ['a word that is no JSON and has a million letters', 'x'.repeat(1e6)],
])('%s is named in short', async (_, line) => {
  const error = await refusal(() => parseCorpus(`[1, 2]\n${line}\n`, 'c.jsonl', sizes));
  expect(error).toBeInstanceOf(LimnError);
  expect([error.code, error.details]).toEqual(['data/corpus', { file: 'c.jsonl', line: 2 }]);
  expect(error.message).toContain('c.jsonl:2');
  expect(error.message.length).toBeLessThan(300);
});

test('data have a name, which a change anywhere in the corpus, the seed, the rows and the split change', async () => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'limn-jobs-'));
  const documents = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 4 + (i % 9) }, (__, t) => (i * 3 + t * t) % 11),
  );
  const nameOf = async (lines: readonly (readonly number[])[], changes: Partial<CorpusRequest> = {}) => {
    const file = path.join(root, 'c.jsonl');
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const own = { vocabulary: 11, maxPositions: 8, width: 8, layers: 1, heads: 2 };
    const request = { file, sizes: own, steps: 60, seed: 0, rows: 4, recipe: { rate: 1e-3 }, heldOut: 0.1, ...changes };
    return (await corpusJob(request)).data;
  };
  try {
    const name = await nameOf(documents);
    expect(await nameOf(documents)).toBe(name);
    const names = new Set([name]);
    for (let i = 0; i < documents.length; i++)
      names.add(
        await nameOf(
          documents.map((line, at) =>
            at === i ? [...line.slice(0, -1), (line.at(-1) as number) === 0 ? 1 : 0] : line,
          ),
        ),
      );
    for (const changes of [{ seed: 1 }, { rows: 5 }, { heldOut: 0 }]) names.add(await nameOf(documents, changes));
    expect(names.size).toBe(1 + documents.length + 3);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  expect(pocketJob(1).data).not.toBe(pocketJob(2).data);
});

test('the recipes are jobs of their own: names, sizes, tokenizer files, and held-out rows that no early batch has', () => {
  for (const job of [pocketJob(0, 5), pocketChatJob(0, 5)]) {
    const rows = new Set([0, 1].flatMap((step) => job.batch(step)).map((row) => Array.from(row).join()));
    expect(rows.size).toBe(64);
    expect(job.heldOut.some((row) => rows.has(Array.from(row).join()))).toBe(false);
    const { model } = JSON.parse(job.files['tokenizer.json'] ?? '') as { model: { vocab: Record<string, number> } };
    expect(Object.keys(model.vocab).length).toBe(job.sizes.vocabulary);
    expect(job.files['config.json']).toBeUndefined();
  }
  expect(pocketChatJob().data).not.toBe(pocketJob().data);
});

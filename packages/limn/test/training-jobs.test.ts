// A corpus of one's own with a line that is no list of ids: the error names file, line and place, and is short whatever stands there.
import { LimnError } from '@limn/gpu';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { parseCorpus } from '../src/training-jobs.js';

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

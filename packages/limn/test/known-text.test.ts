// Words that a vocabulary of whole words lacks: an error that names them, not an end-of-text token in their place.
import { mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'limn-words-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('words that pocket does not know', () => {
  it('in a prompt', async () => {
    const { exitCode, stdout, stderr } = await runLimn([
      'run',
      '--model',
      'pocket',
      '--prompt',
      'the siege of zanzibar',
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr).toContain(`--prompt: this model's vocabulary has no token for "zanzibar"`);
    expect(stderr).toContain('code: tokenizer/unknown-text');
  });

  it.each([
    ['a prompt', { clean: 'the nurse saw Zork', corrupted: 'the man saw Zork', correct: ['she'], incorrect: ['he'] }],
    ['an answer', { clean: 'the nurse', corrupted: 'the man', correct: ['Zork'], incorrect: ['he'] }],
  ])('in %s of a pairs file', async (_, pair) => {
    const file = path.join(folder, 'pairs.jsonl');
    const out = path.join(folder, 'out');
    writeFileSync(file, `${JSON.stringify(pair)}\n`);
    const { exitCode, stderr } = await runLimn(['circuit', '--model', 'pocket', '--data', file, '--out', out]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain(`${file}: this model's vocabulary has no token for "Zork"`);
    expect(existsSync(out)).toBe(false);
  });

  it('but an end-of-text token that is written out is text', async () => {
    const outcome = await runLimn([
      'run',
      '--model',
      'pocket',
      '--prompt',
      '<|endoftext|> the nurse',
      '--no-bos',
      '--json',
    ]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect((outcome.json()['tokens'] as number[]).length).toBe(3);
  });
});

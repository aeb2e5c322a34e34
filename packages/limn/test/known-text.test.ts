// Text and its vocabulary: unknown words are an error that names them, and the BOS is the same in every command.
import { mkdtempSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { toyConfig, writeToyModel } from './toy-model.js';

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

/** A tokenizer.json of eleven whole words, the first of them the end-of-text token. */
function writeWords(model: string): void {
  const words = ['<|endoftext|>', ...'abcdefghij'];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  writeFileSync(
    path.join(model, 'tokenizer.json'),
    JSON.stringify({
      added_tokens: [{ id: 0, content: words[0], ...flags }],
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab: Object.fromEntries(words.map((word, id) => [word, id])), unk_token: words[0] },
    }),
  );
}

describe('a folder whose tokenizer has an end-of-text token and whose config.json names no BOS', () => {
  it('gets the same BOS from `limn run` and from `limn circuit`', async () => {
    const model = path.join(folder, 'no-bos-id');
    writeToyModel(model);
    writeWords(model);
    expect(toyConfig).not.toHaveProperty('bos_token_id');
    const data = path.join(model, 'text.jsonl');
    writeFileSync(data, JSON.stringify({ clean: 'd g b i', corrupted: 'd c b i', correct: ['h'], incorrect: ['e'] }));
    const out = path.join(folder, 'found');
    const one = await runLimn(['run', '--model', model, '--prompt', 'd g b i', '--json']);
    expect(one.exitCode, one.stderr).toBe(0);
    expect(one.json()['tokens']).toEqual([0, 4, 7, 2, 9]);
    const other = await runLimn(['circuit', '--model', model, '--data', data, '--method', 'eap', '--out', out]);
    expect(other.exitCode, other.stderr).toBe(0);
    const record = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
    expect(record.pairs[0]?.clean).toEqual(['<|endoftext|>', 'd', 'g', 'b', 'i']);
    expect(record.provenance.options['bos']).toBe('prepended');
    expect(record.provenance.prependBos).toBe(true);
  });
});

// `limn pairs` and tasks as text: check, preview and write, on the toy's ids, on pocket, and on a random model with GPT-2's vocabulary.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GPT2_TOKENIZER, NO_GPT2_TOKENIZER, writeGpt2WordsModel } from './gpt2-words-model.js';
import { runLimn } from './run-limn.js';
import { toyPair, writeToyModel } from './toy-model.js';

const LONG = process.env['LIMN_LONG'] === '1';
const greaterThan = path.resolve(import.meta.dirname, '../../../../shared/data/greater_than_eap_ig.csv');

let root: string;
let toy: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-pairs-'));
  toy = path.join(root, 'toy');
  writeToyModel(toy);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = path.join(root, name);
  writeFileSync(file, text);
  return file;
};

describe('limn pairs on a file of ids', () => {
  it('checks, previews and writes', async () => {
    const out = path.join(root, 'copy.jsonl');
    const words = ['pairs', '--model', toy, '--data', path.join(toy, 'pairs.jsonl'), '--out', out];
    const outcome = await runLimn(words);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain('1 of 1 pairs align; tokens: 1 × 5');
    expect(outcome.stdout).toMatch(/logit-diff \(mean ± standard deviation\)\s+1\.954\s+1\.948\s+0\.00629\d/);
    expect(outcome.stdout).toMatch(/accuracy, of 1 pairs\s+100\.0 %\s+100\.0 %/);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(toyPair);
    // What it wrote may be written again; another file of that name may not be replaced.
    const again = await runLimn([...words, '--no-preview', '--json']);
    expect(again.json()).toMatchObject({ ok: true, rows: 1, aligned: 1, lengths: [{ tokens: 5, pairs: 1 }] });
    expect(again.json()).not.toHaveProperty('preview');
    expect(again.json()['provenance']).toMatchObject({ kernelPlan: '', options: { metrics: [] } });
    writeFileSync(out, 'mine');
    expect((await runLimn([...words, '--no-preview', '--json'])).json().error?.code).toBe('usage/output-exists');
    expect(readFileSync(out, 'utf8')).toBe('mine');
  });

  it('says with what the preview was computed', async () => {
    const words = ['pairs', '--model', toy, '--data', path.join(toy, 'pairs.jsonl'), '--weights', 'f16'];
    expect((await runLimn([...words, '--json'])).json()['provenance']).toMatchObject({
      model: { weightProcessing: 'f16', weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      prependBos: false,
      seed: null,
      options: { data: path.join(toy, 'pairs.jsonl'), metrics: expect.arrayContaining(['logit-diff']) },
      kernelPlan: expect.stringContaining('matmul'),
    });
    expect((await runLimn(words)).stderr).toMatch(/^weights: f16$/m);
  });

  it('tells all rows that cannot be used, and exits with 4', async () => {
    const rows = [
      toyPair,
      { ...toyPair, clean: [1, 2] },
      { ...toyPair, correct: 3 },
      { ...toyPair, clean: [1, 4, 7, 2, 10] },
    ];
    const file = write('bad.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
    const outcome = await runLimn(['pairs', '--model', toy, '--data', file, '--json']);
    expect(outcome.exitCode).toBe(4);
    const message = outcome.json().error?.message ?? '';
    expect(outcome.json().error?.code).toBe('data/pairs-rows');
    for (const part of [
      '2 of 4 rows cannot be used',
      'bad.jsonl:2: the clean prompt has 2 tokens',
      '→ ≠',
      'bad.jsonl:3',
    ])
      expect(message).toContain(part);
    const odd = await runLimn([
      'pairs',
      '--model',
      toy,
      '--data',
      write('odd.jsonl', JSON.stringify(rows[3])),
      '--no-preview',
    ]);
    expect(odd.stdout).toContain('The last tokens differ');
  });

  it.each([
    ['no source', [], 2, 'usage/pairs-source'],
    ['two sources', ['--task', 'ioi', '--data', 'x'], 2, 'usage/pairs-source'],
    ['a misspelt task', ['--task', 'greater-then'], 2, 'usage/unknown-task'],
    ['a misspelt split', ['--task', 'ioi', '--split', 'test'], 2, 'usage/unknown-split'],
    ['a task as text without a tokenizer', ['--task', 'ioi-abb'], 2, 'usage/task-vocabulary'],
    ['a file that is not there', ['--data', 'absent.csv'], 4, 'data/pairs-file'],
  ])('refuses %s', async (_, words, exitCode, code) => {
    const outcome = await runLimn(['pairs', '--model', toy, ...words, '--json']);
    expect({ exitCode: outcome.exitCode, code: outcome.json().error?.code }).toEqual({ exitCode, code });
  });

  it('refuses to write CSV without a tokenizer', async () => {
    const out = path.join(root, 'x.csv');
    const outcome = await runLimn([
      'pairs',
      '--model',
      toy,
      '--data',
      path.join(toy, 'pairs.jsonl'),
      '--out',
      out,
      '--json',
    ]);
    expect(outcome.json().error?.code).toBe('usage/no-tokenizer');
    expect(existsSync(out)).toBe(false);
  });
});

describe('limn pairs on pocket', () => {
  it("makes a task's pairs in pocket's vocabulary, writes them, and reads them back", async () => {
    const out = path.join(root, 'gender.jsonl');
    const outcome = await runLimn([
      'pairs',
      '--model',
      'pocket',
      '--task',
      'gender',
      '--pairs',
      '6',
      '--out',
      out,
      '--json',
    ]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()).toMatchObject({ ok: true, aligned: 6, preview: { accuracy: { of: 6 } } });
    const [row] = readFileSync(out, 'utf8').split('\n');
    expect(JSON.parse(row ?? '')).toMatchObject({ clean: expect.stringMatching(/^the \w+ /) as string });
    const back = await runLimn(['pairs', '--model', 'pocket', '--data', out, '--json']);
    expect(back.json()['preview']).toEqual(outcome.json()['preview']);
  });
});

describe('limn pairs from a template', () => {
  const capitals = {
    pattern: '{city} , the capital of',
    slot: 'city',
    answers: { Paris: 'France', Rome: ['Italy'], Madrid: 'Spain' },
  };
  const pairs = (name: string, template: object | string, more: readonly string[] = []) =>
    runLimn([
      'pairs',
      '--model',
      'pocket',
      '--no-preview',
      '--json',
      '--template',
      write(name, typeof template === 'string' ? template : JSON.stringify(template)),
      ...more,
    ]);

  it('corrupts every prompt by another filler', async () => {
    const out = path.join(root, 'capitals.jsonl');
    const outcome = await pairs('capitals.json', capitals, ['--out', out]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const rows = readFileSync(out, 'utf8').trim().split('\n');
    expect(rows.map((row) => (JSON.parse(row) as { clean: string }).clean)).toEqual(
      ['Paris', 'Rome', 'Madrid'].map((city) => `${city} , the capital of`),
    );
    expect(new Set(rows.map((row) => (JSON.parse(row) as { corrupted: string }).corrupted)).size).toBeGreaterThan(1);
  });

  it.each<[string, object | string, string]>([
    ['text that is no JSON', '{', 'it is not JSON'],
    ['no pattern', { ...capitals, pattern: 3 }, 'pattern'],
    ['no answers', { ...capitals, answers: ['Paris'] }, 'answers'],
    ['answers that are no texts', { ...capitals, answers: { Paris: 3 } }, 'Paris'],
    ['a filler without another', { ...capitals, answers: { Paris: 'France' } }, 'no other filler of {city} fits'],
    ['a prompt of another form', { ...capitals, prompts: ['the capital of'] }, 'is not made by the template'],
    ['a prompt with another filler', { ...capitals, prompts: ['Oslo , the capital of'] }, 'does not know it'],
    ['prompts that are none', { ...capitals, prompts: 'Paris' }, 'prompts'],
  ])('refuses %s', async (name, template, named) => {
    const outcome = await pairs(`bad-${name.replaceAll(' ', '-')}.json`, template);
    expect({ exitCode: outcome.exitCode, code: outcome.json().error?.code }).toEqual({
      exitCode: 4,
      code: 'data/template',
    });
    expect(outcome.json().error?.message).toContain(named);
  });
});

describe("tasks as text, on a random model with GPT-2's vocabulary", () => {
  let model: string;
  beforeAll(() => {
    model = path.join(root, 'words');
    if (GPT2_TOKENIZER) writeGpt2WordsModel(model);
  });
  beforeEach((context) => context.skip(!GPT2_TOKENIZER, NO_GPT2_TOKENIZER));

  const circuit = async (out: string, words: readonly string[]) => {
    const outcome = await runLimn(['circuit', '--model', model, '--method', 'eap', '--out', out, ...words]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  };

  it('pairs: writes a task as CSV, which circuit reads', async () => {
    const out = path.join(root, 'gt.csv');
    const made = await runLimn([
      'pairs',
      '--model',
      model,
      '--task',
      'greater-than',
      '--pairs',
      '4',
      '--out',
      out,
      '--json',
    ]);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(readFileSync(out, 'utf8')).toMatch(
      /^clean,corrupted,label\nThe \w+ lasted from the year \d{4} to the year \d\d,/,
    );
    const record = await circuit(path.join(root, 'gt'), ['--data', out]);
    expect(record.metric.name).toBe('prob-diff');
    expect(record.task).toMatchObject({ pairs: 4, heldOut: false });
  });

  it("pairs: all 1,000 rows of EAP-IG's greater-than file align", async (context) => {
    context.skip(!LONG, 'a thousand pairs through a model; LIMN_LONG=1 runs it');
    context.skip(!existsSync(greaterThan), 'shared/data is not there');
    const outcome = await runLimn(['pairs', '--model', model, '--data', greaterThan, '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()).toMatchObject({ rows: 1000, aligned: 1000, notes: [], preview: { accuracy: { of: 1000 } } });
  });
});

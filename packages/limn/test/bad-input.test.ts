// Bad models and bad data: each a coded error with a cure, exit code 4 (2 where a name was misspelt), and nothing half-written.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { safetensorsBytes, toyConfig, toyPair, toyWeights, writeToyModel } from './toy-model.js';

let root: string;
let good: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-bad-'));
  good = path.join(root, 'good');
  writeToyModel(good);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy of the toy model with some of its files replaced; undefined removes a file. */
function damaged(name: string, files: Readonly<Record<string, string | Uint8Array | undefined>>): string {
  const folder = path.join(root, name.replaceAll(' ', '-'));
  cpSync(good, folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    if (content === undefined) rmSync(path.join(folder, file));
    else writeFileSync(path.join(folder, file), content);
  }
  return folder;
}

/** The header of the toy's weights, edited as JSON, in front of the same data. */
function withHeader(
  edit: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => void,
): Buffer {
  const bytes = safetensorsBytes(toyWeights());
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Parameters<typeof edit>[0];
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, bytes.subarray(8 + length)]);
}

function withNaN(): Buffer {
  const weights = toyWeights();
  const { data } = weights.get('transformer.h.1.mlp.c_fc.weight') ?? {};
  if (data !== undefined) data[5] = Number.NaN;
  return safetensorsBytes(weights);
}

/** Runs `limn circuit` on it and checks that no trace of an output is left. */
async function circuitFails(model: string, data: string, extra: readonly string[] = []) {
  const out = path.join(root, 'out');
  const before = readdirSync(root).sort();
  const outcome = await runLimn([
    'circuit',
    '--model',
    model,
    '--data',
    data,
    '--method',
    'eap',
    '--out',
    out,
    '--json',
    ...extra,
  ]);
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(root).sort()).toEqual(before);
  const { error } = outcome.json();
  expect(error?.message.length).toBeGreaterThan(20);
  return { exitCode: outcome.exitCode, code: error?.code, message: error?.message ?? '', hint: error?.hint ?? '' };
}

describe('models', () => {
  it.each<[string, Readonly<Record<string, string | Uint8Array | undefined>>, RegExp, string]>([
    [
      'truncated weights',
      { 'model.safetensors': safetensorsBytes(toyWeights()).subarray(0, 5000) },
      /^safetensors\//,
      'model.safetensors',
    ],
    [
      'a cut header',
      { 'model.safetensors': safetensorsBytes(toyWeights()).subarray(0, 100) },
      /^safetensors\/truncated$/,
      'model.safetensors',
    ],
    [
      'trailing bytes',
      { 'model.safetensors': Buffer.concat([safetensorsBytes(toyWeights()), Buffer.alloc(9)]) },
      /^safetensors\//,
      'model.safetensors',
    ],
    [
      'overlapping tensors',
      {
        'model.safetensors': withHeader((header) => {
          const first = header['transformer.h.0.ln_1.bias'];
          const second = header['transformer.h.0.ln_1.weight'];
          if (first && second) first.data_offsets = [...second.data_offsets];
        }),
      },
      /^safetensors\/(overlap|hole)$/,
      'model.safetensors',
    ],
    [
      'an oversized header',
      { 'model.safetensors': Buffer.concat([Buffer.from('ffffffffffffff7f', 'hex'), Buffer.alloc(64)]) },
      /^safetensors\/header-too-large$/,
      'model.safetensors',
    ],
    [
      'a shape that does not fit',
      {
        'model.safetensors': withHeader((header) => {
          const norm = header['transformer.ln_f.weight'];
          if (norm) norm.shape = [4, 2];
        }),
      },
      /^weights\/shape$/,
      'ln_f.weight',
    ],
    ['NaN in a weight', { 'model.safetensors': withNaN() }, /^weights\/not-finite$/, 'mlp.c_fc.weight'],
    [
      'an unknown activation',
      { 'config.json': JSON.stringify({ ...toyConfig, activation_function: 'swish' }) },
      /^config\/bad-value$/,
      'activation_function',
    ],
    ['an odd number of heads', { 'config.json': JSON.stringify({ ...toyConfig, n_head: 3 }) }, /^config\//, 'n_head'],
    ['a config that is not JSON', { 'config.json': '{"n_layer": ' }, /^config\/not-json$/, 'config.json'],
    ['no config', { 'config.json': undefined }, /^files\/not-found$/, 'config.json'],
    ['no weights', { 'model.safetensors': undefined }, /^(weights|files)\//, 'safetensors'],
  ])('%s', async (name, files, code, named) => {
    const model = damaged(name, files);
    const failed = await circuitFails(model, path.join(good, 'pairs.jsonl'));
    expect(failed.exitCode).toBe(4);
    expect(failed.code).toMatch(code);
    expect(failed.message).toContain(named);
  });

  it('a folder that is not there', async () => {
    const failed = await circuitFails(path.join(root, 'nowhere'), path.join(good, 'pairs.jsonl'));
    expect(failed).toMatchObject({ exitCode: 4, code: 'files/not-found' });
  });
});

describe('pairs', () => {
  const pairs = (name: string, value: unknown): string => {
    const file = path.join(root, 'pairs', `${name}.jsonl`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, typeof value === 'string' ? value : `${JSON.stringify(value)}\n`);
    return file;
  };
  beforeAll(() => void pairs('none', ''));

  it.each<[string, unknown, string, string]>([
    [
      'different lengths',
      { ...toyPair, corrupted: [1, 4, 3, 3, 2].concat(9).slice(0, 4) },
      'data/pairs-length-mismatch',
      'clean prompt has 5 tokens and the corrupted one 4',
    ],
    ['an id outside the vocabulary', { ...toyPair, clean: [1, 4, 11, 2, 9] }, 'data/pairs-unknown-id', '11'],
    [
      'a prompt longer than the model',
      { ...toyPair, clean: [1, 4, 7, 2, 9, 1], corrupted: [1, 4, 3, 2, 9, 1] },
      'data/pairs-too-long',
      '5',
    ],
    ['text without a tokenizer', { ...toyPair, clean: 'one four seven' }, 'data/pairs-no-tokenizer', 'tokenizer'],
    ['no JSON', '{"clean"', 'data/pairs-json', 'JSON'],
    ['no pairs', '\n', 'data/pairs-empty', 'no pair'],
  ])('%s', async (name, value, code, named) => {
    const failed = await circuitFails(good, pairs(name.replaceAll(' ', '-'), value));
    expect(failed).toMatchObject({ exitCode: 4, code });
    expect(failed.message + failed.hint).toContain(named);
  });

  it('shows where the prompts part, token by token', async () => {
    const file = pairs('mismatch', { ...toyPair, corrupted: [1, 4, 2, 9] });
    const failed = await circuitFails(good, file);
    expect(failed.message).toMatch(/≠ 7\s+·/);
  });

  it('a task on a model of another vocabulary, and a file that is not there', async () => {
    const task = await runLimn([
      'circuit',
      '--model',
      good,
      '--task',
      'ioi',
      '--out',
      path.join(root, 'out'),
      '--json',
    ]);
    expect(task).toMatchObject({ exitCode: 2 });
    expect(task.json().error?.code).toBe('usage/task-vocabulary');
    expect(await circuitFails(good, path.join(root, 'absent.jsonl'))).toMatchObject({
      exitCode: 4,
      code: 'data/pairs-file',
    });
  });
});

describe('prompts of limn run', () => {
  const out = (): string => path.join(root, 'acts.safetensors');
  it.each([
    [
      'a misspelt hook',
      ['--tokens', '1,2', '--capture', 'blocks.0.hook_mlp_ot'],
      2,
      'hooks/unknown-site',
      'blocks.0.hook_mlp_out',
    ],
    [
      'a hook of a layer that is not there',
      ['--tokens', '1,2', '--capture', 'blocks.2.hook_mlp_out'],
      2,
      'hooks/unknown-site',
      '0–1',
    ],
    ['an id outside the vocabulary', ['--tokens', '1,11'], 4, 'tokens/not-in-vocabulary', '0–10'],
    ['a sequence longer than the model', ['--tokens', '1,2,3,4,5,6'], 4, 'tokens/too-long', '5'],
    ['text without a tokenizer', ['--prompt', 'one two'], 2, 'usage/no-tokenizer', '--tokens'],
  ])('%s', async (_, words, exitCode, code, named) => {
    const outcome = await runLimn(['run', '--model', good, ...words, '--out', out(), '--json']);
    const { error } = outcome.json();
    expect({ exitCode: outcome.exitCode, code: error?.code }).toEqual({ exitCode, code });
    expect(`${error?.message} ${error?.hint ?? ''}`).toContain(named);
    expect(existsSync(out())).toBe(false);
  });

  it('never replaces weights with activations', async () => {
    const weights = path.join(good, 'model.safetensors');
    const before = readFileSync(weights);
    const outcome = await runLimn(['run', '--model', good, '--tokens', '1,2', '--out', weights]);
    expect(outcome.exitCode).toBe(2);
    expect(readFileSync(weights).equals(before)).toBe(true);
  });
});

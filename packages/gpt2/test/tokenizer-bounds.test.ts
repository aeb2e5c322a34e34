// What a tokenizer file may ask of memory and time: files too large, expressions that backtrack without end, steps that make a text longer.
import { LimnError } from '@limn/gpu';
import { recordResult, refusal } from '@limn/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import { cpuSeconds, patience } from './tokenizer/cpu-seconds.js';
import { openJson, sound, type Definition } from './tokenizer/sound.js';

const long = process.env['LIMN_LONG'] === '1';

describe('files too large to be what their names say', () => {
  test.each([
    ['tokenizer.json', 2 ** 26],
    ['vocab.json', 2 ** 26],
    ['merges.txt', 2 ** 26],
    ['tokenizer_config.json', 2 ** 24],
  ])('%s of more than %i bytes is not read', async (name, most) => {
    const { vocab, merges } = sound().model;
    const held = memoryFiles(
      name.startsWith('tokenizer')
        ? { 'tokenizer.json': JSON.stringify(sound()), 'tokenizer_config.json': '{}' }
        : { 'vocab.json': JSON.stringify(vocab), 'merges.txt': (merges as string[]).join('\n') },
    );
    const read: string[] = [];
    const files = (size: number): ModelFiles => ({
      ...held,
      size: async (file) => (file === name ? size : held.size(file)),
      read: (file) => (read.push(file), held.read(file)),
    });
    expect((await refusal(ModelTokenizer.open(files(most + 1)))).code).toBe('files/too-large');
    expect(read).not.toContain(name);
    expect(await ModelTokenizer.open(files(most))).toBeInstanceOf(ModelTokenizer);
  });

  test('a million tokens and a million merges open; three million do not', { timeout: 600_000 }, async (context) => {
    context.skip(!long, '30 MB of JSON run in test:long');
    const definition = sound();
    definition.added_tokens = [];
    for (let i = 0; i < 1e6; i++) definition.model.vocab[`t${i}`] = 1000 + i;
    definition.model.merges = Array.from({ length: 1e6 }, () => ['a', 'b']);
    const started = process.cpuUsage();
    expect(await openJson(definition)).toBeInstanceOf(ModelTokenizer);
    const seconds = cpuSeconds(started);
    recordResult('a tokenizer.json of a million tokens and merges', { 'CPU seconds': seconds });
    expect(seconds).toBeLessThan(30);
    for (let i = 1e6; i < 3e6; i++) definition.model.vocab[`t${i}`] = 1000 + i;
    expect((await refusal(openJson({ ...definition, model: { ...definition.model, merges: [] } }))).code).toBe(
      'tokenizer/damaged',
    );
  });
});

describe('expressions whose time grows faster than the square of the text', () => {
  const split = (regex: string): Definition => ({
    ...sound(),
    pre_tokenizer: { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
  });
  const verdict = async (regex: string): Promise<string> => {
    try {
      const tokenizer = (await openJson(split(regex))) as ModelTokenizer;
      for (const text of ['a'.repeat(2000), 'ab'.repeat(1000), `${'a'.repeat(1000)}!${' '.repeat(1000)}`])
        tokenizer.encode(text, { prependBos: false, unknown: 'allow' });
      return 'read';
    } catch (error) {
      if (!(error instanceof LimnError)) throw error;
      return error.code;
    }
  };
  const timed = async (regex: string): Promise<string> => {
    const started = process.cpuUsage();
    const code = await verdict(regex);
    expect(cpuSeconds(started), regex).toBeLessThan(patience);
    return code;
  };

  test.each([
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    ' ?[^(\\s|[.,!?…。，、।۔،])]+',
    '\\d{1,3}(?=(?:\\d{3})*\\b)',
    '[(+]+|\\(a+',
    '^a+$|\\bb{2,9}',
    '[\\w&&[^\\d]]+',
    'a'.repeat(200),
  ])('in use, or harmless: %s', async (regex) => expect(await timed(regex)).toBe('read'));

  test.each([
    '(a+)+',
    '(a|a)*',
    '(?:a*b?)+$',
    '((a{1,9}))*',
    '(\\w+\\s?){2,}',
    'a'.repeat(5000),
    '(?:a|a){1,28}b',
    '(?:a?){28}a{28}',
    'a*a*a*a*a*a*a*b',
    '(?=(a|a){1,28}c)a',
    '(?<=(a|a){1,28}c)a',
    '(?:(?:a|a)){28}b',
    '(a*)*b',
    '(?:|){28}b',
    '(?:){99999999}a',
    '(((((a{99}){99}){99}){99}){99})b',
    '(a)\\1',
    '\\p{L}*\\w*x',
    '(?:[a-m]|[\\p{L}]){30}!',
  ])('refused: %s', async (regex) => expect(await timed(regex)).toBe('tokenizer/unsupported'));

  test('generated ones are refused or quick, and most that repeat in each other are refused', async () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '\\w', '\\p{L}', '.', '(?:a|a)', '(?:a|ab)', '(?:a?)');
    const repeat = fc.constantFrom('', '*', '+', '?', '{1,28}', '{12}', '{2,}', '*?');
    const row = fc
      .array(fc.tuple(atom, repeat), { minLength: 1, maxLength: 6 })
      .map((parts) => parts.map((part) => part.join('')).join(''));
    const hostile = fc.tuple(row, repeat, row, repeat, fc.constantFrom('b', '!', '$', ''));
    let refused = 0;
    const cases = long ? 5000 : 150;
    await fc.assert(
      fc.asyncProperty(hostile, async ([inner, times, after, again, end]) => {
        if ((await timed(`(?:(?:${inner})${times}${after})${again}${end}`)) === 'tokenizer/unsupported') refused++;
      }),
      { numRuns: cases, seed: 20251122 },
    );
    expect(refused).toBeGreaterThan(cases / 2);
    expect(refused).toBeLessThan(cases);
    recordResult('expressions that repeat in each other', { cases, refused });
  });
});

describe('steps that make a text longer', () => {
  const replace = (content: string, found = 'a') => ({ type: 'Replace', pattern: { String: found }, content });
  const row = (steps: object[]) => ({ type: 'Sequence', normalizers: steps });
  const times = (n: number, step: object): object[] => Array.from({ length: n }, () => step);
  test.each<[what: string, normalizer: object]>([
    ['doubling nine times', row(times(9, replace('aa')))],
    ['doubling in sequences in each other', row(times(3, row(times(3, replace('aa')))))],
    ['many steps', row(times(17, { type: 'NFC' }))],
    ['one long content', replace('a'.repeat(300))],
    ['between all characters', row(times(3, replace('aaaaaaa', '')))],
    ['an expression', row(times(5, { ...replace('aaa'), pattern: { Regex: 'a' } }))],
    ['texts in front', row(times(9, { type: 'Prepend', prepend: 'a' }))],
    ['compatibility forms', row(times(2, { type: 'NFKD' }))],
  ])('%s: refused', async (_what, normalizer) => {
    const error = await refusal(openJson({ ...sound(), normalizer }));
    expect([error.code, error.details['field']]).toEqual(['tokenizer/unsupported', 'normalizer']);
    const decoder = { type: 'Sequence', decoders: times(9, replace('aa')) };
    expect((await refusal(openJson({ ...sound(), decoder }))).details['field']).toBe('decoder');
  });

  test("eight doublings are read, and a content of $& is two characters, as in Hugging Face's reader", async () => {
    const encode = async (normalizer: object): Promise<string> => {
      const tokenizer = (await openJson({ ...sound(), normalizer })) as ModelTokenizer;
      return tokenizer.decode(tokenizer.encode('xay', { prependBos: false }).ids);
    };
    expect(await encode(row(times(8, replace('aa'))))).toBe(`x${'a'.repeat(256)}y`);
    expect(await encode(replace('$&'))).toBe('x$&y');
  });
});

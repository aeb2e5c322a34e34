// Damaged tokenizer files: each fault by code and field, the reference reader's recorded readings, and fuzzing by structured damage.
import { createHash } from 'node:crypto';
import { LimnError } from '@limn/gpu';
import { recordResult, refusal } from '@limn/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import recorded from './recorded/tokenizer-verdicts.json' with { type: 'json' };
import { damage, definitions, numberedTokenizer, sampleTexts } from './tokenizer/damage.js';
import { digestOf, isListed, tokenizerVerdict } from './tokenizer/verdict.js';

const long = process.env['LIMN_LONG'] === '1';
/** Cases to try: 2,000 by default, 100,000 at night (`npm run fuzz -w @limn/gpt2`). */
const runs = Number(process.env['LIMN_FUZZ_RUNS'] ?? (long ? 100_000 : 2_000));
/** No file of these sizes may take longer than this to open and to try, in seconds of the CPU. */
const patience = 2;
const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};
const prototype = Object.getOwnPropertyNames(Object.prototype).join();

interface Definition {
  [field: string]: unknown;
  added_tokens: Record<string, unknown>[];
  model: Record<string, unknown> & { vocab: Record<string, unknown>; merges: unknown };
}
/** GPT-2's kind, with every byte and five merges. */
const sound = (): Definition => JSON.parse(JSON.stringify(definitions[0])) as Definition;
const openJson = (definition: object, vocabulary?: number): Promise<ModelTokenizer | undefined> =>
  ModelTokenizer.open(memoryFiles({ 'tokenizer.json': JSON.stringify(definition) }), undefined, vocabulary);

test.each(definitions.map((definition, i) => ({ i, definition })))(
  'sound definition $i opens',
  async ({ definition }) => {
    expect(await openJson(definition)).toBeInstanceOf(ModelTokenizer);
  },
);

describe('faults of tokenizer.json, each with its field', () => {
  const set = (path: string, value: unknown) => (definition: Definition) => {
    const keys = path.split('.');
    const last = keys.pop() as string;
    let holder = definition as Record<string, unknown>;
    for (const key of keys) holder = holder[key] as Record<string, unknown>;
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  };
  const token = {
    id: 262,
    content: 'new',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
  const split = (regex: unknown) => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
  const faults: [field: string, edit: (definition: Definition) => void, code?: string][] = [
    ['model.vocab["ab"]', set('model.vocab.ab', 'x')],
    ['model.vocab["ab"]', set('model.vocab.ab', -5)],
    ['model.vocab["ab"]', set('model.vocab.ab', 1.5)],
    ['model.vocab["ab"]', set('model.vocab.ab', 1e30)],
    ['model.vocab["ab"]', set('model.vocab.ab', null)],
    ['model.vocab["ab"]', set('model.vocab.ab', 3)],
    ['model.vocab', set('model.vocab', [])],
    ['model.vocab', set('model.vocab', { ['a'.repeat(5000)]: 0 })],
    ['model.merges[2]', set('model.merges', ['a b', 'Ġ ab', 'a z'])],
    ['model.merges[0]', set('model.merges', ['a c'])],
    ['model.merges[0]', set('model.merges', ['a  b'])],
    ['model.merges[0]', set('model.merges', ['ab'])],
    ['model.merges[0]', set('model.merges', [5])],
    ['model.merges[1]', set('model.merges', ['a b', ['Ġ', 'ab']])],
    ['model.merges[1]', set('model.merges', [['a', 'b'], 'Ġ ab'])],
    ['model.merges[0]', set('model.merges', [['a', 'b', 'c']])],
    ['model.merges[0]', set('model.merges', [['a', '日']])],
    ['model.merges', set('model.merges', 'a b')],
    ['model.type', set('model.type', 'Nope')],
    ['model.type', set('model.type', 'Unigram'), 'tokenizer/unsupported'],
    ['model.dropout', set('model.dropout', 0.5), 'tokenizer/unsupported'],
    ['model.dropout', set('model.dropout', 2)],
    ['model.unk_token', set('model.unk_token', '<unk>')],
    ['model.end_of_word_suffix', set('model.end_of_word_suffix', '</w>'), 'tokenizer/unsupported'],
    ['model.fuse_unk', set('model.fuse_unk', 'yes')],
    ['model', set('model', undefined)],
    ['added_tokens', set('added_tokens', {})],
    ['added_tokens[0]', set('added_tokens', [5])],
    ['added_tokens[1].content', (d) => d.added_tokens.push({ ...token, content: '' })],
    ['added_tokens[1].content', (d) => d.added_tokens.push({ ...token, content: 5 })],
    ['added_tokens[1].id', (d) => d.added_tokens.push({ ...token, id: 'x' })],
    ['added_tokens[1].id', (d) => d.added_tokens.push({ ...token, id: 4 })],
    ['added_tokens[1].id', (d) => d.added_tokens.push({ ...token, id: 300 })],
    ['added_tokens[1].id', (d) => d.added_tokens.push({ ...token, content: '<|endoftext|>' })],
    ['added_tokens[2].id', (d) => d.added_tokens.push(token, { ...token, id: 263 })],
    ['added_tokens[1].special', (d) => d.added_tokens.push({ ...token, special: 1 })],
    [
      'added_tokens[1].single_word',
      (d) => d.added_tokens.push({ ...token, single_word: true }),
      'tokenizer/unsupported',
    ],
    [
      'post_processor.single',
      set('post_processor', { type: 'TemplateProcessing', single: 5, pair: [], special_tokens: {} }),
    ],
    ['post_processor.type', set('post_processor.type', 'Nope')],
    ['pre_tokenizer.type', set('pre_tokenizer.type', 'constructor')],
    ['pre_tokenizer.add_prefix_space', set('pre_tokenizer.add_prefix_space', 'x')],
    ['pre_tokenizer', set('pre_tokenizer', 'ByteLevel')],
    ['pre_tokenizer.pattern.Regex', set('pre_tokenizer', split('('))],
    ['pre_tokenizer.pattern.Regex', set('pre_tokenizer', split(5))],
    ['pre_tokenizer.pattern.Regex', set('pre_tokenizer', split('(\\p{L}+)+$')), 'tokenizer/unsupported'],
    ['pre_tokenizer.type', set('pre_tokenizer', { type: 'Metaspace', replacement: '_' }), 'tokenizer/unsupported'],
    ['decoder.type', set('decoder', {})],
    ['decoder.trim_offsets', set('decoder.trim_offsets', undefined)],
    ['normalizer.type', set('normalizer', { type: 'Precompiled', precompiled_charsmap: '' }), 'tokenizer/unsupported'],
    ['normalizer.content', set('normalizer', { type: 'Replace', pattern: { String: 'a' } })],
    ['version', set('version', '2.0')],
    ['truncation.max_length', set('truncation', { strategy: 'LongestFirst', stride: 0 })],
    ['padding.pad_token', set('padding', { direction: 'Right' })],
    ['zork', set('zork', 1)],
  ];
  test.each(faults.map(([field, edit, code = 'tokenizer/damaged'], i) => ({ i, field, edit, code })))(
    '$i: $field, $code',
    async ({ field, edit, code }) => {
      const definition = sound();
      edit(definition);
      const error = await refusal(openJson(definition));
      expect({ code: error.code, field: error.details['field'] }).toEqual({ code, field });
      expect(error.message).toContain(`tokenizer.json in memory`);
      expect(error.message).toContain(field);
      expect(error.message.length).toBeLessThan(600);
    },
  );

  test('bytes: a byte order mark, half a surrogate pair, no UTF-8, no JSON, nesting without end', async () => {
    const json = JSON.stringify(sound());
    const [mark, half, deep] = [
      `\ufeff${json}`,
      json.replace('"ab":', '"\\ud83d":'),
      json.replace('null', '['.repeat(1e5) + ']'.repeat(1e5)),
    ];
    for (const text of [mark, half, deep, json.slice(0, -1), '5', '[]', ''])
      expect((await refusal(ModelTokenizer.open(memoryFiles({ 'tokenizer.json': text })))).code).toBe(
        'tokenizer/damaged',
      );
    const bytes = new TextEncoder().encode(json);
    bytes[20] = 0xff;
    expect((await refusal(ModelTokenizer.open(memoryFiles({ 'tokenizer.json': bytes })))).message).toContain('UTF-8');
    // A whole pair, and a backslash before the letter u, are text.
    const whole = json.replace('"ab":', '"\\ud83d\\ude00":').replace('"a b","Ġ ab",', '');
    expect(await ModelTokenizer.open(memoryFiles({ 'tokenizer.json': whole }))).toBeInstanceOf(ModelTokenizer);
  });
});

test("ids beyond the model's vocabulary: refused in the vocabulary, unknown text among added tokens", async () => {
  const definition = sound();
  expect((await refusal(openJson(definition, 261))).message).toContain('ids below 261, the vocab_size of config.json');
  const pad = {
    id: 262,
    content: '[PAD]',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
  definition.added_tokens.push(pad);
  const tokenizer = (await openJson(definition, 262)) as ModelTokenizer;
  expect((await refusal(() => tokenizer.encode('ab [PAD]', { prependBos: false }))).code).toBe(
    'tokenizer/unknown-text',
  );
  expect(tokenizer.encode('ab[PAD]', { prependBos: false, unknown: 'allow' }).ids).toEqual([256]);
  const wide = (await openJson(definition, 263)) as ModelTokenizer;
  expect(wide.encode('ab[PAD]', { prependBos: false }).ids).toEqual([256, 262]);
});

test('gaps between ids, names of Object, the mark of unknown text, a file of the first versions', async () => {
  const definition = sound();
  const { vocab } = definition.model;
  definition.added_tokens = [];
  vocab['<|endoftext|>'] = 900;
  vocab['\u0000unknown'] = 262;
  Object.defineProperty(vocab, '__proto__', { value: 263, enumerable: true, writable: true, configurable: true });
  vocab['constructor'] = 264;
  delete definition.model['type'];
  const tokenizer = (await openJson(definition)) as ModelTokenizer;
  expect(tokenizer.decode([900, 500, 263, 264])).toBe('<|endoftext|>__proto__constructor');
  const { ids } = tokenizer.encode('constructor __proto__ \u0000unknown', { prependBos: false });
  expect(tokenizer.decode(ids)).toBe('constructor __proto__ \u0000unknown');
});

test('a space in front of the text, but not of its words; texts that a Split removes', async () => {
  const definition = sound();
  Object.assign(definition['pre_tokenizer'] as object, { add_prefix_space: true });
  const tokenizer = (await openJson(definition)) as ModelTokenizer;
  expect(tokenizer.decode(tokenizer.encode('é\u0085x 👩‍🚀', { prependBos: false }).ids)).toBe(' é\u0085x 👩‍🚀');
  definition['pre_tokenizer'] = { type: 'Split', pattern: { String: '.*' }, behavior: 'Removed', invert: false };
  const split = (await openJson(definition)) as ModelTokenizer;
  expect(split.decode(split.encode('ab.*c', { prependBos: false }).ids)).toBe('abc');
});

test('1,000 numbered damaged files: read as the Rust tokenizers read them, refused as they refused them, apart from the listed reasons', async () => {
  const contents = recorded.contents.join(' ').split(' ');
  expect(contents.length).toBe(recorded.files);
  const sha256 = createHash('sha256');
  const wrong: string[] = [];
  let alike = 0;
  for (const [i, digest] of contents.entries()) {
    const bytes = numberedTokenizer(i);
    sha256.update(bytes);
    const verdict = await tokenizerVerdict(bytes);
    if (verdict instanceof LimnError) {
      if (digest !== '-' && !isListed(verdict, bytes)) wrong.push(`file ${i}: ${verdict.message}`);
    } else if (digest === '?') continue;
    else if (digestOf(verdict) === digest) alike++;
    else wrong.push(`file ${i}: ${JSON.stringify(verdict).slice(0, 300)}, reference ${digest}`);
  }
  expect(sha256.digest('hex'), 'the files are not those that were recorded').toBe(recorded.sha256);
  expect(wrong).toEqual([]);
  expect(alike / recorded.files, 'share of files that are read').toBeGreaterThan(0.1);
});

describe(`fuzzing, ${runs} cases each`, () => {
  const timeout = (10 + runs / 50) * 1000;
  const acts = fc.array(fc.record({ kind: fc.nat(9999), a: fc.nat(9999), b: fc.nat(9999) }), {
    minLength: 1,
    maxLength: 4,
  });

  /** Opens and tries a tokenizer. True if it opened; every error must have a code of its family. */
  async function tried(files: ModelFiles, vocabulary: number, exact: boolean): Promise<boolean> {
    const started = process.cpuUsage();
    try {
      const tokenizer = await ModelTokenizer.open(files, undefined, vocabulary);
      for (const text of tokenizer ? sampleTexts : []) tryText(tokenizer as ModelTokenizer, text, vocabulary, exact);
      return tokenizer !== undefined;
    } catch (error) {
      if (!(error instanceof LimnError) || !/^(?:tokenizer|files)\//.test(error.code)) throw error;
      expect(error.message.length).toBeLessThan(1000);
      return false;
    } finally {
      const seconds = cpuSeconds(started);
      if (seconds > patience) expect.fail(`${seconds} s`);
      if (Object.getOwnPropertyNames(Object.prototype).join() !== prototype)
        expect.fail('Object.prototype was changed');
    }
  }

  function tryText(tokenizer: ModelTokenizer, text: string, vocabulary: number, exact: boolean): void {
    const { ids } = tokenizer.encode(text, { prependBos: false, unknown: 'allow' });
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
    // A call of expect for each id would take longer than all the rest.
    if (wrong !== undefined) expect.fail(`id ${wrong} of ${JSON.stringify(text)}`);
    const decoded = tokenizer.decode(ids);
    if (typeof decoded !== 'string') expect.fail(`text ${String(decoded)}`);
    tokenizer.decodeBytes(ids);
    try {
      const refused = tokenizer.encode(text, { prependBos: false });
      if (exact && tokenizer.decode(refused.ids) !== text) expect.fail(`text ${JSON.stringify(text)}`);
    } catch (error) {
      if (!(error instanceof LimnError) || error.code !== 'tokenizer/unknown-text') throw error;
    }
  }

  /** Whether text must come back exactly: bytes in, bytes out, and nothing that changes text on the way. */
  function isExact(bytes: Uint8Array): boolean {
    try {
      const root = JSON.parse(new TextDecoder().decode(bytes)) as Definition &
        Record<string, Record<string, unknown> | null>;
      const [before, after] = [root['pre_tokenizer'], root['decoder']];
      return (
        (root['normalizer'] ?? null) === null &&
        before?.['type'] === 'ByteLevel' &&
        before['add_prefix_space'] === false &&
        after?.['type'] === 'ByteLevel' &&
        (root.added_tokens ?? []).every((token) => token['lstrip'] === false && token['rstrip'] === false)
      );
    } catch {
      return false;
    }
  }

  test(
    'a damaged tokenizer.json is refused with a code, or reads text to ids of the model and back',
    { timeout },
    async () => {
      let [opened, exact] = [0, 0];
      await fc.assert(
        fc.asyncProperty(
          fc.nat(definitions.length - 1),
          acts,
          fc.constantFrom(262, 263, 11, 1000),
          async (base, damages, vocabulary) => {
            const bytes = damage(base, damages);
            const byBytes = isExact(bytes);
            if (!(await tried(memoryFiles({ 'tokenizer.json': bytes }), vocabulary, byBytes))) return;
            opened++;
            if (byBytes) exact++;
          },
        ),
        { numRuns: runs, seed: 20251122 },
      );
      expect(opened).toBeGreaterThan(runs / 50);
      expect(exact).toBeGreaterThan(runs / 100);
      recordResult('tokenizer.json, fuzzed', { cases: runs, opened, 'exact back': exact, uncoded: 0 });
    },
  );

  test('damaged vocab.json, merges.txt and tokenizer_config.json', { timeout }, async () => {
    const { vocab, merges } = sound().model;
    const plain = {
      'vocab.json': JSON.stringify(vocab),
      'merges.txt': `#version: 0.2\n${(merges as string[]).join('\n')}\n`,
      'tokenizer_config.json': '{"bos_token": {"content": "<|endoftext|>"}, "add_prefix_space": false}',
    };
    const names = Object.keys(plain) as (keyof typeof plain)[];
    // prettier-ignore
    const pieces = fc.constantFrom('\0', '"', '\\', '{', '}', '[', ']', ',', ':', '-', '9', '0', ' ', '  ', '\n', '\r\n', '\ufeff', 'a b', 'x', '#version', '"__proto__":1,', 'null', '\\ud800', '[['.repeat(999));
    const edits = fc.array(fc.tuple(fc.nat(2), fc.nat(9999), fc.nat(3), pieces), { minLength: 1, maxLength: 3 });
    const json = JSON.stringify(sound());
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(edits, fc.boolean(), fc.nat(), async (changes, cut, where) => {
        const files: Record<string, string> = { ...plain };
        for (const [file, at, gone, piece] of changes) {
          const name = names[file] as keyof typeof plain;
          const text = files[name] as string;
          files[name] = text.slice(0, at % text.length) + piece + text.slice((at % text.length) + gone);
        }
        const name = names[where % 3] as keyof typeof plain;
        const bytes = new TextEncoder().encode(files[name]);
        const held = cut ? bytes.subarray(0, where % bytes.length) : bytes;
        const damaged = { ...files, [name]: held };
        // The third file is read beside a tokenizer.json only.
        const given =
          name === 'tokenizer_config.json' ? { 'tokenizer.json': json, 'tokenizer_config.json': held } : damaged;
        if (await tried(memoryFiles(given), 262, true)) opened++;
      }),
      { numRuns: runs, seed: 20251122 },
    );
    expect(opened).toBeGreaterThan(runs / 100);
    recordResult('vocab.json and merges.txt, fuzzed', { cases: runs, opened, uncoded: 0 });
  });
});

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

test('ByteLevel in a sequence keeps the bytes of parts; with steps after it, it is refused', async () => {
  const decoder = sound()['decoder'] as object;
  const bytesOf = async (...decoders: object[]): Promise<number[]> => {
    const tokenizer = (await openJson({ ...sound(), decoder: { type: 'Sequence', decoders } })) as ModelTokenizer;
    return tokenizer.encode('日x', { prependBos: false }).ids.flatMap((id) => [...tokenizer.decodeBytes([id])]);
  };
  expect(await bytesOf(decoder)).toEqual([...new TextEncoder().encode('日x')]);
  expect(await bytesOf(decoder, { type: 'Fuse' })).toEqual([...new TextEncoder().encode('日x')]);
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
  const error = await refusal(bytesOf(decoder, strip));
  expect([error.code, error.details['field']]).toEqual(['tokenizer/unsupported', 'decoder']);
});

test('calls without types: a code, what was given and what is allowed', async () => {
  const tokenizer = (await openJson(sound())) as ModelTokenizer;
  const free = tokenizer as unknown as Record<'encode' | 'decode' | 'decodeBytes', (...given: unknown[]) => unknown>;
  for (const [call, said] of [
    [() => free.encode('abc'), 'options.prependBos is missing'],
    [() => free.encode('abc', { prependBos: 1 }), 'options.prependBos is 1'],
    [() => free.encode('abc', { prependBos: false, unknown: 'typo' }), 'options.unknown is "typo"'],
    [() => free.encode(undefined, { prependBos: false }), 'text is missing'],
    [() => free.encode(5, { prependBos: false }), 'text is 5'],
    [() => free.decode(undefined), 'ids is missing'],
    [() => free.decodeBytes('ab'), 'ids is "ab"'],
  ] as const) {
    const error = await refusal(call);
    expect([error.code, error.message.startsWith(said)], error.message).toEqual(['tokenizer/bad-call', true]);
  }
  const definition = memoryFiles({ 'tokenizer.json': JSON.stringify(sound()) });
  expect((await refusal(ModelTokenizer.open(definition, 262, 262))).message).toContain('below the vocabulary, 262');
});

test("what the library throws has a code; bos_token: null is no BOS, and silence about it is GPT-2's", async () => {
  const tokenizer = (await openJson(sound())) as ModelTokenizer;
  (tokenizer as unknown as { tokenizer: { encode: () => never } }).tokenizer.encode = () => {
    throw new RangeError('Invalid string length');
  };
  const error = await refusal(() => tokenizer.encode('abc', { prependBos: false }));
  expect([error.code, error.details['reason']]).toEqual(['tokenizer/failed', 'RangeError: Invalid string length']);
  const bosWith = async (settings: object): Promise<number | undefined> =>
    (
      await ModelTokenizer.open(
        memoryFiles({ 'tokenizer.json': JSON.stringify(sound()), 'tokenizer_config.json': JSON.stringify(settings) }),
      )
    )?.bosId;
  expect(await bosWith({ bos_token: null })).toBeUndefined();
  expect(await bosWith({})).toBe(261);
});

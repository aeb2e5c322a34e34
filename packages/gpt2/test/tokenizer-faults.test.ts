// Faults of a tokenizer.json, each told by code and field; and oddities that are none.
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { memoryFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import { definitions } from './tokenizer/damage.js';
import { openJson, sound, type Definition } from './tokenizer/sound.js';

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

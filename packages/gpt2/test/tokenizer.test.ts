// Text to ids and back: from vocab.json and merges.txt, from tokenizer.json, and with no tokenizer at all.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { refusal } from '@limn/testing';
import { describe, expect, test, type TestContext } from 'vitest';
import { memoryFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import recorded from './recorded/gpt2-token-ids.json' with { type: 'json' };
import { numberedString } from './tokenizer/strings.js';

/** Bytes a, b, c, space (Ġ), two merges, and the end-of-text token. */
const bpe = {
  'vocab.json': JSON.stringify({ a: 0, b: 1, c: 2, Ġ: 3, Ã: 4, '©': 5, ab: 6, Ġab: 7, '<|endoftext|>': 8 }),
  'merges.txt': '#version: 0.2\na b\nĠ ab\n',
};
const words = {
  'tokenizer.json': JSON.stringify({
    added_tokens: [
      { id: 0, content: '<eot>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: { '<eot>': 0, '<unk>': 1, the: 2, bird: 3, constructor: 4 },
      unk_token: '<unk>',
    },
  }),
  'tokenizer_config.json': JSON.stringify({ bos_token: '<eot>' }),
};
const open = async (files: Record<string, string>): Promise<ModelTokenizer> => {
  const tokenizer = await ModelTokenizer.open(memoryFiles(files), undefined);
  if (!tokenizer) throw new Error('no tokenizer was found');
  return tokenizer;
};

describe('tokenizer', () => {
  test('byte-level BPE from vocab.json and merges.txt', async () => {
    const tokenizer = await open(bpe);
    expect(tokenizer.source).toBe('vocab.json + merges.txt');
    expect(tokenizer.encode('ab ab c', { prependBos: true })).toEqual({
      text: 'ab ab c',
      ids: [8, 6, 7, 3, 2],
      prependBos: true,
    });
    expect(tokenizer.encode('é', { prependBos: false }).ids).toEqual([4, 5]);
    expect(tokenizer.decode([8, 6, 7, 4, 5])).toBe('<|endoftext|>ab abé');
    expect(tokenizer.singleToken(' ab')).toBe(7);
    expect((await refusal(() => tokenizer.singleToken('abc'))).details['pieces']).toEqual(['ab', 'c']);
  });

  test('whole words from tokenizer.json: a known word inside an unknown one is not taken for it', async () => {
    const tokenizer = await open(words);
    const options = { prependBos: true, unknown: 'allow' } as const;
    expect(tokenizer.encode('the bird constructor birds', options).ids).toEqual([0, 2, 3, 4, 1]);
    expect(tokenizer.decode([2, 3])).toBe('the bird');
  });

  test('words that the vocabulary lacks are refused by name; an unknown token that is written out is text', async () => {
    const tokenizer = await open(words);
    const refused = await refusal(() => tokenizer.encode('the zork saw the bird zork', { prependBos: true }));
    expect(refused).toMatchObject({ code: 'tokenizer/unknown-text', details: { words: ['zork', 'saw', 'zork'] } });
    expect(refused.message).toContain('no token for "zork", "saw"');
    expect(refused.hint).toContain('read as <unk>');
    expect(tokenizer.encode('the <unk> <eot>', { prependBos: false }).ids).toEqual([2, 1, 0]);
    expect((await refusal(() => tokenizer.singleToken('zork'))).code).toBe('tokenizer/unknown-text');
    expect(tokenizer.decode([2, 99])).toBe('the <unk>');
  });

  test('bytes that a small byte-level vocabulary lacks are not dropped silently', async () => {
    const tokenizer = await open(bpe);
    expect((await refusal(() => tokenizer.encode('ab xab', { prependBos: false }))).details['words']).toEqual(['xab']);
    expect(tokenizer.encode('ab xab', { prependBos: false, unknown: 'allow' }).ids).toEqual([6, 3, 6]);
    expect(tokenizer.decode([6, 99])).toBe('ab');
  });

  test('without a tokenizer there is none; damaged files are named; no BOS is an error only when asked for', async () => {
    expect(await ModelTokenizer.open(memoryFiles({ 'config.json': '{}' }), undefined)).toBeUndefined();
    expect((await refusal(ModelTokenizer.open(memoryFiles({ 'tokenizer.json': '{' }), undefined))).code).toBe(
      'tokenizer/damaged',
    );
    expect((await refusal(ModelTokenizer.open(memoryFiles({ 'tokenizer.json': '{}' }), undefined))).code).toBe(
      'tokenizer/damaged',
    );
    const broken = new Map<string, Uint8Array>([
      ['vocab.json', new TextEncoder().encode('{"a":0}')],
      ['merges.txt', Uint8Array.of(0x61, 0xff, 0xfe)],
    ]);
    expect((await refusal(ModelTokenizer.open(memoryFiles(Object.fromEntries(broken)), undefined))).code).toBe(
      'tokenizer/damaged',
    );
    const plain = await open({ 'vocab.json': '{"a":0}', 'merges.txt': '' });
    expect(plain.encode('a', { prependBos: false }).ids).toEqual([0]);
    expect((await refusal(() => plain.encode('a', { prependBos: true }))).code).toBe('tokenizer/no-bos');
  });

  test('bytes of tokens: a part of a character, a special token, whole words', async () => {
    const tokenizer = await open(bpe);
    expect([...tokenizer.decodeBytes([7])]).toEqual([0x20, 0x61, 0x62]);
    expect([...tokenizer.decodeBytes([4])]).toEqual([0xc3]);
    expect(new TextDecoder().decode(tokenizer.decodeBytes([8, 6, 4, 5, 99]))).toBe('<|endoftext|>abé');
    const byWords = await open(words);
    expect(new TextDecoder().decode(byWords.decodeBytes([2]))).toBe('the');
    expect(new TextDecoder().decode(byWords.decodeBytes([2, 99, 3, 0]))).toBe('the bird <eot>');
  });
});

const LONG = process.env['LIMN_LONG'] === '1';
const gpt2 = path.resolve(import.meta.dirname, '../../../../shared/gpt2-tokenizer');

describe("GPT-2's own vocabulary", () => {
  async function gpt2Tokenizer(context: TestContext): Promise<ModelTokenizer> {
    if (!existsSync(gpt2)) context.skip('shared/gpt2-tokenizer is not there');
    const read = (name: string): string => readFileSync(path.join(gpt2, name), 'utf8');
    return open({ 'vocab.json': read('vocab.json'), 'merges.txt': read('merges.txt') });
  }

  test('known ids, and single tokens', async (context) => {
    const tokenizer = await gpt2Tokenizer(context);
    expect(tokenizer.encode('When Mary and John went to the store', { prependBos: true }).ids).toEqual([
      50256, 2215, 5335, 290, 1757, 1816, 284, 262, 3650,
    ]);
    expect(tokenizer.singleToken(' Mary')).toBe(5335);
  });

  test(
    `${LONG ? '20,480' : '5,120 of 20,480'} strings: the ids of the Rust tokenizers, and the same bytes back`,
    { timeout: 120_000 },
    async (context) => {
      const tokenizer = await gpt2Tokenizer(context);
      const { strings, block, sha256 } = recorded;
      expect(strings).toBeGreaterThanOrEqual(20_000);
      let hash = createHash('sha256');
      for (let i = 0; i < strings; i++) {
        if (!LONG && Math.floor(i / block) % 4 !== 0) continue; // each block holds strings of every kind
        const text = numberedString(i);
        const { ids } = tokenizer.encode(text, { prependBos: false });
        hash.update(`${i % block === 0 ? '' : '\n'}${JSON.stringify(ids)}`);
        if (i % block === block - 1) {
          expect(hash.digest('hex'), `strings ${i - block + 1} to ${i}`).toBe(sha256[(i + 1) / block - 1]);
          hash = createHash('sha256');
        }
        const well = Buffer.from(text).toString();
        if (!Buffer.from(well).equals(tokenizer.decodeBytes(ids))) expect.fail(`bytes of string ${i}`);
        if (tokenizer.decode(ids) !== well) expect.fail(`text of string ${i}: ${JSON.stringify(well)}`);
      }
    },
  );
});

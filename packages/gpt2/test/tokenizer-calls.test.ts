// Calls of an open tokenizer: bytes of parts of characters, arguments without types, what the library throws, and what silence about BOS means.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { memoryFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import { openJson, sound } from './tokenizer/sound.js';

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

// The bytes and the text of a row, token by token, against those of the whole decoded at once; and how little is decoded for each.
import { expect, test } from 'vitest';
import { TextStream } from '../src/index.js';
import { TokenBytes } from '../src/token-bytes.js';

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];

/** A small linear congruential generator, so that failures repeat. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bytes of any kind, characters cut in pieces, and a token without bytes. */
const pieces = [
  [0xf0],
  [0x9f, 0x98],
  [0x80],
  [0xff],
  utf8('é'),
  utf8('日本'),
  utf8('👩‍👩‍👧'),
  utf8(' a'),
  utf8('\ufeff'),
  [],
];
const words = ['the', 'end', undefined, 'é', undefined, '日'];
const metaspaces = ['▁', '▁a', 'b', '', '▁▁', 'é'];

const decoders: Readonly<Record<string, { readonly size: number; decode(ids: readonly number[]): number[] }>> = {
  'joins the bytes of its tokens': {
    size: pieces.length,
    decode: (ids) => ids.flatMap((id) => pieces[id] as number[]),
  },
  'puts a space between words and nothing for ids without one': {
    size: words.length,
    decode: (ids) => utf8(ids.flatMap((id) => words[id] ?? []).join(' ')),
  },
  'drops the space that begins a text': {
    size: metaspaces.length,
    decode: (ids) =>
      utf8(
        ids
          .map((id) => metaspaces[id])
          .join('')
          .replaceAll('▁', ' ')
          .replace(/^ /, ''),
      ),
  },
};

test.each(Object.entries(decoders))('a decoder that %s: the whole at every step', (_, { size, decode }) => {
  const next = numbers(5);
  for (let round = 0; round < 60; round++) {
    const bytes = new TokenBytes((ids) => Uint8Array.from(decode(ids)));
    const stream = new TextStream();
    const ids: number[] = [];
    const got: number[] = [];
    let text = '';
    for (let n = next(40); n >= 0; n--) {
      ids.push(next(size));
      const added = bytes.push(ids.at(-1) as number);
      got.push(...added);
      text += stream.push(added).text;
      const whole = Uint8Array.from(decode(ids));
      expect(got).toEqual([...whole]);
      expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(whole, { stream: true }));
    }
  }
});

test('a token costs the same at the end of a long text as at its beginning', () => {
  const most = (tokens: number): number => {
    let longest = 0;
    const next = numbers(2);
    const bytes = new TokenBytes((ids) => {
      longest = Math.max(longest, ids.length);
      return Uint8Array.from(ids.flatMap((id) => pieces[id] as number[]));
    });
    for (let n = 0; n < tokens; n++) bytes.push(next(pieces.length));
    return longest;
  };
  expect(most(2000)).toBe(most(100));
});

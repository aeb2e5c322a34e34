// SHA-256 against the standard's own examples: of texts, and of the bytes that a view shows and no others.
import { expect, it } from 'vitest';
import { sha256 } from '../src/index.js';

it.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
])('%j', async (text, digest) => {
  expect(await sha256(text)).toBe(digest);
  const around = new TextEncoder().encode(`<${text}>`);
  expect(await sha256(around.subarray(1, -1))).toBe(digest);
  expect(await sha256(new DataView(around.buffer, 1, text.length))).toBe(digest);
});

it('a text is its UTF-8', async () => {
  expect(await sha256('é→')).toBe(await sha256(new TextEncoder().encode('é→')));
});

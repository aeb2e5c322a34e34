// Text of generated tokens: whole characters whatever bytes a token holds, and stop strings across tokens, against the text decoded at once.
import { expect, test } from 'vitest';
import { generate, generateStream, TextStream, type GeneratedRow, type Sampling } from '../src/index.js';
import { toy } from './toy.js';

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];
const decoded = (bytes: readonly number[]): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));

/** A small linear congruential generator, so that failures repeat. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('any bytes in any pieces read as when decoded at once, and no character is split', () => {
  const next = numbers(7);
  const pieces = ['a', 'b', 'aa', 'é', '日本', '😀', '👩‍👩‍👧', '\ufeff', '\u0000', ' ', 'abab'].map(utf8);
  for (let round = 0; round < 400; round++) {
    const bytes = Array.from({ length: next(12) }, () =>
      next(8) === 0 ? [next(256)] : (pieces[next(pieces.length)] as number[]),
    ).flat();
    const stream = new TextStream();
    let text = '';
    const parts: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = 1 + next(4);
      parts.push(stream.push(Uint8Array.from(bytes.slice(at, at + length))).text);
      at += length;
    }
    parts.push(stream.end());
    for (const part of parts) {
      text += part;
      // A surrogate at an end would be half of a character.
      expect(/[\ud800-\udbff]$|^[\udc00-\udfff]/.test(part)).toBe(false);
    }
    expect(text).toBe(decoded(bytes));
  }
});

test('text ends in front of the first stop string to be complete, and nothing of it is let out before', () => {
  const next = numbers(11);
  let stops = 0;
  for (let round = 0; round < 600; round++) {
    const letters = ['a', 'b', 'é', '\n'];
    const word = (length: number) => Array.from({ length }, () => letters[next(letters.length)]).join('');
    const stopStrings = Array.from({ length: 1 + next(3) }, () => word(1 + next(4)));
    const text = word(next(16));
    const bytes = utf8(text);
    // The shortest beginning that holds a stop string, by characters.
    const ends = Array.from({ length: text.length + 1 }, (_, i) => i);
    const complete = ends.find((end) => stopStrings.some((stop) => text.slice(0, end).includes(stop)));
    const stream = new TextStream(stopStrings);
    let got = '';
    let stopped = false;
    for (let at = 0; at < bytes.length && !stopped;) {
      // One byte at a time in half of the rounds; else pieces in which several may be complete.
      const length = round % 2 === 0 ? 1 : 1 + next(5);
      const part = stream.push(Uint8Array.from(bytes.slice(at, at + length)));
      at += length;
      got += part.text;
      stopped = part.stopped;
    }
    if (!stopped) got += stream.end();
    expect(stopped).toBe(complete !== undefined);
    if (complete === undefined) expect(got).toBe(text);
    else {
      stops += 1;
      const firsts = stopStrings.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
      expect(text.startsWith(got)).toBe(true);
      expect(stopStrings.some((stop) => text.startsWith(stop, got.length))).toBe(true);
      expect(stopStrings.some((stop) => got.includes(stop))).toBe(false);
      if (stopStrings.length === 1) expect(got.length).toBe(Math.min(...firsts));
    }
  }
  expect(stops).toBeGreaterThan(100);
});

/** Tokens of the toy as bytes: parts of characters, letters, and 12 as the end token, whose bytes must not show. */
const vocabulary = [
  ...[0xf0, 0x9f, 0x98, 0x80].map((byte) => [byte]),
  ...['é', 'a', 'b', 'ab', 'ba', ' ', '日', 'x', '<end>'].map(utf8),
];
const decode = (ids: readonly number[]): Uint8Array => Uint8Array.from(ids.flatMap((id) => vocabulary[id] ?? []));

test('a generation streams its text, stops at strings across tokens, and leaves the end token out', async () => {
  const model = await toy();
  const prompts = [[1, 4, 7], [5, 6], [3, 3, 3, 3], [0], [8, 8]];
  const sampling: Sampling = { kind: 'sample', seed: 3, temperature: 4 };
  const options = { maxNewTokens: 8, sampling, decode, eosIds: [12] };
  const free = await generate(model, prompts, options);
  for (const [r, { newTokens, text, end }] of free.rows.entries()) {
    const spoken = newTokens.map(({ id }) => id).filter((id) => id !== 12);
    expect(text).toBe(decoded([...decode(spoken)]));
    expect(end).toBe(newTokens.at(-1)?.id === 12 ? 'eos' : 'length');
    expect(free.tokens[r]).toHaveLength((prompts[r] as number[]).length + newTokens.length);
  }
  // The last letter of one token and the first of the next: ids from 4 on are whole characters.
  const joint = ({ newTokens }: GeneratedRow): number =>
    newTokens.findIndex(({ id }, i) => i > 1 && id > 3 && id < 12 && (newTokens[i - 1]?.id ?? 0) > 3);
  const row = free.rows.findIndex((candidate) => joint(candidate) > 0);
  const chosen = free.rows[row] as GeneratedRow;
  const letters = (id: number): string[] => [...decoded([...decode([id])])];
  const pair = chosen.newTokens.slice(joint(chosen) - 1, joint(chosen) + 1).map(({ id }) => letters(id));
  const stop = `${pair[0]?.at(-1)}${pair[1]?.[0]}`;
  const text = chosen.text ?? '';
  const stopped = await generate(model, prompts, { ...options, stopStrings: [stop, 'never'] });
  expect(stopped.rows[row]?.end).toBe('stop-string');
  expect(stopped.rows[row]?.text).toBe(text.slice(0, text.indexOf(stop)));
  for (const [r, other] of stopped.rows.entries()) {
    const whole = free.rows[r] as GeneratedRow;
    const at = whole.text?.indexOf(stop) ?? -1;
    expect(other.text).toBe(at < 0 ? whole.text : whole.text?.slice(0, at));
    expect(other.newTokens.map(({ id }) => id)).toEqual(
      whole.newTokens.slice(0, other.newTokens.length).map(({ id }) => id),
    );
    expect(other.end).toBe(at < 0 ? whole.end : 'stop-string');
  }
  const parts: string[] = [];
  for await (const token of generateStream(model, prompts, { ...options, stopStrings: [stop] }))
    if (token.row === row) parts.push(token.text as string);
  expect(parts.join('')).toBe(stopped.rows[row]?.text);
});

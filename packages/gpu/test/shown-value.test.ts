// Values in messages: as they are where they are short, and short where they are not.
import { expect, test } from 'vitest';
import { shownValue } from '../src/index.js';

test.each([
  [undefined, 'missing'],
  [null, 'null'],
  [1.5, '1.5'],
  [Number.NaN, 'NaN'],
  [true, 'true'],
  [2n ** 70n, String(2n ** 70n)],
  ['a "b"\n', String.raw`"a \"b\"\n"`],
  ['x'.repeat(98), `"${'x'.repeat(98)}"`],
  ['x'.repeat(99), `"${'x'.repeat(99)}…`],
  ['x'.repeat(5000), `"${'x'.repeat(99)}…`],
  [[1, [2]], 'a list of 2'],
  [{ a: {}, b: 1 }, 'an object of 2 fields'],
])('value %#', (value, text) => expect(shownValue(value)).toBe(text));

test('a value nested without end is not walked into', () => {
  let deep: unknown = 0;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(shownValue(deep)).toBe('a list of 1');
});

// Bytes as text: three digits, and never 1,024 of a unit.
import { expect, it } from 'vitest';
import { formatBytes } from '../src/index.js';

it.each([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [1536, '1.50 KiB'],
  [100 * 1024 + 512, '101 KiB'],
  [1010 * 1024, '1010 KiB'],
  [2 ** 20 - 512, '1.00 MiB'],
  [2 ** 20 - 513, '1023 KiB'],
  [128 * 2 ** 20, '128 MiB'],
  [497_759_232, '475 MiB'],
  [2 ** 31 - 4, '2.00 GiB'],
  [2 ** 40, '1.00 TiB'],
  [5000 * 2 ** 40, '5000 TiB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

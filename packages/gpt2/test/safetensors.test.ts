// The safetensors reader accepts what the format allows and refuses everything else, each with its own code.
import { describe, expect, test } from 'vitest';
import { memoryFiles } from '../src/files.js';
import { writeSafetensors } from '../src/safetensors-write.js';
import { readSafetensorsHeader } from '../src/safetensors.js';
import { readTensorF32, widenBf16, widenF16 } from '../src/tensor-values.js';
import { rejection } from './rejection.js';

/** A file with this header text and this many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes: number, statedLength?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, statedLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const header = (bytes: Uint8Array) => readSafetensorsHeader(memoryFiles({ 'm.safetensors': bytes }), 'm.safetensors');
const entry = (begin: number, end: number, shape = `[${(end - begin) / 4}]`, dtype = 'F32') =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('safetensors', () => {
  test('what is written is read back, with names and metadata that look like prototypes', async () => {
    const tensors = new Map([
      ['__proto__', { shape: [2, 2], data: Float32Array.of(1, -2, 3.5, 4) }],
      ['constructor', { shape: [], data: Float32Array.of(7) }],
      ['empty', { shape: [0, 3], data: new Float32Array(0) }],
      ['words', { shape: [2], data: Uint32Array.of(5, 0xffffffff) }],
    ]);
    const bytes = writeSafetensors(tensors, { note: 'a "quoted" é' });
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
    const files = memoryFiles({ 'm.safetensors': bytes });
    const read = await readSafetensorsHeader(files, 'm.safetensors');
    expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    expect(read.metadata.get('note')).toBe('a "quoted" é');
    for (const [name, { data }] of tensors) {
      const found = read.tensors.get(name);
      if (!found) throw new Error(name);
      if (found.dtype === 'F32') expect(await readTensorF32(files, found)).toEqual(data);
    }
    expect(({} as Record<string, unknown>)['shape']).toBeUndefined();
  });

  test('a header in front of which there is white space is accepted', async () => {
    expect((await header(fileOf(`  {"a":${entry(0, 8)}}`, 8))).tensors.get('a')?.shape).toEqual([2]);
  });

  const two = (first: string, second: string) => `{"a":${first},"b":${second}}`;
  test.each<[string, string, Uint8Array]>([
    ['too-small', 'seven bytes', new Uint8Array(7)],
    ['header-too-large', 'length 2^64−1', fileOf('{}', 0, 2n ** 64n - 1n)],
    ['header-too-large', 'length 2^53', fileOf('{}', 0, 2n ** 53n)],
    ['truncated', 'a header longer than the file', fileOf('{}', 0, 100n)],
    ['not-json', 'an empty header', fileOf('', 0)],
    ['not-json', 'text after the object', fileOf('{}x', 0)],
    ['not-json', 'a list', fileOf('[]', 0)],
    ['limit', 'deep nesting', fileOf(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 0)],
    ['not-utf8', 'bytes that are not UTF-8', fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0)],
    ['duplicate-key', 'two tensors of one name', fileOf(`{"a":${entry(0, 4)},"a":${entry(4, 8)}}`, 8)],
    [
      'duplicate-key',
      'two shapes in one entry',
      fileOf(`{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}`, 4),
    ],
    ['duplicate-key', 'the same name escaped', fileOf(`{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, 8)],
    ['hole', 'a gap', fileOf(two(entry(0, 4), entry(8, 12)), 12)],
    ['hole', 'a gap in front', fileOf(`{"a":${entry(4, 8)}}`, 8)],
    ['overlap', 'shared bytes', fileOf(two(entry(0, 8), entry(4, 12)), 12)],
    ['overlap', 'the same bytes twice', fileOf(two(entry(0, 8), entry(0, 8)), 8)],
    ['trailing-bytes', 'bytes behind the data', fileOf(`{"a":${entry(0, 4)}}`, 5)],
    ['truncated', 'data cut off', fileOf(`{"a":${entry(0, 8)}}`, 7)],
    ['shape-mismatch', 'a shape that needs more', fileOf(`{"a":${entry(0, 8, '[3]')}}`, 8)],
    ['overflow', 'a product of 2^64', fileOf(`{"a":${entry(0, 8, '[4294967296,4294967296]')}}`, 8)],
    ['bad-entry', 'a negative extent', fileOf(`{"a":${entry(0, 4, '[-1]')}}`, 4)],
    ['bad-entry', 'a fractional extent', fileOf(`{"a":${entry(0, 4, '[0.5]')}}`, 4)],
    ['limit', 'an extent beyond 2^48', fileOf(`{"a":${entry(0, 4, '[281474976710656]')}}`, 4)],
    ['bad-entry', 'end before begin', fileOf(`{"a":${entry(4, 0, '[1]')}}`, 4)],
    ['unknown-field', 'an unknown field', fileOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4)],
    ['limit', 'rank 17', fileOf(`{"a":${entry(0, 4, `[${Array.from({ length: 17 }, () => 1).join()}]`)}}`, 4)],
    ['unknown-dtype', 'a dtype named like a method', fileOf(`{"a":${entry(0, 4, '[1]', 'toString')}}`, 4)],
    ['misaligned', 'half a byte', fileOf(`{"a":${entry(0, 1, '[1]', 'F4')}}`, 1)],
    ['bad-metadata', 'a number in the metadata', fileOf(`{"__metadata__":{"a":1}}`, 0)],
  ])('%s: %s', async (code, _what, bytes) => {
    expect((await rejection(header(bytes))).code).toBe(`safetensors/${code}`);
  });

  test('a file cut at any byte is refused', async () => {
    const whole = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]));
    for (let length = 0; length < whole.length; length++) {
      expect((await rejection(header(whole.slice(0, length)))).code).toMatch(/^safetensors\//);
    }
  });

  test('half precision widens exactly', () => {
    // 1, −2, the largest half, the smallest subnormal, the largest subnormal, −0, ∞
    expect([...widenF16(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x8000, 0x7c00))]).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      1023 * 2 ** -24,
      -0,
      Infinity,
    ]);
    expect(widenF16(Uint16Array.of(0x7c01))[0]).toBeNaN();
    expect([...widenBf16(Uint16Array.of(0x3f80, 0xc040, 0x0001, 0xff80))]).toEqual([1, -3, 2 ** -133, -Infinity]);
  });
});

// The safetensors reader and writer: round trips, cut and changing files, and conversions. What is refused: safetensors-hostile.test.ts.
import { JsonScanError, scanJson } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import type { SafetensorsEntry } from '../src/safetensors-entry.js';
import { writeSafetensors } from '../src/safetensors-write.js';
import { readSafetensorsHeader } from '../src/safetensors.js';
import { chunkBytes, readTensorF32, sameValues, widenBf16, widenF16 } from '../src/tensor-values.js';
import { fileOf } from './hostile/bytes.js';

const header = (bytes: Uint8Array) => readSafetensorsHeader(memoryFiles({ 'm.safetensors': bytes }), 'm.safetensors');

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

  test('a file cut at any byte is refused', async () => {
    const whole = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]));
    for (let length = 0; length < whole.length; length++) {
      expect((await refusal(header(whole.slice(0, length)))).code).toMatch(/^safetensors\//);
    }
  });

  test('a file that changes, or a source that gives less than was asked for, is an error and no wrong number', async () => {
    const whole = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]));
    const files = memoryFiles({ m: whole });
    const { tensors } = await readSafetensorsHeader(files, 'm');
    await files.write('m', whole.slice(0, -4));
    expect((await refusal(readTensorF32(files, tensors.get('a') as SafetensorsEntry))).code).toBe('files/short');
    for (const least of [0, 8, 20]) {
      const short: ModelFiles = {
        ...memoryFiles({ m: whole }),
        read: async (_name, begin = 0, end = 0) => whole.slice(begin, Math.max(begin, end - (begin >= least ? 1 : 0))),
      };
      const read = readSafetensorsHeader(short, 'm').then((found) =>
        readTensorF32(short, found.tensors.get('a') as SafetensorsEntry),
      );
      expect((await refusal(read)).code).toBe('files/short');
    }
  });

  test('a tensor larger than one piece is converted and compared like a small one', async () => {
    const count = chunkBytes / 2 + 3;
    const halves = Uint16Array.from({ length: 2 * count }, (_, i) => 0x3c00 + ((i % count) % 1024));
    const entry = (k: number): string =>
      `{"dtype":"F16","shape":[${count}],"data_offsets":[${2 * count * k},${2 * count * (k + 1)}]}`;
    const bytes = fileOf(`{"x":${entry(0)},"y":${entry(1)}}`, new Uint8Array(halves.buffer));
    const files = memoryFiles({ m: bytes });
    const { tensors } = await readSafetensorsHeader(files, 'm');
    const [x, y] = [tensors.get('x') as SafetensorsEntry, tensors.get('y') as SafetensorsEntry];
    const values = await readTensorF32(files, x);
    expect(values.every((value, i) => value === 1 + (i % 1024) / 1024)).toBe(true);
    expect(await sameValues(files, x, y)).toBe(true);
    bytes[bytes.length - 1] = 0;
    expect(await sameValues(memoryFiles({ m: bytes }), x, y)).toBe(false);
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

test('reading stops at the first value beyond a limit, however much follows', async () => {
  const limits = { keys: 3, items: 2, depth: 2 };
  const stop = (text: string): number => {
    try {
      scanJson(text, limits);
    } catch (error) {
      if (error instanceof JsonScanError && error.reason === 'limit') return error.offset;
      throw error;
    }
    return text.length;
  };
  const rest = ',"x":0'.repeat(1e5);
  expect(stop('{"a":0,"b":0,"c":0}')).toBe(19);
  expect(stop(`{"a":0,"b":0,"c":0,"d":0${rest}}`)).toBe(19);
  expect(stop(`{"a":[1,2]}`)).toBe(11);
  expect(stop(`{"a":[1,2,3${rest}`)).toBe(10);
  expect(stop(`{"a":{"b":[${rest}`)).toBe(10);
  // A shape with millions of dimensions: the seventeenth ends it.
  const header = `{"a":{"dtype":"F32","shape":[${'1,'.repeat(2e6)}1],"data_offsets":[0,4]}}`;
  const error = await refusal(readSafetensorsHeader(memoryFiles({ file: fileOf(header, 4) }), 'file'));
  expect(error.code).toBe('safetensors/limit');
  expect(error.message).toContain(`more than 16 values in one list at character ${header.indexOf('[') + 1 + 32}`);
});

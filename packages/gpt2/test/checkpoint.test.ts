// The file of a checkpoint: the bytes of its format, however large; what is wrong with one; and stores that take it only whole.
import { readFileSync } from 'node:fs';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { readCheckpoint } from '../src/checkpoint.js';
import { gatherContent, storedBytes, type FileSink } from '../src/file-content.js';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  wholeCheckpoints,
  type Checkpoint,
  type StoredFile,
  type TensorPieces,
} from '../src/index.js';
import { safetensorsContent } from '../src/safetensors-write.js';
import { growingSha256 } from '../src/sha256-pieces.js';

/** Counting upwards in sevenths. */
const sevenths = (length: number, start: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => start + i / 7);
const tensor = (shape: readonly number[], ...pieces: Float32Array[]): TensorPieces => ({
  shape,
  async *pieces() {
    yield* pieces;
  },
});
const param = (name: string, size: number, start: number) => ({
  name,
  size,
  first: async () => sevenths(size, start),
  second: async () => sevenths(size, start + 1),
});
/** What the file beside it holds; the embedding comes in two pieces, as it lies in two blocks. */
const small: Checkpoint = {
  step: 7,
  weights: new Map([
    ['wte.weight', tensor([3, 2], sevenths(6, 1).subarray(0, 4), sevenths(6, 1).subarray(4))],
    ['ln_f.bias', tensor([2], sevenths(2, -1))],
  ]),
  optimiser: {
    groups: [
      { name: 'matrices', count: 7, params: [param('wte.weight#0', 4, 2), param('wte.weight#1', 2, 4)] },
      { name: 'vectors', count: 7, params: [param('ln_f.bias', 2, 6)] },
    ],
  },
  settings: '{"steps":9}',
  plan: '{"adapter":"none"}',
};

/** Everything of a checkpoint, read. */
async function contentsOf({ step, weights, optimiser, settings, plan }: Checkpoint) {
  const values: Record<string, unknown> = { step, settings, plan };
  for (const [name, { shape, pieces }] of weights) {
    const all: number[] = [];
    for await (const piece of pieces()) all.push(...piece);
    values[name] = [shape, all];
  }
  for (const { name, count, params } of optimiser.groups) {
    values[name] = [count, params.map((each) => each.name)];
    for (const each of params) values[`moments of ${each.name}`] = [each.size, await each.first(), await each.second()];
  }
  return values;
}

describe('a checkpoint’s file', () => {
  const path = new URL('golden/checkpoint/limn-checkpoint-1.safetensors', import.meta.url);

  test('has the bytes that were written when the format was made, and they are read as what they were', async () => {
    const golden = new Uint8Array(readFileSync(path));
    expect(await gatherContent(encodeCheckpoint(small))).toEqual(golden);
    expect(await contentsOf(await decodeCheckpoint(storedBytes(golden)))).toEqual(await contentsOf(small));
  });

  test.each([
    ['groups that are no JSON', '[{\\"name\\"', '({\\"name\\"', 'checkpoint/damaged'],
    ['a group without its count', '\\"count\\":7', '\\"cuont\\":7', 'checkpoint/damaged'],
    ['a moment that is not there', 'first/ln_f.bias', 'first/ln_f.bios', 'checkpoint/damaged'],
    ['a step that is no number', '"step":"7"', '"step":"x"', 'checkpoint/damaged'],
    ['another format', 'limn-checkpoint/1', 'limn-checkpoint/9', 'checkpoint/format'],
  ])('with %s, and the sha256 of that, is refused by code', async (_, from, to, code) => {
    const text = readFileSync(path, 'latin1');
    expect(text).toContain(from);
    const bytes = Buffer.from(text.replace(from, to), 'latin1');
    const place = text.indexOf('"sha256":"') + 10;
    const hash = growingSha256();
    hash.update(Buffer.from(bytes).fill('0', place, place + 64));
    bytes.write(hash.hex(), place);
    expect((await refusal(decodeCheckpoint(storedBytes(bytes)))).code).toBe(code);
  });

  test('whose pieces are not as many values as the shape says is not written', async () => {
    for (const [length, shape] of [
      [3, [2, 2]],
      [5, [2, 2]],
    ] as const) {
      const content = safetensorsContent(new Map([['a', tensor(shape, new Float32Array(length))]]));
      expect((await refusal(gatherContent(content))).code).toBe('safetensors/shape-mismatch');
    }
  });
});

describe('a file of more than 4 GiB', () => {
  const block = new Float32Array(2 ** 24);
  const last = sevenths(5, 3);
  /** 65 blocks of 64 MiB, and five values behind them. */
  const tensors = new Map([
    ['weight/wide', tensor([65, block.length], ...Array.from({ length: 65 }, () => block))],
    ['weight/last', tensor([5], last)],
  ]);
  const metadata = { sha256: '0'.repeat(64), format: 'limn-checkpoint/1', step: '1' };

  test('is written in pieces of 16 MiB at most, each where it belongs, and read behind 4 GiB', async () => {
    const content = safetensorsContent(tensors, metadata);
    expect(content.bytes).toBeGreaterThan(2 ** 32);
    let at = 0;
    let largest = 0;
    const kept = new Map<number, Uint8Array>();
    const sink: FileSink = {
      write: async (bytes, offset) => {
        expect(offset).toBe(at);
        at += bytes.length;
        largest = Math.max(largest, bytes.length);
        // The zeros need not be kept.
        if (bytes.length < 2 ** 22) kept.set(offset, bytes.slice());
      },
    };
    await content.writeTo(sink);
    expect([at, largest]).toEqual([content.bytes, 2 ** 24]);

    let asked = 0;
    const file: StoredFile = {
      bytes: content.bytes,
      read: async (start, end) => {
        asked = Math.max(asked, end - start);
        const bytes = new Uint8Array(end - start);
        for (const [offset, held] of kept) {
          const [from, to] = [Math.max(start, offset), Math.min(end, offset + held.length)];
          if (from < to) bytes.set(held.subarray(from - offset, to - offset), from - start);
        }
        return bytes;
      },
    };
    const { weights } = await readCheckpoint(file);
    const read: number[] = [];
    for await (const piece of (weights.get('last') as TensorPieces).pieces()) read.push(...piece);
    expect(read).toEqual([...last]);
    const first = await (weights.get('wide') as TensorPieces).pieces()[Symbol.asyncIterator]().next();
    expect((first.value as Float32Array).byteLength).toBe(asked);
    expect(asked).toBe(2 ** 22);
  });
});

describe('a store that takes a checkpoint only whole', () => {
  test('gives back what it was given, and refuses before the first update what is too large for it', async () => {
    let held: Uint8Array | undefined;
    const store = wholeCheckpoints({ write: async (bytes) => void (held = bytes), read: async () => held }, 5000);
    expect(await store.read()).toBeUndefined();
    await store.write(encodeCheckpoint(small));
    const stored = (await store.read()) as StoredFile;
    expect(await contentsOf(await decodeCheckpoint(stored))).toEqual(await contentsOf(small));
    await store.prepare?.(5000, 1);
    const error = await refusal(() => store.prepare?.(5001, 1));
    expect([error.code, error.details]).toEqual(['checkpoint/too-large', { bytes: 5001, maxBytes: 5000 }]);
  });

  test('an array that this engine cannot have is refused by code', async () => {
    const error = await refusal(gatherContent({ bytes: 2 ** 52, writeTo: async () => undefined }));
    expect(error.code).toBe('memory/file-size');
  });
});

test('a digest that grows is the same by Node’s own and by the one for browsers', () => {
  const digest = (): string => {
    const hash = growingSha256();
    for (const length of [0, 1, 63, 64, 200]) hash.update(Uint8Array.from({ length }, (_, i) => i));
    return hash.hex();
  };
  const own = digest();
  const { getBuiltinModule } = process;
  try {
    // As in a browser.
    process.getBuiltinModule = undefined as never;
    expect(digest()).toBe(own);
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
});

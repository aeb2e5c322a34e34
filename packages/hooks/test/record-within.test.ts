// How many units a step is recorded with: counts come from the bytes of the plans before, and few recordings are thrown away. Steps here are made up.
import type { Step } from '@limn/gpu';
import { LimnError } from '@limn/gpu';
import { describe, expect, it } from 'vitest';
import { recordWithin } from '../src/record-within.js';

/** What was tried, the last of it fitting, when `count` units take `bytes(count)`. */
function tried(
  bytes: (count: number) => number,
  { most, memoryBytes, grain }: { most: number; memoryBytes: number; grain?: number },
): readonly number[] {
  const counts: number[] = [];
  let open = 0;
  const { count } = recordWithin({
    what: 'A test',
    unit: 'unit',
    memoryBytes,
    most,
    ...(grain === undefined ? {} : { grain }),
    open: () => {
      open++;
      const step = { plan: () => ({ bytesPeak: bytes(counts.at(-1) as number) }), dispose: () => void open-- };
      return step as unknown as Step;
    },
    record: (_, count) => void counts.push(count),
  });
  expect(counts.at(-1)).toBe(count);
  // Only the step that fits is left.
  expect(open).toBe(1);
  return counts;
}

describe('recordWithin', () => {
  it('takes what fits at once as it is', () => {
    expect(tried((count) => 10 * count, { most: 64, memoryBytes: 640 })).toEqual([64]);
  });

  it('reads the count that fits from the bytes, and on the line through two plans when a step takes some for itself', () => {
    expect(tried((count) => 10 * count, { most: 64, memoryBytes: 119 })).toEqual([64, 11]);
    // 1000 + 10 · 20 = 1200: proportion says 46, the line 20.
    expect(tried((count) => 1000 + 10 * count, { most: 64, memoryBytes: 1200 })).toEqual([64, 46, 20]);
  });

  it('tries fewer every time, and half after a few guesses, whatever the bytes do', () => {
    expect(tried((count) => (count > 2 ? 1000 : 1), { most: 64, memoryBytes: 999 })).toEqual([
      64, 63, 62, 61, 31, 16, 8, 4, 2,
    ]);
  });

  it('keeps to whole groups of units, as long as one fits', () => {
    expect(tried((count) => 10 * count, { most: 60, memoryBytes: 199, grain: 5 })).toEqual([60, 15]);
    expect(tried((count) => 10 * count, { most: 60, memoryBytes: 39, grain: 5 })).toEqual([60, 3]);
  });

  it('halves after a tensor that cannot be bound, which has no bytes', () => {
    const counts: number[] = [];
    const { count } = recordWithin({
      what: 'A test',
      unit: 'unit',
      memoryBytes: 100,
      most: 64,
      open: () => ({ plan: () => ({ bytesPeak: 1 }), dispose: () => undefined }) as unknown as Step,
      record: (_, count) => {
        counts.push(count);
        if (count > 10) throw new LimnError('gpu/binding-size', 'too large');
      },
    });
    expect([counts, count]).toEqual([[64, 32, 16, 8], 8]);
  });

  it('refuses with the numbers when one unit does not fit', () => {
    expect(() => tried((count) => 50 + count, { most: 64, memoryBytes: 50 })).toThrow(
      expect.objectContaining({ code: 'memory/over-budget', details: expect.objectContaining({ bytesNeeded: 51 }) }),
    );
  });
});

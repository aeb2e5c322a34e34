// Buffer sharing: no two values that are alive together may share a buffer, and the plan is near the lower bound.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketSize } from '../src/buffers.js';
import { assignBuffers, lowerBound, type Lifetime } from '../src/liveness.js';

const lifetimes = fc.array(
  fc
    .record({
      bytes: fc.integer({ min: 1, max: 4096 }),
      first: fc.integer({ min: -1, max: 40 }),
      span: fc.integer({ min: 0, max: 12 }),
    })
    .map(({ bytes, first, span }): Lifetime => ({ bytes, first, last: first + span })),
  { maxLength: 60 },
);

describe('assignBuffers', () => {
  test('never lets two values that are alive together share, and every buffer is large enough', () => {
    fc.assert(
      fc.property(lifetimes, (lives) => {
        const { bufferOf, bufferBytes } = assignBuffers(lives);
        lives.forEach((a, i) => {
          expect(bufferBytes[bufferOf[i]!]).toBeGreaterThanOrEqual(a.bytes);
          lives.forEach((b, j) => {
            if (i < j && bufferOf[i] === bufferOf[j]) expect(a.last < b.first || b.last < a.first).toBe(true);
          });
        });
        expect(bufferBytes.reduce((x, y) => x + y, 0)).toBeGreaterThanOrEqual(lowerBound(lives));
      }),
      { numRuns: 300, seed: 2025 },
    );
  });

  test('reaches the lower bound for a chain of equal layers', () => {
    // Each layer reads the last one's output and makes its own: two buffers serve any depth.
    const lives = Array.from({ length: 50 }, (_, i): Lifetime => ({ bytes: 1024, first: i, last: i + 1 }));
    const { bufferBytes } = assignBuffers(lives);
    expect(bufferBytes).toEqual([1024, 1024]);
    expect(lowerBound(lives)).toBe(2048);
  });

  test('stays within 1.3 of the lower bound for layers that keep activations for a backward pass', () => {
    const lives: Lifetime[] = [];
    const layers = 12;
    for (let l = 0; l < layers; l += 1) {
      for (let k = 0; k < 6; k += 1) {
        const first = l * 6 + k;
        const kept = k % 2 === 0;
        const bytes = [3072, 9216, 3072, 12288, 12288, 3072][k]! * 16;
        lives.push({ bytes, first, last: kept ? 2 * layers * 6 - first : first + 1 });
      }
    }
    const { bufferBytes } = assignBuffers(lives);
    const ratio = bufferBytes.reduce((x, y) => x + y, 0) / lowerBound(lives);
    expect(ratio).toBeLessThan(1.3);
  });
});

test('buckets hold the request, waste at most an eighth above 2 KiB, and respect the device limit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (bytes) => {
      const size = bucketSize(bytes, 2 ** 33);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 4).toBe(0);
      expect(size).toBeLessThanOrEqual(Math.max(256 * Math.ceil(bytes / 256), bytes * 1.125));
      expect(bucketSize(bytes, bytes)).toBeLessThanOrEqual(bytes);
    }),
  );
});

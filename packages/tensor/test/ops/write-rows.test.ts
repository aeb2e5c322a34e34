// Rows land in their places, nothing else changes, and what has no place is left out.
import { referenceRandom, testGpu } from '@limn/testing';
import { expect, it } from 'vitest';
import { fromData, persistent, read, writeRows } from '../../src/index.js';

/** [B, S, inner], [B, T, inner]. */
const shapes = [
  [3, 7, 2, 5],
  [1, 1, 1, 1],
  [2, 65, 3, 64],
  [4, 12, 1, 768],
] as const;

it('rows are written at their places and the rest stays', async () => {
  const gpu = await testGpu();
  const random = referenceRandom(3);
  for (const [B, S, T, inner] of shapes) {
    const before = Float32Array.from(random.normals(B * S * inner));
    const rows = Float32Array.from(random.normals(B * T * inner));
    // The last row of the batch goes in half behind the end; the first but one writes nothing when there are several.
    const places = Uint32Array.from({ length: 2 * B }, (_, i) => {
      const b = i >> 1;
      if (i % 2 === 0) return b === B - 1 && T > 1 ? S - 1 : b % (S - T + 1);
      return b === 1 ? 0 : T;
    });
    const expected = before.slice();
    for (let b = 0; b < B; b++)
      for (let t = 0; t < (places[2 * b + 1] as number); t++) {
        const at = (places[2 * b] as number) + t;
        if (at < S) expected.set(rows.subarray((b * T + t) * inner, (b * T + t + 1) * inner), (b * S + at) * inner);
      }
    const into = persistent(gpu, [B, S, inner], before);
    using step = gpu.step();
    writeRows(step, into, fromData(step, rows, [B, T, inner]), fromData(step, places, [B, 2]));
    expect(await read(step, into)).toEqual(expected);
    into.dispose();
  }
});

it('places beyond u32 sums, ids as rows, and tensors that do not fit', async () => {
  const gpu = await testGpu();
  const into = persistent(gpu, [2, 3], Uint32Array.of(1, 2, 3, 4, 5, 6));
  using step = gpu.step();
  const rows = fromData(step, Uint32Array.of(7, 8, 9, 10), [2, 2]);
  writeRows(step, into, rows, fromData(step, Uint32Array.of(0xffffffff, 2, 1, 0xffffffff), [2, 2]));
  expect(await read(step, into)).toEqual(Uint32Array.of(1, 2, 3, 4, 9, 10));
  using refusing = gpu.step();
  const places = fromData(refusing, Uint32Array.of(0, 1, 0, 1), [2, 2]);
  const code = (value: string) => expect.objectContaining({ code: value });
  const tooMany = fromData(refusing, new Uint32Array(6), [3, 2]);
  expect(() => writeRows(refusing, into, tooMany, places)).toThrow(code('tensor/shape'));
  expect(() => writeRows(refusing, into, fromData(refusing, [1, 2, 3, 4], [2, 2]), places)).toThrow(
    code('tensor/dtype'),
  );
  const flat = fromData(refusing, new Uint32Array(2), [2]);
  expect(() => writeRows(refusing, into, fromData(refusing, new Uint32Array(4), [2, 2]), flat)).toThrow(
    code('tensor/shape'),
  );
  into.dispose();
});

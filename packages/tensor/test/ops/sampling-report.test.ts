// Around the draw: adjusted logits against float64, what the host is told of a choice, seen tokens, and refusals.
import { referenceRandom, referenceSampling, testGpu, withCanaries } from '@limn/testing';
import { expect, it } from 'vitest';
import {
  adjustLogits,
  fromData,
  markSeen,
  persistent,
  read,
  readFloats,
  sampleTokens,
  samplingThresholds,
  tokenReport,
  tokenSets,
  tokenSetWords,
} from '../../src/index.js';
import { rowsOf, shareError } from '../sampling-rows.js';

const { adjusted, candidates, kept, probabilities } = referenceSampling;
const gpu = await testGpu();
const random = referenceRandom(42);

it('adjusts as the reference does, to two roundings', async () => {
  for (const width of [1, 31, 32, 33, 1009]) {
    const logits = Float32Array.from(random.normals(3 * width, 2));
    const seen = [0, 1, 2].map((n) => Array.from({ length: width }, (_, v) => v).filter((v) => (v * 7 + n) % 3 === 0));
    const barred = width > 1 ? [width - 1] : [];
    using step = gpu.step();
    const canaries = withCanaries(step);
    const words = tokenSetWords(width);
    const y = adjustLogits(step, fromData(step, logits, [3, width]), {
      temperature: 0.7,
      penalty: { factor: 1.25, seen: fromData(step, tokenSets(seen, width), [3, words]) },
      barred: { set: fromData(step, tokenSets([barred], width), [words]), on: true },
    });
    const [got] = (await canaries.read([y])) as [Float32Array];
    rowsOf(logits, width).forEach((row, n) => {
      const settings = { temperature: Math.fround(0.7), penalty: 1.25 };
      const want = adjusted(row, settings, new Set(seen[n]), new Set(barred));
      want.forEach((value, v) => {
        const mine = got[n * width + v] as number;
        if (value === -Infinity) expect(mine).toBe(-Infinity);
        // Division may be 2.5 ULP off in WGSL.
        else expect(Math.abs(mine - value)).toBeLessThanOrEqual(6 * 2 ** -24 * Math.abs(value));
      });
    });
  }
});

it('a set that is off bars nothing, and a NaN stays one', async () => {
  using step = gpu.step();
  const x = fromData(step, [1, Number.NaN, -3], [1, 3]);
  const set = fromData(step, tokenSets([[0, 2]], 3), [1]);
  const y = readFloats(step, adjustLogits(step, x, { barred: { set, on: false } }));
  expect([...(await y)]).toEqual([1, Number.NaN, -3]);
});

it('reports ids and log-probabilities in one tensor', async () => {
  const width = 1009;
  const logits = Float32Array.from(random.normals(3 * width, 3));
  logits[2 * width + 5] = Number.NaN;
  using step = gpu.step();
  const canaries = withCanaries(step);
  const ids = fromData(step, Uint32Array.of(3, width - 1, 7), [3]);
  const x = fromData(step, logits, [3, width]);
  const report = tokenReport(step, x, ids, 4);
  const alone = tokenReport(step, x, ids);
  const [all, short] = (await canaries.read([report, alone])) as [Float32Array, Float32Array];
  const words = new Uint32Array(all.buffer, all.byteOffset, all.length);
  expect(report.shape).toEqual([3, 5, 2]);
  for (const n of [0, 1]) {
    const row = rowsOf(logits, width)[n] as Float32Array;
    const chances = probabilities(row, kept(row, {}));
    const likeliest = candidates(row, 4).map(({ id }) => id);
    [[3, width - 1][n] as number, ...likeliest].forEach((id, place) => {
      const at = 2 * (n * 5 + place);
      expect(words[at]).toBe(id);
      const want = Math.log(chances[id] as number);
      // The size of x and of log Σ exp is about 10, and each is rounded once.
      expect(Math.abs((all[at + 1] as number) - want)).toBeLessThan(10 * 2 ** -23 + shareError(width));
    });
    expect(short[2 * n + 1]).toBe(all[10 * n + 1]);
  }
  expect(all[2 * 10 + 1]).toBeNaN();
});

it('marks seen tokens in place', async () => {
  const width = 70;
  const seen = persistent(gpu, [3, 3], tokenSets([[1], [69], []], width));
  using step = gpu.step();
  markSeen(step, seen, fromData(step, Uint32Array.of(1, 32, 69), [3]));
  markSeen(step, seen, fromData(step, Uint32Array.of(31, 1000, 0), [3]));
  expect(await read(step, seen)).toEqual(
    tokenSets(
      [
        [1, 31],
        [32, 69],
        [0, 69],
      ],
      width,
    ),
  );
  seen.dispose();
});

it('refuses settings that cannot be', () => {
  using step = gpu.step();
  const x = fromData(step, new Float32Array(10), [2, 5]);
  const pairs = fromData(step, new Uint32Array(4), [2, 2]);
  const refused = (act: () => unknown, code: string): void => expect(act).toThrow(expect.objectContaining({ code }));
  refused(() => adjustLogits(step, x, { temperature: 0 }), 'tensor/range');
  refused(() => adjustLogits(step, x, { penalty: { factor: -1, seen: pairs } }), 'tensor/range');
  refused(() => adjustLogits(step, x, { penalty: { factor: 2, seen: pairs } }), 'tensor/shape');
  refused(() => samplingThresholds(step, x, { topK: 0 }), 'tensor/range');
  refused(() => samplingThresholds(step, x, { topP: 0 }), 'tensor/range');
  refused(() => samplingThresholds(step, x, { topP: Number.NaN }), 'tensor/range');
  refused(() => sampleTokens(step, x, pairs, { seed: -1 }), 'tensor/random');
  refused(() => sampleTokens(step, x, x, { seed: 1 }), 'tensor/dtype');
  refused(() => tokenReport(step, x, pairs), 'tensor/shape');
  refused(() => tokenReport(step, x, fromData(step, new Uint32Array(2), [2]), 6), 'tensor/range');
});

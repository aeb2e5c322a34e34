// The sampling pipeline against float64 by sorting: which tokens are kept, which one is drawn, and how often.
import { referenceRandom, referenceSampling, testGpu, withCanaries } from '@limn/testing';
import type { Variant } from '@limn/gpu';
import { describe, expect, it } from 'vitest';
import {
  adjustLogits,
  fromData,
  randomUniform,
  readWords,
  sampleTokens,
  samplingThresholds,
  tokenSets,
  tokenSetWords,
  type SamplingLimits,
} from '../../src/index.js';
import { rowVariants } from '../check-op.js';
import { rowsOf, shareError } from '../sampling-rows.js';
import { withWorkgroup } from '../workgroups.js';

const { adjusted, candidates, cumulative, kept, probabilities } = referenceSampling;
const variants = await rowVariants();
const gpu = await testGpu();
const random = referenceRandom(41);
const GPT2_VOCABULARY = 50_257;

interface How {
  readonly variant?: Variant;
  readonly workgroup?: number;
}

/** The order of floats as unsigned words, as in prelude/order.wgsl. */
function orderKey(value: number): number {
  if (Number.isNaN(value)) return 0;
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number;
  if (bits === 0x80000000) return bits;
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

/** Kept ids of every row, for several limits in one step. */
async function keptByGpu(
  logits: Float32Array,
  width: number,
  limits: readonly SamplingLimits[],
  how: How = {},
): Promise<number[][][]> {
  using step = gpu.step();
  const canaries = withCanaries(step, how.variant);
  const into = how.workgroup ? withWorkgroup(step, how.workgroup) : step;
  const x = fromData(step, logits, [logits.length / width, width]);
  const all = await canaries.read(limits.map((limit) => samplingThresholds(into, x, limit)));
  return all.map((words) => {
    const pairs = new Uint32Array(words.buffer, words.byteOffset, words.length);
    return rowsOf(logits, width).map((row, n) => {
      const [key, ties] = [pairs[2 * n] as number, pairs[2 * n + 1] as number];
      let tie = 0;
      return [...row].flatMap((value, v) => {
        const own = orderKey(value);
        return own > key || (own === key && tie++ < ties) ? [v] : [];
      });
    });
  });
}

/** Kept tokens differ from the reference only where the mass in front of them is the limit to rounding. */
function expectKept(got: readonly number[], logits: Float32Array, { topK: k, topP = 1 }: SamplingLimits): void {
  const before = new Map(candidates(logits, k).map((candidate) => [candidate.id, candidate.before]));
  const want = new Set(kept(logits, { ...(k === undefined ? {} : { topK: k }), topP }));
  const mine = new Set(got);
  const wrong = [...want, ...mine].filter((id) => want.has(id) !== mine.has(id));
  for (const id of wrong)
    expect(Math.abs((before.get(id) ?? Infinity) - topP), `token ${id}`).toBeLessThan(shareError(logits.length));
}

/** The random number lies in the drawn token's part of the cumulative distribution, to rounding of its ends. */
function expectDrawn(id: number, logits: Float32Array, limits: SamplingLimits, u: number): void {
  const chances = probabilities(logits, kept(logits, limits));
  expect(chances[id], `token ${id}`).toBeGreaterThan(0);
  const ends = cumulative(chances);
  expect(u).toBeGreaterThan((ends[id] as number) - shareError(logits.length));
  expect(u).toBeLessThan((ends[id + 1] as number) + shareError(logits.length));
}

describe('samplingThresholds', () => {
  it.each(variants)('top-k keeps exactly the k likeliest, equal ones by the lower id: $name', async ({ how }) => {
    for (const width of [1, 9, 63, 65, 257]) {
      const continuous = random.normals(2 * width, 3);
      const tied = Float64Array.from(random.integers(2 * width, 4), (value) => (value - 2) / 2);
      const logits = Float32Array.of(...continuous, ...tied);
      const limits = [...new Set([1, Math.ceil(width / 3), width])].map((topK) => ({ topK }));
      expect(await keptByGpu(logits, width, limits, how)).toEqual(
        limits.map((limit) => rowsOf(logits, width).map((row) => kept(row, limit))),
      );
    }
  });

  it.each(variants)(
    'top-p keeps the fewest that hold the share, alone and among the k likeliest: $name',
    async ({ how }) => {
      for (const width of [1, 9, 257]) {
        const continuous = random.normals(2 * width, 2);
        const tied = Float64Array.from(random.integers(2 * width, 3), (value) => value - 1);
        const logits = Float32Array.of(...continuous, ...tied);
        const limits = [{ topP: 0.9 }, { topP: 1e-6 }, { topP: 0.5, topK: Math.ceil(width / 2) }];
        const got = await keptByGpu(logits, width, limits, how);
        limits.forEach((limit, i) =>
          rowsOf(logits, width).forEach((row, n) => expectKept(got[i]?.[n] as number[], row, limit)),
        );
      }
    },
  );

  it("at GPT-2's vocabulary", async () => {
    const logits = Float32Array.from(random.normals(GPT2_VOCABULARY, 2.5));
    const counted = [{ topK: 1 }, { topK: 50 }, { topK: 40_000 }];
    const shared = [{ topP: 0.95 }, { topP: 0.3, topK: 5000 }];
    const got = await keptByGpu(logits, GPT2_VOCABULARY, [...counted, ...shared]);
    counted.forEach((limit, i) => expect(got[i]?.[0]).toEqual(kept(logits, limit)));
    shared.forEach((limit, i) => {
      const ids = got[counted.length + i]?.[0] as number[];
      expectKept(ids, logits, limit);
      expect(ids.length).toBeGreaterThan(10);
    });
  });

  it('signed zeros tie, −∞ is last, and the limits narrow ties', async () => {
    const odd = Float32Array.of(-0, 0, Number.NEGATIVE_INFINITY, -0, 0, -1);
    expect(await keptByGpu(odd, 6, [{ topK: 3 }, { topK: 5 }])).toEqual([[[0, 1, 3]], [[0, 1, 3, 4, 5]]]);
    // Four equal tokens: half of the mass of the first three is reached by the second.
    const equal = [
      { topK: 3, topP: 0.5 },
      { topK: 2, topP: 0.99 },
    ];
    expect(await keptByGpu(new Float32Array(4).fill(2), 4, equal)).toEqual([[[0, 1]], [[0, 1]]]);
  });
});

describe('sampleTokens', () => {
  const WIDTHS = [1, 9, 65, 1009];
  const settings: readonly SamplingLimits[] = [{}, { topK: 5 }, { topP: 0.8 }, { topK: 20, topP: 0.6 }];

  it.each(variants)('draws what float64 draws from the same random number: $name', async ({ how }) => {
    // Barriers of large workgroups are slow on software adapters.
    const rows = how.workgroup ? 8 : 24;
    for (const width of WIDTHS) {
      const logits = Float32Array.from(random.normals(rows * width, 2));
      const draws = Uint32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? 7 + (i >> 1) : width + i));
      using step = gpu.step();
      const canaries = withCanaries(step, how.variant);
      const into = how.workgroup ? withWorkgroup(step, how.workgroup) : step;
      const x = fromData(step, logits, [rows, width]);
      const pairs = fromData(step, draws, [rows, 2]);
      const sampled = settings.map((limits) => {
        const thresholds = Object.keys(limits).length > 0 ? samplingThresholds(into, x, limits) : undefined;
        return sampleTokens(into, x, pairs, { seed: 3, thresholds });
      });
      const all = await canaries.read(sampled);
      settings.forEach((limits, i) => {
        const ids = all[i] as Float32Array;
        const got = new Uint32Array(ids.buffer, ids.byteOffset, ids.length);
        rowsOf(logits, width).forEach((row, n) => {
          const u = randomUniform(3, draws[2 * n] as number, draws[2 * n + 1] as number);
          expectDrawn(got[n] as number, row, limits, u);
        });
      });
    }
  });

  it("at GPT-2's vocabulary, with the same bits every time and for a row on its own", async () => {
    const logits = Float32Array.from(random.normals(2 * GPT2_VOCABULARY, 2));
    const sampled = async (rows: readonly number[]): Promise<number[]> => {
      using step = gpu.step();
      const chosen = new Float32Array(rows.length * GPT2_VOCABULARY);
      rows.forEach((row, n) => chosen.set(rowsOf(logits, GPT2_VOCABULARY)[row] as Float32Array, n * GPT2_VOCABULARY));
      const x = fromData(step, chosen, [rows.length, GPT2_VOCABULARY]);
      const draws = fromData(step, Uint32Array.from(rows.flatMap((row) => [row, 11])), [rows.length, 2]);
      const free = readWords(step, sampleTokens(step, x, draws, { seed: 2 ** 40 + 1 }));
      const thresholds = samplingThresholds(step, x, { topP: 0.9, topK: 1000 });
      const limited = readWords(step, sampleTokens(step, x, draws, { seed: 2 ** 40 + 1, thresholds }));
      return [...(await free), ...(await limited)];
    };
    const both = await sampled([0, 1]);
    expect(await sampled([0, 1])).toEqual(both);
    expect(await sampled([1])).toEqual([both[1], both[3]]);
    for (const row of [0, 1]) {
      const values = rowsOf(logits, GPT2_VOCABULARY)[row] as Float32Array;
      const u = randomUniform(2 ** 40 + 1, row, 11);
      expectDrawn(both[row] as number, values, {}, u);
      expectDrawn(both[2 + row] as number, values, { topK: 1000, topP: 0.9 }, u);
    }
  });

  it('4,000 draws are spread as the distribution says, and no token outside it is ever drawn', async () => {
    const [rows, width] = [4000, 37];
    const logits = Float32Array.from(random.normals(width, 1.5));
    const seen = new Set([0, 3, 4, 11, 30]);
    const barred = new Set([1]);
    const how = { temperature: 1.4, penalty: 1.3, topK: 25, topP: 0.92 };
    using step = gpu.step();
    const all = new Float32Array(rows * width);
    for (let n = 0; n < rows; n++) all.set(logits, n * width);
    const words = tokenSetWords(width);
    const sets = tokenSets(
      Array.from({ length: rows }, () => [...seen]),
      width,
    );
    const x = adjustLogits(step, fromData(step, all, [rows, width]), {
      temperature: how.temperature,
      penalty: { factor: how.penalty, seen: fromData(step, sets, [rows, words]) },
      barred: { set: fromData(step, tokenSets([[...barred]], width), [words]), on: true },
    });
    const draws = fromData(
      step,
      Uint32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i >> 1 : 5)),
      [rows, 2],
    );
    const ids = await readWords(
      step,
      sampleTokens(step, x, draws, { seed: 12, thresholds: samplingThresholds(step, x, how) }),
    );
    const values = adjusted(logits, how, seen, barred);
    const chances = probabilities(values, kept(values, how));
    const counts = new Float64Array(width);
    for (const id of ids) counts[id]! += 1;
    expect([...counts].filter((count, id) => chances[id] === 0 && count > 0)).toEqual([]);
    const possible = [...chances].filter((chance) => chance > 0).length;
    const chiSquare = [...chances].reduce(
      (sum, chance, id) => (chance === 0 ? sum : sum + (counts[id]! - rows * chance) ** 2 / (rows * chance)),
      0,
    );
    // Wilson and Hilferty's approximation of the value that one seed in a thousand passes (z = 3.09); this seed is fixed.
    const df = possible - 1;
    expect(df).toBeGreaterThan(10);
    expect(chiSquare).toBeLessThan(df * (1 - 2 / (9 * df) + 3.09 * Math.sqrt(2 / (9 * df))) ** 3);
    // And it is a test that can fail: the same counts against the distribution without the temperature.
    const other = probabilities(adjusted(logits, { ...how, temperature: 1 }, seen, barred), kept(values, how));
    const wrong = [...other].reduce(
      (sum, chance, id) => (chance === 0 ? sum : sum + (counts[id]! - rows * chance) ** 2 / (rows * chance)),
      0,
    );
    expect(wrong).toBeGreaterThan(4 * chiSquare);
  });
});

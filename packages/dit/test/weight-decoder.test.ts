// The weight-space decoder against dense changes, refits and forms of the same change: no model is run.
import { AbortedError } from '@limn/gpu';
import type { LinearSite } from '@limn/hooks';
import { fillNormal } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { weightDecoder, type LoraFactors, type LoraWeights } from '../src/index.js';
import { diffKernel, kernelDiffs } from '../src/baselines/diff-kernel.js';
import { tridiagonal } from '../src/baselines/tridiagonal.js';
import { WorkPace } from '../src/baselines/work-pace.js';
import { loraScale, placedFactors, type AdaptedModel } from '../src/lora/lora-weights.js';

const SHAPES = { 'h.0.q': [5, 9], 'h.0.o': [4, 5], 'h.1.q': [5, 9] } as const;
type MapName = keyof typeof SHAPES;
const MAPS = Object.keys(SHAPES) as MapName[];
const model = {
  info: { fingerprint: 'weights', processing: 'none' } as AdaptedModel['info'],
  linears: () =>
    MAPS.map((name): LinearSite => {
      const [inWidth, outWidth] = SHAPES[name];
      return { name, layer: 0, input: 'hook_embed', outputs: [], inWidth, outWidth, orientation: 'in-out' };
    }),
};

let drawn = 0;
function normals(count: number): Float32Array {
  const values = new Float32Array(count);
  fillNormal(values, { seed: 1, stream: drawn++ }, 1);
  return values;
}
const factorsOf = (name: MapName, rank: number): LoraFactors => {
  const [inWidth, outWidth] = SHAPES[name];
  return { a: normals(rank * inWidth), b: normals(outWidth * rank), rank, alpha: 2 };
};
const loraOf = (modules: Iterable<readonly [MapName, LoraFactors]>, rank = 1): LoraWeights => ({
  rank,
  alpha: 2,
  rsLora: false,
  base: 'weights',
  modules: new Map(modules),
});
const randomLora = (rank: number, maps: readonly MapName[] = MAPS): LoraWeights =>
  loraOf(
    maps.map((name) => [name, factorsOf(name, rank)] as const),
    rank,
  );

/** ΔW [out · in] of a map. */
function dense({ modules, rsLora }: LoraWeights, name: string): Float64Array | undefined {
  const factors = modules.get(name);
  if (!factors) return undefined;
  const { a, b, rank } = factors;
  const [inWidth, outWidth] = [a.length / rank, b.length / rank];
  const scale = loraScale(factors, rsLora);
  return Float64Array.from({ length: outWidth * inWidth }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += b[Math.floor(at / inWidth) * rank + k]! * a[k * inWidth + (at % inWidth)]!;
    return scale * sum;
  });
}
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined): number => {
  const size = a && b ? Math.sqrt(dot(a, a) * dot(b, b)) : 0;
  return size === 0 ? 0 : dot(a!, b!) / size;
};
const denseKernel = (one: LoraWeights, other: LoraWeights): number =>
  MAPS.reduce((sum, name) => sum + cosine(dense(one, name), dense(other, name)), 0) / MAPS.length;
const kernelOf = async (diffs: readonly LoraWeights[], others?: readonly LoraWeights[]): Promise<Float64Array> => {
  const of = (loras: readonly LoraWeights[]) => kernelDiffs(loras.map((lora) => placedFactors(model, lora)));
  const known = of(diffs);
  return others ? diffKernel(of(others), known) : diffKernel(known, known);
};
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

/** Gaussian elimination with pivots: X of A·X = B. */
function solved(matrix: readonly (readonly number[])[], right: readonly (readonly number[])[]): number[][] {
  const rows = matrix.map((row, i) => [...row, ...right[i]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(rows[best]![k]!) ? k + i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = 0; i < n; i++) {
      const factor = i === k ? 0 : rows[i]![k]! / rows[k]![k]!;
      if (factor !== 0) rows[i] = rows[i]!.map((value, j) => value - factor * rows[k]![j]!);
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / row[i]!));
}

/** Ridge with an intercept, fitted to some of the examples: what it predicts of a kernel row. */
function refit(
  kernel: (i: number, j: number) => number,
  labels: readonly (readonly number[])[],
  some: readonly number[],
  lambda: number,
) {
  const border = [...some.map(() => 1), 0];
  const matrix = [...some.map((i) => [...some.map((j) => kernel(i, j) + (i === j ? lambda : 0)), 1]), border];
  const found = solved(matrix, [...some.map((i) => labels[i]!), labels[0]!.map(() => 0)]);
  return (row: (j: number) => number): number[] =>
    labels[0]!.map((_, c) => found.at(-1)![c]! + some.reduce((sum, j, at) => sum + row(j) * found[at]![c]!, 0));
}

test('the kernel is the mean cosine of dense changes, ranks and maps as they come', async () => {
  const zero = loraOf([['h.0.q', { ...factorsOf('h.0.q', 2), b: new Float32Array(18) }]]);
  const rs = { ...randomLora(3), rsLora: true };
  const diffs = [randomLora(1), randomLora(2), rs, randomLora(1, ['h.0.o']), zero, randomLora(1), randomLora(4)];
  const others = [randomLora(2), zero, diffs[1]!];
  const found = await kernelOf(diffs);
  const wanted = diffs.flatMap((one) => diffs.map((other) => denseKernel(one, other)));
  expect(largestGap(found, wanted)).toBeLessThan(1e-12);
  expect(found[0]).toBeCloseTo(1, 12);
  expect(found[3 * 7 + 3]).toBeCloseTo(1 / 3, 12);
  const across = await kernelOf(diffs, others);
  expect(
    largestGap(
      across,
      others.flatMap((one) => diffs.map((other) => denseKernel(one, other))),
    ),
  ).toBeLessThan(1e-12);
});

test('the same change in other factors has the same kernel: sizes, signs, and turns of rank 2', async () => {
  const diffs = [randomLora(2), randomLora(1), randomLora(2)];
  const [turn, stretch] = [0.7, -3.7];
  const turned = ({ a, b, rank, alpha }: LoraFactors): LoraFactors => {
    const inWidth = a.length / rank;
    const [cos, sin] = rank === 2 ? [Math.cos(turn), Math.sin(turn)] : [1, 0];
    // A′ = c·R·A and B′ = B·Rᵀ / c.
    const ofA = a.map((value, i) => stretch * (i < inWidth ? cos * value - sin * (a[i + inWidth] ?? 0) : sin * a[i - inWidth]! + cos * value)); // prettier-ignore
    const ofB = b.map((value, i) => (i % rank === 0 ? cos * value - sin * (rank === 2 ? b[i + 1]! : 0) : sin * b[i - 1]! + cos * value) / stretch); // prettier-ignore
    return { a: ofA, b: ofB, rank, alpha };
  };
  const same = diffs.map((lora) => ({ ...lora, modules: new Map(Array.from(lora.modules, ([name, each]) => [name, turned(each)])) })); // prettier-ignore
  expect(largestGap([...same[0]!.modules.get('h.0.q')!.a], [...diffs[0]!.modules.get('h.0.q')!.a])).toBeGreaterThan(1);
  for (const name of MAPS) expect(largestGap(dense(same[0]!, name)!, dense(diffs[0]!, name)!)).toBeLessThan(1e-5);
  // Factors are rounded to f32.
  expect(largestGap(await kernelOf(same), await kernelOf(diffs))).toBeLessThan(1e-6);
  // Powers of two round nothing: not a bit.
  const doubled = diffs.map((lora) => ({
    ...lora,
    modules: new Map(Array.from(lora.modules, ([name, { a, b, ...rest }]) => [name, { a: a.map((v) => 8 * v), b: b.map((v) => v / 8), ...rest }])), // prettier-ignore
  }));
  expect(await kernelOf(doubled)).toEqual(await kernelOf(diffs));
});

test.each([1, 2, 3, 4, 17])('a symmetric matrix of %i rows is Q·T·Qᵀ', async (n) => {
  const symmetric = new Float64Array(n * n);
  const values = normals(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++)
      symmetric[i * n + j] = symmetric[j * n + i] = i % 5 === 3 && j < i ? 0 : values[i * n + j]!;
  const { diagonal, below, turn } = await tridiagonal(symmetric, n, new WorkPace('a test', Infinity, {}));
  const at = (i: number, j: number): number => turn[i * n + j]!;
  const back = Float64Array.from({ length: n * n }, (_, place) => {
    const [i, j] = [Math.floor(place / n), place % n];
    let sum = 0;
    for (let t = 0; t < n; t++) {
      sum += at(t, i) * diagonal[t]! * at(t, j);
      if (t + 1 < n) sum += below[t]! * (at(t, i) * at(t + 1, j) + at(t + 1, i) * at(t, j));
    }
    return sum;
  });
  expect(largestGap(back, symmetric)).toBeLessThan(1e-13 * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      expect(Math.abs(dot(turn.subarray(i * n, (i + 1) * n), turn.subarray(j * n, (j + 1) * n)) - Number(i === j))).toBeLessThan(1e-14 * (n + 1)); // prettier-ignore
});

describe('the decoder', () => {
  const groups = ['a', 'b', 'a', 'c', 'd', 'e', 'd', 'f', 'd'];
  const diffs = groups.map((_, i) => randomLora(1 + (i % 2)));
  const labels = groups.map(() => Array.from(normals(3)));
  const lambdas = [0.03, 0.3, 3];

  test.each([
    ['each by itself', undefined],
    ['by groups', groups],
  ])('leaves out %s as if fitted again', async (_, own) => {
    const kernel = (i: number, j: number): number => denseKernel(diffs[i]!, diffs[j]!);
    const all = diffs.map((_each, i) => i);
    const decoder = await weightDecoder(model, diffs, labels, { lambdas, groups: own });
    const errors = lambdas.map((lambda) => {
      const missed = all.map((i) => {
        const others = all.filter((j) => (own ? own[j] !== own[i] : j !== i));
        const predicted = refit(kernel, labels, others, lambda)((j) => kernel(i, j));
        return predicted.reduce((sum, value, c) => sum + (value - labels[i]![c]!) ** 2, 0);
      });
      return missed.reduce((sum, miss) => sum + miss, 0) / all.length;
    });
    expect(decoder.leftOut.map(({ lambda }) => lambda)).toEqual(lambdas);
    decoder.leftOut.forEach(({ error }, i) => expect(error / errors[i]!).toBeCloseTo(1, 9));
    expect(decoder.lambda).toBe(lambdas[errors.indexOf(Math.min(...errors))]);

    const fresh = [randomLora(2), diffs[4]!];
    const predict = refit(kernel, labels, all, decoder.lambda);
    const predicted = await decoder.predict(fresh);
    fresh.forEach((lora, i) => expect(largestGap(predicted[i]!, predict((j) => denseKernel(lora, diffs[j]!)))).toBeLessThan(1e-9)); // prettier-ignore
    const [scores] = await decoder.scores(fresh, labels);
    const away = (vector: ArrayLike<number>): number[] =>
      Array.from(vector).map((value, c) => value - decoder.intercept[c]!);
    labels.forEach((label, i) => expect(scores![i]).toBeCloseTo(cosine(away(predicted[0]!), away(label)), 9));
  });

  test('reads names that were never labels, from a world in which changes are linear in what they mean', async () => {
    const meanings = Array.from({ length: 60 }, () => Array.from(normals(4)));
    // Maps of A alone: ΔW = b·(M·meaning)ᵀ with the same b and M for all, in a direction and of a size of its own.
    const shared = MAPS.map((name) => ({ name, b: normals(SHAPES[name][1]), by: normals(4 * SHAPES[name][0]) }));
    const meant = meanings.map((meaning, i) =>
      loraOf(
        shared.map(({ name, b, by }) => {
          const a = Float32Array.from({ length: SHAPES[name][0] }, (_, row) => (1 + (i % 3)) * dot(meaning, by.subarray(4 * row, 4 * row + 4))); // prettier-ignore
          return [name, { a, b, rank: 1, alpha: 2 }] as const;
        }),
      ),
    );
    const seen = 40;
    const read = async (names: readonly number[][]): Promise<number> => {
      const decoder = await weightDecoder(model, meant.slice(0, seen), names.slice(0, seen));
      const scores = await decoder.scores(meant.slice(seen), meanings);
      return scores.filter((own, i) => own.indexOf(Math.max(...own)) === seen + i).length / (60 - seen);
    };
    expect(await read(meanings)).toBeGreaterThan(0.7);
    // Labels of other diffs: what is left is the guess that fits none.
    expect(await read([...meanings.slice(1, seen), meanings[0]!])).toBeLessThan(0.25);
  });

  test('of a diff that changes nothing is its intercept, and says nothing of any candidate', async () => {
    const decoder = await weightDecoder(model, diffs, labels);
    const nothing = loraOf(
      MAPS.map((name) => [name, { ...factorsOf(name, 1), b: new Float32Array(SHAPES[name][1]) }] as const),
    );
    expect((await decoder.predict([nothing]))[0]).toEqual(decoder.intercept);
    expect([...(await decoder.scores([nothing], labels))[0]!]).toEqual(labels.map(() => 0));
    expect(await decoder.scores(diffs, labels)).toEqual(
      await (await weightDecoder(model, diffs, labels)).scores(diffs, labels),
    );
  });

  test('refuses what does not fit, and stops when it is told to', async () => {
    const fails = async (...given: Parameters<typeof weightDecoder> extends [unknown, ...infer Rest] ? Rest : never) =>
      (await refusal(weightDecoder(model, ...given))).code;
    const wrong = (change: Partial<LoraWeights>): LoraWeights[] => [{ ...diffs[0]!, ...change }, ...diffs.slice(1)];
    expect(await fails([], [])).toBe('data/baseline');
    expect(await fails(diffs, labels.slice(1))).toBe('data/baseline');
    expect(
      await fails(
        diffs,
        labels.map(() => []),
      ),
    ).toBe('data/baseline');
    expect(await fails(diffs, [[1], ...labels.slice(1)])).toBe('data/baseline');
    expect(await fails(diffs, [[1, 2, Number.NaN], ...labels.slice(1)])).toBe('data/baseline');
    expect(await fails(diffs, labels, { groups: ['a'] })).toBe('data/baseline');
    expect(await fails(diffs, labels, { groups: groups.map(() => 'a') })).toBe('data/baseline');
    for (const lambda of [0, -1, Number.NaN, Infinity])
      expect(await fails(diffs, labels, { lambdas: [1, lambda] })).toBe('usage/baseline');
    expect(await fails(diffs, labels, { lambdas: [] })).toBe('usage/baseline');
    expect(await fails(wrong({ base: 'others' }), labels)).toBe('data/lora-base');
    expect(await fails(wrong({ modules: new Map() }), labels)).toBe('data/lora-empty');
    expect(await fails(wrong({ modules: new Map([['h.0.o', factorsOf('h.0.q', 1)]]) }), labels)).toBe(
      'data/lora-shape',
    );
    const broken = { ...factorsOf('h.0.q', 1), a: normals(5).fill(Number.NaN) };
    expect(await fails(wrong({ modules: new Map([['h.0.q', broken]]) }), labels)).toBe('data/lora-values');
    const decoder = await weightDecoder(model, diffs, labels);
    expect((await refusal(decoder.scores(diffs, [[1, 2]]))).code).toBe('data/baseline');

    const stop = new AbortController();
    const stopped = weightDecoder(model, diffs, labels, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toBeInstanceOf(AbortedError);
  });
});

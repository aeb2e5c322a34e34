// Figures against their definitions written out: ranks by every order of ties, areas by counting pairs, intervals by how often they hold the truth, temperatures that are known.
import { bootstrapMean } from '@limn/hooks';
import { fillNormal, randomU32 } from '@limn/tensor';
import { describe, expect, test } from 'vitest';
import {
  calibrate,
  calibratedAnswer,
  clusteredMean,
  clusteredShare,
  fitTemperature,
  noneThreshold,
  pairedDifference,
  probabilitiesAt,
  rankFigures,
  rankOf,
  reliability,
  rocCurve,
  somethingProbability,
} from '../src/index.js';

const code = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
};
const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const normals = (count: number, seed: number): Float32Array => {
  const values = new Float32Array(count);
  fillNormal(values, { seed, stream: 0 }, 1);
  return values;
};
const uniform = (seed: number, i: number): number => randomU32(seed, 7, i) / 2 ** 32;

function orders(count: number): number[][] {
  if (count === 0) return [[]];
  return orders(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, at) => [...order.slice(0, at), count - 1, ...order.slice(at)]),
  );
}

describe('ranks', () => {
  test.each([
    [[3, 1, 2], 0],
    [[3, 1, 3, 2, 3], 2],
    [[0, 0, 0, 0, 0, 0, 0], 4],
    [[1, 5, 5, 5, 5, 2, 2], 5],
    [[-Infinity, 0, -Infinity], 0],
  ])('of %j, candidate %i: what every order of equal ones gives on average', (scores, right) => {
    const ranks = orders(scores.length).map((lots) => {
      const order = scores.map((_, i) => i);
      order.sort((a, b) => (scores[b] === scores[a] ? 0 : scores[b]! - scores[a]!) || lots[a]! - lots[b]!);
      return 1 + order.indexOf(right);
    });
    const found = rankOf(scores, right);
    expect(found.rank).toBeCloseTo(meanOf(ranks), 12);
    expect(found.top1).toBeCloseTo(meanOf(ranks.map((rank) => Number(rank <= 1))), 12);
    expect(found.top5).toBeCloseTo(meanOf(ranks.map((rank) => Number(rank <= 5))), 12);
    expect(found.reciprocal).toBeCloseTo(meanOf(ranks.map((rank) => 1 / rank)), 12);
  });

  test('a guesser who knows nothing has chance, and figures are means', () => {
    const { top1, top5, mrr, questions } = rankFigures(
      Array.from({ length: 20 }, (_, i) => rankOf(new Float32Array(20), i)),
    );
    expect(questions).toBe(20);
    expect(top1.mean).toBeCloseTo(0.05, 12);
    expect(top5.mean).toBeCloseTo(0.25, 12);
    for (const end of top1.interval!) expect(end).toBeCloseTo(0.05, 12);
    expect(mrr.mean).toBeCloseTo(meanOf(Array.from({ length: 20 }, (_, i) => 1 / (i + 1))), 12);
  });

  test('refuse what is no score and no place', () => {
    expect(code(() => rankOf([1, Number.NaN], 0))).toBe('data/evaluation');
    expect(code(() => rankOf([1, Infinity], 0))).toBe('data/evaluation');
    for (const place of [2, -1, 0.5]) expect(code(() => rankOf([1, 2], place))).toBe('data/evaluation');
    expect(code(() => rankFigures([]))).toBe('data/evaluation');
  });
});

describe('intervals', () => {
  test('of values that are clusters by themselves are those of the plain bootstrap, to the bit', () => {
    const values = normals(30, 1);
    const { mean, interval, clusters } = clusteredMean(values, { seed: 5 });
    expect(mean).toBe(meanOf([...values]));
    expect(interval).toEqual(bootstrapMean(values, 5));
    expect(clusters).toBe(30);
    expect(clusteredMean(values, { seed: 5 }).interval).toEqual(interval);
    expect(clusteredMean(values, { seed: 6 }).interval).not.toEqual(interval);
    expect(clusteredMean([1, 2, 3], { clusters: ['a', 'a', 'a'] }).interval).toBeNull();
  });

  test('hold the truth about as often as they say where clusters are drawn, and far too seldom where their values are taken for independent', () => {
    const [sets, diffs, questions] = [40, 20, 4];
    let [held, heldPlain] = [0, 0];
    for (let set = 0; set < sets; set++) {
      const shared = normals(diffs, 100 + set);
      const own = normals(diffs * questions, 900 + set);
      const values = own.map((value, i) => shared[Math.floor(i / questions)]! + 0.3 * value);
      const clusters = Array.from(values, (_, i) => Math.floor(i / questions));
      const holds = ([low, high]: readonly [number, number]): number => Number(low <= 0 && 0 <= high);
      held += holds(clusteredMean(values, { clusters }).interval!);
      heldPlain += holds(clusteredMean(values).interval!);
    }
    // 95 %, a little less for percentiles of 20 clusters.
    expect(held / sets).toBeGreaterThanOrEqual(0.85);
    expect(heldPlain / sets).toBeLessThan(0.8);
  });

  test('of shares that are all alike are the exact ones of as many trials, and else those of the mean', () => {
    const share = (values: readonly number[], clusters?: readonly number[]) => clusteredShare(values, { clusters });
    // P(no hit in n trials) is .025 at the upper end.
    for (const n of [4, 8, 128]) {
      const none = share(Array.from({ length: n }, () => 0)).interval!;
      expect([none[0], (1 - none[1]) ** n]).toEqual([0, expect.closeTo(0.025, 12)]);
      const all = share(Array.from({ length: n }, () => 1)).interval!;
      expect([all[0] ** n, all[1]]).toEqual([expect.closeTo(0.025, 12), 1]);
    }
    // Values of one diff are one trial.
    expect(share([0, 0, 0, 0], [1, 1, 2, 2]).interval).toEqual(share([0, 0]).interval);
    const mixed = [0, 1, 1, 0.5, 0];
    expect(share(mixed)).toEqual(clusteredMean(mixed));
    expect(share([1]).interval).toBeNull();
    expect(code(() => clusteredShare([0, 2]))).toBe('data/evaluation');
  });

  test('of a paired difference are those of the differences', () => {
    const [first, noise] = [normals(50, 2), normals(50, 3)];
    const second = first.map((value, i) => value - 0.2 + 0.01 * noise[i]!);
    const { mean, interval } = pairedDifference(first, second, { seed: 3 });
    expect(mean).toBeCloseTo(0.2, 2);
    expect(interval![0]).toBeGreaterThan(0.19);
    expect(interval![1]).toBeLessThan(0.21);
    expect(interval).toEqual(
      bootstrapMean(
        Float64Array.from(first, (value, i) => value - second[i]!),
        3,
      ),
    );
    expect(code(() => pairedDifference([1, 2], [1]))).toBe('data/evaluation');
    expect(code(() => pairedDifference([1, Number.NaN], [1, 2]))).toBe('data/evaluation');
    expect(code(() => clusteredMean([1, 2], { clusters: [1] }))).toBe('data/evaluation');
    expect(code(() => clusteredMean([]))).toBe('data/evaluation');
    expect(code(() => clusteredMean([1, 2], { seed: 0.5 }))).toBe('tensor/random');
  });
});

describe('the ROC curve', () => {
  // Rounded, so that scores tie.
  const positive = Array.from({ length: 60 }, (_, i) => i % 3 === 0);
  const scores = Array.from(normals(60, 4), (value, i) => Math.round(4 * (value + (positive[i] ? 1 : 0))) / 4);
  const rate = (of: boolean, threshold: number): number => {
    const all = scores.filter((_, i) => positive[i] === of);
    return all.filter((score) => score >= threshold).length / all.length;
  };

  test('is what every threshold gives, its area what counting pairs gives', () => {
    const curve = rocCurve(scores, positive, { hits: [0.95, 0.5, 1] });
    let won = 0;
    for (const [i, score] of scores.entries())
      for (const [j, other] of scores.entries())
        if (positive[i] && !positive[j]) won += score > other ? 1 : score === other ? 0.5 : 0;
    expect(curve.area).toBeCloseTo(won / (20 * 40), 12);
    expect([curve.positives, curve.negatives]).toEqual([20, 40]);
    const thresholds = [...new Set(scores)].sort((a, b) => b - a);
    expect(curve.points).toEqual([
      { threshold: null, truePositives: 0, falsePositives: 0 },
      ...thresholds.map((threshold) => ({
        threshold,
        truePositives: rate(true, threshold),
        falsePositives: rate(false, threshold),
      })),
    ]);
    for (const { truePositives, falsePositives, threshold, interval } of curve.atHits) {
      const best = thresholds.find((each) => rate(true, each) >= truePositives)!;
      expect([threshold, falsePositives]).toEqual([best, rate(false, best)]);
      expect(interval![0]).toBeLessThanOrEqual(falsePositives);
      expect(interval![1]).toBeGreaterThanOrEqual(falsePositives);
    }
    expect(curve.atHits.map(({ truePositives }) => truePositives)).toEqual([0.95, 0.5, 1]);
    // Hanley and McNeil's standard error of an area of .76 with 20 and 40 is about .07.
    const [low, high] = curve.interval!;
    expect(high - low).toBeGreaterThan(0.18);
    expect(high - low).toBeLessThan(0.36);
    expect(rocCurve(scores, positive).interval).toEqual(curve.interval);
    expect(rocCurve(scores, positive, { seed: 1 }).interval).not.toEqual(curve.interval);
  });

  test('of perfect, useless and turned scores', () => {
    const truth = [true, true, false, false];
    expect(rocCurve([3, 2, 1, 0], truth)).toMatchObject({ area: 1, interval: [1, 1] });
    expect(rocCurve([1, 1, 1, 1], truth).area).toBe(0.5);
    expect(rocCurve([0, 1, 2, 3], truth).area).toBe(0);
    expect(rocCurve([3, 2, 1, 0], truth, { clusters: ['a', 'a', 'b', 'c'] }).interval).toBeNull();
    // Clusters that have both are drawn as they are.
    expect(
      rocCurve([3, 1, 2, 0], [true, false, true, false], { clusters: ['a', 'a', 'b', 'b'] }).interval,
    ).not.toBeNull();
  });

  test('refuses what has no curve', () => {
    expect(code(() => rocCurve([1, 2], [true, true]))).toBe('data/evaluation');
    expect(code(() => rocCurve([1, Number.NaN], [true, false]))).toBe('data/evaluation');
    expect(code(() => rocCurve([1, 2, 3], [true, false]))).toBe('data/evaluation');
    expect(code(() => rocCurve([1, 2], [true, false], { hits: [0] }))).toBe('usage/evaluation');
    expect(code(() => rocCurve([1, 2], [true, false], { hits: [Number.NaN] }))).toBe('usage/evaluation');
  });
});

describe('calibration', () => {
  const softmax = (scores: readonly number[], T: number): number[] => {
    const weights = scores.map((score) => Math.exp(score / T));
    const sum = weights.reduce((all, weight) => all + weight, 0);
    return weights.map((weight) => weight / sum);
  };
  /** Answers that are right as often as softmax(scores / T) says; candidate 0 is "none". */
  const answersAt = (T: number, count: number) => {
    const drawn = normals(count * 5, 11);
    return Array.from({ length: count }, (_, i) => {
      const scores = Array.from(drawn.subarray(5 * i, 5 * i + 5), (value) => 4 * value);
      let left = uniform(5, i);
      const right = softmax(scores, T).findIndex((p) => (left -= p) < 0);
      return { scores, right: Math.max(0, right) };
    });
  };

  test('finds the temperature that answers were made with, where the likelihood is highest', () => {
    const answers = answersAt(2.5, 3000);
    const { temperature, limit, loss } = fitTemperature(answers);
    expect(temperature).toBeGreaterThan(2.35);
    expect(temperature).toBeLessThan(2.65);
    expect(limit).toBeNull();
    const lossAt = (T: number): number =>
      meanOf(answers.map(({ scores, right }) => -Math.log(softmax(scores, T)[right]!)));
    expect(loss.before).toBeCloseTo(lossAt(1), 10);
    expect(loss.after).toBeCloseTo(lossAt(temperature), 10);
    for (const other of [0.98, 1.02]) expect(lossAt(other * temperature)).toBeGreaterThan(loss.after);
    const [before, after] = [reliability(answers), reliability(answers, { temperature })];
    expect(before.error).toBeGreaterThan(0.1);
    expect(after.error).toBeLessThan(0.03);

    // The table, written out.
    const of = answers.map(({ scores, right }) => {
      const p = softmax(scores, temperature);
      return { p: Math.max(...p), hit: Number(p.indexOf(Math.max(...p)) === right) };
    });
    let error = 0;
    after.rows.forEach(({ from, to, answers: count, confidence, accuracy }, row) => {
      const within = of.filter(({ p }) => p > row / 10 && p <= (row + 1) / 10);
      expect([from, to, count]).toEqual([row / 10, (row + 1) / 10, within.length]);
      if (within.length === 0) return expect([confidence, accuracy]).toEqual([null, null]);
      expect(confidence).toBeCloseTo(meanOf(within.map(({ p }) => p)), 12);
      expect(accuracy).toBeCloseTo(meanOf(within.map(({ hit }) => hit)), 12);
      error += (within.length / of.length) * Math.abs(accuracy! - confidence!);
    });
    expect(after.error).toBeCloseTo(error, 12);
  });

  test('says where the likelihood has no highest point', () => {
    expect(fitTemperature([{ scores: [2, 1], right: 0 }])).toMatchObject({ temperature: 1 / 32, limit: 'cold' });
    expect(fitTemperature([{ scores: [2, 1], right: 1 }])).toMatchObject({ temperature: 32, limit: 'hot' });
    expect(fitTemperature([{ scores: [1, 1], right: 1 }])).toMatchObject({ temperature: 1, limit: null });
  });

  test('a threshold keeps false alarms to its rate among negatives that it has not seen', () => {
    const shares = Array.from({ length: 200 }, (_, set) => {
      const scores = Array.from({ length: 39 }, (_, i) => uniform(100 + set, i));
      const { threshold, expected, truePositives } = noneThreshold(
        scores,
        scores.map(() => false),
        { rate: 0.05 },
      );
      expect([expected, truePositives]).toEqual([0.05, null]);
      // The second highest of 39: new scores are uniform too.
      expect(threshold).toBe([...scores].sort((a, b) => b - a)[1]);
      return 1 - threshold;
    });
    expect(Math.abs(meanOf(shares) - 0.05)).toBeLessThan(0.008);
    const few = noneThreshold([0.1, 0.5, 0.9, 0.5], [false, false, true, true], { rate: 0.05 });
    expect(few).toMatchObject({ threshold: 0.5, expected: 1 / 3, truePositives: 0.5, negatives: 2 });
  });

  test('answers are "none" unless enough speaks against it', () => {
    const answers = answersAt(2, 400);
    const {
      temperature,
      noneThreshold: threshold,
      none,
      reliability: tables,
    } = calibrate(answers, { none: 0, rate: 0.1 });
    expect(tables.after.error).toBeLessThan(tables.before.error);
    const negatives = answers.filter(({ right }) => right === 0);
    const alarms = negatives.filter(({ scores }) => calibratedAnswer(scores, { temperature, noneThreshold: threshold }, { none: 0 }).candidate !== 0); // prettier-ignore
    expect(alarms).toHaveLength(Math.floor(0.1 * (negatives.length + 1)) - 1);
    expect(none.negatives).toBe(negatives.length);
    const scores = [1, 3, 2];
    const calibration = { temperature: 2, noneThreshold: 0.5 };
    const p = softmax(scores, 2);
    expect(somethingProbability(scores, { none: 0, temperature: 2 })).toBeCloseTo(1 - p[0]!, 12);
    expect(calibratedAnswer(scores, calibration, { none: 0 })).toMatchObject({ candidate: 1 });
    expect(calibratedAnswer(scores, { ...calibration, noneThreshold: 0.95 }, { none: 0 }).candidate).toBe(0);
    expect(calibratedAnswer(scores, calibration, { none: 1 }).candidate).toBe(1);
    expect([...probabilitiesAt([1000, 0], 1)]).toEqual([1, 0]);
  });

  test('refuses what cannot be calibrated', () => {
    const some = [{ scores: [1, 2], right: 0 }];
    expect(code(() => fitTemperature([]))).toBe('data/evaluation');
    expect(code(() => fitTemperature([...some, { scores: [1, 2, 3], right: 0 }]))).toBe('data/evaluation');
    expect(code(() => fitTemperature([{ scores: [1, Number.NaN], right: 0 }]))).toBe('data/evaluation');
    expect(code(() => fitTemperature([{ scores: [1, 2], right: 2 }]))).toBe('data/evaluation');
    expect(code(() => reliability(some, { rows: 0 }))).toBe('usage/evaluation');
    expect(code(() => reliability(some, { temperature: 0 }))).toBe('usage/evaluation');
    expect(code(() => noneThreshold([1], [true], { rate: 0.1 }))).toBe('data/evaluation');
    for (const rate of [0, 1, Number.NaN])
      expect(code(() => noneThreshold([1], [false], { rate }))).toBe('usage/evaluation');
    expect(code(() => calibrate(some, { none: 1 }))).toBe('data/evaluation');
    expect(code(() => somethingProbability([1, 2], { none: 2, temperature: 1 }))).toBe('data/evaluation');
  });
});

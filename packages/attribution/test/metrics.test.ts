// The metrics on the tape against their float64 definitions in @limn/tasks, values and gradients.
import { describe, expect, it } from 'vitest';
import { kl as klOf, logitDiff as logitDiffOf, probDiff as probDiffOf } from '@limn/tasks';
import { referenceEap, referenceRandom, testGpu } from '@limn/testing';
import { fromData, gradients, readFloats } from '@limn/tensor';
import { accuracy, eap, learnedMasks, METRICS, metricByName, scoreNodes } from '../src/index.js';
import type { Pair } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const random = referenceRandom(71);
const V = 37;
const pairs: readonly Pair[] = [
  { clean: [0], corrupted: [1], correct: [3, 8, 30], incorrect: [4] },
  { clean: [0], corrupted: [1], correct: [36], incorrect: [0, 1, 2, 5] },
  { clean: [0], corrupted: [1], correct: [7], incorrect: [7] },
];

describe.each(METRICS.map(({ name }) => name))('%s', (name) => {
  it('is its definition, with its gradient', async () => {
    const metric = metricByName(name);
    const [logits, clean] = [random.normals(pairs.length * V, 3), random.normals(pairs.length * V, 3)];
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, Float32Array.from(logits), [pairs.length, V]);
    const loss = metric.loss(step, x, pairs, fromData(step, Float32Array.from(clean), [pairs.length, V]));
    const [slope] = gradients(step, loss, 'ones', [x]);
    const [values, slopes] = await Promise.all([readFloats(step, loss), readFloats(step, slope as typeof x)]);
    for (const [n, pair] of pairs.entries()) {
      const row = logits.subarray(n * V, (n + 1) * V);
      const cleanRow = clean.subarray(n * V, (n + 1) * V);
      const want = {
        'logit-diff': -logitDiffOf(row, pair.correct, pair.incorrect),
        'prob-diff': -probDiffOf(row, pair.correct, pair.incorrect),
        kl: klOf(cleanRow, row),
      }[name];
      // A handful of f32 operations on numbers of up to 10.
      expect(Math.abs((values[n] ?? Number.NaN) - (want ?? Number.NaN))).toBeLessThan(5e-6);
      const { dLogits } = referenceEap.eapLoss(name as referenceEap.EapMetric, pair, row, cleanRow);
      for (const [v, d] of dLogits.entries())
        expect(Math.abs((slopes[n * V + v] ?? Number.NaN) - d)).toBeLessThan(1e-6);
    }
  });
});

describe('answers', () => {
  it('are asked for by the metrics that need them', () => {
    const [pair] = pairs as [Pair];
    const check = (name: string, change: Partial<Pair>) => () =>
      metricByName(name).check({ ...pair, ...change }, 'pair 1');
    expect(check('logit-diff', { incorrect: [] })).toThrow(expect.objectContaining({ code: 'data/pairs-answers' }));
    expect(check('prob-diff', { correct: [] })).toThrow(expect.objectContaining({ code: 'data/pairs-answers' }));
    expect(check('prob-diff', { incorrect: [] })).not.toThrow();
    expect(check('kl', { correct: [], incorrect: [] })).not.toThrow();
  });
});

it('accuracy counts a tie as a miss', async () => {
  const gpu = await testGpu();
  using step = gpu.step();
  const x = fromData(step, Float32Array.of(1, 2, 2, 0, 3, 2, 2, 1), [2, 4]);
  const of = (correct: number, incorrect: number): Pair => ({
    ...(pairs[0] as Pair),
    correct: [correct],
    incorrect: [incorrect],
  });
  expect(
    [...(await readFloats(step, accuracy.loss(step, x, [of(1, 2), of(0, 3)], undefined)))].map((x) => x + 0),
  ).toEqual([0, -1]);
});

it('accuracy is measured, not differentiated: scorers refuse it by name', async () => {
  const model = await gpt2Of(referenceEap.randomModel(AWKWARD, 3));
  const options = { metric: accuracy };
  for (const call of [
    () => eap(model, awkwardPairs(1), options),
    () => scoreNodes(model, awkwardPairs(1), { ...options, method: 'eap-ig-inputs' }),
    () => learnedMasks(model, awkwardPairs(1), options),
  ])
    await expect(call()).rejects.toThrow(expect.objectContaining({ code: 'usage/metric' }));
  model.dispose();
});

// A metric normalised pair by pair: 0 on corrupted and 1 on clean prompts, scores those of the plain metric over each pair's own difference.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { eap, evaluateCircuits, logitDiff, normalisedMetric } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const pairs = awkwardPairs(4);
let model: Gpt2;
beforeAll(async () => {
  model = await gpt2Of(referenceEap.randomModel(AWKWARD, 3));
});
afterAll(() => model.dispose());

it('is 0 on the corrupted and 1 on the clean prompt of every pair, and weighs all pairs alike', async () => {
  const metric = await normalisedMetric(model, pairs, logitDiff, { floor: 0 });
  const ends = await evaluateCircuits(model, [], pairs, { metrics: [metric, logitDiff] });
  const [clean, corrupted] = [ends.clean.perExample, ends.empty.perExample];
  const plain = await eap(model, pairs, { metric: logitDiff, perExample: true });
  const scores = await eap(model, pairs, { metric, perExample: true });
  for (const i of pairs.keys()) {
    const d = (clean[logitDiff.name]?.[i] as number) - (corrupted[logitDiff.name]?.[i] as number);
    // Losses of about 5 in f32 over a difference d.
    expect(clean[metric.name]?.[i]).toBeCloseTo(1, 3);
    expect(corrupted[metric.name]?.[i]).toBeCloseTo(0, 3);
    for (const [e, score] of plain.perExample?.[i]?.entries() ?? [])
      if (!Number.isNaN(score))
        expect(Math.abs((scores.perExample?.[i]?.[e] as number) - score / d)).toBeLessThan(1e-5 * Math.abs(1 / d));
  }
});

it('refuses pairs without a difference by name, pairs it was not made from, and a floor that is no share', async () => {
  const [first, ...rest] = pairs;
  const same = { ...(first as (typeof pairs)[number]), corrupted: first?.clean ?? [] };
  await expect(normalisedMetric(model, [same, ...rest], logitDiff)).rejects.toThrow(
    expect.objectContaining({ code: 'data/metric-denominator', details: expect.objectContaining({ pairs: [0] }) }),
  );
  const metric = await normalisedMetric(model, rest, logitDiff, { floor: 0 });
  await expect(eap(model, pairs, { metric })).rejects.toThrow(expect.objectContaining({ code: 'data/pairs-unknown' }));
  await expect(normalisedMetric(model, pairs, logitDiff, { floor: 1 })).rejects.toThrow(
    expect.objectContaining({ code: 'usage/metric-floor' }),
  );
});

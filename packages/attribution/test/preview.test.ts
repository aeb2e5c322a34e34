// The preview of pairs: metrics as circuits are measured, accuracy from the logits themselves, batches that change nothing, warnings, the table.
import type { Gpt2 } from '@limn/gpt2';
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { referenceEap } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS, evaluateCircuits, logitDiff, previewPairs, previewTable, probDiff } from '../src/index.js';
import type { Pair, PairsPreview } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

let model: Gpt2;
const pairs: readonly Pair[] = awkwardPairs(9);
beforeAll(async () => {
  model = await gpt2Of(referenceEap.randomModel(AWKWARD, 31));
});
afterAll(() => model.dispose());

/** Logits [V] after the last token of each prompt. */
async function logitsOf(side: 'clean' | 'corrupted'): Promise<Float32Array[]> {
  using step = model.gpu.step();
  const tokens = tokenBatch(
    pairs.map((pair) => pair[side]),
    model.info,
  );
  const rows = await readFloats(step, model.run(step, { tokens }, { logits: 'last' }).logits);
  return pairs.map((_, n) => rows.slice(n * AWKWARD.vocabulary, (n + 1) * AWKWARD.vocabulary));
}

describe('previewPairs', () => {
  it('measures what circuits are measured by: the whole model and the empty circuit', async () => {
    const preview = await previewPairs(model, pairs, { metrics: METRICS });
    const { clean, empty } = await evaluateCircuits(model, [], pairs, { metrics: METRICS });
    for (const { name } of METRICS)
      for (const [got, want] of [
        [preview.values.clean, clean],
        [preview.values.corrupted, empty],
      ] as const)
        for (const [n, x] of (want.perExample[name] ?? []).entries())
          // The same passes in f32, one of them with captures: logits of up to 10 in other orders of summation.
          expect(Math.abs((got.perExample[name]?.[n] ?? Number.NaN) - x), `${name} ${n}`).toBeLessThan(2e-5);
  });

  it('sums them up', async () => {
    const preview = await previewPairs(model, pairs, { metrics: [logitDiff] });
    const [metric] = preview.metrics;
    const values = [...(preview.values.clean.perExample['logit-diff'] ?? [])];
    const mean = values.reduce((a, b) => a + b, 0) / 9;
    expect(metric?.clean.mean).toBeCloseTo(mean, 12);
    expect(metric?.clean.standardDeviation).toBeCloseTo(
      Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 8),
      12,
    );
    expect(metric?.clean.positive).toBe(values.filter((x) => x > 0).length / 9);
    const corrupted = [...(preview.values.corrupted.perExample['logit-diff'] ?? [])];
    expect(metric?.better).toBe(values.filter((x, i) => x > (corrupted[i] as number)).length / 9);
    expect(metric?.denominator).toBeCloseTo(mean - corrupted.reduce((a, b) => a + b, 0) / 9, 12);
    expect(preview.lengths.reduce((sum, length) => sum + length.pairs, 0)).toBe(9);
    expect(preview.lengths.map(({ tokens }) => tokens)).toEqual([2, 3, 5, 7, 8, 9]);
  });

  it('counts the pairs whose best correct answer beats every incorrect one', async () => {
    const { accuracy } = await previewPairs(model, pairs, { metrics: [logitDiff] });
    for (const side of ['clean', 'corrupted'] as const) {
      const right = (await logitsOf(side)).filter((row, n) => {
        const { correct, incorrect } = pairs[n] as Pair;
        const best = (ids: readonly number[]): number => Math.max(...ids.map((id) => row[id] as number));
        return best(correct) > best(incorrect);
      });
      expect(accuracy[side]).toBe(right.length / 9);
    }
    expect(accuracy.of).toBe(9);
  });

  it('leaves pairs without answers of both kinds out of the accuracy', async () => {
    const some = pairs.map((pair, n) => (n < 6 ? { ...pair, incorrect: [] } : pair));
    const whole = await previewPairs(model, pairs.slice(6), { metrics: [probDiff] });
    const { accuracy } = await previewPairs(model, some, { metrics: [probDiff] });
    expect(accuracy).toEqual({ ...whole.accuracy, of: 3 });
    const none = await previewPairs(model, some.slice(0, 2), { metrics: [probDiff] });
    expect(none.accuracy).toEqual({ clean: Number.NaN, corrupted: Number.NaN, of: 0 });
  });

  it('does not depend on the batch, and tells how far it is', async () => {
    const done: number[] = [];
    const whole = await previewPairs(model, pairs, { metrics: METRICS });
    const parts = await previewPairs(model, pairs, {
      metrics: METRICS,
      batchSize: 4,
      onProgress: (progress) => done.push(progress.done),
    });
    // Six pairs of one length and three of another.
    expect(done).toEqual([4, 6, 9]);
    expect(parts.accuracy).toEqual(whole.accuracy);
    for (const [m, { clean }] of parts.metrics.entries())
      // Rows of a batch are padded to its longest: other tiles, other orders of summation.
      expect(Math.abs(clean.mean - (whole.metrics[m]?.clean.mean ?? Number.NaN))).toBeLessThan(2e-5);
  });

  it('warns where b and b′ cannot be told apart, and where corrupted does better', async () => {
    const codes = async (list: readonly Pair[]): Promise<string[]> =>
      (await previewPairs(model, list, { metrics: [logitDiff] })).metrics[0]?.warnings.map(({ code }) => code) ?? [];
    expect(await codes(pairs.map((pair) => ({ ...pair, corrupted: pair.clean })))).toEqual(['faithfulness-undefined']);
    const [{ values }] = [await previewPairs(model, pairs, { metrics: [logitDiff] })];
    const gap = (n: number): number =>
      (values.clean.perExample['logit-diff']?.[n] ?? 0) - (values.corrupted.perExample['logit-diff']?.[n] ?? 0);
    const worst = pairs.filter((_, n) => gap(n) < 0);
    expect(worst.length).toBeGreaterThan(0);
    expect(await codes(worst)).toContain('denominator-negative');
  });

  it('refuses pairs that do not fit before any work', async () => {
    const bad = [{ ...(pairs[0] as Pair), clean: [1] }];
    await expect(previewPairs(model, bad, { metrics: [logitDiff] })).rejects.toMatchObject({
      code: 'data/pairs-length-mismatch',
    });
    const aborted = previewPairs(model, pairs, { metrics: [logitDiff], signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
  });
});

it('is printed as a table', () => {
  const side = (mean: number) => ({ mean, standardDeviation: 0.5, positive: 0.75 });
  const preview: PairsPreview = {
    pairs: 4,
    metrics: [
      {
        name: 'logit-diff',
        clean: side(3.80651),
        corrupted: side(0.0319),
        denominator: 3.77461,
        better: 1,
        warnings: [{ code: 'denominator-spread', text: 'Too few pairs.' }],
      },
    ],
    accuracy: { clean: 0.99, corrupted: 0.5, of: 4 },
    lengths: [
      { tokens: 15, pairs: 1 },
      { tokens: 17, pairs: 3 },
    ],
    values: { clean: { mean: {}, perExample: {} }, corrupted: { mean: {}, perExample: {} } },
  };
  expect(previewTable(preview)).toMatchInlineSnapshot(`
    "4 pairs; tokens: 1 × 15, 3 × 17
                                                   clean       corrupted  difference
    logit-diff (mean ± standard deviation)  3.807 ± 0.50  0.03190 ± 0.50       3.775
    logit-diff above 0                            75.0 %          75.0 %
    logit-diff better clean than corrupted       100.0 %
    accuracy, of 4 pairs                          99.0 %          50.0 %
    ! logit-diff: Too few pairs. (denominator-spread)"
  `);
});

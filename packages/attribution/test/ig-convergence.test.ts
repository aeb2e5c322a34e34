// m points on the path against 4m, against the golden model's scores at the same points.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { agreement, eapIgInputs, igConvergence, logitDiff, topOverlap } from '../src/index.js';
import { gpt2Of } from './models.js';

const { TOY_PAIR, waveModel } = referenceEap;

describe('convergence of the path', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it('compares m with 4m, and settles as m grows', async () => {
    const progress: number[] = [];
    const coarse = await igConvergence(model, [TOY_PAIR], {
      metric: logitDiff,
      steps: 2,
      sizes: [4, 12],
      onProgress: ({ done, total }) => progress.push(done / total),
    });
    const [two, eight] = await Promise.all(
      [2, 8].map((steps) => eapIgInputs(model, [TOY_PAIR], { metric: logitDiff, steps })),
    );
    expect([coarse.steps, coarse.referenceSteps]).toEqual([2, 8]);
    expect(coarse.scores.values).toEqual(two?.values);
    expect(coarse.agreement).toEqual(agreement(two!, eight!));
    expect(coarse.overlaps).toEqual([4, 12].map((n) => ({ n, value: topOverlap(two!, eight!, n) })));
    expect(progress.at(-1)).toBe(1);
    const fine = await igConvergence(model, [TOY_PAIR], { metric: logitDiff, steps: 6, rule: 'midpoint' });
    expect(fine.overlaps.map(({ n }) => n)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
    // The midpoint rule's error falls with m²: at 6 points it is a small part of what it is at 2 of the left rule.
    expect(fine.relativeChange).toBeLessThan(0.1 * (coarse.relativeChange ?? 0));
    expect(fine.agreement.spearman).toBeGreaterThan(0.99);
  });

  it('refuses a factor that is no finer path', async () => {
    await expect(igConvergence(model, [TOY_PAIR], { metric: logitDiff, factor: 1 })).rejects.toMatchObject({
      code: 'usage/ig-factor',
    });
  });
});

// What scoring GPT-2's own sizes is planned to take, on a device with nothing but WebGPU's defaults: memory, bindings, and work beside the bare model's. Nothing runs.
import { defaultLimits, dryGpu, type PlanReport } from '@limn/gpu';
import type { Gpt2 } from '@limn/gpt2';
import { tokenBatch } from '@limn/hooks';
import { gradients } from '@limn/tensor';
import { describe, expect, it } from 'vitest';
import {
  eap,
  eapIgActivations,
  eapIgInputs,
  kl,
  learnedMasks,
  logitDiff,
  scoreNodes,
  type Pair,
} from '../src/index.js';
import { MIB, pairsOf, planned, plannedModel } from './planned-model.js';

/** Two forward passes and m forward and backward passes to the embeddings, of the same rows. */
function barePlan(model: Gpt2, pairs: readonly Pair[], m: number): PlanReport {
  using step = model.gpu.step();
  const prompts = (which: 'clean' | 'corrupted', times = 1) => ({
    tokens: tokenBatch(Array.from({ length: times }, () => pairs.map((pair) => pair[which])).flat(), model.info),
  });
  model.run(step, prompts('clean'), { logits: 'none' });
  model.run(step, prompts('corrupted'), { logits: 'none' });
  const run = model.run(step, prompts('clean', m), { capture: ['hook_embed'], logits: 'last' });
  const loss = logitDiff.loss(step, run.logits, Array.from({ length: m }, () => pairs).flat(), undefined);
  gradients(step, loss, 'ones', [run.at('hook_embed')]);
  return step.plan();
}

describe('GPT-2 small, 100 pairs of 17 tokens, EAP-IG with 5 steps', () => {
  const scoring = { metric: logitDiff, steps: 5 };

  it('takes less than 1 GB beyond the weights and binds no more than 128 MiB, with all settings as they are', async () => {
    const model = plannedModel('gpt2');
    const plan = await planned(model, () => eapIgInputs(model, pairsOf(100, 17), scoring));
    expect(plan.bytesPeak).toBeLessThan(1e9);
    expect(plan.bytesPeak).toBeGreaterThan(100 * MIB);
    expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
  });

  it('stays below 128 MiB a binding where the device and the budget would allow more, and reads logits at last positions only', async () => {
    const gpu = dryGpu({ limits: { ...defaultLimits, maxStorageBufferBindingSize: 2 ** 31, maxBufferSize: 2 ** 32 } });
    const model = plannedModel('gpt2', undefined, gpu);
    const all = { ...scoring, batchSize: 100, memoryBytes: 64 * 2 ** 30 };
    const plan = await planned(model, () => eapIgInputs(model, pairsOf(100, 17), all));
    expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
    expect(plan.logitRows).toBe(100 * 5);
  });

  it('does less than 1.1 times the arithmetic of 2 forward and 5 forward and backward passes', async () => {
    const model = plannedModel('gpt2');
    const pairs = pairsOf(10, 17);
    const { flops } = await planned(model, () => eapIgInputs(model, pairs, { ...scoring, batchSize: 10 }));
    const ratio = flops / barePlan(model, pairs, 5).flops;
    expect(ratio).toBeGreaterThan(1);
    expect(ratio).toBeLessThan(1.1);
  });

  it('does arithmetic in a straight line in pairs and in steps', async () => {
    const model = plannedModel('gpt2', 2);
    const flops = async (pairs: number, steps: number): Promise<number> =>
      (await planned(model, () => eapIgInputs(model, pairsOf(pairs, 17), { ...scoring, steps, batchSize: pairs })))
        .flops;
    const straight = (values: readonly number[]): void => {
      const [first = 0, ...steps] = values.map((value, i) => value - (values[i - 1] ?? 0));
      expect(first).toBeGreaterThan(0);
      // Sums that are cut into whole chunks round a few parts in ten thousand up.
      for (const step of steps) expect(Math.abs(step / (steps[0] as number) - 1)).toBeLessThan(0.005);
    };
    straight([await flops(2, 4), await flops(3, 4), await flops(4, 4), await flops(5, 4)]);
    straight([await flops(3, 2), await flops(3, 3), await flops(3, 4), await flops(3, 5)]);
  });
});

it('EAP of GPT-2 medium fits the same gigabyte', async () => {
  const model = plannedModel('gpt2-medium');
  const plan = await planned(model, () => eap(model, pairsOf(100, 17), { metric: logitDiff }));
  expect(plan.bytesPeak).toBeLessThan(1e9);
  expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
});

describe('EAP-IG over the activations of GPT-2 small, 25 paths of 5 points, 64 pairs of 17 tokens', () => {
  const options = { metric: logitDiff, steps: 5 };
  const model = plannedModel('gpt2');
  const pairs = pairsOf(64, 17);

  it.each([
    // Per path a forward and a backward pass and a contraction: 7,700 dispatches, shared by the pairs of a step.
    ['per source', () => eapIgActivations(model, pairs, options), 800],
    ['the reference, which contracts every path with all sources', referenceVariant, 2200],
    ['nodes', () => scoreNodes(model, pairs, { ...options, method: 'eap-ig-activations' }), 600],
  ] as const)('%s: one path at a time takes memory, so that whole pairs share a step', async (_, score, most) => {
    const { bytesPeak, scored, dispatches } = await planned(model, score);
    expect(bytesPeak).toBeLessThan(512 * MIB);
    expect(scored).toBeGreaterThanOrEqual(10);
    expect(dispatches / scored).toBeLessThan(most);
  });

  function referenceVariant() {
    return eapIgActivations(model, pairs.slice(0, 11), { ...options, variant: 'reference' });
  }
});

describe('recordings until a step fits', () => {
  it('are few, and what fits fills the budget', async () => {
    const model = plannedModel('gpt2');
    const plan = await planned(model, () => eapIgInputs(model, pairsOf(64, 17), { metric: logitDiff, steps: 5 }));
    expect(plan.recordings).toBeLessThanOrEqual(3);
    expect(plan.bytesPeak).toBeGreaterThan(0.85 * 512 * MIB);
  });
});

describe('learning masks', () => {
  it.each([
    // Per part a forward and a backward pass of the restricted model, 5,800 dispatches.
    ['eight pairs of GPT-2 small', 'gpt2', 8, 450],
    ['one pair of GPT-2 medium', 'gpt2-medium', 1, 300],
  ] as const)('%s fit at once', async (_, size, count, most) => {
    const model = plannedModel(size);
    const { bytesPeak, recordings } = await planned(model, () =>
      learnedMasks(model, pairsOf(count, 17), { metric: kl }),
    );
    expect(bytesPeak).toBeLessThan(most * MIB);
    expect(recordings).toBe(1);
  });
});

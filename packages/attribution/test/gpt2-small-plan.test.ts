// What scoring GPT-2's own sizes is planned to take, on a device with nothing but WebGPU's defaults: memory, bindings, and work beside the bare model's. Nothing runs.
import { defaultLimits, dryGpu, type Gpu, type PlanReport } from '@limn/gpu';
import { Gpt2, namedSizes, newConfig, weightShapes, type SizeName } from '@limn/gpt2';
import { tokenBatch } from '@limn/hooks';
import { gradients, persistent, rowBlocks, type RowBlocks, type Tensor } from '@limn/tensor';
import { describe, expect, it, vi } from 'vitest';
import { eap, eapIgInputs, logitDiff, type Pair } from '../src/index.js';

const MIB = 2 ** 20;

/** A model of these sizes without a device: names, shapes and bytes, no values. */
function plannedModel(gpu: Gpu, size: SizeName, layers: number = namedSizes[size].layers): Gpt2 {
  const config = newConfig({ ...namedSizes[size], layers });
  const byName = new Map<string, Tensor | RowBlocks>();
  for (const [name, shape] of weightShapes(config, true)) {
    const [rows = 0, width = 0] = shape;
    byName.set(name, name === 'wte.weight' ? rowBlocks(gpu, rows, width) : persistent(gpu, shape));
  }
  return new Gpt2(gpu, config, { tied: true, byName, processing: 'raw', fingerprint: 'none' });
}

const pairsOf = (count: number, tokens: number): Pair[] =>
  Array.from({ length: count }, (_, p) => {
    const clean = Array.from({ length: tokens }, (_unused, t) => (7919 * (p * tokens + t)) % 50_257);
    return { clean, corrupted: clean.map((id, t) => (t === 8 ? id + 1 : id)), correct: [11], incorrect: [12] };
  });

/** What the first step that fits is planned to take, the largest binding in it, and the rows that get logits. */
interface Planned extends PlanReport {
  readonly largestBinding: number;
  readonly logitRows: number;
}

/** Records until a step fits; a device would then run it. */
async function planned(gpu: Gpu, score: () => Promise<unknown>): Promise<Planned> {
  let last: Planned | undefined;
  const open = gpu.step.bind(gpu);
  vi.spyOn(gpu, 'step').mockImplementation((options) => {
    const step = open(options);
    let [largestBinding, logitRows] = [0, 0];
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, more) => {
      for (const { byteLength } of Object.values<{ byteLength: number }>(bindings))
        largestBinding = Math.max(largestBinding, byteLength);
      if (more?.label === 'unembed') logitRows = Math.max(logitRows, (uniforms as { m?: number }).m ?? 0);
      dispatch(kernel, bindings, uniforms, more);
    };
    const report = step.plan.bind(step);
    step.plan = () => (last = { ...report(), largestBinding, logitRows });
    return step;
  });
  await expect(score()).rejects.toMatchObject({ code: 'gpu/dry' });
  vi.restoreAllMocks();
  return last as Planned;
}

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
    const gpu = dryGpu();
    const model = plannedModel(gpu, 'gpt2');
    const plan = await planned(gpu, () => eapIgInputs(model, pairsOf(100, 17), scoring));
    expect(plan.bytesPeak).toBeLessThan(1e9);
    expect(plan.bytesPeak).toBeGreaterThan(100 * MIB);
    expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
  });

  it('stays below 128 MiB a binding where the device and the budget would allow more, and reads logits at last positions only', async () => {
    const gpu = dryGpu({ limits: { ...defaultLimits, maxStorageBufferBindingSize: 2 ** 31, maxBufferSize: 2 ** 32 } });
    const model = plannedModel(gpu, 'gpt2');
    const all = { ...scoring, batchSize: 100, memoryBytes: 64 * 2 ** 30 };
    const plan = await planned(gpu, () => eapIgInputs(model, pairsOf(100, 17), all));
    expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
    expect(plan.logitRows).toBe(100 * 5);
  });

  it('does less than 1.1 times the arithmetic of 2 forward and 5 forward and backward passes', async () => {
    const gpu = dryGpu();
    const model = plannedModel(gpu, 'gpt2');
    const pairs = pairsOf(10, 17);
    const { flops } = await planned(gpu, () => eapIgInputs(model, pairs, { ...scoring, batchSize: 10 }));
    const ratio = flops / barePlan(model, pairs, 5).flops;
    expect(ratio).toBeGreaterThan(1);
    expect(ratio).toBeLessThan(1.1);
  });

  it('does arithmetic in a straight line in pairs and in steps', async () => {
    const gpu = dryGpu();
    const model = plannedModel(gpu, 'gpt2', 2);
    const flops = async (pairs: number, steps: number): Promise<number> =>
      (await planned(gpu, () => eapIgInputs(model, pairsOf(pairs, 17), { ...scoring, steps, batchSize: pairs }))).flops;
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
  const gpu = dryGpu();
  const model = plannedModel(gpu, 'gpt2-medium');
  const plan = await planned(gpu, () => eap(model, pairsOf(100, 17), { metric: logitDiff }));
  expect(plan.bytesPeak).toBeLessThan(1e9);
  expect(plan.largestBinding).toBeLessThanOrEqual(128 * MIB);
});

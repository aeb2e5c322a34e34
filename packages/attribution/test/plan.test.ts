// What scoring promises about its work and memory, read from the plan of a step: nothing here runs on the GPU.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { randomGpt2, type Gpt2 } from '@limn/gpt2';
import type { PlanReport } from '@limn/gpu';
import { testGpu } from '@limn/testing';
import { buildGraph, cleanCorrupted, eap, eapIgInputs, logitDiff } from '../src/index.js';
import type { Pair } from '../src/index.js';

interface PlannedStep {
  readonly plan: PlanReport;
  /** Uniforms of every contraction of Δ with slot gradients, in order. */
  readonly contractions: readonly Readonly<Record<string, number>>[];
  /** Bytes of every value of the step. */
  readonly values: readonly number[];
}

const ENOUGH = 'the plan is known';

/** The first step that a scorer plans, with all pairs and all points of the path; it ends there. */
async function firstStep(model: Gpt2, score: (model: Gpt2) => Promise<unknown>): Promise<PlannedStep> {
  let planned: PlannedStep | undefined;
  const open = model.gpu.step.bind(model.gpu);
  vi.spyOn(model.gpu, 'step').mockImplementation((options) => {
    const step = open(options);
    const contractions: Readonly<Record<string, number>>[] = [];
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, more) => {
      if (more?.label === 'edge scores') contractions.push(uniforms);
      dispatch(kernel, bindings, uniforms, more);
    };
    const values: number[] = [];
    const allocate = step.allocate.bind(step);
    step.allocate = (bytes, label) => {
      values.push(bytes);
      return allocate(bytes, label);
    };
    const report = step.plan.bind(step);
    step.plan = () => {
      planned = { plan: report(), contractions, values };
      throw new Error(ENOUGH);
    };
    return step;
  });
  await expect(score(model)).rejects.toThrow(ENOUGH);
  vi.restoreAllMocks();
  return planned as PlannedStep;
}

const pairs: readonly Pair[] = [1, 2].map((n) => ({
  clean: [n, 4, 7, 2, 9, 3, 5, 8],
  corrupted: [n, 4, 3, 2, 9, 3, 5, 8],
  correct: [6],
  incorrect: [5],
}));
/** Many narrow heads, so that whatever there is once per head is larger than all that there is once. */
const sizes = (layers: number) => ({ vocabulary: 11, maxPositions: 8, layers, heads: 48, width: 96 });
const open = async (layers: number): Promise<Gpt2> =>
  randomGpt2(await testGpu(), sizes(layers), 1, { readBack: false });
const ig = (steps: number) => (model: Gpt2) => eapIgInputs(model, pairs, { metric: logitDiff, steps });

afterEach(() => void vi.restoreAllMocks());

describe('slot gradients', () => {
  it('are summed over the points of a path before one contraction per block of destinations and of sources', async () => {
    const model = await open(2);
    const [one, three, eight] = [
      await firstStep(model, ig(1)),
      await firstStep(model, ig(3)),
      await firstStep(model, ig(8)),
    ];
    // Blocks of sources: the input, then one per layer. The logits read 3 of them, MLPs 3 and 2, the heads' slots 2 and 1.
    expect(one.contractions).toHaveLength(3 + 3 + 2 + 2 + 1);
    for (const { batch } of one.contractions) expect(batch).toBe(pairs.length);
    expect(three.contractions).toEqual(one.contractions);
    expect(eight.contractions).toEqual(one.contractions);
    const both = await firstStep(model, (each) => cleanCorrupted(each, pairs, { metric: logitDiff }));
    expect(both.contractions).toEqual(one.contractions);
    model.dispose();
  });
});

describe('memory of scoring', () => {
  const { heads, width } = sizes(1);
  /** Bytes of one [B, T, C] per head. */
  const perHead = heads * pairs.length * 8 * width * 4;
  /** Bytes at the peak of a step beyond what is there once per edge, and once per source and pair: the score matrix and Δ. */
  const beyond = async (layers: number, points: number): Promise<number> => {
    const model = await open(layers);
    const { plan } = await firstStep(model, ig(points));
    const { nForward, nBackward } = buildGraph(model.info);
    model.dispose();
    // At the peak, the last layer's heads, its Δ has been read for the last time: the logits and the MLP were before.
    const deltas = ((layers - 1) * (heads + 1) * perHead) / heads;
    return plan.bytesLowerBound - pairs.length * nForward * nBackward * 4 - deltas;
  };

  it.each([1, 4])('grows little with the layers, at %i points of a path', async (points) => {
    const [shallow = NaN, deep = NaN] = [await beyond(3, points), await beyond(6, points)].map(
      (bytes) => bytes / (points * perHead),
    );
    // What a layer keeps for its backward pass, 10 % of one stream per head here; streams for q, k and v would be three.
    expect((deep - shallow) / 3).toBeLessThan(0.2);
    // One layer's gradients behind W_Q, W_K, W_V, summed over the points, are three in all, and before them three; the rest is less than one a point.
    const gradients = 6 / points;
    expect(deep).toBeGreaterThan(gradients);
    expect(deep).toBeLessThan(gradients + 1);
  });

  it('makes nothing of the size of a stream per head but the gradients of slots', async () => {
    const model = await open(2);
    const { values } = await firstStep(model, ig(4));
    const large = values.filter((bytes) => bytes >= 3 * perHead);
    // Per layer, the gradients before W_Q, W_K and W_V, of all 4 points together; one of the three behind the weights is a third of them.
    expect(large).toEqual([3 * perHead, 3 * perHead]);
    model.dispose();
  });

  it('asks for no site that is made once per head', async () => {
    const model = await open(1);
    const captured = new Set<string>();
    const run = model.run.bind(model);
    model.run = (step, input, options) => {
      for (const name of options?.capture ?? []) captured.add(name);
      return run(step, input, options);
    };
    for (const score of [eap, eapIgInputs, cleanCorrupted])
      await firstStep(model, (each) => score(each, pairs, { metric: logitDiff }));
    expect(captured).toContain('blocks.0.attn.hook_q');
    expect([...captured].filter((name) => /hook_[qkv]_input|hook_result/.test(name))).toEqual([]);
    model.dispose();
  });
});

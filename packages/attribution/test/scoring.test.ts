// Every scorer on the GPU against golden values and against the float64 reference, at awkward sizes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LimnError } from '@limn/gpu';
import type { Gpt2 } from '@limn/gpt2';
import type { RunControls } from '@limn/hooks';
import { referenceEap } from '@limn/testing';
import {
  Circuit,
  METRICS,
  buildGraph,
  cleanCorrupted,
  eap,
  eapIgInputs,
  evaluateCircuits,
  exactEdges,
  exactSweep,
  kl,
  logitDiff,
  resampleCounts,
} from '../src/index.js';
import type { Pair, Resamples, Scores } from '../src/index.js';
import { golden, toyGraph } from './golden.js';
import type { GoldenKey } from './golden.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const { TOY_PAIR, eapPath, eapScores, exactScores, randomModel, waveModel } = referenceEap;

describe('the golden toy on the GPU', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it.each([
    ['eap', () => eap(model, [TOY_PAIR], { metric: logitDiff })],
    ['ig_k0_m1', () => eapIgInputs(model, [TOY_PAIR], { metric: logitDiff, steps: 5, rule: 'left' })],
    ['ig_k1_m', () => eapIgInputs(model, [TOY_PAIR], { metric: logitDiff, steps: 5, rule: 'right' })],
    ['clean_corrupted', () => cleanCorrupted(model, [TOY_PAIR], { metric: logitDiff })],
    ['exact', () => exactEdges(model, [TOY_PAIR], { metric: logitDiff })],
  ] as readonly [GoldenKey, () => Promise<Scores>][])('%s', async (key, compute) => {
    const { values } = await compute();
    for (const { u, v } of toyGraph.edges()) {
      const name = toyGraph.edgeName(u, v);
      const want = golden.edges[name]?.[key] ?? Number.NaN;
      // What the specification asks of an f32 engine; exact patching subtracts losses of about 2, whose last place is 1.2e-7.
      expect(Math.abs((values[toyGraph.dense(u, v)] ?? Number.NaN) - want), name).toBeLessThan(
        2e-6 + 1e-3 * Math.abs(want),
      );
    }
  });
});

describe('an awkward random model, pairs of mixed lengths', () => {
  const reference = randomModel(AWKWARD, 3);
  const pairs = awkwardPairs(4);
  const graph = buildGraph({ ...AWKWARD, block: 'sequential' });
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  // Sums of T·C ≤ 648 products in f32 lose √648 · 2⁻²⁴ ≈ 2e-6 of the largest; the layers behind them as much again, a few times.
  const close = (got: Float64Array, want: Float64Array, floor = 0): void => {
    const largest = Math.max(...want.filter((x) => !Number.isNaN(x)).map(Math.abs));
    for (const { u, v } of graph.edges()) {
      const i = graph.dense(u, v);
      expect(Math.abs((got[i] ?? Number.NaN) - (want[i] ?? Number.NaN)), graph.edgeName(u, v)).toBeLessThan(
        1e-5 * largest + floor,
      );
    }
    for (const [i, x] of got.entries()) expect(Number.isNaN(x)).toBe(Number.isNaN(want[i]));
  };

  it.each(METRICS)('$name: EAP, EAP-IG and clean-corrupted are the reference’s', async (metric) => {
    const name = metric.name as referenceEap.EapMetric;
    const want = (steps: number, rule: referenceEap.EapRule) => eapScores(reference, pairs, name, eapPath(steps, rule));
    // KL's gradient at the clean input is a difference of equal probabilities: what is left of it is round-off, 1e-7 of Σ|Δ||g|.
    close((await eap(model, pairs, { metric })).values, want(1, 'right'), metric === kl ? 1e-6 : 0);
    close((await cleanCorrupted(model, pairs, { metric })).values, want(1, 'trapezoid'));
    const rules = { 'logit-diff': ['left', 'trapezoid'], 'prob-diff': ['midpoint'], kl: ['right'] } as const;
    for (const rule of rules[name])
      close((await eapIgInputs(model, pairs, { metric, steps: 2, rule })).values, want(2, rule));
  });

  it('exact patching under three metrics from one sweep is the reference’s, for any batch size', async () => {
    const few = pairs.slice(0, 2);
    const sweep = await exactSweep(model, few, { metrics: METRICS });
    const resamples = { count: 2, seed: 1 };
    const single = await exactEdges(model, few, { metric: logitDiff, batchSize: 1, perExample: true, resamples });
    for (const [r, sum] of (single.resampled?.sums ?? []).entries())
      close(matrixOf(sum), drawnFrom(single, resamples, r), 1e-6);
    expect(single.resampled?.sums).toHaveLength(2);
    close(single.values, (sweep[0] as Scores).values, 1e-6); // differences of losses of about 5: 5e-7 each
    const tight = await exactEdges(model, few, { metric: logitDiff, memoryBytes: 1e5 }); // a pair keeps 33 kB: one at a time
    close(tight.values, single.values, 1e-6);
    for (const [m, metric] of METRICS.entries())
      close((sweep[m] as Scores).values, exactScores(reference, few, metric.name as referenceEap.EapMetric), 1e-6);
  });

  /** Σ over the examples of resample r. */
  function drawnFrom({ perExample = [], values }: Scores, { count, seed = 0 }: Resamples, r: number) {
    const counts = resampleCounts(perExample.length, count, seed)[r];
    return values.map((_, e) =>
      perExample.reduce((sum, row, i) => sum + (counts?.[i] ?? 0) * (row[e] ?? Number.NaN), 0),
    );
  }
  /** A sum in the order of the edges as a matrix. */
  function matrixOf(sum: Float64Array): Float64Array {
    const values = [...graph.edges()].map(({ u, v }, k) => [graph.dense(u, v), sum[k] ?? Number.NaN] as const);
    const matrix = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
    for (const [i, x] of values) matrix[i] = x;
    return matrix;
  }

  it('scores do not depend on the batch size or on mixed lengths', async () => {
    const options = { metric: logitDiff, steps: 2 };
    const resamples = { count: 3, seed: 2 };
    const whole = await eapIgInputs(model, pairs, { ...options, perExample: true, resamples });
    for (const batchSize of [1, 3]) {
      const { values, resampled } = await eapIgInputs(model, pairs, { ...options, batchSize, resamples });
      close(values, whole.values);
      expect(resampled).toMatchObject({ seed: 2, examples: pairs.length, distinct: pairs.length });
      for (const [r, sum] of (resampled?.sums ?? []).entries()) close(matrixOf(sum), drawnFrom(whole, resamples, r));
    }
    expect(whole.perExample).toHaveLength(pairs.length);
    const alone = await eapIgInputs(model, pairs.slice(1, 2), options);
    close(Float64Array.from(whole.perExample?.[1] ?? []), alone.values);
  });

  it('a budget that holds less than one path cuts it between its points', async () => {
    const long = pairs.filter(({ clean }) => clean.length === AWKWARD.positions).slice(0, 1);
    const options = { metric: logitDiff, steps: 4 };
    const refusal = await eapIgInputs(model, long, { ...options, memoryBytes: 1 }).catch((error: unknown) => error);
    const { bytesNeeded } = (refusal as LimnError).details as { bytesNeeded: number };
    const before = model.gpu.counters.snapshot().submits;
    const whole = await eapIgInputs(model, long, options);
    const between = model.gpu.counters.snapshot().submits;
    const cut = await eapIgInputs(model, long, { ...options, memoryBytes: bytesNeeded });
    expect(model.gpu.counters.snapshot().submits - between).toBe(between - before + 3);
    close(cut.values, whole.values);
  });

  it('a second batch of the same shape makes no buffer, bind group, pipeline or plan', async () => {
    const pair = pairs[0] as Pair;
    const seen: ReturnType<typeof model.gpu.counters.snapshot>[] = [];
    await eap(model, [pair, pair, pair], {
      metric: logitDiff,
      batchSize: 1,
      onProgress: () => seen.push(model.gpu.counters.snapshot()),
    });
    const [, second, third] = seen;
    for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
      expect(third?.[name], name).toBe(second?.[name]);
  });

  it('the same call gives the same bits', async () => {
    const run = () => eapIgInputs(model, pairs, { metric: logitDiff, steps: 2 });
    expect((await run()).values).toEqual((await run()).values);
  });

  it('refuses what does not fit before anything is allocated, with the numbers', async () => {
    const { counters } = model.gpu;
    const before = counters.snapshot();
    counters.reset();
    for (const call of [
      () => eap(model, pairs, { metric: logitDiff, memoryBytes: 10_000 }),
      () => eapIgInputs(model, pairs, { metric: logitDiff, memoryBytes: 10_000 }),
      () => exactEdges(model, pairs, { metric: logitDiff, memoryBytes: 10_000 }),
      () => evaluateCircuits(model, [Circuit.full(graph)], pairs, { metrics: [logitDiff], memoryBytes: 10_000 }),
    ])
      await expect(call()).rejects.toThrow(
        expect.objectContaining({
          code: 'memory/over-budget',
          details: expect.objectContaining({ memoryBytes: 10_000 }),
        }),
      );
    expect(counters.snapshot()).toMatchObject({ submits: 0, buffersCreated: 0, bytesPeak: before.bytesLive });
  });

  it('leaves nothing on the GPU, whether it ends or is stopped on the way', async () => {
    const full = [Circuit.full(graph)];
    const few = pairs.slice(0, 2);
    const calls: readonly ((controls: RunControls) => Promise<unknown>)[] = [
      (controls) => eapIgInputs(model, few, { metric: logitDiff, steps: 2, ...controls }),
      (controls) => exactEdges(model, pairs.slice(1, 2), { metric: logitDiff, ...controls }),
      (controls) => evaluateCircuits(model, full, few, { metrics: [logitDiff], ...controls }),
    ];
    const live = (): number => model.gpu.counters.snapshot().bytesLive;
    for (const call of calls) await call({ batchSize: 1 }); // plans and pools fill once
    const before = live();
    for (const call of calls) {
      await call({ batchSize: 1 });
      const controller = new AbortController();
      const stopped = call({ batchSize: 1, signal: controller.signal, onProgress: () => controller.abort() });
      await expect(stopped).rejects.toThrow(expect.objectContaining({ code: 'aborted' }));
    }
    expect(live()).toBe(before);
  });

  it('stops when asked and reports progress', async () => {
    const controller = new AbortController();
    const done: number[] = [];
    const call = eap(model, pairs, {
      metric: logitDiff,
      batchSize: 2,
      signal: controller.signal,
      onProgress: (progress) => {
        done.push(progress.done);
        controller.abort();
      },
    });
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'aborted' }));
    expect(done).toEqual([2]);
    await expect(exactEdges(model, pairs, { metric: logitDiff, signal: controller.signal })).rejects.toThrow(
      expect.objectContaining({ code: 'aborted' }),
    );
  });

  it('refuses bad pairs and options with codes', async () => {
    const [pair] = pairs as [Pair];
    const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => eap(model, [], { metric: logitDiff }), 'data/pairs-empty'],
      [() => eap(model, [{ ...pair, incorrect: [] }], { metric: logitDiff }), 'data/pairs-answers'],
      [() => eap(model, [{ ...pair, clean: [1] }], { metric: logitDiff }), 'data/pairs-length-mismatch'],
      [
        () => exactEdges(model, [{ ...pair, correct: [AWKWARD.vocabulary] }], { metric: logitDiff }),
        'data/pairs-unknown-id',
      ],
      [() => eap(model, pairs, { metric: logitDiff, batchSize: 0 }), 'usage/batch-size'],
      [() => eapIgInputs(model, pairs, { metric: logitDiff, steps: 0 }), 'usage/ig-steps'],
      [() => eapIgInputs(model, pairs, { metric: logitDiff, rule: 'middle' as 'midpoint' }), 'usage/ig-rule'],
    ];
    for (const [call, code] of cases) await expect(call()).rejects.toThrow(expect.objectContaining({ code }));
  });
});

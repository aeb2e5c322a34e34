// Baselines: |Δ| against the float64 model, the mean of tasks, and baselines beside a curve.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  accuracy,
  allTasksScores,
  bootstrapFaithfulness,
  buildGraph,
  deltaRanking,
  evaluateCircuits,
  faithfulnessCurves,
  kl,
  logitDiff,
  pathStatistics,
  prune,
  scoreAt,
  scoresOf,
  selectTopN,
} from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { TOY_PAIR, TOY_SIZES, eapForward, randomModel, tokenEmbeddings, waveModel } = referenceEap;

describe('the ranking by |Δ|', () => {
  const reference = randomModel(TOY_SIZES, 9);
  const pairs = awkwardPairs(5, TOY_SIZES);
  const graph = buildGraph({ ...TOY_SIZES, block: 'sequential' });
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  /** Σ_t ‖Δ_u[t]‖ of one pair, or of −z_u. */
  function norms(pair: (typeof pairs)[number], ablation: 'patch' | 'zero'): number[] {
    const outputs = (tokens: readonly number[]): readonly Float64Array[] =>
      eapForward(reference, tokenEmbeddings(reference, tokens)).outputs;
    const clean = outputs(pair.clean);
    const other = ablation === 'patch' ? outputs(pair.corrupted) : clean.map((z) => new Float64Array(z.length));
    const { width } = TOY_SIZES;
    return clean.map((z, u) => {
      let total = 0;
      for (let t = 0; t < pair.clean.length; t++) {
        let square = 0;
        for (let c = t * width; c < (t + 1) * width; c++) square += ((other[u]?.[c] ?? 0) - (z[c] ?? 0)) ** 2;
        total += Math.sqrt(square);
      }
      return total;
    });
  }

  it('is the mean over examples of the norms over real positions, in batches of any size', async () => {
    for (const ablation of ['patch', 'zero'] as const) {
      const want = pairs.map((pair) => norms(pair, ablation));
      const got = await deltaRanking(model, pairs, { ablation, batchSize: 2, perExample: true });
      for (const { u, v } of graph.edges()) {
        const mean = want.reduce((sum, own) => sum + (own[u] ?? 0), 0) / want.length;
        // f32 round-off of sums over 8 coordinates through two layers.
        expect(Math.abs(scoreAt(got, u, v) - mean), graph.edgeName(u, v)).toBeLessThan(2e-5 * (1 + mean));
        for (const [i, own] of want.entries())
          expect(Math.abs((got.perExample?.[i]?.[graph.dense(u, v)] ?? Number.NaN) - (own[u] ?? 0))).toBeLessThan(
            2e-5 * (1 + (own[u] ?? 0)),
          );
      }
      const whole = await deltaRanking(model, pairs, { ablation });
      expect(whole.perExample).toBeUndefined();
      for (const { u, v } of graph.edges())
        expect(Math.abs(scoreAt(whole, u, v) / scoreAt(got, u, v) - 1) || 0).toBeLessThan(1e-5);
    }
  });

  it('stops when aborted and checks the pairs', async () => {
    await expect(deltaRanking(model, pairs, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortedError',
    });
    await expect(deltaRanking(model, [])).rejects.toMatchObject({ code: 'data/pairs-empty' });
  });
});

describe('scores of all tasks', () => {
  it('weigh every task the same', () => {
    const a = goldenScores('exact');
    const scaled = scoresOf(toyGraph, (u, v) => -1000 * scoreAt(goldenScores('eap'), u, v));
    const both = allTasksScores([a, scaled]);
    const total = ({ values }: { readonly values: Float64Array }): number =>
      values.reduce((sum, x) => sum + (Number.isNaN(x) ? 0 : Math.abs(x)), 0);
    for (const { u, v } of toyGraph.edges())
      expect(scoreAt(both, u, v)).toBeCloseTo(
        (scoreAt(a, u, v) / total(a) + scoreAt(scaled, u, v) / total(scaled)) / 2,
        14,
      );
    expect(selectTopN(allTasksScores([a]), 12).equals(selectTopN(a, 12))).toBe(true);
  });

  it('refuse what cannot be weighed', () => {
    expect(() => allTasksScores([])).toThrow(expect.objectContaining({ code: 'usage/no-tasks' }));
    expect(() => allTasksScores([scoresOf(toyGraph, () => 0)])).toThrow(
      expect.objectContaining({ code: 'data/scores-zero' }),
    );
    const other = scoresOf(buildGraph({ layers: 1, heads: 1, width: 4, block: 'sequential' }), () => 1);
    expect(() => allTasksScores([goldenScores('eap'), other])).toThrow(
      expect.objectContaining({ code: 'data/graph-mismatch' }),
    );
  });
});

describe('baselines beside a curve', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(waveModel());
  });
  afterAll(() => model.dispose());

  it('have the size and depth of each point, and the curve is what it is without them', async () => {
    const scores = goldenScores('exact');
    const plain = await faithfulnessCurves(model, scores, [TOY_PAIR], { metric: logitDiff });
    const curves = await faithfulnessCurves(model, scores, [TOY_PAIR], {
      metric: logitDiff,
      baselines: { random: { count: 3, seed: 7 }, rankings: [{ name: 'eap', scores: goldenScores('eap') }] },
    });
    expect(plain.curves[0]).not.toHaveProperty('baselines');
    const eap = await faithfulnessCurves(model, goldenScores('eap'), [TOY_PAIR], { metric: logitDiff });
    // Equal circuits in other company: f32 round-off of logits of 2 over a denominator of 0.0063.
    const near = (a: number | null | undefined, b: number | null | undefined): void =>
      expect(Math.abs((a ?? Number.NaN) - (b ?? Number.NaN))).toBeLessThan(5e-4);
    for (const [c, { points, baselines = [] }] of curves.curves.entries()) {
      const [random, ranking] = baselines;
      expect(baselines.map(({ name }) => name)).toEqual(['random-connected', 'eap']);
      for (const [i, point] of points.entries()) {
        near(point.faithfulness, plain.curves[c]?.points[i]?.faithfulness);
        const at = random?.points[i];
        expect(at).toMatchObject({ n: point.n, kept: point.kept });
        expect(at?.values).toHaveLength(3);
        const values = at?.values.map((f) => f ?? Number.NaN) ?? [];
        expect([at?.low, at?.high]).toEqual([Math.min(...values), Math.max(...values)]);
        expect(at?.faithfulness).toBeCloseTo(values.reduce((a, b) => a + b, 0) / 3, 12);
        near(ranking?.points[i]?.faithfulness, eap.curves[c]?.points[i]?.faithfulness);
        expect(ranking?.points[i]?.kept).toBe(eap.curves[c]?.points[i]?.kept);
      }
      near(random?.points.at(-1)?.faithfulness, 1);
    }
    expect(curves.curves[0]?.baselines?.[1]?.points[3]?.meanPathLength).toBe(
      pathStatistics(prune(selectTopN(goldenScores('eap'), 4))).meanLength,
    );
  });

  it('come with further metrics and with bands from the same runs', async () => {
    const scores = goldenScores('exact');
    const drawn = [TOY_PAIR, { ...TOY_PAIR, clean: [1, 4, 7, 2, 3] }, { ...TOY_PAIR, corrupted: [2, 4, 7, 2, 9] }];
    // The better prompt of each is the clean one, so that no resample turns the denominator.
    const either = await evaluateCircuits(model, [], drawn, { metrics: [logitDiff] });
    const better = (i: number): boolean =>
      (either.clean.perExample['logit-diff']?.[i] ?? 0) > (either.empty.perExample['logit-diff']?.[i] ?? 0);
    const pairs = drawn.map((pair, i) =>
      better(i) ? pair : { ...pair, clean: pair.corrupted, corrupted: pair.clean },
    );
    const bands = { resamples: 50, seed: 3 };
    const { curves, also, circuits, baselines } = await faithfulnessCurves(model, scores, pairs, {
      metric: logitDiff,
      also: [kl, accuracy, logitDiff],
      bands,
    });
    const metrics = [logitDiff, kl, accuracy];
    const all = [...circuits.values()];
    const measured = await evaluateCircuits(model, all, pairs, { metrics });
    const expected = bootstrapFaithfulness(measured, 'logit-diff', bands);
    expect(expected.every(({ low, high }) => low !== null && high !== null)).toBe(true);
    const near = (a: number | null | undefined, b: number | null | undefined, by = 1e-5): void => {
      if (b === null) expect(a).toBeNull();
      else expect(Math.abs((a ?? Number.NaN) - (b ?? Number.NaN))).toBeLessThan(by);
    };
    near(also?.['kl']?.corrupted, measured.empty.mean['kl']);
    expect(also?.['logit-diff']).toEqual(baselines);
    for (const { selection, points } of curves)
      for (const point of points) {
        const i = [...circuits.keys()].indexOf(`${selection} ${point.n}`);
        for (const { name } of metrics) near(point.also?.[name]?.value, measured.circuits[i]?.mean[name]);
        expect(point.also?.['logit-diff']).toEqual({ value: point.value, faithfulness: point.faithfulness });
        // f amplifies f32 round-off by the denominators of the resamples, of which .05 is a small one.
        for (const side of ['low', 'high'] as const) near(point.band?.[side], expected[i]?.[side], 1e-3);
      }
    expect(curves[0]?.points[5]?.band).toMatchObject({ value: curves[0]?.points[5]?.faithfulness });
  });

  it('are at least one circuit per size', async () => {
    const scores = goldenScores('exact');
    await expect(
      faithfulnessCurves(model, scores, [TOY_PAIR], { metric: logitDiff, baselines: { random: { count: 0 } } }),
    ).rejects.toMatchObject({ code: 'usage/baseline-count' });
  });
});

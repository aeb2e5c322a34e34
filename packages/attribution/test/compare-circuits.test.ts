// Comparing circuits: the hypergeometric tail against exact sums, overlaps of known sets, and faithfulness across tasks.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  Circuit,
  accuracy,
  buildGraph,
  circuitsOfSize,
  compareAll,
  compareCircuits,
  crossFaithfulness,
  hypergeometricTail,
  logitDiff,
  overlapAgainstFaithfulness,
  pearson,
  probDiff,
  prune,
  scoresOf,
  selectGreedy,
  selectTopN,
} from '../src/index.js';
import type { CircuitComparison, CrossFaithfulness } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { TOY_SIZES, circuitMetric, randomModel } = referenceEap;

describe('the hypergeometric tail', () => {
  const tail = (population: number, marked: number, drawn: number, observed: number) =>
    hypergeometricTail({ population, marked, drawn, observed });

  it.each([
    // M, K, n, k, and P(X ≥ k) in rational arithmetic, which scipy's hypergeom.sf(k − 1, M, K, n) agrees with; the last is scipy's alone.
    [157, 60, 50, 30, 1.346_487_187_729_412_7e-4],
    [46, 12, 20, 3, 0.969_843_435_526_929_5],
    [20, 5, 5, 5, 6.449_948_400_412_796e-5],
    [32_491, 200, 190, 1, 0.691_676_350_274_799_5],
    [32_491, 200, 190, 60, 1.258_918_422_180_518_7e-87],
    [32_491, 3000, 2500, 300, 9.367_729_198_852_445e-7],
    [2_235_025, 10_000, 8000, 200, 1.194_788_280_216_786_3e-81],
  ])('of M %i, K %i, n %i, k %i is %f', (population, marked, drawn, observed, want) => {
    const { p, log10P } = tail(population, marked, drawn, observed);
    // ln M! is 3·10⁷ for the last, with 16 digits.
    expect(Math.abs(p / want - 1)).toBeLessThan(population > 1e6 ? 2e-8 : 1e-9);
    expect(log10P).toBeCloseTo(Math.log10(want), 7);
  });

  it('is exact in its logarithm where no double holds it', () => {
    expect(tail(32_491, 200, 190, 180)).toEqual({ p: 0, log10P: expect.closeTo(-439.270_375_511_635_6, 9) });
  });

  it('is every tail of small populations, summed from binomials', () => {
    const choose = (n: number, k: number): bigint => {
      let c = k < 0 || k > n ? 0n : 1n;
      for (let i = 1; i <= k && c > 0n; i++) c = (c * BigInt(n - i + 1)) / BigInt(i);
      return c;
    };
    for (const M of [1, 7, 12])
      for (let K = 0; K <= M; K++)
        for (let n = 0; n <= M; n++)
          for (let k = 0; k <= Math.min(n, K); k++) {
            let above = 0n;
            for (let i = k; i <= Math.min(n, K); i++) above += choose(K, i) * choose(M - K, n - i);
            const { p, log10P } = tail(M, K, n, k);
            expect(p).toBeCloseTo(Number(above) / Number(choose(M, n)), 13);
            expect(10 ** log10P).toBeCloseTo(p, 13);
          }
  });

  it('refuses what is no draw', () => {
    for (const [M, K, n, k] of [
      [10, 11, 1, 0],
      [10, 3, 11, 0],
      [10, 3, 3, 4],
      [10, 3, 3, -1],
      [10, 3, 1.5, 1],
    ] as const)
      expect(() => tail(M, K, n, k)).toThrow(expect.objectContaining({ code: 'usage/hypergeometric' }));
  });
});

describe('comparing circuits', () => {
  const shared = ['input->a0.h0<v>', 'a0.h0->logits'];
  const a = Circuit.ofEdges(toyGraph, [...shared, 'input->m0', 'm0->logits', 'input->logits']);
  const b = Circuit.ofEdges(toyGraph, [...shared, 'input->m1', 'm1->logits']);
  const c = Circuit.ofEdges(toyGraph, [...shared, 'input->m0', 'm0->logits']);

  it('gives IoU, both recalls and the chance of as much, on edges and nodes', () => {
    const { edges, nodes } = compareCircuits(a, b);
    expect(edges).toMatchObject({
      first: 5,
      second: 4,
      shared: 2,
      iou: 2 / 7,
      recallOfFirst: 2 / 5,
      recallOfSecond: 0.5,
    });
    expect(edges).toMatchObject({
      population: 46,
      ...hypergeometricTail({ population: 46, marked: 5, drawn: 4, observed: 2 }),
    });
    // a0.h0 and m0 against a0.h0 and m1, of four heads and two MLPs.
    expect(nodes).toMatchObject({ first: 2, second: 2, shared: 1, iou: 1 / 3, population: 6 });
    expect(nodes.p).toBeCloseTo(1 - 6 / 15, 13);
    const nothing = compareCircuits(Circuit.empty(toyGraph), Circuit.empty(toyGraph));
    expect(nothing.edges).toMatchObject({ iou: null, recallOfFirst: null, p: 1 });
  });

  it('of several takes out what all share', () => {
    const { names, pairs, core, withoutCore } = compareAll({ a, b, c });
    expect(names).toEqual(['a', 'b', 'c']);
    expect(pairs.map(({ first, second }) => first + second)).toEqual(['ab', 'ac', 'bc']);
    expect(core).toEqual({ edges: shared, nodes: ['a0.h0'] });
    expect(pairs[1]?.edges).toMatchObject({ shared: 4, iou: 4 / 5, recallOfSecond: 1 });
    expect(withoutCore?.[1]?.edges).toMatchObject({ first: 3, second: 2, shared: 2, iou: 2 / 3, population: 44 });
    expect(withoutCore?.[0]?.nodes).toMatchObject({ first: 1, second: 1, shared: 0, iou: 0, population: 5, p: 1 });
    expect(compareAll({ a, b }).withoutCore).toBeNull();
    expect(() => compareAll({ a })).toThrow(expect.objectContaining({ code: 'usage/no-circuits' }));
    const other = Circuit.empty(buildGraph({ layers: 1, heads: 1, width: 4, block: 'sequential' }));
    for (const compare of [() => compareAll({ a, other }), () => compareCircuits(a, other)])
      expect(compare).toThrow(expect.objectContaining({ code: 'data/graph-mismatch' }));
  });

  it('at equal n takes the pruned circuits of one size', () => {
    const tasks = { eap: goldenScores('eap'), exact: goldenScores('exact') };
    const circuits = circuitsOfSize(tasks, 12);
    for (const [name, circuit] of Object.entries(circuits))
      expect(circuit.equals(prune(selectTopN(tasks[name as 'eap'], 12)))).toBe(true);
    const greedy = circuitsOfSize(tasks, 20, { selector: 'greedy', ranking: 'signed' });
    expect(greedy['exact']?.equals(prune(selectGreedy(tasks.exact, 20, { ranking: 'signed' })))).toBe(true);
    expect(greedy['exact']?.equals(prune(selectTopN(tasks.exact, 20)))).toBe(false);
  });
});

describe('across tasks', () => {
  const reference = randomModel(TOY_SIZES, 9);
  const graph = buildGraph({ ...TOY_SIZES, block: 'sequential' });
  const all = awkwardPairs(4, TOY_SIZES);
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  it('every circuit is run on every task’s pairs, with the task’s own metric and baselines', async () => {
    const wave = (salt: number): Circuit =>
      selectTopN(
        scoresOf(graph, (u, v) => Math.sin(salt * graph.dense(u, v))),
        60,
      );
    const circuits = { one: wave(1), two: wave(2), other: wave(3) };
    const tasks = {
      one: { pairs: all.slice(0, 2), metric: logitDiff },
      two: { pairs: all.slice(2), metric: probDiff },
    };
    const seen: number[] = [];
    const cross = await crossFaithfulness(model, circuits, tasks, {
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect([cross.tasks, cross.circuits]).toEqual([
      ['one', 'two'],
      ['one', 'two', 'other'],
    ]);
    for (const [t, { pairs, metric }] of Object.values(tasks).entries())
      for (const [c, circuit] of Object.values(circuits).entries()) {
        const of = (keeps: (u: number, v: number) => boolean): number =>
          circuitMetric(reference, pairs, metric.name as referenceEap.EapMetric, keeps);
        const [clean, empty, value] = [of(() => true), of(() => false), of((u, v) => circuit.has(u, v))];
        // f32 round-off of logits of about 10 through two layers.
        expect(Math.abs((cross.values[t]?.[c] ?? Number.NaN) - value)).toBeLessThan(2e-5);
        expect(Math.abs((cross.baselines[t]?.clean ?? Number.NaN) - clean)).toBeLessThan(2e-5);
        expect(
          Math.abs((cross.faithfulness[t]?.[c]?.value ?? Number.NaN) - (value - empty) / (clean - empty)),
        ).toBeLessThan(1e-4 / Math.abs(clean - empty));
      }
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    await expect(crossFaithfulness(model, circuits, tasks, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortedError',
    });
  });

  it('overlap is set against faithfulness off the diagonal, with the recall of the task’s own circuit', () => {
    const overlap = (shared: number, first: number, second: number): CircuitComparison['edges'] => ({
      first,
      second,
      shared,
      iou: shared / (first + second - shared),
      recallOfFirst: shared / first,
      recallOfSecond: shared / second,
      population: 46,
      p: 1,
      log10P: 0,
    });
    const comparison = (first: string, second: string, shared: number): CircuitComparison => ({
      first,
      second,
      edges: overlap(shared, 10, 20),
      nodes: overlap(1, 4, 4),
    });
    const f = (value: number | null): { value: number | null } => ({ value });
    const cross: CrossFaithfulness = {
      tasks: ['x', 'y', 'z'],
      circuits: ['x', 'y', 'z'],
      faithfulness: [
        [f(1), f(0.2), f(0.9)],
        [f(0.1), f(1), f(0.4)],
        [f(null), f(0.3), f(1)],
      ],
      values: [],
      baselines: [],
    };
    const comparisons = [comparison('x', 'y', 2), comparison('x', 'z', 6), comparison('y', 'z', 4)];
    const { points, correlation } = overlapAgainstFaithfulness(comparisons, cross);
    expect(points.map(({ task, circuit }) => task + circuit)).toEqual(['xy', 'xz', 'yx', 'yz', 'zy']);
    expect(points.map(({ edgeRecall }) => edgeRecall)).toEqual([0.2, 0.6, 0.1, 0.4, 0.2]);
    expect(points[4]).toMatchObject({ faithfulness: 0.3, edgeIou: 4 / 26, nodeIou: 1 / 7 });
    expect(correlation.edgeRecall).toMatchObject({
      points: 5,
      pearson: pearson([0.2, 0.6, 0.1, 0.4, 0.2], [0.2, 0.9, 0.1, 0.4, 0.3]),
    });
    expect(correlation.edgeRecall.spearman).toBeGreaterThan(0.9);
    expect(correlation.nodeIou).toEqual({ points: 5, pearson: null, spearman: null });
  });

  it('accuracy is the share of pairs whose best correct answer is above every incorrect one', async () => {
    // The clean run of each pair, by its logits: the answers are picked so that the outcome is known.
    const logitsOf = (tokens: readonly number[]): Float64Array =>
      referenceEap.circuitLogits(
        reference,
        { clean: tokens, corrupted: tokens, correct: [], incorrect: [] },
        () => true,
      );
    const clean = all.map((pair) => pair.clean);
    const order = clean.map((tokens) => {
      const logits = logitsOf(tokens);
      return [...logits.keys()].sort((i, j) => (logits[j] ?? 0) - (logits[i] ?? 0));
    });
    const pairs = all.map((pair, n) => {
      const rank = (i: number): number => order[n]?.[i] ?? 0;
      const answers = [
        { correct: [rank(0), rank(10)], incorrect: [rank(1), rank(2), rank(3)] }, // one correct answer on top
        { correct: [rank(5)], incorrect: [rank(4)] }, // just below
        { correct: [rank(7)], incorrect: [rank(8), rank(6)] }, // between two incorrect ones
        { correct: [rank(9), rank(8)], incorrect: [rank(10)] },
      ][n];
      return { ...pair, correct: answers?.correct ?? [], incorrect: answers?.incorrect ?? [] };
    });
    const cross = await crossFaithfulness(model, { full: Circuit.full(graph) }, { task: { pairs, metric: accuracy } });
    expect(cross.baselines[0]?.clean).toBe(0.5);
    expect(cross.values).toEqual([[0.5]]);
    await expect(
      crossFaithfulness(model, {}, { task: { pairs: [{ ...all[0]!, incorrect: [] }], metric: accuracy } }),
    ).rejects.toMatchObject({ code: 'data/pairs-answers' });
    expect(accuracy.differentiable).toBe(false);
  });
});

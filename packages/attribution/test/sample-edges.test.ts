// Samples of edges and what patching them costs, without a device; agreement over a sample against its definitions by hand.
import { referenceRandom } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { agreement, buildGraph, Circuit, exactCost, rankedEdges, sampleEdges, scoresOf } from '../src/index.js';
import type { Scores } from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';
import { pairsOf, plannedModel } from './planned-model.js';

const graph = buildGraph({ layers: 3, heads: 4, width: 8, block: 'sequential' });
const noise = referenceRandom(4).normals(graph.nForward * graph.nBackward, 1);
const scores = scoresOf(graph, (u, v) => noise[graph.dense(u, v)] as number);

describe('a sample of edges', () => {
  it('is n different edges, the same for a seed, and a larger one holds the smaller', () => {
    const one = sampleEdges(graph, 30, { seed: 7 });
    expect(one.edgeCount).toBe(30);
    expect(one.equals(sampleEdges(graph, 30, { seed: 7 }))).toBe(true);
    expect(one.equals(sampleEdges(graph, 30, { seed: 8 }))).toBe(false);
    expect(sampleEdges(graph, 20, { seed: 7 }).difference(one).edgeCount).toBe(0);
    expect(sampleEdges(graph, 1e6, { seed: 7 }).equals(Circuit.full(graph))).toBe(true);
  });

  it('takes every edge as often as any other', () => {
    const drawn = new Map<number, number>();
    for (let seed = 0; seed < 2000; seed++)
      for (const { u, v } of sampleEdges(toyGraph, 12, { seed }).edges())
        drawn.set(toyGraph.dense(u, v), (drawn.get(toyGraph.dense(u, v)) ?? 0) + 1);
    const mean = (2000 * 12) / toyGraph.edgeCount;
    // A count has a standard deviation of √(mean · 34/46); four of them in none of 46 has odds of 3 in 1,000 against it.
    const far = 4 * Math.sqrt((mean * 34) / 46);
    for (const { u, v } of toyGraph.edges())
      expect(Math.abs((drawn.get(toyGraph.dense(u, v)) ?? 0) - mean), toyGraph.edgeName(u, v)).toBeLessThan(far);
  });

  it('by scores is half the best and half any of the others that have a score', () => {
    const some: Scores = { graph, values: scores.values.map((x, i) => (i % 5 === 0 ? Number.NaN : x)) };
    const ranked = [...rankedEdges(some, 'absolute')].filter((edge) => !Number.isNaN(some.values[edge]));
    for (const n of [1, 9, 40]) {
      const sample = sampleEdges(graph, n, { seed: 3, scores: some });
      const dense = [...sample.edges()].map(({ u, v }) => graph.dense(u, v));
      expect(dense).toHaveLength(n);
      for (const best of ranked.slice(0, Math.ceil(n / 2))) expect(dense).toContain(best);
      for (const edge of dense) expect(ranked).toContain(edge);
    }
    const [a, b] = [3, 4].map((seed) => sampleEdges(graph, 40, { seed, scores: some })) as [Circuit, Circuit];
    expect(a.intersection(b).edgeCount).toBeLessThan(40);
    expect(sampleEdges(graph, 1e6, { seed: 3, scores: some }).edgeCount).toBe(ranked.length);
  });

  it('refuses what it cannot draw', () => {
    for (const n of [0, -1, 2.5, Number.NaN])
      expect(() => sampleEdges(graph, n, { seed: 1 })).toThrow(expect.objectContaining({ code: 'usage/circuit-size' }));
    expect(() => sampleEdges(toyGraph, 3, { seed: 1, scores })).toThrow(
      expect.objectContaining({ code: 'data/graph-mismatch' }),
    );
    expect(() => sampleEdges(graph, 3, { seed: -1 })).toThrow(expect.objectContaining({ code: 'tensor/random' }));
  });
});

it('agreement over a sample is that of the edges in it, counted by hand', () => {
  const [method, exact] = [goldenScores('eap'), goldenScores('exact')];
  const sample = sampleEdges(toyGraph, 11, { seed: 2, scores: method });
  const reference = scoresOf(toyGraph, (u, v) =>
    sample.has(u, v) ? (exact.values[toyGraph.dense(u, v)] as number) : Number.NaN,
  );
  const edges = [...sample.edges()].map(({ u, v }) => toyGraph.dense(u, v));
  const [a, b] = [method, exact].map(({ values }) => edges.map((edge) => values[edge] as number)) as [
    number[],
    number[],
  ];
  const mean = (x: readonly number[]): number => x.reduce((sum, value) => sum + value, 0) / x.length;
  const cross = (x: readonly number[], y: readonly number[]): number =>
    mean(x.map((value, i) => (value - mean(x)) * ((y[i] as number) - mean(y))));
  const top = (x: readonly number[]): number[] =>
    [...edges.keys()].sort((i, j) => Math.abs(x[j] as number) - Math.abs(x[i] as number)).slice(0, 4);
  const found = agreement(method, reference, { k: 4 });
  expect(found.edges).toBe(11);
  expect(found.pearson).toBeCloseTo(cross(a, b) / Math.sqrt(cross(a, a) * cross(b, b)), 10);
  expect(found.signAgreement).toBe(a.filter((x, i) => Math.sign(x) === Math.sign(b[i] as number)).length / 11);
  expect(found.topOverlap).toEqual({ k: 4, value: top(a).filter((i) => top(b).includes(i)).length / 4 });
});

describe('the cost of exact patching', () => {
  it('of GPT-2 small is what its sizes give, and in proportion to pairs and edges', () => {
    const { info } = plannedModel('gpt2');
    const small = buildGraph(info);
    const all = exactCost(info, pairsOf(1, 17));
    expect(all).toMatchObject({ edges: 32_491, patchedRuns: 32_491 });
    expect(all.flops / 1e12).toBeCloseTo(33.44, 2);
    expect(exactCost(info, pairsOf(10, 17)).flops).toBeCloseTo(10 * all.flops, -6);
    const parts = [1, 2].map((part) => Circuit.where(small, (u, v) => ((u + v) % 2 === 0) === (part === 1)));
    const halves = parts.map((edges) => exactCost(info, pairsOf(1, 17), { edges }));
    expect((halves[0]?.edges ?? 0) + (halves[1]?.edges ?? 0)).toBe(32_491);
    expect((halves[0]?.flops ?? 0) + (halves[1]?.flops ?? 0)).toBeCloseTo(all.flops, -6);
  });

  it('of one edge is what lies behind it', () => {
    const { info } = plannedModel('gpt2');
    const [C, V, T] = [768, 50_257, 17];
    const logits = 2 * C * V;
    const mlp = 16 * C * C;
    const layer = T * (8 * C * C + mlp) + 4 * T * T * C;
    const cost = (name: string): number =>
      exactCost(info, pairsOf(1, T), { edges: Circuit.ofEdges(buildGraph(info), [name]) }).flops;
    expect(cost('m3->logits')).toBe(logits);
    expect(cost('m3->m11')).toBe(mlp + logits);
    expect(cost('m3->m9')).toBe(T * mlp + 2 * layer + logits);
    expect(cost('m3->a9.h4<k>')).toBe((layer - T * mlp) / 12 + T * mlp + 2 * layer + logits);
    expect(cost('m3->a11.h4<k>')).toBe((layer - T * mlp) / 12 + mlp + logits);
  });
});

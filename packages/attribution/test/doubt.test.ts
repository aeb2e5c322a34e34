// Minimality and completeness: against the float64 model with the same edges taken out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  Circuit,
  buildGraph,
  completeness,
  logitDiff,
  minimality,
  prune,
  scoresOf,
  selectGreedy,
} from '../src/index.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { TOY_SIZES, circuitMetric, randomModel } = referenceEap;

describe('doubt', () => {
  const reference = randomModel(TOY_SIZES, 9);
  const pairs = awkwardPairs(2, TOY_SIZES);
  const graph = buildGraph({ ...TOY_SIZES, block: 'sequential' });
  const circuit = prune(
    selectGreedy(
      scoresOf(graph, (u, v) => Math.sin(12.9898 * (graph.dense(u, v) + 1))),
      14,
    ),
  );
  const metricOf = (keeps: (u: number, v: number) => boolean): number =>
    circuitMetric(reference, pairs, 'logit-diff', keeps);
  // f32 round-off of logits of about 10 through two layers.
  const NEAR = 2e-5;
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  it('minimality is the change that each dropped edge and node makes', async () => {
    const found = await minimality(model, circuit, pairs, { metric: logitDiff });
    const clean = metricOf(() => true);
    const empty = metricOf(() => false);
    const own = metricOf((u, v) => circuit.has(u, v));
    expect(found.edges.map(({ name }) => name)).toEqual(circuit.edgeNames());
    expect(found.nodes.map(({ name }) => name)).toEqual(
      circuit.nodeNames().filter((name) => name !== 'input' && name !== 'logits'),
    );
    for (const drop of [...found.edges, ...found.nodes]) {
      const gone = (u: number, v: number): boolean =>
        drop.unit === 'edge'
          ? graph.edgeName(u, v) === drop.name
          : graph.nodeName(u) === drop.name || graph.slotName(v).replace(/<.>/, '') === drop.name;
      const left = Circuit.where(graph, (u, v) => circuit.has(u, v) && !gone(u, v));
      const want = metricOf((u, v) => left.has(u, v));
      expect(drop.kept).toBe(prune(left).edgeCount);
      expect(Math.abs(drop.value - want), drop.name).toBeLessThan(NEAR);
      expect(Math.abs(drop.change - (want - own)), drop.name).toBeLessThan(2 * NEAR);
      expect(Math.abs((drop.faithfulnessChange ?? Number.NaN) - (want - own) / (clean - empty))).toBeLessThan(
        (2 * NEAR) / Math.abs(clean - empty),
      );
      if (Math.abs(want - own) > 2 * NEAR)
        expect(drop.verdict).toBe((want - own) * (clean - empty) < 0 ? 'needed' : 'harmful');
    }
    expect(found.faithfulness).toBeCloseTo((own - empty) / (clean - empty), 3);
    expect(found.dispensable).toEqual(
      found.edges.filter(({ verdict }) => verdict !== 'needed').map(({ name }) => name),
    );
    for (const verdict of ['needed', 'harmful']) expect(found.edges.map((drop) => drop.verdict)).toContain(verdict);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('minimality refuses a tolerance of %s', async (tolerance) => {
    await expect(minimality(model, circuit, pairs, { metric: logitDiff, tolerance })).rejects.toThrow(
      expect.objectContaining({ code: 'usage/tolerance' }),
    );
  });

  it('minimality names an edge that carries nothing as idle', async () => {
    // Only an earlier token differs: at the last position the embedding is the same in both runs.
    const pair = { clean: [1, 2, 3], corrupted: [5, 2, 3], correct: [4], incorrect: [6] };
    const tried = Circuit.ofEdges(graph, ['input->logits', 'input->a0.h1<v>', 'a0.h1->logits']);
    const found = await minimality(model, tried, [pair], { metric: logitDiff });
    expect(found.edges.map(({ name, verdict }) => [name, verdict === 'idle'])).toEqual([
      ['input->a0.h1<v>', false],
      ['input->logits', true],
      ['a0.h1->logits', false],
    ]);
    expect(found.dispensable).toContain('input->logits');
    const all = await minimality(model, tried, [pair], { metric: logitDiff, tolerance: 1e9 });
    expect(all.dispensable).toHaveLength(3);
  });

  it('completeness compares circuit and model without the same edges, or nodes', async () => {
    for (const unit of ['edge', 'node'] as const) {
      const found = await completeness(model, circuit, pairs, {
        metric: logitDiff,
        unit,
        random: 2,
        greedy: { starts: 2, steps: 2, candidates: 2 },
        seed: 5,
      });
      expect(found.subsets.map(({ how }) => how)).toEqual([
        'random',
        'random',
        ...Array.from({ length: 4 }, () => 'greedy'),
      ]);
      for (const { parts, circuit: ours, model: whole, gap } of found.subsets) {
        const taken = new Set(parts);
        expect(taken.size).toBe(parts.length);
        const stays = (u: number, v: number): boolean =>
          unit === 'edge'
            ? !taken.has(graph.edgeName(u, v))
            : !taken.has(graph.nodeName(u)) && !taken.has(graph.slotName(v).replace(/<.>/, ''));
        expect(Math.abs(ours - metricOf((u, v) => circuit.has(u, v) && stays(u, v)))).toBeLessThan(NEAR);
        expect(Math.abs(whole - metricOf(stays))).toBeLessThan(NEAR);
        expect(gap).toBe(Math.abs(ours - whole));
      }
      const gaps = found.subsets.map(({ gap }) => gap);
      expect(found.largestGap).toBe(Math.max(...gaps));
      expect(found.meanGap).toBeCloseTo(gaps.slice(0, 2).reduce((a, b) => a + b, 0) / 2, 12);
      expect(found.gapOfNothing).toBeCloseTo(Math.abs(metricOf((u, v) => circuit.has(u, v)) - metricOf(() => true)), 3);
      // Each greedy step adds one part to what its search had: steps of one search lie `starts` apart.
      const greedy = found.subsets.slice(2).map(({ parts }) => parts);
      expect(greedy.map((parts) => parts.length)).toEqual([1, 1, 2, 2]);
      expect(greedy[2]?.slice(0, 1)).toEqual(greedy[0]);
    }
  });

  it('completeness of the whole model has no gap, depends on the seed alone, and refuses odd counts', async () => {
    const options = { metric: logitDiff, random: 2, greedy: { starts: 1, steps: 1, candidates: 1 }, seed: 3 };
    const whole = await completeness(model, Circuit.full(graph), pairs, options);
    expect(whole.subsets.every(({ gap }) => gap === 0)).toBe(true);
    const parts = async (seed: number, random: number): Promise<readonly (readonly string[])[]> => {
      const { subsets } = await completeness(model, circuit, pairs, { ...options, seed, random });
      return subsets.map((subset) => subset.parts);
    };
    const [first, ...rest] = await parts(3, 2);
    expect(await parts(3, 1)).toEqual([first, rest.at(-1)]);
    expect(await parts(4, 1)).not.toEqual([first, rest.at(-1)]);
    expect(await completeness(model, Circuit.empty(graph), pairs, options)).toMatchObject({
      subsets: [],
      meanGap: null,
      largestGap: null,
    });
    await expect(completeness(model, circuit, pairs, { ...options, random: 1.5 })).rejects.toMatchObject({
      code: 'usage/knock-outs',
    });
    await expect(
      completeness(model, circuit, pairs, { ...options, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortedError' });
  });
});

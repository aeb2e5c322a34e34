import { describe, expect, it } from 'vitest';
import {
  Circuit,
  prune,
  rankedEdges,
  scoresOf,
  selectGreedy,
  selectThreshold,
  selectTopNodes,
  selectTopN,
  selectTopNs,
} from '../src/index.js';
import type { Ranking } from '../src/index.js';
import { golden, goldenScores, toyGraph } from './golden.js';
import type { GoldenKey } from './golden.js';

describe('selection', () => {
  it.each(Object.keys(golden.circuits))('finds the golden circuit %s', (key) => {
    const [method, rule, n] = key.split('/') as [GoldenKey, 'topn' | 'greedy', string];
    const select = rule === 'topn' ? selectTopN : selectGreedy;
    const circuit = prune(select(goldenScores(method), Number(n)));
    expect(circuit.edgeNames()).toEqual(golden.circuits[key]?.edges);
  });

  it('breaks ties by the lower dense index, in every rule', () => {
    const equal = scoresOf(toyGraph, (u, v) => ((u + v) % 2 === 0 ? 1 : -1));
    const order = [...rankedEdges(equal, 'absolute')];
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(selectTopN(equal, 5).edgeCount).toBe(5);
    expect([...selectTopN(equal, 5).edges()].map(({ u, v }) => toyGraph.dense(u, v)).sort((a, b) => a - b)).toEqual(
      order.slice(0, 5),
    );
    expect(selectGreedy(equal, 1).edgeNames()).toEqual(['input->logits']);
  });

  it('ranks by sign when asked, and puts edges without a score last', () => {
    const signed = rankedEdges(goldenScores('eap'), 'signed');
    expect(signed[0]).toBe(toyGraph.dense(0, toyGraph.backwardIndex('a0.h1<v>')));
    const values = [...signed].map((i) => goldenScores('eap').values[i] ?? Number.NaN);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    const holes = scoresOf(toyGraph, (u, v) => (u === 0 ? Number.NaN : v));
    expect([...rankedEdges(holes, 'absolute')].slice(-10).every((i) => i < toyGraph.nBackward)).toBe(true);
  });

  it('a threshold keeps what reaches it', () => {
    const scores = goldenScores('exact');
    const circuit = selectThreshold(scores, 0.01);
    for (const { u, v } of toyGraph.edges())
      expect(circuit.has(u, v)).toBe(Math.abs(scores.values[toyGraph.dense(u, v)] ?? 0) >= 0.01);
    expect(selectThreshold(scores, 0, { ranking: 'signed' }).edgeCount).toBeLessThan(46);
  });

  it('takes no edge without a score, and says so where that leaves too few', () => {
    const unscored = expect.objectContaining({ code: 'data/edges-unscored' });
    const none = scoresOf(toyGraph, () => Number.NaN);
    // Only edges out of the input have a score: 15 of 46.
    const some = scoresOf(toyGraph, (u, v) => (u === 0 ? v - 7 : Number.NaN));
    for (const select of [selectTopN, selectGreedy]) {
      expect(() => select(none, 1)).toThrow(unscored);
      expect(select(none, 0).edgeCount).toBe(0);
      expect(select(none, 46).edgeCount).toBe(46);
      expect(() => select(some, 16)).toThrow(unscored);
    }
    expect([...selectTopN(some, 15).edges()].every(({ u }) => u === 0)).toBe(true);
    // Best first from the logits: input->logits is the only edge with a score that is ever reached.
    expect(selectGreedy(some, 1).edgeNames()).toEqual(['input->logits']);
    expect(() => selectGreedy(some, 2)).toThrow(unscored);
    expect(selectThreshold(none, Number.NEGATIVE_INFINITY).edgeCount).toBe(0);
    expect(selectThreshold(some, Number.NEGATIVE_INFINITY, { ranking: 'signed' }).edgeCount).toBe(15);
  });

  it('refuses a ranking that there is none of, and a threshold that is no number', () => {
    const scores = goldenScores('eap');
    const options = { ranking: 'abs' as Ranking };
    for (const call of [
      () => selectTopN(scores, 3, options),
      () => selectGreedy(scores, 3, options),
      () => selectThreshold(scores, 0, options),
      () => selectTopNodes({ graph: toyGraph, values: new Float64Array(toyGraph.nForward) }, 2, options),
    ])
      expect(call).toThrow(
        expect.objectContaining({ code: 'usage/unknown-ranking', hint: 'Did you mean "absolute"?' }),
      );
    expect(() => selectThreshold(scores, Number.NaN)).toThrow(expect.objectContaining({ code: 'usage/threshold' }));
  });

  it('sizes from nothing to more than all', () => {
    const scores = goldenScores('eap');
    expect(selectTopNs(scores, [0, 3, 46, 1000]).map((c) => c.edgeCount)).toEqual([0, 3, 46, 46]);
    expect(selectGreedy(scores, 46).equals(Circuit.full(toyGraph))).toBe(true);
    expect(selectGreedy(scores, 0).edgeCount).toBe(0);
    expect(() => selectTopN(scores, 1.5)).toThrow(expect.objectContaining({ code: 'usage/circuit-size' }));
  });
});

import { describe, expect, it } from 'vitest';
import { Circuit, paretoFront, pathStatistics, prune, selectTopN, tradeOff } from '../src/index.js';
import { golden, goldenScores, toyGraph } from './golden.js';

describe('the trade-off of faithfulness and reading', () => {
  it('has the points that no other dominates, equal ones together', () => {
    expect(paretoFront([[1, 5], [2, 2], [2, 3], [5, 1], [2, 2], [5, 5], null])).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(paretoFront([])).toEqual([]);
    expect(paretoFront([[3]])).toEqual([true]);
  });

  it('counts edges, nodes and paths of the pruned circuits, and finds the fronts by definition', () => {
    const candidates = Object.entries(golden.circuits).map(([label, { faith, edges }]) => ({
      label,
      circuit: Circuit.ofEdges(toyGraph, edges),
      faithfulness: faith,
    }));
    const points = tradeOff(candidates);
    for (const [i, point] of points.entries()) {
      const circuit = candidates[i]?.circuit ?? Circuit.empty(toyGraph);
      const { meanLength, longest } = pathStatistics(circuit);
      expect(point).toMatchObject({
        label: candidates[i]?.label,
        edges: circuit.edgeCount,
        nodes: circuit.nodeNames().length - 2,
        meanPathLength: meanLength,
        longestPath: longest,
      });
      expect(point.closeness).toBeCloseTo(1 - Math.abs(1 - point.faithfulness!), 12);
      for (const cost of ['edges', 'nodes', 'meanPathLength'] as const) {
        const beaten = points.some(
          (other) =>
            other[cost] <= point[cost] &&
            other.closeness! >= point.closeness! &&
            (other[cost] < point[cost] || other.closeness! > point.closeness!),
        );
        expect(point.front[cost]).toBe(!beaten);
        if (point.front[cost] && points.every((other) => other === point || other.closeness !== point.closeness))
          expect(point.onFront).toBe(true);
      }
    }
    // f = 1.19 at 5 edges is as far off as .81 would be; the exact scores' 12 edges come to 1.09.
    expect(points.find(({ label }) => label === 'exact/topn/12')?.front.edges).toBe(true);
    expect(points.find(({ label }) => label === 'eap/topn/8')?.onFront).toBe(false);
  });

  it('prunes first, and puts nothing without faithfulness on a front', () => {
    const stray = selectTopN(goldenScores('exact'), 20);
    expect(prune(stray).edgeCount).toBeLessThan(20);
    const [point, without, empty] = tradeOff([
      { label: 'stray', circuit: stray, faithfulness: 0.8 },
      { label: 'no f', circuit: stray, faithfulness: null },
      { label: 'empty', circuit: Circuit.empty(toyGraph), faithfulness: 0 },
    ]);
    expect(point).toMatchObject({ edges: prune(stray).edgeCount, onFront: true });
    expect(without).toMatchObject({ closeness: null, onFront: false, front: { edges: false } });
    expect(empty).toMatchObject({
      edges: 0,
      nodes: 0,
      meanPathLength: 0,
      longestPath: null,
      log10Paths: null,
      onFront: true,
    });
  });
});

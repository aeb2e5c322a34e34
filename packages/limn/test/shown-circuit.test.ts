// Which circuit stands for a result: the smallest faithful one, else the best small one.
import {
  buildGraph,
  headlineSizes,
  scoresOf,
  selectTopN,
  type CurvePoint,
  type FaithfulnessCurves,
} from '@limn/attribution';
import { describe, expect, it } from 'vitest';
import { circuitToShow, headlineCircuits } from '../src/shown-circuit.js';

const graph = buildGraph({ layers: 2, heads: 2, width: 8, block: 'sequential' });
const scores = scoresOf(graph, (u, v) => Math.sin(7 * u + v));

/** Curves whose faithfulness at each size is given by a function. */
function curvesOf(f: (n: number) => number | null): FaithfulnessCurves {
  const points = headlineSizes(graph.edgeCount).map((n): CurvePoint => {
    const faithfulness = f(n);
    return { n, kept: n, fraction: n / graph.edgeCount, value: faithfulness ?? 0, faithfulness };
  });
  return {
    baselines: { clean: 1, corrupted: 0 },
    curves: [{ selection: 'absolute', sizes: 'headline', points }],
    areas: { cpr: null, cmd: null, logArea: null },
    smallest: [],
    flags: [],
    circuits: new Map(points.map(({ n }) => [`absolute ${n}`, selectTopN(scores, n)])),
  };
}

describe('circuitToShow', () => {
  it('takes the smallest circuit that keeps .85, even if a larger one keeps less', () => {
    const shown = circuitToShow(curvesOf((n) => (n === 6 ? 0.9 : n / graph.edgeCount)));
    expect(shown.n).toBe(6);
    expect(shown.circuit.edgeCount).toBe(6);
  });

  it('takes the best of at most a tenth of the edges where only large ones are faithful… and where none is', () => {
    expect(circuitToShow(curvesOf((n) => (n === graph.edgeCount ? 0.8 : n === 3 ? 0.2 : 0.1))).n).toBe(3);
    expect(circuitToShow(curvesOf(() => null)).fraction).toBeLessThanOrEqual(0.1);
  });

  it('lists every headline circuit from small to large', () => {
    expect(headlineCircuits(curvesOf(() => 0)).map(({ n }) => n)).toEqual(headlineSizes(graph.edgeCount));
  });
});

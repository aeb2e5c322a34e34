// Curves from scores: each circuit evaluated once, faithfulness normalised, areas and headline figures from the right curve.
import { buildGraph, scoresOf, type Circuit } from '@limn/attribution';
import { describe, expect, it } from 'vitest';
import { circuitToShow, measureCurves, type CircuitValues } from '../src/curves.js';

const graph = buildGraph({ layers: 2, heads: 2, width: 8, block: 'sequential' });
/** Distinct scores of both signs without an order: edge number i gets sin(7 i + 1). */
const numbered = new Map([...graph.edges()].map(({ u, v }, i) => [graph.dense(u, v), i]));
const scores = scoresOf(graph, (u, v) => {
  const i = numbered.get(graph.dense(u, v)) ?? 0;
  return Math.sin(7 * i + 1);
});
const baselines = { clean: 3, corrupted: 1 };

/** A made-up model whose metric grows with the share of edges kept. */
const linear = async (circuits: readonly Circuit[]): Promise<CircuitValues> => ({
  baselines,
  values: circuits.map((circuit) => 1 + (2 * circuit.edgeCount) / graph.edgeCount),
});

describe('measureCurves', () => {
  it('evaluates every distinct circuit once', async () => {
    const seen: Circuit[] = [];
    await measureCurves(scores, async (circuits) => {
      seen.push(...circuits);
      return linear(circuits);
    });
    expect(seen.length).toBeGreaterThan(5);
    for (const [i, circuit] of seen.entries()) expect(seen.findIndex((other) => other.equals(circuit))).toBe(i);
  });

  it('gives each point its own circuit and normalises by the baselines', async () => {
    const { curves, mib } = await measureCurves(scores, linear);
    expect(curves.map(({ selection, sizes }) => [selection, sizes])).toEqual([
      ['absolute', 'headline'],
      ['absolute', 'mib'],
      ['signed', 'mib'],
    ]);
    for (const { points } of curves) {
      for (const { n, kept, fraction, value, faithfulness, circuit } of points) {
        expect(circuit.edgeCount).toBe(kept);
        expect(kept).toBeLessThanOrEqual(n);
        expect(fraction).toBe(n / graph.edgeCount);
        expect(faithfulness).toBeCloseTo((value - 1) / 2, 12);
      }
      expect(points.at(-1)?.faithfulness).toBeCloseTo(1, 12);
    }
    expect(mib.filter(({ zero }) => zero).length).toBeGreaterThan(0);
  });

  it('names the smallest headline circuit above each threshold', async () => {
    const { curves, smallest } = await measureCurves(scores, linear);
    for (const { threshold, n } of smallest) {
      const first = curves[0]?.points.find(({ faithfulness }) => (faithfulness ?? 0) >= threshold);
      expect(n).toBe(first?.n);
    }
    expect(circuitToShow(await measureCurves(scores, linear)).n).toBe(smallest[0]?.n);
  });

  it('has no faithfulness, areas or smallest size where clean equals corrupted, and says why', async () => {
    const found = await measureCurves(scores, async (circuits) => ({
      ...(await linear(circuits)),
      baselines: { clean: 2, corrupted: 2 },
    }));
    expect(
      found.curves.flatMap(({ points }) => points).every(({ faithfulness, reason }) => faithfulness === null && reason),
    ).toBe(true);
    expect(found.areas).toEqual({ cpr: null, cmd: null, logArea: null });
    expect(found.smallest.map(({ n }) => n)).toEqual([null, null]);
  });

  it('shows the best small circuit when none reaches the threshold', async () => {
    const flat = async (circuits: readonly Circuit[]): Promise<CircuitValues> => ({
      baselines,
      values: circuits.map((circuit) => (circuit.edgeCount === graph.edgeCount ? 1.8 : 1.2)),
    });
    const shown = circuitToShow(await measureCurves(scores, flat));
    expect(shown.fraction).toBeLessThanOrEqual(0.1);
  });
});

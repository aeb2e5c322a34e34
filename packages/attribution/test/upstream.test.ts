// Scores and circuits against those of the EAP-IG reference implementation, on a model of awkward sizes and pairs of three lengths.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { buildGraph, evaluateCircuits, metricByName, scoreEdges, selectTopN, prune } from '../src/index.js';
import type { MethodName, Pair, Scores } from '../src/index.js';
import { gpt2Of } from './models.js';

interface Upstream {
  readonly pairs: readonly Pair[];
  readonly edges: readonly string[];
  /** By '<metric>/<method>', in the order of `edges`. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
  /** By the same key: L2 distance of the reference's own float32 scores from its float64 scores. */
  readonly f32Error: Readonly<Record<string, number>>;
  /** Circuits of the n highest |EAP-IG| scores, pruned: kept edges as places in `edges`, the metric's value per pair. */
  readonly evaluation: readonly { metric: string; n: number; kept: readonly number[]; perExample: readonly number[] }[];
}

const upstream = JSON.parse(
  readFileSync(new URL('./golden/eap-ig-upstream.json', import.meta.url), 'utf8'),
) as Upstream;
const sizes = { layers: 3, heads: 3, width: 72, headWidth: 24, mlpWidth: 40, vocabulary: 53, positions: 11 };
const graph = buildGraph({ ...sizes, block: 'sequential' });
const metricNames = { ld: 'logit-diff', pd: 'prob-diff', kl: 'kl' } as const;
const methodNames: Readonly<Record<string, MethodName>> = {
  EAP: 'eap',
  'EAP-IG-inputs': 'eap-ig-inputs',
  'clean-corrupted': 'clean-corrupted',
  exact: 'exact',
};

const norm = (values: readonly number[]): number => Math.hypot(...values);

/** The reference's numbers as a score matrix of ours. */
function upstreamScores(key: string): Scores {
  const byName = new Map(upstream.edges.map((name, i) => [name, upstream.scores[key]?.[i] ?? Number.NaN]));
  const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  for (const { u, v } of graph.edges()) values[graph.dense(u, v)] = byName.get(graph.edgeName(u, v)) ?? Number.NaN;
  return { graph, values };
}

describe('the reference implementation on the same weights and pairs', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(referenceEap.waveModel(sizes));
  });
  afterAll(() => model.dispose());

  it('has the same edges', () => {
    expect([...graph.edges()].map(({ u, v }) => graph.edgeName(u, v)).sort()).toEqual([...upstream.edges].sort());
  });

  const scored = Object.keys(upstream.scores).filter((key) => key !== 'kl/EAP');
  it.each(scored)('%s: equal scores', async (key) => {
    const [metric, method] = key.split('/') as [keyof typeof metricNames, string];
    const { values } = await scoreEdges(model, upstream.pairs, {
      method: methodNames[method] as MethodName,
      metric: metricByName(metricNames[metric]),
      steps: 5,
      rule: 'left',
    });
    const want = upstreamScores(key).values;
    // f32 round-off of a tensor: within 8 times what the reference itself loses in float32, plus 2e-6 of the norm.
    const distance = norm(
      [...graph.edges()].map(({ u, v }) => (values[graph.dense(u, v)] as number) - (want[graph.dense(u, v)] as number)),
    );
    expect(distance).toBeLessThan(
      8 * (upstream.f32Error[key] as number) + 2e-6 * norm(upstream.scores[key] as number[]),
    );
  });

  it('KL with plain EAP is 0 in both', async () => {
    const { values } = await scoreEdges(model, upstream.pairs, { method: 'eap', metric: metricByName('kl') });
    for (const { u, v } of graph.edges()) expect(Math.abs(values[graph.dense(u, v)] as number)).toBeLessThan(1e-7);
    for (const score of upstream.scores['kl/EAP'] ?? []) expect(Math.abs(score)).toBeLessThan(1e-15);
  });

  it('top-n with pruning keeps the same edges, and the circuits measure the same', async () => {
    for (const short of ['ld', 'pd', 'kl'] as const) {
      const scores = upstreamScores(`${short}/EAP-IG-inputs`);
      const cases = upstream.evaluation.filter(({ metric }) => metric === short);
      const circuits = cases.map(({ n }) => prune(selectTopN(scores, n)));
      for (const [i, { kept }] of cases.entries()) {
        const names = [...graph.edges()]
          .filter(({ u, v }) => circuits[i]?.has(u, v))
          .map(({ u, v }) => graph.edgeName(u, v));
        expect(names.sort()).toEqual(kept.map((at) => upstream.edges[at]).sort());
      }
      const metric = metricByName(metricNames[short]);
      const measured = await evaluateCircuits(model, circuits, upstream.pairs, { metrics: [metric] });
      for (const [i, { n, perExample }] of cases.entries()) {
        const want = perExample.reduce((a, b) => a + b, 0) / perExample.length;
        // The reference measures KL as the divergence itself; here every metric is higher where the circuit is better.
        const got = (short === 'kl' ? -1 : 1) * (measured.circuits[i]?.mean[metric.name] as number);
        // A logit of order 1 keeps 1e-6 in f32 over three layers; a probability near 0.02, 1e-7; KL, a difference of both, as much.
        expect(Math.abs(got - want), `${short}, n = ${n}`).toBeLessThan(short === 'ld' ? 1e-5 : 5e-7);
      }
    }
  });
});

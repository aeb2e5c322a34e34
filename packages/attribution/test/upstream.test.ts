// Scores and circuits against those of the EAP-IG reference implementation: on a model of awkward sizes with pairs of three lengths, and on pocket. Made by golden/make-upstream.py.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  buildGraph,
  Circuit,
  evaluateCircuits,
  meanOutputs,
  metricByName,
  prune,
  onlyOptionsOf,
  scoreEdges,
  scoreNodes,
  selectTopN,
} from '../src/index.js';
import type { Ablation, Graph, MethodName, Pair, Scores } from '../src/index.js';
import { gpt2Of } from './models.js';
import { NO_POCKET, openPocket, POCKET } from './pocket.js';

interface Upstream {
  readonly pairs: readonly Pair[];
  /** Pairs of one length, which means for each position need. */
  readonly equalPairs: readonly Pair[];
  readonly edges: readonly string[];
  /** By '<metric>/<method>' or '<metric>/<method>/<ablation>', in the order of `edges`. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
  /** By '<metric>/<method>', of the input and the heads: its MLPs are read at the wrong place. */
  readonly nodes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By the key of `scores`: L2 distance of the reference's own float32 scores from its float64 scores. */
  readonly f32Error: Readonly<Record<string, number>>;
  /** The n highest |EAP-IG| scores, or edges at random: what is kept after pruning as places in `edges`, the metric per pair. */
  readonly evaluation: readonly {
    readonly metric: 'ld' | 'pd' | 'kl';
    readonly n?: number;
    readonly random?: number;
    readonly ablation?: 'zero' | 'mean-positional';
    readonly kept: readonly number[];
    readonly perExample: readonly number[];
  }[];
}

const read = (file: string): Upstream =>
  JSON.parse(readFileSync(new URL(`./golden/${file}`, import.meta.url), 'utf8')) as Upstream;
const sizes = { layers: 3, heads: 3, width: 72, headWidth: 24, mlpWidth: 40, vocabulary: 53, positions: 11 };
const subjects = [
  {
    name: 'a model of awkward sizes',
    upstream: read('eap-ig-upstream.json'),
    open: () => gpt2Of(referenceEap.waveModel(sizes)),
    absent: false,
  },
  { name: 'pocket', upstream: read('eap-ig-pocket.json'), open: openPocket, absent: !POCKET },
] as const;
const metricNames = { ld: 'logit-diff', pd: 'prob-diff', kl: 'kl' } as const;
const methodNames: Readonly<Record<string, MethodName>> = {
  EAP: 'eap',
  'EAP-IG-inputs': 'eap-ig-inputs',
  'EAP-IG-activations': 'eap-ig-activations',
  'clean-corrupted': 'clean-corrupted',
  exact: 'exact',
};

const LONG = process.env['LIMN_LONG'] === '1';
/** Compared at length only: every method is compared under one metric, and scoring.test.ts and ablations.test.ts have each under all. */
const MORE_METRICS: readonly string[] = [
  'pd/EAP',
  'pd/clean-corrupted',
  'pd/EAP-IG-activations',
  'pd/exact',
  'kl/clean-corrupted',
  'kl/EAP-IG-activations',
];
const norm = (values: readonly number[]): number => Math.hypot(...values);

describe.each(subjects)('the reference implementation on $name', ({ name, upstream, open, absent }) => {
  let model: Gpt2;
  let graph: Graph;
  beforeAll(async () => {
    if (absent) return;
    model = await open();
    graph = buildGraph(model.info);
  });
  beforeEach((context) => context.skip(absent, NO_POCKET));
  afterAll(() => model?.dispose());

  /** The reference's numbers as a score matrix of ours. */
  const upstreamScores = (key: string): Scores => {
    const byName = new Map(upstream.edges.map((name, i) => [name, upstream.scores[key]?.[i] ?? Number.NaN]));
    const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
    for (const { u, v } of graph.edges()) values[graph.dense(u, v)] = byName.get(graph.edgeName(u, v)) ?? Number.NaN;
    return { graph, values };
  };
  const withAblation = async <R>(
    name: string | undefined,
    use: (ablation: Ablation, pairs: readonly Pair[]) => Promise<R>,
  ) => {
    if (name !== 'mean-positional') return use(name === 'zero' ? 'zero' : 'patch', upstream.pairs);
    using means = await meanOutputs(
      model,
      upstream.equalPairs.map(({ corrupted }) => corrupted),
      { positional: true },
    );
    return await use(means, upstream.equalPairs);
  };

  it('has the same edges', () => {
    expect([...graph.edges()].map(({ u, v }) => graph.edgeName(u, v)).sort()).toEqual([...upstream.edges].sort());
  });

  const scored = Object.keys(upstream.scores).filter((key) => key !== 'kl/EAP');
  it.for(scored)('%s: equal scores', async (key, context) => {
    context.skip(
      !LONG && (name === 'pocket' ? key !== 'ld/EAP-IG-inputs' : MORE_METRICS.includes(key)),
      'LIMN_LONG=1 compares every scorer under every metric, on pocket as well',
    );
    const [metric, method = '', ablated] = key.split('/') as [keyof typeof metricNames, string?, string?];
    const { values } = await withAblation(ablated, (ablation, pairs) =>
      key === 'information-flow'
        ? scoreEdges(model, pairs, { method: 'information-flow', metric: metricByName('kl') })
        : scoreEdges(
            model,
            pairs,
            onlyOptionsOf(methodNames[method] as MethodName, {
              method: methodNames[method] as MethodName,
              metric: metricByName(metricNames[metric]),
              ablation,
              ...(method === 'EAP-IG-activations'
                ? ({ steps: 3, rule: 'right', variant: 'reference' } as const)
                : ({ steps: 5, rule: 'left' } as const)),
            }),
          ),
    );
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
    for (const { u, v } of graph.edges()) expect(Math.abs(values[graph.dense(u, v)] as number)).toBeLessThan(1e-6);
    for (const score of upstream.scores['kl/EAP'] ?? []) expect(Math.abs(score)).toBeLessThan(1e-14);
  });

  it('scores the input and the heads as nodes alike', async () => {
    for (const [key, want] of Object.entries(upstream.nodes)) {
      const method = methodNames[key.split('/')[1] as string] as 'eap' | 'eap-ig-inputs';
      // Its node code takes the points k = 1 … m.
      const options = { method, metric: metricByName('logit-diff'), rule: 'right' } as const;
      const { values } = await scoreNodes(model, upstream.pairs, onlyOptionsOf(method, options));
      // A node is the sum of its edges, with the round-off of all of them: the same bound as above.
      const bound = 8 * (upstream.f32Error[key] as number) + 2e-6 * norm(upstream.scores[key] as number[]);
      for (const [node, score] of Object.entries(want))
        expect(Math.abs((values[graph.forwardIndex(node)] as number) - score), `${key} ${node}`).toBeLessThan(bound);
    }
  });

  it('top-n with pruning keeps the same edges', () => {
    for (const { metric, n, kept } of upstream.evaluation) {
      if (n === undefined) continue;
      const circuit = prune(selectTopN(upstreamScores(`${metric}/EAP-IG-inputs`), n));
      expect(circuit.edgeNames().sort(), `${metric}, n = ${n}`).toEqual(kept.map((at) => upstream.edges[at]).sort());
    }
  });

  it.each(['ld', 'pd', 'kl'] as const)('%s: circuits measure the same, fifty random ones under ld', async (short) => {
    for (const ablated of [undefined, 'zero', 'mean-positional'] as const) {
      const cases = upstream.evaluation.filter(
        ({ metric, ablation, random }) =>
          metric === short && ablation === ablated && (name !== 'pocket' || LONG || (random ?? 0) % 5 === 0),
      );
      if (cases.length === 0) continue;
      const circuits = cases.map(({ kept }) =>
        Circuit.ofEdges(
          graph,
          kept.map((at) => upstream.edges[at] as string),
        ),
      );
      const metric = metricByName(metricNames[short]);
      const measured = await withAblation(ablated, (ablation, pairs) =>
        evaluateCircuits(model, circuits, pairs, { metrics: [metric], ablation }),
      );
      for (const [i, { n, random, perExample }] of cases.entries())
        for (const [b, want] of perExample.entries()) {
          // The reference measures KL as the divergence itself; here every metric is higher where the circuit is better.
          const got = (short === 'kl' ? -1 : 1) * (measured.circuits[i]?.perExample[metric.name]?.[b] as number);
          // A logit of order 10 keeps 1e-5 in f32 over the layers; a probability, 1e-6; KL, a difference of both, as much.
          expect(Math.abs(got - want), `${short} ${ablated ?? 'patch'} ${n ?? `random ${random}`}`).toBeLessThan(
            short === 'ld' ? 2e-5 : 2e-6,
          );
        }
    }
    if (short === 'ld') expect(upstream.evaluation.filter(({ random }) => random !== undefined)).toHaveLength(50);
  });
});

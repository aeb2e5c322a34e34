// Our graph files in the reference: Graph.from_json loads them, and evaluate_graph gives our numbers. Recorded by golden/make-upstream.py --check.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import {
  Circuit,
  evaluateCircuits,
  METRICS,
  parseGraphJson,
  prune,
  pruneNeurons,
  weightedEdgeCount,
} from '../src/index.js';
import type { Evaluation, Pair, ParsedGraph, RunnableCircuit } from '../src/index.js';
import { checkGraphs } from './golden/check-graphs.js';
import { gpt2Of } from './models.js';
import { NO_POCKET, openPocket, POCKET } from './pocket.js';

interface Checked {
  readonly name: string;
  /** Of the file's text. */
  readonly sha256: string;
  /** After the reference's pruning. */
  readonly edges: number;
  readonly weightedEdges: number;
  /** Neurons after from_json, before they were put right. */
  readonly neuronsAsLoaded?: number;
  readonly nodeScores?: readonly (number | null)[];
  readonly perExample: Readonly<Record<'ld' | 'pd' | 'kl', readonly number[]>>;
}

const read = <T>(file: string): T =>
  JSON.parse(readFileSync(new URL(`./golden/${file}`, import.meta.url), 'utf8')) as T;
const sizes = { layers: 3, heads: 3, width: 72, headWidth: 24, mlpWidth: 40, vocabulary: 53, positions: 11 };
const metricNames = { ld: 'logit-diff', pd: 'prob-diff', kl: 'kl' } as const;
const runnable = ({ circuit, neurons }: ParsedGraph): RunnableCircuit => (neurons ? { circuit, neurons } : circuit);

describe.each([
  {
    model: 'wave',
    upstream: 'eap-ig-upstream.json',
    open: () => gpt2Of(referenceEap.waveModel(sizes)),
    absent: false,
  },
  { model: 'pocket', upstream: 'eap-ig-pocket.json', open: openPocket, absent: !POCKET },
] as const)('graph files on $model', ({ model: name, upstream, open, absent }) => {
  const checked = read<readonly Checked[]>(`checked-${name}.json`);
  const { pairs } = read<{ readonly pairs: readonly Pair[] }>(upstream);
  const files = checkGraphs(name);
  const parsed = new Map(Object.entries(files).map(([file, { text }]) => [file, parseGraphJson(text)]));
  let model: Gpt2;
  beforeAll(async () => {
    if (!absent) model = await open();
  });
  afterAll(() => model?.dispose());

  it('are the texts that the reference loaded, to the byte', () => {
    expect(checked.map((each) => each.name).sort()).toEqual(Object.keys(files).sort());
    for (const { name: file, sha256 } of checked)
      expect(
        createHash('sha256')
          .update(files[file]?.text ?? '')
          .digest('hex'),
        file,
      ).toBe(sha256);
  });

  it('have as many edges, weighted by neurons, and the scores of nodes that the reference found in them', () => {
    for (const { name: file, edges, weightedEdges, nodeScores } of checked) {
      const graph = parsed.get(file) as ParsedGraph;
      const { circuit, neurons } = graph;
      const pruned = neurons && pruneNeurons({ circuit, neurons });
      expect((pruned?.circuit ?? prune(circuit)).edgeCount, file).toBe(edges);
      // Counted in f32 there.
      if (pruned) expect(weightedEdgeCount(pruned.circuit, pruned.neurons), file).toBeCloseTo(weightedEdges, 3);
      expect(
        graph.nodeScores && Array.from(graph.nodeScores.values, (x) => (Number.isNaN(x) ? null : x)),
        file,
      ).toEqual(nodeScores);
    }
  });

  it('come to the wrong heads by its loader where they have neurons, which is why the record put them right', () => {
    for (const { name: file, neuronsAsLoaded } of checked) {
      const { graph, neurons } = parsed.get(file) as ParsedGraph;
      if (!neurons) continue;
      // Every head of a layer gets the neurons of the last.
      const read = graph.nodes.map((node) =>
        graph.forwardIndex(node.kind === 'head' ? { ...node, head: graph.heads - 1 } : node),
      );
      const row = (u: number): number =>
        neurons.subarray(u * graph.width, (u + 1) * graph.width).reduce((total, one) => total + one, 0);
      expect(neuronsAsLoaded, file).toBe(read.reduce((total, u) => total + row(u), 0));
    }
  });

  describe('measured', () => {
    beforeEach((context) => context.skip(absent, NO_POCKET));

    const apart = (values: Evaluation['circuits'][number] | undefined, want: Checked['perExample']): number =>
      Math.max(
        ...(['ld', 'pd', 'kl'] as const).flatMap((short) =>
          want[short].map((value, b) => {
            // The reference measures KL as the divergence itself; here every metric is higher where the circuit is better.
            const got = (short === 'kl' ? -1 : 1) * (values?.perExample[metricNames[short]]?.[b] ?? Number.NaN);
            return Math.abs(got - value);
          }),
        ),
      );
    const run = async (circuits: readonly RunnableCircuit[]) =>
      (await evaluateCircuits(model, circuits, pairs, { metrics: METRICS })).circuits;

    it('give its numbers, and so do they in the old generation of the format', async () => {
      const same = checked.filter(({ name: file }) => !file.endsWith('neurons-on-some-edges'));
      const own = same.map(({ name: file }) => parsed.get(file) as ParsedGraph);
      const values = await run([...own.map(runnable), ...own.filter(({ neurons }) => !neurons).map(oldGeneration)]);
      for (const [i, { name: file, perExample }] of same.entries())
        // A logit of order 10 keeps 1e-5 in f32 over the layers.
        expect(apart(values[i], perExample), file).toBeLessThan(2e-5);
      expect(values.slice(same.length)).toEqual(
        values.filter((_, i) => own[i]?.neurons === undefined && i < own.length),
      );
    });

    it('differ where neurons and edges are chosen both: it then takes every edge of a node that is left', async () => {
      const { perExample } = checked.find(({ name: file }) => file.endsWith('neurons-on-some-edges')) as Checked;
      const own = parsed.get(`${name}-neurons-on-some-edges`) as ParsedGraph;
      const { circuit, neurons } = pruneNeurons({ circuit: own.circuit, neurons: own.neurons as Uint8Array });
      const every = Circuit.where(own.graph, (u) => circuit.feeds(u));
      const [ours, theirs] = await run([
        { circuit, neurons },
        { circuit: every, neurons },
      ]);
      expect(apart(theirs, perExample)).toBeLessThan(2e-5);
      expect(apart(ours, perExample)).toBeGreaterThan(1e-3);
    });
  });
});

/** The circuit of a file as 0.1.0 wrote it, read back: nodes as booleans, scores null, no d_model. */
function oldGeneration({ graph, circuit }: ParsedGraph): Circuit {
  const kept = new Set([...circuit.nodeNames(), 'logits']);
  const text = JSON.stringify({
    cfg: { n_layers: graph.layers, n_heads: graph.heads, parallel_attn_mlp: false },
    nodes: Object.fromEntries(
      [...graph.nodes.map((_, u) => graph.nodeName(u)), 'logits'].map((node) => [node, kept.has(node)]),
    ),
    edges: Object.fromEntries(
      [...graph.edges()].map(({ u, v }) => [graph.edgeName(u, v), { score: null, in_graph: circuit.has(u, v) }]),
    ),
  });
  return parseGraphJson(text).circuit;
}

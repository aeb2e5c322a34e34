// Circuits on the neuron level: the sparse form and the interventions against the float64 definition, dimension by dimension; pruning, sizes, and that keeping all neurons changes nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { tokenBatch } from '@limn/hooks';
import { referenceEap, referenceRandom } from '@limn/testing';
import { readFloats } from '@limn/tensor';
import {
  Circuit,
  OutputWeights,
  buildGraph,
  completeness,
  evaluateCircuits,
  logitDiff,
  minimality,
  prune,
  pruneNeurons,
  recordNodeOutputs,
  restrictToCircuit,
  scoreNodes,
  selectTopNeurons,
  weightedEdgeCount,
} from '../src/index.js';
import type { NeuronCircuit, Pair } from '../src/index.js';
import { toyGraph } from './golden.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { circuitMetric, randomModel } = referenceEap;
const SIZES = { layers: 2, heads: 3, width: 15, headWidth: 5, mlpWidth: 11, vocabulary: 31, positions: 8 };
const graph = buildGraph({ ...SIZES, block: 'sequential' });
const reference = randomModel(SIZES, 4);
const pairs: readonly Pair[] = awkwardPairs(3, SIZES);
const random = referenceRandom(8);

/** Edges and neurons at random: some nodes keep all neurons, some none, some a part. */
function randomNeuronCircuit(edges: number, neurons: number): NeuronCircuit {
  const share = graph.nodes.map((_, u) => [1, 0, neurons][(u + Math.floor(random.uniform() * 3)) % 3] as number);
  return {
    circuit: Circuit.where(graph, () => random.uniform() < edges),
    neurons: Uint8Array.from({ length: graph.nForward * graph.width }, (_, i) =>
      random.uniform() < (share[Math.floor(i / graph.width)] as number) ? 1 : 0,
    ),
  };
}

const keeps =
  ({ circuit, neurons }: NeuronCircuit) =>
  (u: number, v: number, i: number): boolean =>
    circuit.has(u, v) && neurons[u * graph.width + i] === 1;

describe('circuits on the neuron level', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());
  const allNeurons = new Uint8Array(graph.nForward * graph.width).fill(1);

  it.each(['patch', 'zero'] as const)('under %s the sparse form is the float64 definition', async (ablation) => {
    const circuits = [
      [0.9, 0.5],
      [1, 0.8],
      [0.6, 0.3],
    ].map(([edges, neurons]) => randomNeuronCircuit(edges as number, neurons as number));
    // Beside others, so that rows with and without neurons share a node.
    const all = [...circuits, Circuit.full(graph), { circuit: Circuit.full(graph), neurons: allNeurons }];
    const { circuits: got } = await evaluateCircuits(model, all, pairs, { metrics: [logitDiff], ablation });
    for (const [c, circuit] of circuits.entries()) {
      // Under zero, pruning takes away what nodes without a kept edge in make of constants.
      const want = circuitMetric(reference, pairs, 'logit-diff', keeps(pruneNeurons(circuit)), ablation);
      const whole = circuitMetric(reference, pairs, 'logit-diff', (u, v) => circuit.circuit.has(u, v), ablation);
      const value = got[c]?.mean['logit-diff'] ?? Number.NaN;
      // f32 round-off of logits of about 10 through two layers; the dropped neurons change far more.
      expect(Math.abs(value - want), `circuit ${c}`).toBeLessThan(2e-5);
      expect(Math.abs(value - whole), `circuit ${c}`).toBeGreaterThan(1e-2);
    }
    expect(got[4]).toEqual(got[3]);
  });

  it('is doubted as a circuit of edges is: parts dropped one at a time, and subsets against the model', async () => {
    const given = pruneNeurons({
      circuit: Circuit.where(graph, (u, v) => (u + v) % 3 === 0),
      neurons: allNeurons.map((_, i) => (i % 4 === 0 ? 0 : 1)),
    });
    const metric = (of: NeuronCircuit): number => circuitMetric(reference, pairs, 'logit-diff', keeps(of));
    const near = (got: number, want: number): void => expect(Math.abs(got - want)).toBeLessThan(2e-5);
    const left = (circuit: Circuit, names: ReadonlySet<string>): Circuit =>
      Circuit.where(
        graph,
        (u, v) =>
          circuit.has(u, v) &&
          ![graph.edgeName(u, v), graph.nodeName(u), graph.slotName(v).replace(/<.>/, '')].some((name) =>
            names.has(name),
          ),
      );
    const { circuit, neurons, value, edges, nodes } = await minimality(model, given, pairs, { metric: logitDiff });
    expect({ circuit, neurons }).toEqual(given);
    near(value, metric(given));
    expect(edges.length).toBeGreaterThan(3);
    for (const drop of [...edges.slice(0, 4), ...nodes.slice(0, 2)]) {
      const own = { ...given, circuit: left(given.circuit, new Set([drop.name])) };
      near(drop.value, metric(own));
      expect(drop.kept).toBe(pruneNeurons(own).circuit.edgeCount);
    }
    const greedy = { starts: 0, steps: 0, candidates: 0 };
    const complete = await completeness(model, given, pairs, { metric: logitDiff, unit: 'node', random: 2, greedy });
    expect(complete.neurons).toEqual(given.neurons);
    near(
      complete.gapOfNothing,
      Math.abs(metric(given) - metric({ circuit: Circuit.full(graph), neurons: allNeurons })),
    );
    for (const { parts, circuit: ours, model: whole } of complete.subsets) {
      near(ours, metric({ ...given, circuit: left(given.circuit, new Set(parts)) }));
      near(whole, metric({ circuit: left(Circuit.full(graph), new Set(parts)), neurons: allNeurons }));
    }
  });

  it('as interventions it is the same, and says which neurons are kept', async () => {
    const given = randomNeuronCircuit(0.8, 0.5);
    const weights = await OutputWeights.of(model);
    using step = model.gpu.step();
    const ablated = recordNodeOutputs(
      step,
      model,
      weights,
      pairs.map(({ corrupted }) => corrupted),
    );
    const interventions = restrictToCircuit(given, ablated);
    const tokens = tokenBatch(
      pairs.map(({ clean }) => clean),
      model.info,
    );
    const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
    const dense = await readFloats(step, logitDiff.loss(step, logits, pairs, undefined));
    weights.dispose();
    const { circuits } = await evaluateCircuits(model, [given], pairs, { metrics: [logitDiff] });
    for (const [b, loss] of dense.entries())
      expect(Math.abs((circuits[0]?.perExample['logit-diff']?.[b] ?? Number.NaN) + loss), `pair ${b}`).toBeLessThan(
        2e-5,
      );
    // One neuron gone from a whole node: only what reads that node is restricted.
    const neurons = allNeurons.slice();
    const m0 = graph.forwardIndex('m0');
    neurons[m0 * graph.width + 2] = 0;
    const few = restrictToCircuit({ circuit: Circuit.full(graph), neurons }, ablated);
    expect(few.map(({ at }) => at)).toEqual([
      ...['q', 'k', 'v'].map((input) => `blocks.1.hook_${input}_input`),
      'blocks.1.hook_mlp_in',
      'blocks.1.hook_resid_post',
    ]);
    const others = Array.from({ length: graph.width }, (_, i) => i).filter((i) => i !== 2);
    expect(few[0]?.spec.options).toMatchObject({ neurons: { m0: others } });
    expect(restrictToCircuit({ circuit: Circuit.full(graph), neurons: allNeurons }, ablated)).toEqual([]);
  });

  it('runs what selectTopNeurons chose, all of them being the whole model', async () => {
    const { neurons } = await scoreNodes(model, pairs, { method: 'eap', metric: logitDiff, neurons: true });
    const scores = { graph, values: neurons as Float64Array };
    const total = graph.nForward * graph.width;
    const [some, all] = [selectTopNeurons(scores, 60), selectTopNeurons(scores, total)];
    const { clean, circuits } = await evaluateCircuits(model, [some, all], pairs, { metrics: [logitDiff] });
    const want = circuitMetric(reference, pairs, 'logit-diff', keeps(some));
    expect(Math.abs((circuits[0]?.mean['logit-diff'] ?? Number.NaN) - want)).toBeLessThan(2e-5);
    expect(
      Math.abs((circuits[1]?.mean['logit-diff'] ?? Number.NaN) - (clean.mean['logit-diff'] ?? Number.NaN)),
    ).toBeLessThan(2e-5);
    expect(weightedEdgeCount(all.circuit, all.neurons)).toBeCloseTo(graph.edgeCount, 9);
  });

  it('refuses neurons of another width', async () => {
    const wide = buildGraph({ ...SIZES, width: 16, block: 'sequential' });
    const neurons = new Uint8Array(wide.nForward * 16);
    const run = (circuit: NeuronCircuit) => evaluateCircuits(model, [circuit], pairs, { metrics: [logitDiff] });
    await expect(run({ circuit: Circuit.full(wide), neurons })).rejects.toThrow(
      expect.objectContaining({ code: 'data/graph-mismatch' }),
    );
    await expect(run({ circuit: Circuit.full(graph), neurons })).rejects.toThrow(
      expect.objectContaining({ code: 'data/score-shape' }),
    );
  });
});

describe('pruning on the neuron level', () => {
  it('takes away nodes without a neuron first, and neurons of dead nodes last', () => {
    const circuit = Circuit.ofEdges(toyGraph, [
      'input->a0.h0<v>',
      'a0.h0->m0',
      'm0->logits',
      'a0.h0->logits',
      'input->m1',
    ]);
    const neurons = new Uint8Array(toyGraph.nForward * 8).fill(1);
    const row = (name: string): Uint8Array => neurons.subarray(toyGraph.forwardIndex(name) * 8).subarray(0, 8);
    row('m0').fill(0);
    row('a0.h0').fill(0, 3);
    const left = pruneNeurons({ circuit, neurons });
    expect(left.circuit.edgeNames()).toEqual(['input->a0.h0<v>', 'a0.h0->logits']);
    expect(left.neurons.reduce((a, b) => a + b, 0)).toBe(8 + 3);
    expect(weightedEdgeCount(left.circuit, left.neurons)).toBe(1 + 3 / 8);
    expect(prune(left.circuit).equals(left.circuit)).toBe(true);
  });
});

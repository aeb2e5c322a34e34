// Circuits by whichever sum is shorter, over kept edges or over missing ones: two hundred of every density against the dense definition in float64, and what each way reads and dispatches.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap, referenceRandom } from '@limn/testing';
import { Circuit, buildGraph, evaluateCircuits, logitDiff, prune, pruneNeurons } from '../src/index.js';
import type { Graph, Pair, RunnableCircuit } from '../src/index.js';
import { slotSums } from '../src/slot-sums.js';
import { awkwardPairs, gpt2Of } from './models.js';

const SIZES = { layers: 3, heads: 2, width: 8, headWidth: 4, mlpWidth: 9, vocabulary: 23, positions: 6 };
const graph = buildGraph({ ...SIZES, block: 'sequential' });
const reference = referenceEap.randomModel(SIZES, 21);
const pairs: readonly Pair[] = awkwardPairs(2, SIZES);
const random = referenceRandom(6);

describe('two hundred random circuits', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(reference);
  });
  afterAll(() => model.dispose());

  it('are what the dense definition says, every fourth with neurons', async () => {
    const circuits = Array.from({ length: 200 }, (_, c): RunnableCircuit => {
      const share = (c + 0.5) / 200;
      const circuit = Circuit.where(graph, () => random.uniform() < share);
      if (c % 4 !== 0) return circuit;
      const neurons = Uint8Array.from({ length: graph.nForward * graph.width }, () => (random.uniform() < 0.8 ? 1 : 0));
      return { circuit, neurons };
    });
    const running = circuits.filter(
      (each) => slotSums('neurons' in each ? pruneNeurons(each).circuit : prune(each)).running,
    ).length;
    expect(running).toBeGreaterThan(50);
    expect(running).toBeLessThan(150);
    const { circuits: got } = await evaluateCircuits(model, circuits, pairs, { metrics: [logitDiff] });
    for (const [c, each] of circuits.entries()) {
      const want = referenceEap.circuitMetric(reference, pairs, 'logit-diff', (u, v, i) =>
        'neurons' in each ? each.circuit.has(u, v) && each.neurons[u * graph.width + i] === 1 : each.has(u, v),
      );
      // f32 round-off of logits of about 5 through three layers.
      expect(Math.abs((got[c]?.mean['logit-diff'] ?? Number.NaN) - want), `circuit ${c}`).toBeLessThan(2e-5);
    }
  });

  it('read the rows that were counted, at two dispatches more for every place where the sum is used', async () => {
    const full = Circuit.full(graph);
    // The same nodes with one edge in and one out: what the full circuit costs without its edges.
    const bare = Circuit.where(graph, (u, v) => u === 0 || v === graph.nBackward - 1);
    const [dear, cheap] = [await costOf(model, full), await costOf(model, bare)];
    expect(slotSums(bare)).toEqual({ running: false, rows: cheap.rows });
    expect(slotSums(full)).toEqual({ running: true, rows: dear.rows });
    expect({ before: full.edgeCount, after: dear.rows }).toEqual({ before: 100, after: 37 });
    // Used from the MLP of layer 0 on: three MLPs, the heads of two layers, the logits.
    expect(dear.dispatches - cheap.dispatches).toBe(2 * 6);
  });
});

/** Pairs of one length, which are evaluated together. */
const alike = pairs.filter(({ clean }) => clean.length === pairs[0]?.clean.length);

/** Rows of changes that the slots of a circuit read, and dispatches of its evaluation on them. */
async function costOf(model: Gpt2, circuit: Circuit): Promise<{ rows: number; dispatches: number }> {
  const { gpu } = model;
  const open = gpu.step.bind(gpu);
  let rows = 0;
  gpu.step = (options) => {
    const step = open(options);
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, rest) => {
      // One word a row; a slot without an edge has a word as well, which no circuit here has.
      if ('source' in bindings && 'start' in bindings)
        rows += (bindings.source as { byteLength: number }).byteLength / 4;
      dispatch(kernel, bindings, uniforms, rest);
    };
    return step;
  };
  const before = gpu.counters.snapshot().dispatches;
  try {
    await evaluateCircuits(model, [circuit], alike, { metrics: [logitDiff] });
  } finally {
    gpu.step = open;
  }
  return { rows, dispatches: gpu.counters.snapshot().dispatches - before };
}

describe('the rows that slots read', () => {
  const small = buildGraph({ layers: 12, heads: 12, width: 768, block: 'sequential' });
  /** Rows, and megabytes that they are at 17 tokens, edge by edge and as they are now. */
  const cost = (circuit: Circuit) => {
    const { rows } = slotSums(circuit);
    const megabytes = (count: number): number => Math.round((count * 17 * small.width * 4) / 1e6);
    const edges = circuit.edgeCount;
    return { edges, rows, before: megabytes(edges), after: megabytes(rows) };
  };
  const without = (names: readonly string[]): Circuit => Circuit.full(small).difference(Circuit.ofEdges(small, names));

  it("in GPT-2 small's graph follow what is missing where that is less", () => {
    // 445 slots read one row each; the sum takes in 157 nodes, and itself at 23 of the 24 places where it is brought up to date.
    expect(slotSums(Circuit.full(small)).rows).toBe(445 + 157 + 23);
    expect(cost(Circuit.full(small))).toEqual({ edges: 32_491, rows: 625, before: 1697, after: 33 });
    expect(cost(without(['a9.h9->logits', 'm0->a5.h1<k>']))).toEqual({
      edges: 32_489,
      rows: 627,
      before: 1697,
      after: 33,
    });
    const sparse = Circuit.where(small, (u, v) => (u * 31 + v * 17) % 10 === 0);
    expect(slotSums(sparse)).toEqual({ running: false, rows: sparse.edgeCount });
  });

  it('are never more than the edges, nor than the missing ones and one row for each slot, node and place', () => {
    for (const block of ['sequential', 'parallel'] as const) {
      const own: Graph = buildGraph({ layers: 4, heads: 5, width: 1, block });
      for (let c = 0; c < 100; c++) {
        const circuit = prune(Circuit.where(own, () => random.uniform() < (c + 1) / 100));
        const live = new Set(circuit.sources());
        const missing = [...own.edges()].filter(({ u, v }) => live.has(u) && !circuit.has(u, v)).length;
        const { running, rows } = slotSums(circuit);
        expect(rows).toBeLessThanOrEqual(circuit.edgeCount);
        expect(rows).toBeLessThanOrEqual(missing + own.nBackward + own.nForward + 2 * own.layers + 1);
        if (!running) expect(rows).toBe(circuit.edgeCount);
      }
    }
  });
});

import { describe, expect, it } from 'vitest';
import {
  Circuit,
  buildGraph,
  prune,
  pruneReport,
  scoresOf,
  selectFraction,
  selectGreedies,
  selectGreedy,
  selectTopN,
  selectTopNeurons,
  selectTopNodes,
  sizeOfFraction,
  weightedEdgeCount,
} from '../src/index.js';
import { goldenScores, toyGraph } from './golden.js';

describe('node selection', () => {
  // input, a0.h0, a0.h1, m0, a1.h0, a1.h1, m1
  const scores = { graph: toyGraph, values: [1, -5, 0, 2, 0, 2, Number.NaN] };

  it('brings every edge out of the chosen nodes and of those without a score', () => {
    const circuit = selectTopNodes(scores, 2);
    expect(circuit.sources().map((u) => toyGraph.nodeName(u))).toEqual(['a0.h0', 'm0', 'm1']);
    for (const { u, v } of toyGraph.edges()) expect(circuit.has(u, v)).toBe([1, 3, 6].includes(u));
    // No edge leaves the input, so nothing is fed.
    expect(prune(circuit).edgeCount).toBe(0);
  });

  it('loses the edges into nodes that were not chosen to pruning, and no others', () => {
    const circuit = prune(selectTopNodes(scores, 4));
    const chosen = ['input', 'a0.h0', 'm0', 'a1.h1', 'm1'];
    expect(circuit.nodeNames()).toEqual([...chosen, 'logits']);
    const between = Circuit.where(toyGraph, (u, v) => {
      const owner = toyGraph.ownerOf(v);
      const named = (node: number): boolean => chosen.includes(toyGraph.nodeName(node));
      return named(u) && (owner === undefined || named(owner));
    });
    expect(circuit.equals(between)).toBe(true);
  });

  it('breaks ties by the lower index, ranks by sign when asked, and refuses what is no size or no matrix', () => {
    const sourcesOf = (n: number, ranking?: 'signed'): string[] =>
      selectTopNodes(scores, n, ranking ? { ranking } : {})
        .sources()
        .map((u) => toyGraph.nodeName(u));
    expect(sourcesOf(2)).toEqual(['a0.h0', 'm0', 'm1']);
    expect(sourcesOf(1, 'signed')).toEqual(['m0', 'm1']);
    expect(sourcesOf(0)).toEqual(['m1']);
    expect(sourcesOf(100)).toHaveLength(7);
    expect(() => selectTopNodes(scores, -1)).toThrow(expect.objectContaining({ code: 'usage/circuit-size' }));
    expect(() => selectTopNodes({ graph: toyGraph, values: [1] }, 1)).toThrow(
      expect.objectContaining({ code: 'data/score-shape' }),
    );
  });
});

describe('neuron selection', () => {
  const graph = buildGraph({ layers: 1, heads: 1, width: 2, block: 'sequential' }); // input, a0.h0, m0

  it('keeps a node with one chosen neuron, and weighs its edges by the kept share', () => {
    const scores = { graph, values: [9, 8, Number.NaN, 0, 1, -7] };
    const { circuit, neurons } = selectTopNeurons(scores, 3);
    expect([...neurons]).toEqual([1, 1, 1, 0, 0, 1]);
    expect(circuit.equals(Circuit.full(graph))).toBe(true);
    // input feeds q, k, v, m0 and logits whole; a0.h0 feeds m0 and logits by half; m0 feeds logits by half.
    expect(weightedEdgeCount(circuit, neurons)).toBe(5 + 2 / 2 + 1 / 2);
    expect(selectTopNeurons(scores, 2).circuit.sources()).toEqual([0, 1]);
    expect(() => weightedEdgeCount(circuit, neurons.subarray(1))).toThrow(
      expect.objectContaining({ code: 'data/score-shape' }),
    );
  });
});

describe('selection by size', () => {
  it('by a fraction of the edges, as MIB counts', () => {
    const scores = goldenScores('exact');
    expect([0, 0.1, 0.5, 1].map((fraction) => sizeOfFraction(toyGraph, fraction))).toEqual([0, 4, 23, 46]);
    expect(selectFraction(scores, 0.1).equals(selectTopN(scores, 4))).toBe(true);
    for (const fraction of [-0.1, 1.1, Number.NaN])
      expect(() => selectFraction(scores, fraction)).toThrow(
        expect.objectContaining({ code: 'usage/circuit-fraction' }),
      );
  });

  it('one greedy search gives every size', () => {
    for (const key of ['eap', 'exact'] as const) {
      const scores = goldenScores(key);
      const sizes = Array.from({ length: 47 }, (_, n) => n);
      for (const [n, circuit] of selectGreedies(scores, sizes).entries())
        expect(circuit.equals(selectGreedy(scores, n))).toBe(true);
    }
    const ties = scoresOf(toyGraph, () => 1);
    // Ties go by the lower index u·15 + v: once a0.h0 is reached, the input's first edge into it is the lowest.
    expect(selectGreedies(ties, [1, 3])[1]?.edgeNames()).toEqual(['input->a0.h0<q>', 'input->logits', 'a0.h0->logits']);
  });
});

describe('the report of pruning', () => {
  it('names edges and nodes in the order in which they went, with the reason', () => {
    const alive = ['input->a0.h0<v>', 'a0.h0->logits'];
    // Nothing feeds a0.h1, which was all that fed m0; nothing reads a1.h0 and m1.
    const report = pruneReport(Circuit.ofEdges(toyGraph, [...alive, 'a0.h1->m0', 'm0->a1.h0<k>', 'input->m1']));
    expect(report.circuit.edgeNames()).toEqual(alive);
    expect(report.nodes).toEqual([
      { name: 'a0.h1', reason: 'unfed' },
      { name: 'a1.h0', reason: 'unread' },
      { name: 'm1', reason: 'unread' },
      { name: 'm0', reason: 'unfed' },
    ]);
    expect(report.edges).toEqual(['a0.h1->m0', 'm0->a1.h0<k>', 'input->m1']);
  });

  it('is empty where nothing goes, and complete where all goes', () => {
    const full = Circuit.full(toyGraph);
    expect(pruneReport(full)).toEqual({ circuit: full, edges: [], nodes: [] });
    const strand = pruneReport(Circuit.ofEdges(toyGraph, ['input->m0', 'm0->m1']));
    expect(strand).toMatchObject({ edges: ['m0->m1', 'input->m0'], circuit: { edgeCount: 0 } });
    expect(strand.nodes.map(({ name }) => name)).toEqual(['m1', 'm0', 'input']);
  });

  it('accounts for every edge and node of random circuits', () => {
    const names = [...Circuit.full(toyGraph).edgeNames()];
    for (let seed = 1; seed <= 100; seed++) {
      const circuit = Circuit.ofEdges(
        toyGraph,
        names.filter((_, i) => Math.sin(seed * 78.233 * (i + 1)) > 0.4),
      );
      const { circuit: left, edges, nodes } = pruneReport(circuit);
      expect(new Set(edges).size).toBe(edges.length);
      expect([...edges].sort()).toEqual(circuit.difference(left).edgeNames().sort());
      expect(nodes.map(({ name }) => name).sort()).toEqual(
        circuit
          .nodeNames()
          .filter((name) => name !== 'logits' && !left.nodeNames().includes(name))
          .sort(),
      );
    }
  });
});

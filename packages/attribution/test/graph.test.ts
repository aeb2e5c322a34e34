import { describe, expect, it } from 'vitest';
import { Circuit, buildGraph, countEdges, prune } from '../src/index.js';
import { golden, toyGraph } from './golden.js';

describe('graph', () => {
  it.each([
    ['gpt2-small', 12, 12, 'sequential', 157, 445, 32_491],
    ['gpt2-medium', 24, 16, 'sequential', 409, 1177, 231_877],
    ['gpt2-large', 36, 20, 'sequential', 757, 2197, 810_703],
    ['gpt2-xl', 48, 25, 'sequential', 1249, 3649, 2_235_025],
    ['pythia-160m', 12, 12, 'parallel', 157, 445, 32_347],
    ['pythia-2.8b', 32, 32, 'parallel', 1057, 3105, 1_591_857],
    ['llama-3-8b', 32, 32, 'sequential', 1057, 3105, 1_592_881],
    ['4 layers of 16 heads', 4, 16, 'sequential', 69, 197, 5327],
    ['8 layers of 16 heads', 8, 16, 'sequential', 137, 393, 23_981],
  ] as const)('%s has the edges of the published table', (_, layers, heads, block, sources, slots, edges) => {
    const graph = buildGraph({ layers, heads, width: 8, block });
    expect([graph.nForward, graph.nBackward, graph.edgeCount]).toEqual([sources, slots, edges]);
    expect(countEdges({ layers, heads, block })).toBe(edges);
    expect(Array.from({ length: slots }, (_, v) => graph.prev(v)).reduce((a, b) => a + b, 0)).toBe(edges);
  });

  it.each(['sequential', 'parallel'] as const)('indices, names and edges agree with one another (%s)', (block) => {
    const graph = buildGraph({ layers: 3, heads: 2, width: 6, block });
    for (const [u, node] of graph.nodes.entries()) {
      expect(graph.forwardIndex(node)).toBe(u);
      expect(graph.forwardIndex(graph.nodeName(u))).toBe(u);
      expect(graph.inputsOf(u).every((v) => graph.ownerOf(v) === u)).toBe(true);
    }
    for (const [v, slot] of graph.slots.entries()) {
      expect(graph.backwardIndex(slot)).toBe(v);
      expect(graph.backwardIndex(graph.slotName(v))).toBe(v);
    }
    const edges = [...graph.edges()];
    expect(edges).toHaveLength(graph.edgeCount);
    for (const { u, v } of edges) expect(graph.parseEdge(graph.edgeName(u, v))).toEqual({ u, v });
  });

  it('follows the edge rule of each block', () => {
    const graph = buildGraph({ layers: 2, heads: 2, width: 6, block: 'sequential' });
    const parallel = buildGraph({ layers: 2, heads: 2, width: 6, block: 'parallel' });
    const isEdge = (g: typeof graph, name: string): boolean => {
      const [u, v] = name.split('->') as [string, string];
      return g.isEdge(g.forwardIndex(u), g.backwardIndex(v));
    };
    expect(isEdge(graph, 'a0.h1->m0')).toBe(true);
    expect(isEdge(parallel, 'a0.h1->m0')).toBe(false);
    expect(isEdge(parallel, 'a0.h1->a1.h0<k>')).toBe(true);
    expect(isEdge(graph, 'a0.h0->a0.h1<q>')).toBe(false);
    expect(isEdge(graph, 'm0->m0')).toBe(false);
    expect(isEdge(graph, 'm1->logits')).toBe(true);
    expect(() => graph.parseEdge('a1.h0->a0.h0<q>')).toThrow(/no edge/);
    expect(() => graph.forwardIndex('m7')).toThrow(expect.objectContaining({ code: 'data/unknown-node' }));
  });

  it('names the golden edges in the same order', () => {
    expect([...toyGraph.edges()].map(({ u, v }) => toyGraph.edgeName(u, v))).toEqual(Object.keys(golden.edges));
  });

  it('refuses sizes that are no graph', () => {
    expect(() => buildGraph({ layers: 0, heads: 2, width: 8, block: 'sequential' })).toThrow(
      expect.objectContaining({ code: 'data/graph-shape' }),
    );
  });
});

describe('circuit and pruning', () => {
  it('is immutable and does set arithmetic', () => {
    const mask = Circuit.full(toyGraph).mask();
    const full = new Circuit(toyGraph, mask);
    mask.fill(0);
    full.mask().fill(0);
    expect(full.edgeCount).toBe(46);
    const some = Circuit.ofEdges(toyGraph, ['input->a0.h0<v>', 'a0.h0->logits']);
    expect(full.difference(some).edgeCount).toBe(44);
    expect(full.intersection(some).equals(some)).toBe(true);
    expect(Circuit.empty(toyGraph).union(some).edgeNames()).toEqual(['input->a0.h0<v>', 'a0.h0->logits']);
    expect(some.nodeNames()).toEqual(['input', 'a0.h0', 'logits']);
  });

  it('keeps a head that only v feeds, and drops what leads nowhere, to a fixpoint', () => {
    const alive = ['input->a0.h0<v>', 'a0.h0->logits'];
    const chain = ['a0.h1->m0', 'm0->m1', 'm1->logits']; // a0.h1 has no edge in, so m0 dies, so m1 dies
    const strand = ['input->m0', 'input->a1.h0<q>']; // a1.h0 feeds nothing; m0 then only has m1
    expect(prune(Circuit.ofEdges(toyGraph, [...alive, ...chain])).edgeNames()).toEqual(alive);
    expect(prune(Circuit.ofEdges(toyGraph, [...alive, ...strand])).edgeNames()).toEqual(alive);
    expect(prune(Circuit.full(toyGraph)).edgeCount).toBe(46);
    expect(prune(Circuit.ofEdges(toyGraph, ['input->logits'])).edgeCount).toBe(1);
  });

  it('agrees with the rule applied over and over, on random circuits', () => {
    const graph = buildGraph({ layers: 3, heads: 2, width: 6, block: 'sequential' });
    let state = 7;
    const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    for (let round = 0; round < 100; round++) {
      const density = random() * 0.4;
      const circuit = Circuit.where(graph, () => random() < density);
      expect(prune(circuit).equals(pruneByDefinition(circuit))).toBe(true);
    }
  });
});

function pruneByDefinition(circuit: Circuit): Circuit {
  const { graph } = circuit;
  const alive = (u: number | undefined): boolean =>
    u === undefined ||
    (circuit.feeds(u) && (u === 0 || graph.inputsOf(u).some((v) => circuit.sourcesOf(v).length > 0)));
  const next = Circuit.where(graph, (u, v) => circuit.has(u, v) && alive(u) && alive(graph.ownerOf(v)));
  return next.equals(circuit) ? circuit : pruneByDefinition(next);
}

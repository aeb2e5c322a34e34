// Blocks of edges that exact patching runs together: every edge is in one block, and once in the parts of any cut.
import { describe, expect, it } from 'vitest';
import { cutBlocks, edgeBlocks, edgeCountOf, edgesOfBlock } from '../src/edge-block.js';
import type { EdgeBlocks } from '../src/edge-block.js';
import { buildGraph, Circuit, sampleEdges } from '../src/index.js';
import type { Graph } from '../src/index.js';

const denseOf = (graph: Graph, edges: Iterable<{ readonly u: number; readonly v: number }>): number[] =>
  [...edges].map(({ u, v }) => graph.dense(u, v)).sort((a, b) => a - b);

/** The runs that take at most so many edges each. */
function cut(places: readonly EdgeBlocks[], most: number): EdgeBlocks[] {
  const waiting = [...places];
  const runs: EdgeBlocks[] = [];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [first, [head, ...rest]] = cutBlocks(next, most);
    runs.push(first);
    if (head) waiting.unshift([head, ...rest]);
  }
  return runs;
}

describe.each(['sequential', 'parallel'] as const)('a %s model', (block) => {
  const graph = buildGraph({ layers: 3, heads: 4, width: 8, block });
  const sorted = (places: readonly EdgeBlocks[]): number[] =>
    places
      .flat()
      .flatMap((each) => edgesOfBlock(graph, each))
      .sort((a, b) => a - b);

  it('has a block for the heads of each layer, one for each MLP, and one for the logits', () => {
    const places = edgeBlocks(Circuit.full(graph));
    for (const blocks of places) expect(blocks).toHaveLength(1);
    const kinds = ['heads', 'mlp', 'heads', 'mlp', 'heads', 'mlp', 'logits'];
    expect(places.flat().map(({ reader }) => reader.kind)).toEqual(kinds);
    expect(sorted(places)).toEqual(denseOf(graph, graph.edges()));
    for (const each of places.flat()) expect(edgesOfBlock(graph, each)).toHaveLength(edgeCountOf([each]));
  });

  it('has no block for what no edge reads, and one for heads and inputs that read the same', () => {
    const names = ['m0', 'a0.h1'].flatMap((u) =>
      ['a1.h0<k>', 'a1.h0<v>', 'a1.h3<k>', 'a1.h3<v>'].map((v) => `${u}->${v}`),
    );
    const places = edgeBlocks(Circuit.ofEdges(graph, [...names, 'm0->a1.h3<q>', 'input->m2']));
    expect(places).toEqual([
      [
        { reader: { kind: 'heads', layer: 1, heads: [0, 3], inputs: ['k', 'v'] }, sources: [2, 5] },
        { reader: { kind: 'heads', layer: 1, heads: [3], inputs: ['q'] }, sources: [5] },
      ],
      [{ reader: { kind: 'mlp', layer: 2 }, sources: [0] }],
    ]);
    expect(edgeBlocks(Circuit.empty(graph))).toEqual([]);
  });

  const some = [5, 20, 60, 110].map((n) => sampleEdges(graph, n, { seed: n }));
  it.each([1, 2, 3, 5, 7, 11, 12, 13, 40, 1000])('is cut into runs of at most %i edges', (most) => {
    for (const circuit of [Circuit.full(graph), ...some]) {
      const places = edgeBlocks(circuit);
      const runs = cut(places, most);
      for (const run of runs) expect(edgeCountOf(run)).toBeLessThanOrEqual(most);
      expect(sorted(runs)).toEqual(denseOf(graph, circuit.edges()));
      if (most === 1) expect(runs).toHaveLength(circuit.edgeCount);
      if (most === 1000) expect(runs).toEqual(places);
    }
  });
});

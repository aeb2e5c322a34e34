// Random connected circuits and the path statistics that they are matched by: against lists of all paths, over 1,000 seeds.
import { describe, expect, it } from 'vitest';
import { Circuit, buildGraph, pathStatistics, prune, randomCircuitLike, scoresOf, selectGreedy } from '../src/index.js';
import type { Graph } from '../src/index.js';
import { golden, toyGraph } from './golden.js';

const graphs: readonly Graph[] = (['sequential', 'parallel'] as const).map((block) =>
  buildGraph({ layers: 2, heads: 2, width: 8, block }),
);

/** A circuit from scores that are a wave of the edge's index. */
function waveCircuit(graph: Graph, salt: number, n: number): Circuit {
  return prune(
    selectGreedy(
      scoresOf(graph, (u, v) => Math.sin(12.9898 * (graph.dense(u, v) + 1) + 78.233 * salt)),
      n,
    ),
  );
}

/** Lengths of all paths, one by one. */
function lengthsByListing(circuit: Circuit): number[] {
  const { graph } = circuit;
  const from = (u: number): number[] =>
    u === 0 ? [0] : graph.inputsOf(u).flatMap((v) => circuit.sourcesOf(v).flatMap((w) => from(w).map((k) => k + 1)));
  return circuit.sourcesOf(graph.nBackward - 1).flatMap((u) => from(u).map((k) => k + 1));
}

describe('path statistics', () => {
  it('are those of the list of all paths', () => {
    for (const graph of graphs)
      for (let salt = 0; salt < 20; salt++) {
        const circuit = waveCircuit(graph, salt, 5 + 2 * salt);
        const lengths = lengthsByListing(circuit);
        const { count, log10Count, meanLength, shortest, longest } = pathStatistics(circuit);
        expect(Number(count)).toBe(lengths.length);
        if (lengths.length === 0) {
          expect([log10Count, meanLength, shortest, longest]).toEqual([null, null, null, null]);
          continue;
        }
        expect(log10Count).toBeCloseTo(Math.log10(lengths.length), 12);
        expect(meanLength).toBeCloseTo(lengths.reduce((a, b) => a + b, 0) / lengths.length, 12);
        expect([shortest, longest]).toEqual([Math.min(...lengths), Math.max(...lengths)]);
      }
  });

  it('leave out what is on no path', () => {
    const circuit = Circuit.ofEdges(toyGraph, ['input->m0', 'm0->logits', 'a0.h0->m0', 'input->a1.h0<q>']);
    expect(pathStatistics(circuit)).toEqual({ count: 1n, log10Count: 0, meanLength: 2, shortest: 2, longest: 2 });
  });

  it('count what no double can: 350 layers', () => {
    // Each layer multiplies the paths by (1 + 3H)(1 + 1) in a sequential block.
    const deep = pathStatistics(Circuit.full(buildGraph({ layers: 350, heads: 1, width: 8, block: 'sequential' })));
    expect(deep.count).toBe(8n ** 350n);
    expect(deep.log10Count).toBeCloseTo(350 * Math.log10(8), 9);
    // A path takes a layer's head with probability 3/4 and its MLP with 1/2; the last edge is one more.
    expect(deep.meanLength).toBeCloseTo(1 + 350 * (3 / 4 + 1 / 2), 9);
    expect(deep.longest).toBe(701);
  });
});

describe('a random connected circuit', () => {
  it('has exactly as many edges and equals its own prune, for 1,000 seeds and both blocks', () => {
    for (const graph of graphs)
      for (let seed = 0; seed < 500; seed++) {
        const like = waveCircuit(graph, seed, 1 + (seed % (graph.edgeCount + 5)));
        const { circuit, meanPathLength } = randomCircuitLike(like, { seed });
        expect(circuit.edgeCount).toBe(like.edgeCount);
        expect(prune(circuit).equals(circuit)).toBe(true);
        expect(meanPathLength).toBe(pathStatistics(circuit).meanLength);
      }
  });

  it('exists at every size, where the whole union is saturated as well', () => {
    for (const block of ['sequential', 'parallel'] as const) {
      const graph = buildGraph({ layers: 1, heads: 1, width: 8, block });
      const sizes = new Set<number>();
      for (let mask = 0; mask < 2 ** graph.edgeCount; mask++) {
        const edges = [...graph.edges()];
        const chosen = new Set(edges.filter((_, i) => (mask >> i) & 1).map(({ u, v }) => graph.dense(u, v)));
        const own = prune(Circuit.where(graph, (u, v) => chosen.has(graph.dense(u, v))));
        const { circuit } = randomCircuitLike(own, { seed: mask });
        expect(circuit.edgeCount).toBe(own.edgeCount);
        expect(prune(circuit).equals(circuit)).toBe(true);
        sizes.add(circuit.edgeCount);
      }
      expect(sizes.size).toBe(graph.edgeCount + 1);
    }
  });

  it('is as deep on average: within 15 % of the mean path length', () => {
    const graph = buildGraph({ layers: 6, heads: 4, width: 8, block: 'sequential' });
    for (const salt of [1, 2, 3]) {
      const like = waveCircuit(graph, salt, 150);
      const made = Array.from({ length: 10 }, (_, seed) => randomCircuitLike(like, { seed }));
      const mean = made.reduce((sum, { meanPathLength }) => sum + (meanPathLength ?? 0), 0) / made.length;
      const want = made[0]?.matchedPathLength ?? Number.NaN;
      expect(want).toBe(pathStatistics(like).meanLength);
      expect(Math.abs(mean / want - 1)).toBeLessThan(0.15);
    }
  });

  it('depends on the seed alone, and another seed gives another', () => {
    const like = Circuit.ofEdges(toyGraph, golden.circuits['exact/greedy/12']?.edges ?? []);
    const of = (seed: number): string => randomCircuitLike(like, { seed }).circuit.edgeNames().join();
    expect(of(1)).toBe(of(1));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => of(seed))).size).toBeGreaterThan(15);
    expect(() => of(-1)).toThrow(expect.objectContaining({ code: 'tensor/random' }));
    expect(randomCircuitLike(Circuit.empty(toyGraph), { seed: 1 })).toMatchObject({
      circuit: { edgeCount: 0 },
      meanPathLength: null,
    });
  });
});

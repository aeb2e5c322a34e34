// Parts taken out of circuits: against the definition, and at the cost of the parts alone.
import { expect, it } from 'vitest';
import { Circuit, Graph, selectTopN } from '../src/index.js';
import { knockOutsOf, without as withoutParts } from '../src/knock-out.js';
import type { KnockOut } from '../src/knock-out.js';
import { goldenScores, toyGraph } from './golden.js';

const without = (circuit: Circuit, parts: readonly KnockOut[]) => withoutParts(circuit, parts) as Circuit;

it('leaves every edge that is no part, nor touches a node that is one', () => {
  const circuit = selectTopN(goldenScores('exact'), 30);
  const edges = knockOutsOf(circuit, 'edge').filter((_, i) => i % 3 === 0);
  const gone = new Set(edges.map(({ name }) => name));
  expect(without(circuit, edges).edgeNames()).toEqual(circuit.edgeNames().filter((name) => !gone.has(name)));
  const nodes = knockOutsOf(circuit, 'node').filter((_, i) => i % 2 === 0);
  const names = new Set(nodes.map(({ name }) => name));
  const stays = (edge: string): boolean => edge.split('->').every((end) => !names.has(end.replace(/<.>/, '')));
  expect(names.size).toBeGreaterThan(1);
  expect(without(Circuit.full(toyGraph), nodes).edgeNames()).toEqual(Circuit.full(toyGraph).edgeNames().filter(stays));
  expect(without(circuit, [])).toEqual(circuit);
});

it('looks at a part once, whatever the number of edges of the circuit', () => {
  const graph = new Graph({ layers: 4, heads: 4, width: 8, block: 'sequential' });
  const full = Circuit.full(graph);
  let asked = 0;
  const parts = knockOutsOf(full, 'edge').map((part) => ({
    ...part,
    edges: () => {
      asked++;
      return part.edges();
    },
  }));
  expect(without(full, parts).edgeCount).toBe(0);
  expect(asked).toBe(graph.edgeCount);
});

it('leaves a neuron circuit its neurons', () => {
  const circuit = selectTopN(goldenScores('exact'), 30);
  const neurons = new Uint8Array(toyGraph.nForward * toyGraph.width).fill(1);
  const [part] = knockOutsOf(circuit, 'edge') as [KnockOut];
  expect(withoutParts({ circuit, neurons }, [part])).toEqual({ circuit: without(circuit, [part]), neurons });
});

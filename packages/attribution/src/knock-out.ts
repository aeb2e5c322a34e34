// What is taken out of a circuit to doubt it: single edges, or nodes with all edges into and out of them.
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';
import { edgesOf } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';

/** The kind of part that is taken out. */
export type KnockOutUnit = 'edge' | 'node';

/** A part of a graph by its name, and the edges that go with it. */
export interface KnockOut {
  readonly unit: KnockOutUnit;
  readonly name: string;
  /** Dense indices of the edges that go with it, whether or not a circuit has them. */
  edges(): Iterable<number>;
}

/** The parts of a circuit that can be taken out: its edges by destination, then source; its nodes in order, without `input` and `logits`. */
export function knockOutsOf(circuit: Circuit, unit: KnockOutUnit): KnockOut[] {
  const { graph } = circuit;
  if (unit === 'edge') return [...circuit.edges()].map(({ u, v }) => edgePart(graph, u, v));
  const names = new Set(circuit.nodeNames());
  return graph.nodes.map((_, u) => nodePart(graph, u)).filter(({ name }, u) => u !== 0 && names.has(name));
}

/**
 * The circuit without some parts, before pruning; of its nodes that stay, the same neurons. Each part costs its own edges, not those of
 * the circuit.
 */
export function without(given: RunnableCircuit, parts: readonly KnockOut[]): RunnableCircuit {
  const circuit = edgesOf(given);
  const mask = circuit.mask();
  for (const part of parts) for (const edge of part.edges()) mask[edge] = 0;
  const left = new Circuit(circuit.graph, mask);
  return given instanceof Circuit ? left : { circuit: left, neurons: given.neurons };
}

function edgePart(graph: Graph, u: number, v: number): KnockOut {
  return { unit: 'edge', name: graph.edgeName(u, v), edges: () => [graph.dense(u, v)] };
}

function nodePart(graph: Graph, node: number): KnockOut {
  return {
    unit: 'node',
    name: graph.nodeName(node),
    *edges() {
      for (let v = 0; v < graph.nBackward; v++) if (graph.isEdge(node, v)) yield graph.dense(node, v);
      for (const v of graph.inputsOf(node)) for (let u = 0; u < graph.prev(v); u++) yield graph.dense(u, v);
    },
  };
}

// What is taken out of a circuit to doubt it: single edges, or nodes with all edges into and out of them.
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';

/** The kind of part that is taken out. */
export type KnockOutUnit = 'edge' | 'node';

/** A part of a graph by its name, and the test for the edges that go with it. */
export interface KnockOut {
  readonly unit: KnockOutUnit;
  readonly name: string;
  /** Does edge (u, v) go with it? */
  takes(u: number, v: number): boolean;
}

/** The parts of a circuit that can be taken out: its edges by destination, then source; its nodes in order, without `input` and `logits`. */
export function knockOutsOf(circuit: Circuit, unit: KnockOutUnit): KnockOut[] {
  const { graph } = circuit;
  if (unit === 'edge') return [...circuit.edges()].map(({ u, v }) => edgePart(graph, u, v));
  const names = new Set(circuit.nodeNames());
  return graph.nodes.map((_, u) => nodePart(graph, u)).filter(({ name }, u) => u !== 0 && names.has(name));
}

/** The circuit without some parts, before pruning. */
export function without(circuit: Circuit, parts: readonly KnockOut[]): Circuit {
  return Circuit.where(circuit.graph, (u, v) => circuit.has(u, v) && !parts.some((part) => part.takes(u, v)));
}

function edgePart(graph: Graph, u: number, v: number): KnockOut {
  return { unit: 'edge', name: graph.edgeName(u, v), takes: (a, b) => a === u && b === v };
}

function nodePart(graph: Graph, node: number): KnockOut {
  return { unit: 'node', name: graph.nodeName(node), takes: (u, v) => u === node || graph.ownerOf(v) === node };
}

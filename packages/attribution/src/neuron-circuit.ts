// A circuit on the neuron level: a kept edge u → v carries only the kept dimensions of what u writes, x_v = x'_v + Σ_{(u,v) ∈ C} k_u ∘ (ẑ_u − z'_u). MIB, arXiv 2504.13151.
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import { prune } from './prune.js';

/** A circuit whose nodes keep only some neurons (dimensions of the residual stream) of their output. */
export interface NeuronCircuit {
  readonly circuit: Circuit;
  /** k, [nForward × width] row-major, 1 where the neuron is kept. A node without one feeds nothing, whatever its edges. */
  readonly neurons: Uint8Array;
}

/** What can be run: edges alone, which carry whole outputs, or edges and neurons. */
export type RunnableCircuit = Circuit | NeuronCircuit;

/** A pruned circuit, and the neurons of the nodes that keep only some. */
export interface PlannedCircuit {
  readonly circuit: Circuit;
  /** By forward index of a source of the circuit, [width]: 1 where the neuron is kept, 0 where not. Nodes that keep all are left out. */
  readonly partial: ReadonlyMap<number, Float32Array>;
}

/**
 * Σ over the edges of a circuit of the kept share of their source's neurons: MIB's size of a circuit on the neuron level.
 * @throws LimnError `data/score-shape`
 */
export function weightedEdgeCount(circuit: Circuit, neurons: Uint8Array): number {
  const { graph } = circuit;
  expectUnits(neurons.length, graph.nForward * graph.width);
  const kept = graph.nodes.map((_, u) => count(row(neurons, u, graph.width)));
  let total = 0;
  for (const { u } of circuit.edges()) total += (kept[u] ?? 0) / graph.width;
  return total;
}

/**
 * Takes away nodes without a kept neuron, prunes what is left, and then takes away the neurons of nodes without an edge.
 * @throws LimnError `data/score-shape`
 */
export function pruneNeurons({ circuit: given, neurons }: NeuronCircuit): NeuronCircuit {
  const { graph } = given;
  const { width } = graph;
  expectUnits(neurons.length, graph.nForward * width);
  const writes = graph.nodes.map((_, u) => row(neurons, u, width).includes(1));
  const circuit = prune(Circuit.where(graph, (u, v) => given.has(u, v) && writes[u] === true));
  const feeds = graph.nodes.map((_, u) => circuit.feeds(u));
  return { circuit, neurons: neurons.map((kept, i) => (feeds[Math.floor(i / width)] ? kept : 0)) };
}

/** {@link prune} or {@link pruneNeurons}, by the kind of circuit. @throws LimnError `data/score-shape` */
export function pruneRunnable(given: RunnableCircuit): RunnableCircuit {
  return given instanceof Circuit ? prune(given) : pruneNeurons(given);
}

/** What is run of a circuit. @throws LimnError `data/score-shape` */
export function planCircuit(given: RunnableCircuit): PlannedCircuit {
  const pruned = pruneRunnable(given);
  return { circuit: edgesOf(pruned), partial: partialNodes(pruned) };
}

/** The sources of a circuit that do not keep all of their neurons, with what they keep. @throws LimnError `data/score-shape` */
export function partialNodes(given: RunnableCircuit): ReadonlyMap<number, Float32Array> {
  if (given instanceof Circuit) return new Map();
  const { circuit, neurons } = given;
  const { nForward, width } = circuit.graph;
  expectUnits(neurons.length, nForward * width);
  const rows = circuit.sources().map((u) => [u, Float32Array.from(row(neurons, u, width))] as const);
  return new Map(rows.filter(([, kept]) => kept.includes(0)));
}

/** The edges of a circuit of either kind. */
export function edgesOf(given: RunnableCircuit): Circuit {
  return given instanceof Circuit ? given : given.circuit;
}

/** @throws LimnError `data/score-shape` */
export function expectUnits(given: number, units: number): void {
  if (given !== units)
    throw new LimnError('data/score-shape', `There are ${given} numbers for ${units} units of this graph.`, {
      details: { given, units },
    });
}

function row(neurons: Uint8Array, u: number, width: number): Uint8Array {
  return neurons.subarray(u * width, (u + 1) * width);
}

function count(kept: Uint8Array): number {
  return kept.reduce((total, one) => total + (one === 0 ? 0 : 1), 0);
}

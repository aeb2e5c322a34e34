// From node or neuron scores to a circuit: a chosen node brings all its edges out; what has no score is always kept (arXiv 2403.17806's node level).
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import type { Graph } from './graph.js';
import { expectUnits } from './neuron-circuit.js';
import type { NeuronCircuit } from './neuron-circuit.js';
import { rankingKey } from './scores.js';
import type { SelectionOptions } from './select.js';

/** Scores of nodes, or of the coordinates of what they write. */
export interface UnitScores {
  readonly graph: Graph;
  /** [nForward] for nodes, [nForward × width] row-major for neurons; NaN where a unit has no score. > 0 where it helps. */
  readonly values: ArrayLike<number>;
}

/**
 * The n best of the scored nodes, all the nodes without a score, and every edge out of either; before pruning, which takes
 * away the edges into nodes that were not chosen. Ties by lower forward index.
 * @throws LimnError `usage/circuit-size`, `data/score-shape`, `usage/unknown-ranking`
 */
export function selectTopNodes(scores: UnitScores, n: number, options: SelectionOptions = {}): Circuit {
  const { graph } = scores;
  const chosen = bestUnits(scores, graph.nForward, n, options);
  return Circuit.where(graph, (u) => chosen[u] === 1);
}

/**
 * The n best of the scored neurons and all without a score; a node counts as chosen when one of its neurons is. Before
 * pruning. Ties by lower index u · width + coordinate.
 * @throws LimnError `usage/circuit-size`, `data/score-shape`, `usage/unknown-ranking`
 */
export function selectTopNeurons(scores: UnitScores, n: number, options: SelectionOptions = {}): NeuronCircuit {
  const { graph } = scores;
  const { width } = graph;
  const neurons = bestUnits(scores, graph.nForward * width, n, options);
  const circuit = Circuit.where(graph, (u) => neurons.subarray(u * width, (u + 1) * width).includes(1));
  return { circuit, neurons };
}

/** 1 for each of the n best units with a score and for each without one. */
function bestUnits(
  { values }: UnitScores,
  units: number,
  n: number,
  { ranking = 'absolute' }: SelectionOptions,
): Uint8Array {
  expectUnits(values.length, units);
  const keys = Float64Array.from(values, (value) => rankingKey(value, ranking));
  const scored = Uint32Array.from(keys.keys()).filter((i) => !Number.isNaN(values[i]));
  if (!Number.isInteger(n) || n < 0)
    throw new LimnError('usage/circuit-size', `A selection takes a whole number of units, at least 0; given ${n}.`, {
      details: { n },
    });
  const chosen = Uint8Array.from(values, (value) => (Number.isNaN(value) ? 1 : 0));
  for (const i of scored.sort((a, b) => (keys[b] ?? 0) - (keys[a] ?? 0) || a - b).subarray(0, n)) chosen[i] = 1;
  return chosen;
}

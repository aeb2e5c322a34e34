// The edges of a graph as a matrix [targets, sources], and how far each target's incoming edges are from its own value.
import { LimnError } from '@limn/gpu';

/** Edges into some nodes from the first `sources` nodes. A node that is a target and a source, a feature, has its place among both. */
export interface EdgeMatrix {
  /** Number of columns: the nodes 0 … sources − 1 are sources; those behind them only targets. */
  readonly sources: number;
  /** The node of each row. */
  readonly targets: Uint32Array;
  /** [targets, sources] signed: what each source brings to each target's value. */
  readonly weights: Float32Array;
}

/** Edges into one row's target, [sources]: a view. */
export function incomingEdges({ sources, weights }: EdgeMatrix, row: number): Float32Array {
  return weights.subarray(row * sources, (row + 1) * sources);
}

/** The edge from a source to the target of a row. */
export function edgeWeight({ sources, weights }: EdgeMatrix, row: number, source: number): number {
  return weights[row * sources + source] as number;
}

/**
 * Row of each node, −1 for nodes without incoming edges.
 * @throws LimnError `data/graph-edges` for a matrix whose parts do not fit one another
 */
export function rowsOfNodes({ targets, sources, weights }: EdgeMatrix, nodes: number): Int32Array {
  if (weights.length !== targets.length * sources || sources > nodes || targets.some((node) => node >= nodes))
    throw new LimnError(
      'data/graph-edges',
      `A matrix of ${weights.length} edges from ${sources} sources to ${targets.length} targets does not fit ${nodes} nodes.`,
      {
        details: { weights: weights.length, sources, targets: targets.length, nodes },
        hint: 'weights has targets × sources numbers, and every target and source is one of the nodes.',
      },
    );
  const rows = new Int32Array(nodes).fill(-1);
  for (const [row, node] of targets.entries()) rows[node] = row;
  return rows;
}

/** How a target's edges add up. */
export interface Accounting {
  /** The target's value as the model computes it: a pre-activation or a logit (difference). */
  readonly value: number;
  /** Σ incoming edges − value. */
  readonly residual: number;
  /** |residual| over the larger of |value| and the largest |edge|: what cancels cannot be more exact than its terms. */
  readonly relative: number;
}

/** Sums a target's edges in float64 and compares. */
export function accountFor(edges: ArrayLike<number>, value: number): Accounting {
  let sum = 0;
  let largest = Math.abs(value);
  for (let s = 0; s < edges.length; s++) {
    const edge = edges[s] as number;
    sum += edge;
    if (Math.abs(edge) > largest) largest = Math.abs(edge);
  }
  const residual = sum - value;
  return { value, residual, relative: residual === 0 ? 0 : Math.abs(residual) / largest };
}

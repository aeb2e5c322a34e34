// How much of a graph its features explain: replacement and completeness scores. Ameisen et al. 2025 §; circuit-tracer.
import { incomingEdges } from './edge-matrix.js';
import { nodeInfluence, rowSums, type InfluenceGraph, type Kept } from './influence.js';

/** Both between 0 and 1. */
export interface GraphScores {
  /** Share of the paths from outputs that end at inputs and not at errors: ΣI(inputs)/(ΣI(inputs) + ΣI(errors)). */
  readonly replacement: number;
  /** Share of what goes into nodes, by their influence, that is no error: Σ_t (1 − Σ_errors Â[t])·(I_t + w_t)/Σ_t (I_t + w_t). */
  readonly completeness: number;
}

/**
 * Scores of a graph, or of what is kept of one. Completeness is over all nodes: inputs and errors themselves have no incoming edges and so
 * count as complete, as in circuit-tracer.
 * @throws LimnError `data/graph-edges`, `data/graph-cycle`
 */
export function graphScores(graph: InfluenceGraph, kept: Kept = {}): GraphScores {
  const { roles, edges, weights } = graph;
  const influence = nodeInfluence(graph, kept);
  const sums = rowSums(graph, kept);
  const total = (role: 'input' | 'error'): number =>
    influence.reduce((sum, value, node) => (roles[node] === role ? sum + value : sum), 0);
  const [inputs, errors] = [total('input'), total('error')];
  let whole = 0;
  for (const [node, value] of influence.entries()) whole += value + (weights[node] as number);
  let missing = 0;
  for (const [row, target] of edges.targets.entries()) {
    if (kept.nodes && !kept.nodes[target]) continue;
    const flow = ((influence[target] as number) + (weights[target] as number)) / (sums[row] as number);
    for (const [s, weight] of incomingEdges(edges, row).entries())
      if (
        roles[s] === 'error' &&
        (!kept.nodes || kept.nodes[s]) &&
        (!kept.edges || kept.edges[row * edges.sources + s])
      )
        missing += Math.abs(weight) * flow;
  }
  return {
    replacement: inputs + errors === 0 ? 0 : inputs / (inputs + errors),
    completeness: whole === 0 ? 0 : 1 - missing / whole,
  };
}

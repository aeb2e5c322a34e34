// Influence of nodes on the outputs: I = wÂ + wÂ² + … with Â the edges' sizes, each target's shares summing to 1. Ameisen et al. 2025; circuit-tracer.
import { LimnError } from '@limn/gpu';
import { incomingEdges, rowsOfNodes, type EdgeMatrix } from './edge-matrix.js';
import type { GraphNode } from './graph-node.js';

/** What a node is to influence and pruning. Constants are no sources of influence: they say nothing of the prompt. */
export type Role = 'feature' | 'error' | 'input' | 'constant' | 'output';

/** A graph as influence sees it. */
export interface InfluenceGraph {
  readonly roles: readonly Role[];
  readonly edges: EdgeMatrix;
  /** Weight of each node as an output; 0 for the others. */
  readonly weights: ArrayLike<number>;
}

/** Least sum of sizes that a target's edges are divided by. */
const LEAST_SUM = 1e-10;

/** What a node of an attribution graph is to influence: tokens and positions are inputs, a skip that is a source explains as little as an error. */
export function roleOf({ kind }: Pick<GraphNode, 'kind'>): Role {
  switch (kind) {
    case 'feature':
    case 'output':
      return kind;
    case 'error':
    case 'skip':
      return 'error';
    case 'token':
    case 'position':
      return 'input';
    case 'bias':
      return 'constant';
  }
}

/** An attribution graph as influence sees it. */
export function influenceGraph({
  nodes,
  edges,
}: {
  readonly nodes: readonly GraphNode[];
  readonly edges: EdgeMatrix;
}): InfluenceGraph {
  return { roles: nodes.map(roleOf), edges, weights: nodes.map((node) => (node.kind === 'output' ? node.weight : 0)) };
}

/** Which nodes and edges are looked at; all, unless it is given. `edges` has a 1 where one is, [targets, sources]. */
export interface Kept {
  readonly nodes?: Uint8Array;
  readonly edges?: Uint8Array;
}

/** Sums of the sizes of each row's edges, from what influences and is kept; at least 1e-10. */
export function rowSums({ roles, edges }: InfluenceGraph, kept: Kept = {}): Float64Array {
  return Float64Array.from(edges.targets, (target, row) => {
    if (kept.nodes && !kept.nodes[target]) return LEAST_SUM;
    let sum = 0;
    for (const [s, weight] of incomingEdges(edges, row).entries())
      if (counts(roles, s, kept) && (!kept.edges || kept.edges[row * edges.sources + s])) sum += Math.abs(weight);
    return Math.max(sum, LEAST_SUM);
  });
}

const counts = (roles: readonly Role[], source: number, { nodes }: Kept): boolean =>
  roles[source] !== 'constant' && (!nodes || nodes[source] === 1);

/**
 * I of every node, in float64; an output's own weight is not part of its I. One pass from the outputs on, as the graph has no cycles.
 * @throws LimnError `data/graph-edges`; `data/graph-cycle` for a graph with a cycle
 */
export function nodeInfluence(graph: InfluenceGraph, kept: Kept = {}): Float64Array {
  const { roles, edges, weights } = graph;
  const influence = new Float64Array(roles.length);
  const sums = rowSums(graph, kept);
  for (const row of outputsFirst(graph)) {
    const target = edges.targets[row] as number;
    if (kept.nodes && !kept.nodes[target]) continue;
    const flow = ((influence[target] as number) + (weights[target] as number)) / (sums[row] as number);
    if (flow === 0) continue;
    for (const [s, weight] of incomingEdges(edges, row).entries())
      if (weight !== 0 && counts(roles, s, kept) && (!kept.edges || kept.edges[row * edges.sources + s]))
        influence[s] = (influence[s] as number) + Math.abs(weight) * flow;
  }
  return influence;
}

/** Rows in an order in which each comes behind all rows that its target is a source of. */
function outputsFirst({ roles, edges }: InfluenceGraph): number[] {
  const { targets, sources } = edges;
  const rowOf = rowsOfNodes(edges, roles.length);
  const readers = new Uint32Array(roles.length);
  for (const row of targets.keys())
    for (const [s, weight] of incomingEdges(edges, row).entries())
      if (weight !== 0) readers[s] = (readers[s] as number) + 1;
  const order = [...targets.keys()].filter((row) => readers[targets[row] as number] === 0);
  for (const row of order)
    for (const [s, weight] of incomingEdges(edges, row).entries()) {
      if (weight === 0) continue;
      readers[s] = (readers[s] as number) - 1;
      if (readers[s] === 0 && (rowOf[s] as number) >= 0) order.push(rowOf[s] as number);
    }
  if (order.length === targets.length) return order;
  throw new LimnError('data/graph-cycle', 'The graph has a cycle, along which influence has no end.', {
    details: { targets: targets.length, reached: order.length, sources },
    hint: 'Edges lead from lower layers to higher ones; look for a node that is among its own sources.',
  });
}

/**
 * Scores of edges Â[t, s]·(I_t + w_t), [targets, sources].
 * @throws LimnError `data/graph-edges`, `data/graph-cycle`
 */
export function edgeInfluence(graph: InfluenceGraph, kept: Kept = {}): Float32Array {
  const { roles, edges, weights } = graph;
  const influence = nodeInfluence(graph, kept);
  const sums = rowSums(graph, kept);
  const scores = new Float32Array(edges.weights.length);
  for (const [row, target] of edges.targets.entries()) {
    if (kept.nodes && !kept.nodes[target]) continue;
    const flow = ((influence[target] as number) + (weights[target] as number)) / (sums[row] as number);
    for (const [s, weight] of incomingEdges(edges, row).entries())
      if (counts(roles, s, kept)) scores[row * edges.sources + s] = Math.abs(weight) * flow;
  }
  return scores;
}

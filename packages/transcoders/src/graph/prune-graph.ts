// Pruning by influence: the nodes that bring 0.8 of it, of their edges those that bring 0.98, and nothing that leads nowhere.
import { LimnError } from '@limn/gpu';
import { rowsOfNodes } from './edge-matrix.js';
import { edgeInfluence, nodeInfluence, type InfluenceGraph } from './influence.js';

/** How much of the influence is kept. */
export interface PruneOptions {
  /** Of the nodes. Default 0.8. */
  readonly nodeThreshold?: number;
  /** Of the edges between the nodes kept. Default 0.98. */
  readonly edgeThreshold?: number;
}

/** What is left of a graph. */
export interface PrunedGraph {
  /** 1 for the nodes kept; inputs and outputs always are. */
  readonly nodes: Uint8Array;
  /** 1 for the edges kept, [targets, sources]. */
  readonly edges: Uint8Array;
  /** Per node of the whole graph, the share of all influence that it and those above it have: see `cumulativeInfluence`. */
  readonly influence: Float32Array;
}

/**
 * Nodes by influence, then their edges, then until nothing changes: features and errors without an outgoing edge go, and features without
 * an incoming one.
 * @throws LimnError `usage/prune-threshold`, `data/graph-edges`, `data/graph-cycle`
 */
export function pruneGraph(graph: InfluenceGraph, options: PruneOptions = {}): PrunedGraph {
  const { nodeThreshold = 0.8, edgeThreshold = 0.98 } = options;
  for (const [name, value] of Object.entries({ nodeThreshold, edgeThreshold })) checkThreshold(name, value);
  const { roles, edges } = graph;
  const rowOf = rowsOfNodes(edges, roles.length);
  const influence = nodeInfluence(graph);
  const least = leastKept(influence, nodeThreshold);
  const nodes = Uint8Array.from(roles, (role, node) => (isFixed(role) || (influence[node] as number) >= least ? 1 : 0));
  // Constants have no influence, so that a threshold of 0 would keep them all.
  for (const [node, role] of roles.entries()) if (role === 'constant') nodes[node] = 0;
  const scores = edgeInfluence(graph, { nodes });
  const leastScore = leastKept(scores, edgeThreshold);
  const kept = Uint8Array.from(scores, (score) => (score >= leastScore && score > 0 ? 1 : 0));
  dropLooseEnds(graph, rowOf, nodes, kept);
  return { nodes, edges: kept, influence: cumulativeInfluence(influence) };
}

/** @throws LimnError `usage/prune-threshold` */
function checkThreshold(name: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new LimnError('usage/prune-threshold', `${name} is ${value}; it must be a share from 0 to 1.`, {
    details: { name, value },
  });
}

const isFixed = (role: InfluenceGraph['roles'][number]): boolean => role === 'input' || role === 'output';

/** The smallest value that is kept when the largest are kept until they make up a share of the sum, the one that reaches it among them. */
function leastKept(values: Float64Array | Float32Array, share: number): number {
  const falling = Float64Array.from(values).sort().reverse();
  const total = falling.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  for (const value of falling) {
    sum += value;
    if (sum >= share * total) return value;
  }
  // Rounding kept the sum below the whole.
  return falling.at(-1) ?? 0;
}

/** Takes what leads nowhere off the masks, in place. */
function dropLooseEnds({ roles, edges }: InfluenceGraph, rowOf: Int32Array, nodes: Uint8Array, kept: Uint8Array): void {
  const { sources, targets } = edges;
  const incoming = (node: number): number => {
    const row = rowOf[node] as number;
    return row < 0 ? 0 : kept.subarray(row * sources, (row + 1) * sources).reduce((sum, each) => sum + each, 0);
  };
  for (let changed = true; changed;) {
    changed = false;
    const outgoing = new Uint32Array(roles.length);
    for (let i = 0; i < kept.length; i++) if (kept[i]) outgoing[i % sources] = (outgoing[i % sources] as number) + 1;
    for (const [node, role] of roles.entries()) {
      if (!nodes[node] || isFixed(role)) continue;
      if (outgoing[node] !== 0 && (role !== 'feature' || incoming(node) > 0)) continue;
      nodes[node] = 0;
      changed = true;
    }
    for (const [row, target] of targets.entries())
      for (let s = 0; s < sources; s++) if (!nodes[target] || !nodes[s]) kept[row * sources + s] = 0;
  }
}

/**
 * What graph files carry as a node's influence: with nodes ranked by it, the share of all influence that ranks up to this node's have. The
 * most important nodes have the smallest numbers, so that a page prunes again by keeping those up to a threshold.
 */
export function cumulativeInfluence(influence: ArrayLike<number>): Float32Array {
  const values = Float64Array.from(influence);
  const order = Uint32Array.from(values.keys()).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const total = values.reduce((sum, value) => sum + value, 0);
  const shares = new Float32Array(values.length);
  let sum = 0;
  for (const node of order) {
    sum += values[node] as number;
    shares[node] = total === 0 ? 1 : sum / total;
  }
  return shares;
}

/** What a slider shows. */
export interface ShownGraph {
  readonly nodes: Uint8Array;
  /** Features and errors shown, and how many there are. */
  readonly shown: number;
  readonly total: number;
}

/**
 * Inputs, outputs, and the features and errors whose cumulative influence is up to a threshold: what a slider at it shows of a graph.
 * @throws LimnError `usage/prune-threshold`
 */
export function atThreshold(
  roles: InfluenceGraph['roles'],
  cumulative: ArrayLike<number>,
  threshold: number,
): ShownGraph {
  checkThreshold('threshold', threshold);
  const movable = (role: InfluenceGraph['roles'][number]): boolean => role === 'feature' || role === 'error';
  const nodes = Uint8Array.from(roles, (role, node) =>
    isFixed(role) || (movable(role) && (cumulative[node] as number) <= threshold) ? 1 : 0,
  );
  const count = (test: (node: number) => boolean): number =>
    roles.reduce((sum, role, node) => sum + (movable(role) && test(node) ? 1 : 0), 0);
  return { nodes, shown: count((node) => nodes[node] === 1), total: count(() => true) };
}

// Paths that share nodes as one graph, with what is missing from each node said. Dunefsky et al. 2024, algorithm 2.
import { pathNodeName, type ComputationalPath } from './path-node.js';

/** A node of a graph of paths. Its `attribution` is the kept incoming edges, the errors and `skip` together. */
export interface PathGraphNode {
  readonly name: string;
  /** What it brings to the root, along all paths. */
  readonly attribution: number;
  /** Σ f·(mlp(x) − TC(x)) of the MLPs below. */
  readonly tcError: number;
  /** Constants. */
  readonly biasError: number;
  /** Skip connections. */
  readonly skip: number;
  /** What sources bring that are on no path here. */
  readonly pruneError: number;
}

/** What a source brings to the root by way of a node. */
export interface PathGraphEdge {
  readonly source: string;
  readonly target: string;
  readonly weight: number;
}

/** Nodes and edges, each with the largest first. */
export interface PathGraph {
  readonly nodes: readonly PathGraphNode[];
  readonly edges: readonly PathGraphEdge[];
}

/**
 * Every prefix of the paths once: its last node's attribution is added to the node and to the edge towards the node before. A node's errors
 * are those of its prefixes; a leaf has none.
 */
export function pathGraph(
  paths: readonly ComputationalPath[],
  options: {
    /** False puts a feature's or head's positions together. Default true. */
    readonly positions?: boolean;
  } = {},
): PathGraph {
  const { positions = true } = options;
  const keyOf = (path: ComputationalPath, length: number): string =>
    path.steps
      .slice(0, length)
      .map(({ node }) => pathNodeName(node))
      .join(' ');
  const nodes = new Map<string, { -readonly [K in keyof PathGraphNode]: PathGraphNode[K] }>();
  const edges = new Map<string, { -readonly [K in keyof PathGraphEdge]: PathGraphEdge[K] }>();
  const seen = new Set<string>();
  for (const path of paths)
    for (const [i, { node, attribution, remainder }] of path.steps.entries()) {
      const key = keyOf(path, i + 1);
      if (seen.has(key)) continue;
      seen.add(key);
      const name = pathNodeName(node, positions);
      const entry = nodes.get(name) ?? { name, attribution: 0, tcError: 0, biasError: 0, skip: 0, pruneError: 0 };
      nodes.set(name, entry);
      entry.attribution += attribution;
      if (remainder) {
        entry.tcError += remainder.tcError;
        entry.biasError += remainder.biasError;
        entry.skip += remainder.skip;
        // All that could be kept, less what is: the edges below take their part off.
        entry.pruneError += remainder.terms;
      }
      const above = path.steps[i - 1];
      if (!above) continue;
      const target = pathNodeName(above.node, positions);
      const id = `${name} ${target}`;
      const edge = edges.get(id) ?? { source: name, target, weight: 0 };
      edges.set(id, edge);
      edge.weight += attribution;
      const parent = nodes.get(target);
      if (parent) parent.pruneError -= attribution;
    }
  const bySize = (a: number, b: number): number => Math.abs(b) - Math.abs(a);
  return {
    nodes: [...nodes.values()].sort((a, b) => bySize(a.attribution, b.attribution)),
    edges: [...edges.values()].sort((a, b) => bySize(a.weight, b.weight)),
  };
}

// Features that are left out of a graph go into the errors of their places, so that what goes into a node stays what it was.
import { accountFor, incomingEdges } from './edge-matrix.js';
import type { AttributionGraph } from './attribution-graph.js';
import type { GraphNode } from './graph-node.js';

/**
 * The graph without the features that `keep` is not 1 for; what each brought is brought by the error at its layer and position.
 * Scores of a pruned graph are those of a graph folded so: nothing that was pruned may count as explained.
 */
export function foldFeatures(graph: AttributionGraph, keep: ArrayLike<number>): AttributionGraph {
  const { nodes, edges } = graph;
  const stays = nodes.map((node, i) => node.kind !== 'feature' || keep[i] === 1);
  const place = new Int32Array(nodes.length).fill(-1);
  const left = nodes.filter((_, i) => stays[i]);
  let next = 0;
  for (const i of nodes.keys()) if (stays[i]) place[i] = next++;
  const errors = new Map<string, number>();
  for (const [i, node] of nodes.entries()) if (node.kind === 'error') errors.set(keyOf(node), place[i] as number);
  const column = nodes.map((node, i) =>
    stays[i]
      ? (place[i] as number)
      : (errors.get(keyOf(node as Extract<GraphNode, { layer: number; position: number }>)) ?? -1),
  );
  const sources = stays.slice(0, edges.sources).filter(Boolean).length;
  const rows = [...edges.targets.keys()].filter((row) => stays[edges.targets[row] as number]);
  const weights = new Float32Array(rows.length * sources);
  for (const [r, row] of rows.entries()) {
    const sums = new Float64Array(sources);
    for (const [s, weight] of incomingEdges(edges, row).entries()) {
      const to = column[s] as number;
      if (to >= 0) sums[to] = (sums[to] as number) + weight;
    }
    weights.set(sums, r * sources);
  }
  const accounting = rows.map((row, r) =>
    accountFor(weights.subarray(r * sources, (r + 1) * sources), graph.accounting[row]?.value ?? 0),
  );
  const targets = Uint32Array.from(rows, (row) => place[edges.targets[row] as number] as number);
  return { ...graph, nodes: left, edges: { sources, targets, weights }, accounting };
}

const keyOf = ({ layer, position }: { readonly layer: number; readonly position: number }): string =>
  `${layer} ${position}`;

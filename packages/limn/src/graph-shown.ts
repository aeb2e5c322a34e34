// What of a graph its page has: inputs, constants, outputs, the most influential of the others, and the edges between them that hand on most.
import {
  cumulativeInfluence,
  edgeInfluence,
  incomingEdges,
  type GraphNode,
  type InfluenceGraph,
} from '@limn/transcoders';

/** Features and errors, and edges, that a page has at most. */
const [MOST_NODES, MOST_EDGES] = [1200, 60_000];

const isMovable = ({ kind }: Pick<GraphNode, 'kind'>): boolean =>
  kind === 'feature' || kind === 'error' || kind === 'skip';

/** 1 for inputs, constants and outputs; for what pruning kept; and for the most influential of the rest. */
export function nodesShown(
  nodes: readonly Pick<GraphNode, 'kind'>[],
  { nodes: kept, influence }: { readonly nodes: Uint8Array; readonly influence: ArrayLike<number> },
): Uint8Array {
  const movable = nodes
    .flatMap((node, i) => (isMovable(node) ? [i] : []))
    .sort((a, b) => (kept[b] as number) - (kept[a] as number) || (influence[a] as number) - (influence[b] as number))
    .slice(0, MOST_NODES);
  const chosen = new Set(movable);
  return Uint8Array.from(nodes, (node, i) => (!isMovable(node) || chosen.has(i) ? 1 : 0));
}

/** An edge between two nodes, by their places. */
export interface ShownEdge {
  readonly source: number;
  readonly target: number;
  readonly weight: number;
  /** Cumulative share of the influence of the edges here; constants have none. */
  readonly share?: number;
}

/** The edges between nodes that are shown, those first that hand on most; then those of constants by their size. */
export function edgesShown(graph: InfluenceGraph, shown: Uint8Array): ShownEdge[] {
  const { edges, roles } = graph;
  const scores = edgeInfluence(graph, { nodes: shown });
  const listed: (ShownEdge & { readonly score: number })[] = [];
  for (const [row, target] of edges.targets.entries()) {
    if (!shown[target]) continue;
    for (const [source, weight] of incomingEdges(edges, row).entries())
      if (weight !== 0 && shown[source])
        listed.push({ source, target, weight, score: scores[row * edges.sources + source] as number });
  }
  const bySize = (a: ShownEdge, b: ShownEdge): number => Math.abs(b.weight) - Math.abs(a.weight);
  const [constants, others] = [true, false].map((constant) =>
    listed.filter(({ source }) => (roles[source] === 'constant') === constant),
  ) as [typeof listed, typeof listed];
  const chosen = others.sort((a, b) => b.score - a.score || bySize(a, b)).slice(0, MOST_EDGES);
  const shares = cumulativeInfluence(chosen.map(({ score }) => score));
  return [
    ...chosen.map(({ source, target, weight }, i) => ({ source, target, weight, share: shares[i] as number })),
    ...constants.sort(bySize).slice(0, MOST_EDGES),
  ];
}

// Groups that a reader may take: features of one layer at one position that are made of the same and bring the same.
import { clip } from '../token-words.js';
import { graphLinks, type GraphLinks } from './graph-links.js';
import { nodeName } from './graph-names.js';
import type { DrawnGraph, GraphView } from './graph-view.js';

/** Features that may be one supernode. */
export interface ProposedGroup {
  /** The strongest source that they share and the strongest target. */
  readonly name: string;
  /** Places of nodes, two or more. */
  readonly members: readonly number[];
  /** The mean likeness of all pairs of them. */
  readonly alike: number;
}

/** The least mean likeness of a group. */
export const leastAlike = 0.5;

type Graph = Pick<DrawnGraph, 'nodes' | 'edges' | 'prompt' | 'layers'>;
/** Weights by the node at the other end. */
type Weights = ReadonlyMap<number, number>;

/**
 * The likeness of two features is the smaller of two cosines: of their incoming edges, without constants, and of their outgoing ones.
 * Features begin alone; the two groups of a cell (one layer, one position) whose members are most alike on average become one, as long as
 * that average is `leastAlike` or more.
 */
export function proposeGroups(graph: Graph, links: GraphLinks, candidates: readonly boolean[]): ProposedGroup[] {
  const cells = new Map<string, number[]>();
  graph.nodes.forEach(({ kind, layer, position }, i) => {
    if (kind !== 'feature' || !candidates[i]) return;
    const cell = `${layer} ${position}`;
    cells.set(cell, [...(cells.get(cell) ?? []), i]);
  });
  const proposed = [...cells.values()].flatMap((cell) => groupsOf(graph, links, cell));
  return proposed.sort((a, b) => b.members.length * b.alike - a.members.length * a.alike);
}

/**
 * Supernodes for the `qParams` of a record, with their members pinned: of the features whose cumulative influence is up to the record's
 * threshold, those of one layer at one position that are alike in both their incoming and their outgoing edges. Two features are as alike
 * as the smaller of the two cosines, constants left out; groups are joined while the mean likeness of their members is 0.5 or more.
 */
export function proposeSupernodes(graph: Graph & Pick<DrawnGraph, 'pruning'>): NonNullable<DrawnGraph['qParams']> {
  const { nodes, pruning } = graph;
  const shown = nodes.map(({ influence = 0 }) => influence <= pruning.nodeThreshold + 1e-6);
  const supernodes = proposeGroups(graph, graphLinks(graph), shown).map(({ name, members }) => [
    name,
    ...members.flatMap((i) => nodes[i]?.id ?? []),
  ]);
  return { pinnedIds: supernodes.flatMap(([, ...ids]) => ids), supernodes };
}

/** Of a view: of the features that it shows and that are in no group yet. */
export function proposalsFor({ graph, links, shown, supernodes }: GraphView): ProposedGroup[] {
  const grouped = new Set(supernodes.flatMap(({ members }) => members));
  return proposeGroups(
    graph,
    links,
    shown.nodes.map((isShown, i) => isShown && !grouped.has(i)),
  );
}

function groupsOf(graph: Graph, links: GraphLinks, cell: readonly number[]): ProposedGroup[] {
  const { edges, nodes } = graph;
  const sides = cell.map((node) => ({
    into: links.into(node).flatMap((i) => {
      const [source = 0, , weight = 0] = edges[i] ?? [];
      return nodes[source]?.kind === 'bias' ? [] : [[source, weight] as const];
    }),
    outOf: links.outOf(node).map((i) => [edges[i]?.[1] ?? 0, edges[i]?.[2] ?? 0] as const),
  }));
  const units = sides.map(({ into, outOf }) => ({ into: unit(into), outOf: unit(outOf) }));
  const likeness = units.map((a) =>
    units.map((b) => (a === b ? 1 : Math.min(product(a.into, b.into), product(a.outOf, b.outOf)))),
  );
  /** Mean over all pairs of the members of two groups. */
  const between = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, i) => sum + b.reduce((part, j) => part + (likeness[i]?.[j] ?? 0), 0), 0) / (a.length * b.length);
  let groups = cell.map((_, i): readonly number[] => [i]);
  for (;;) {
    let best: { readonly a: number; readonly b: number; readonly alike: number } | undefined;
    for (const [a, first] of groups.entries())
      for (const [b, second] of groups.entries()) {
        const alike = a < b ? between(first, second) : -1;
        if (alike >= leastAlike && alike > (best?.alike ?? -1)) best = { a, b, alike };
      }
    if (!best) break;
    const { a, b } = best;
    const joined = [...(groups[a] ?? []), ...(groups[b] ?? [])].sort((i, j) => i - j);
    groups = [...groups.filter((_, i) => i !== a && i !== b), joined];
  }
  return groups.flatMap((group) => {
    if (group.length < 2) return [];
    const pairs = group.flatMap((i) => group.flatMap((j) => (i < j ? [likeness[i]?.[j] ?? 0] : [])));
    const strongest = (side: 'into' | 'outOf'): string => {
      const sums = new Map<number, number>();
      for (const i of group)
        for (const [node, weight] of sides[i]?.[side] ?? []) sums.set(node, (sums.get(node) ?? 0) + weight);
      const falling = [...sums].sort(([, x], [, y]) => Math.abs(y) - Math.abs(x));
      // An error says nothing of what the group is about.
      const found = falling.find(([node]) => nodes[node]?.kind !== 'error') ?? falling[0];
      const node = found && nodes[found[0]];
      return node ? `${found[1] < 0 ? '−' : ''}${clip(nodeName(node, graph), 32)}` : '';
    };
    const name = [strongest('into'), strongest('outOf')].filter(Boolean).join(' → ');
    const alike = pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
    return [{ name, members: group.map((i) => cell[i] ?? 0), alike }];
  });
}

/** Of length 1; empty where there is nothing. */
function unit(weights: readonly (readonly [node: number, weight: number])[]): Weights {
  const size = Math.sqrt(weights.reduce((sum, [, weight]) => sum + weight ** 2, 0));
  return new Map(size === 0 ? [] : weights.map(([node, weight]) => [node, weight / size]));
}

function product(a: Weights, b: Weights): number {
  let sum = 0;
  for (const [node, weight] of a) sum += weight * (b.get(node) ?? 0);
  return sum;
}

// A graph as it is being read: what is shown, picked, pinned and grouped. The page is made from one, and its script makes the next.
import { layOutGraph, type GraphLayout } from './graph-layout.js';
import { graphLinks, type GraphLinks } from './graph-links.js';
import type { FeatureGraphRecord } from './graph-record.js';
import { shownGraph, type GraphChoice, type ShownGraph } from './graph-shown.js';

/** The parts of a record that are drawn, and go into the page. */
export type DrawnGraph = Omit<
  FeatureGraphRecord,
  'provenance' | 'imported' | 'schema' | 'version' | 'kind' | 'effects'
>;

/** Pinned nodes under a name; nodes by their place. */
export interface Supernode {
  readonly name: string;
  readonly members: readonly number[];
}

/** What a reader did. */
export interface GraphReading {
  readonly choice: GraphChoice;
  /** The node that is picked. */
  readonly picked: number | undefined;
  readonly pinned: readonly number[];
  readonly supernodes: readonly Supernode[];
  /** What nodes are called in the place of the graph's own labels, by their place. */
  readonly labels: ReadonlyMap<number, string>;
  /** Whether groups are proposed. */
  readonly proposing: boolean;
}

/** A reading with all that follows from it. */
export interface GraphView extends GraphReading {
  /** With the labels of the reading. */
  readonly graph: DrawnGraph;
  readonly links: GraphLinks;
  readonly shown: ShownGraph;
  readonly layout: GraphLayout;
}

/** The reading that a page begins with: what its record keeps, and without that the likeliest output. */
export function firstReading({ nodes, pruning, qParams }: DrawnGraph): GraphReading {
  const places = new Map(nodes.map(({ id }, i) => [id, i]));
  const known = (ids: readonly string[]): number[] => ids.flatMap((id) => places.get(id) ?? []);
  const outputs = nodes.flatMap(({ kind, probability = 0 }, i) => (kind === 'output' ? [{ i, probability }] : []));
  const [likeliest] = outputs.sort((a, b) => b.probability - a.probability || a.i - b.i);
  return {
    choice: { nodes: pruning.nodeThreshold, edges: pruning.edgeThreshold, constants: false },
    picked: places.get(qParams?.clickedId ?? '') ?? likeliest?.i,
    pinned: known(qParams?.pinnedIds ?? []),
    supernodes: (qParams?.supernodes ?? []).map(([name = '', ...ids]) => ({ name, members: known(ids) })),
    labels: new Map(
      (qParams?.clerps ?? []).flatMap(([id, label]) => {
        const node = places.get(id);
        return node === undefined ? [] : [[node, label] as const];
      }),
    ),
    proposing: false,
  };
}

export function graphView(given: DrawnGraph, reading: GraphReading, links = graphLinks(given)): GraphView {
  const { picked, pinned, supernodes, labels } = reading;
  const graph = labelled(given, labels);
  const kept = new Set([...pinned, ...supernodes.flatMap(({ members }) => members)]);
  if (picked !== undefined) kept.add(picked);
  const shown = shownGraph(graph, reading.choice, kept);
  return { graph, links, ...reading, shown, layout: layOutGraph(graph, shown.nodes) };
}

/** What of a view its reader did. */
export const readingOf = ({ choice, picked, pinned, supernodes, labels, proposing }: GraphView): GraphReading => ({
  choice,
  picked,
  pinned,
  supernodes,
  labels,
  proposing,
});

function labelled(graph: DrawnGraph, labels: GraphReading['labels']): DrawnGraph {
  if (labels.size === 0) return graph;
  const nodes = graph.nodes.map((node, i) => {
    const label = labels.get(i);
    return label === undefined ? node : { ...node, label };
  });
  return { ...graph, nodes };
}

/** What graph files keep of a reading. */
export function qParamsOf({
  graph,
  picked,
  pinned,
  supernodes,
  labels,
}: GraphView): NonNullable<DrawnGraph['qParams']> {
  const id = (node: number): string => graph.nodes[node]?.id ?? '';
  return {
    pinnedIds: pinned.map(id),
    supernodes: supernodes.map(({ name, members }) => [name, ...members.map(id)]),
    clickedId: picked === undefined ? null : id(picked),
    ...(labels.size > 0 ? { clerps: [...labels].map(([node, label]) => [id(node), label] as const) } : {}),
  };
}

// The record of an attribution graph, and its graph file: what of the graph goes into each.
import path from 'node:path';
import { graphExtras, type FeatureGraphNode, type FeatureGraphRecord, type Provenance } from '@limn/report';
import {
  ACCOUNTING_TOLERANCE,
  exportGraph,
  graphLinks,
  graphScores,
  influenceGraph,
  worstResidual,
  type AttributionGraph,
  type ExportedGraph,
  type GraphNode,
  type GraphScores,
  type PrunedGraph,
} from '@limn/transcoders';
import type { CausalCheck } from './causal-check.js';
import { edgesShown, nodesShown } from './graph-shown.js';
import { outputText } from './feature-targets.js';
import type { OpenModel } from './model-source.js';

/** A graph with what is said of it. */
export interface FeatureGraphFindings {
  readonly graph: AttributionGraph;
  readonly pruned: PrunedGraph;
  readonly thresholds: { readonly node: number; readonly edge: number };
  /** Of the whole graph. */
  readonly scores: GraphScores;
  readonly check?: CausalCheck | undefined;
  /** '' where a feature has no label. */
  readonly label: (layer: number, feature: number) => string;
  readonly maxFeatures: number;
  /** Whether graph.json has positions, biases and skip connections under kinds of its own. */
  readonly keepOthers: boolean;
}

/** Scores of a graph. */
export const scoresOfGraph = (graph: AttributionGraph): GraphScores => graphScores(influenceGraph(graph));

/** A name for files: of the prompt's words, 'prompt' where it has none. */
export function slugOf(text: string): string {
  const slug = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return slug === '' ? 'prompt' : slug;
}

/** What is the same of the graph file and of the ids of the record. */
function exportRequest({ graph, pruned, label }: FeatureGraphFindings, { hooked, name, show }: OpenModel) {
  return {
    nodes: graph.nodes,
    layers: graph.layers,
    vocabulary: hooked.info.vocabulary,
    prompt: graph.prompt,
    show,
    influence: pruned.influence,
    label: (node: GraphNode) => (node.kind === 'feature' ? label(node.layer, node.feature) : ''),
    slug: slugOf(graph.prompt.map(show).join(' ')),
    scan: path.basename(name),
  };
}

/** Ids of nodes as files and records name them, by their places among `nodes`. @throws LimnError as `exportGraph` */
export function nodeIds(
  nodes: readonly GraphNode[],
  found: FeatureGraphFindings,
  model: OpenModel,
): ReadonlyMap<number, string> {
  const { influence: _, ...request } = exportRequest(found, model);
  return exportGraph({ ...request, nodes, links: [], others: 'keep' }).ids;
}

/** The pruned graph as other viewers open it, with the groups of its record. @throws LimnError as `exportGraph` */
export function graphFileOf(
  found: FeatureGraphFindings,
  model: OpenModel,
  provenance: Provenance,
  record: FeatureGraphRecord,
): ExportedGraph {
  const { graph, pruned, thresholds, maxFeatures, keepOthers } = found;
  const kept = keepOthers ? withOthers(graph, pruned) : pruned.nodes;
  const request = exportRequest(found, model);
  const places = new Map(Array.from(nodeIds(graph.nodes, found, model), ([place, id]) => [id, place]));
  const placesOf = (ids: readonly string[]): number[] =>
    ids.flatMap((id) => {
      const place = places.get(id);
      return place !== undefined && kept[place] ? [place] : [];
    });
  const { pinnedIds = [], supernodes = [] } = record.qParams ?? {};
  return exportGraph({
    ...request,
    links: graphLinks(graph.edges, pruned.edges),
    kept,
    pinned: placesOf(pinnedIds),
    supernodes: supernodes
      .map(([label = '', ...ids]) => ({ label, nodes: placesOf(ids) }))
      .filter(({ nodes }) => nodes.length > 0),
    others: keepOthers ? 'keep' : 'leave-out',
    metadata: {
      node_threshold: thresholds.node,
      info: {
        description: provenance.commandLine,
        generator: { name: 'limn', version: provenance.versions['limn'] ?? '' },
      },
      limn: graphExtras(record),
      generation_settings: { max_feature_nodes: maxFeatures },
      pruning_settings: { node_threshold: thresholds.node, edge_threshold: thresholds.edge },
    },
  });
}

/** Biases are no part of what pruning keeps. */
const withOthers = ({ nodes }: AttributionGraph, pruned: PrunedGraph): Uint8Array =>
  Uint8Array.from(pruned.nodes, (kept, i) => (kept || nodes[i]?.kind === 'bias' ? 1 : 0));

/** The record: the graph as far as its page shows it. Its sliders begin at the thresholds of graph.json; shares of edges are of those here. */
export function featureGraphRecord(
  found: FeatureGraphFindings,
  model: OpenModel,
  provenance: Provenance,
): FeatureGraphRecord {
  const { graph, pruned, thresholds, scores, check, label } = found;
  const kept = nodesShown(graph.nodes, pruned);
  const request = exportRequest(found, model);
  const { ids } = exportGraph({ ...request, links: [], kept, others: 'keep' });
  const places = [...ids.keys()];
  const placeOf = new Map(places.map((node, i) => [node, i]));
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'feature-graph',
    title: titleOf(graph, model),
    provenance,
    prompt: graph.prompt.map(model.show),
    layers: graph.layers,
    nodes: places.map((i) => ({
      id: ids.get(i) as string,
      ...nodeFields(graph.nodes[i] as GraphNode, model, label),
      ...(hasInfluence(graph.nodes[i] as GraphNode) ? { influence: pruned.influence[i] as number } : {}),
    })),
    edges: edgesShown(influenceGraph(graph), kept).map(({ source, target, weight, share }) => {
      const ends = [placeOf.get(source) as number, placeOf.get(target) as number] as const;
      return share === undefined ? [...ends, weight] : [...ends, weight, share];
    }),
    scores,
    accounting: { worst: worstResidual(graph), tolerance: ACCOUNTING_TOLERANCE, targets: graph.accounting.length },
    pruning: { nodeThreshold: thresholds.node, edgeThreshold: thresholds.edge },
    activeFeatures: graph.activeFeatures,
    whole: { nodes: graph.nodes.length, edges: graph.edges.weights.reduce((n, w) => (w === 0 ? n : n + 1), 0) },
    withoutDictionary: graph.withoutDictionary,
    ...(check ? { effects: effectsOf(check) } : {}),
    scan: request.scan,
    slug: request.slug,
  };
}

/** Places of a record's nodes among the graph's. */
export const nodePlaces = ({ graph, pruned }: FeatureGraphFindings): number[] =>
  Array.from(nodesShown(graph.nodes, pruned)).flatMap((isShown, i) => (isShown ? [i] : []));

function titleOf({ nodes }: AttributionGraph, { show }: OpenModel): string {
  const outputs = nodes.flatMap((node) => (node.kind === 'output' ? [outputText(node, show)] : []));
  return `Features behind ${outputs
    .slice(0, 3)
    .map((text) => JSON.stringify(text))
    .join(', ')}${outputs.length > 3 ? ' …' : ''}`.slice(0, 500);
}

const hasInfluence = ({ kind }: GraphNode): boolean => kind !== 'bias' && kind !== 'output';
/** A node of a record, without its id. */
export function nodeFields(
  node: GraphNode,
  { show }: OpenModel,
  label: FeatureGraphFindings['label'],
): Omit<FeatureGraphNode, 'id'> {
  switch (node.kind) {
    case 'feature': {
      const text = label(node.layer, node.feature);
      return { ...node, ...(text === '' ? {} : { label: text.slice(0, 2000) }) };
    }
    case 'output':
      return { ...node, label: outputText(node, show).slice(0, 2000) };
    default:
      return node;
  }
}

function effectsOf({ changed, strongest, matched }: CausalCheck): NonNullable<FeatureGraphRecord['effects']> {
  const count = (n: number): string => (n === 1 ? 'feature' : `${n} features`);
  return [
    { name: `its most influential ${count(changed.length)}, each negated, model unfrozen`, rows: strongest.rows },
    ...(matched
      ? [
          {
            name: `${count(matched.features)} of matched activation, drawn at random`,
            control: true,
            rows: matched.rows,
          },
        ]
      : []),
  ];
}

// The record of an attribution graph, and its graph file: what of the graph goes into each.
import path from 'node:path';
import type { FeatureGraphNode, FeatureGraphRecord, Provenance } from '@limn/report';
import {
  ACCOUNTING_TOLERANCE,
  cumulativeInfluence,
  edgeInfluence,
  exportGraph,
  graphLinks,
  graphScores,
  incomingEdges,
  influenceGraph,
  worstResidual,
  type AttributionGraph,
  type ExportedGraph,
  type GraphNode,
  type GraphScores,
  type PrunedGraph,
} from '@limn/transcoders';
import type { CausalCheck } from './causal-check.js';
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

/** The pruned graph as other viewers open it. @throws LimnError as `exportGraph` */
export function graphFileOf(found: FeatureGraphFindings, model: OpenModel, provenance: Provenance): ExportedGraph {
  const { graph, pruned, thresholds, maxFeatures, keepOthers } = found;
  return exportGraph({
    ...exportRequest(found, model),
    links: graphLinks(graph.edges, pruned.edges),
    kept: keepOthers ? withOthers(graph, pruned) : pruned.nodes,
    others: keepOthers ? 'keep' : 'leave-out',
    metadata: {
      node_threshold: thresholds.node,
      info: {
        description: provenance.commandLine,
        generator: { name: 'limn', version: provenance.versions['limn'] ?? '' },
      },
      generation_settings: { max_feature_nodes: maxFeatures },
      pruning_settings: { node_threshold: thresholds.node, edge_threshold: thresholds.edge },
    },
  });
}

/** Biases are no part of what pruning keeps. */
const withOthers = ({ nodes }: AttributionGraph, pruned: PrunedGraph): Uint8Array =>
  Uint8Array.from(pruned.nodes, (kept, i) => (kept || nodes[i]?.kind === 'bias' ? 1 : 0));

/** Features and errors, and edges, that a page has at most. */
const [MOST_NODES, MOST_EDGES] = [1200, 60_000];

/** The record: the graph as far as its page shows it. Its sliders begin at the thresholds of graph.json; shares of edges are of those here. */
export function featureGraphRecord(
  found: FeatureGraphFindings,
  model: OpenModel,
  provenance: Provenance,
): FeatureGraphRecord {
  const { graph, pruned, thresholds, scores, check, label } = found;
  const kept = recordedNodes(graph, pruned);
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
    edges: recordedEdges(graph, kept).map(({ source, target, weight, share }) => {
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

function titleOf({ nodes }: AttributionGraph, { show }: OpenModel): string {
  const outputs = nodes.flatMap((node) => (node.kind === 'output' ? [outputText(node, show)] : []));
  return `Features behind ${outputs
    .slice(0, 3)
    .map((text) => JSON.stringify(text))
    .join(', ')}${outputs.length > 3 ? ' …' : ''}`.slice(0, 500);
}

const hasInfluence = ({ kind }: GraphNode): boolean => kind !== 'bias' && kind !== 'output';
const isMovable = ({ kind }: GraphNode): boolean => kind === 'feature' || kind === 'error' || kind === 'skip';

/** Inputs, constants and outputs; what pruning kept; and the most influential of the rest. */
function recordedNodes({ nodes }: AttributionGraph, { nodes: kept, influence }: PrunedGraph): Uint8Array {
  const movable = nodes
    .flatMap((node, i) => (isMovable(node) ? [i] : []))
    .sort((a, b) => (kept[b] as number) - (kept[a] as number) || (influence[a] as number) - (influence[b] as number))
    .slice(0, MOST_NODES);
  const chosen = new Set(movable);
  return Uint8Array.from(nodes, (node, i) => (!isMovable(node) || chosen.has(i) ? 1 : 0));
}

interface RecordedEdge {
  readonly source: number;
  readonly target: number;
  readonly weight: number;
  /** Cumulative share of the influence of the edges here; constants have none. */
  readonly share?: number;
}

/** The edges between recorded nodes, those first that hand on most; then those of constants by their size. */
function recordedEdges(graph: AttributionGraph, kept: Uint8Array): RecordedEdge[] {
  const { edges, nodes } = graph;
  const scores = edgeInfluence(influenceGraph(graph), { nodes: kept });
  const listed: (RecordedEdge & { readonly score: number })[] = [];
  for (const [row, target] of edges.targets.entries()) {
    if (!kept[target]) continue;
    for (const [source, weight] of incomingEdges(edges, row).entries())
      if (weight !== 0 && kept[source])
        listed.push({ source, target, weight, score: scores[row * edges.sources + source] as number });
  }
  const bySize = (a: RecordedEdge, b: RecordedEdge): number => Math.abs(b.weight) - Math.abs(a.weight);
  const [constants, others] = [true, false].map((constant) =>
    listed.filter(({ source }) => (nodes[source]?.kind === 'bias') === constant),
  ) as [typeof listed, typeof listed];
  const chosen = others.sort((a, b) => b.score - a.score || bySize(a, b)).slice(0, MOST_EDGES);
  const shares = cumulativeInfluence(chosen.map(({ score }) => score));
  return [
    ...chosen.map(({ source, target, weight }, i) => ({ source, target, weight, share: shares[i] as number })),
    ...constants.sort(bySize).slice(0, MOST_EDGES),
  ];
}

function nodeFields(
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

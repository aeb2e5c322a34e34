// The edges of a graph that hand on most, split by the heads that they run through, layer by layer.
import { LimnError } from '@limn/gpu';
import type { RunProgress } from '@limn/hooks';
import type { FeatureGraphRecord, FeatureGraphSplit } from '@limn/report';
import {
  graphNodeName,
  headLoadings,
  type AttributionGraph,
  type FrozenPrompt,
  type GraphNode,
  type GraphOutput,
  type GraphTarget,
} from '@limn/transcoders';

/** Which edges are split. */
export interface SplitRequest {
  readonly graph: AttributionGraph;
  /** What the graph explains, in the order of its outputs. */
  readonly outputs: readonly GraphOutput[];
  readonly record: Pick<FeatureGraphRecord, 'nodes' | 'edges'>;
  /** Places of the record's nodes among the graph's. */
  readonly places: readonly number[];
  /** Edges, beginning with that of the most influence. */
  readonly most: number;
  /** Further edges, each by the ids of its source and its target. */
  readonly further?: readonly (readonly [source: string, target: string])[] | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((report: RunProgress) => void) | undefined;
}

/**
 * Splits of every chosen edge at every attention layer between its ends; a layer whose heads bring nothing of it has none.
 * @throws LimnError `usage/graph-edge` for an edge that the record has not, and as `headLoadings`; AbortedError
 */
export async function splitEdgesOf(prompt: FrozenPrompt, request: SplitRequest): Promise<FeatureGraphSplit[]> {
  const { graph, outputs, record, places, most, further = [], signal, onProgress } = request;
  const nodeAt = (i: number): GraphNode => graph.nodes[places[i] as number] as GraphNode;
  const layersBetween = (edge: number): readonly number[] => {
    const [source = 0, target = 0] = record.edges[edge] ?? [];
    const node = nodeAt(target);
    return crossed(nodeAt(source), lastAttention(node, outputOf(node, graph, outputs), graph.layers));
  };
  const strongest = record.edges.flatMap((_, edge) => (layersBetween(edge).length > 0 ? [edge] : [])).slice(0, most);
  const chosen = [...new Set([...strongest, ...further.map((ends) => edgeOf(ends, record))])];
  const wanted = new Map<number, { readonly edges: number[]; readonly layers: Set<number> }>();
  for (const edge of chosen) {
    const target = record.edges[edge]?.[1] ?? 0;
    const known = wanted.get(target) ?? { edges: [], layers: new Set<number>() };
    known.edges.push(edge);
    for (const layer of layersBetween(edge)) known.layers.add(layer);
    wanted.set(target, known);
  }
  const isNode = new Set(graph.nodes.flatMap((node) => (node.kind === 'feature' ? [graphNodeName(node)] : [])));
  const total = [...wanted.values()].reduce((sum, { layers }) => sum + layers.size, 0);
  const splits: FeatureGraphSplit[] = [];
  let done = 0;
  for (const [target, { edges, layers }] of wanted)
    for (const layer of [...layers].sort((a, b) => a - b)) {
      const { nodes, heads, past } = await headLoadings(prompt, targetOf(nodeAt(target), graph, outputs), layer, {
        chosen: (place) => isNode.has(graphNodeName({ kind: 'feature', activation: 0, ...place })),
        signal,
      });
      const columns = new Map(nodes.map((node, i) => [graphNodeName(node), i]));
      for (const edge of edges) {
        const column = columns.get(graphNodeName(nodeAt(record.edges[edge]?.[0] ?? 0)));
        if (column === undefined || !layersBetween(edge).includes(layer)) continue;
        const parts = Array.from(
          { length: heads.length / nodes.length },
          (_, h) => heads[h * nodes.length + column] ?? 0,
        );
        if (parts.some((part) => part !== 0)) splits.push({ edge, layer, heads: parts, past: past[column] ?? 0 });
      }
      onProgress?.({ unit: 'layers of targets', done: ++done, total });
    }
  return splits.sort((a, b) => a.edge - b.edge || a.layer - b.layer);
}

/** Attention layers from behind what a source writes up to `last`. */
function crossed(source: GraphNode, last: number): readonly number[] {
  const first = 'layer' in source && source.layer !== undefined ? source.layer + 1 : 0;
  if (source.kind === 'bias' || source.kind === 'output') return [];
  return Array.from({ length: Math.max(0, last + 1 - first) }, (_, i) => first + i);
}

/** The last attention layer that a target lies behind: what is explained may be a feature, too. */
function lastAttention(target: GraphNode, output: GraphOutput | undefined, layers: number): number {
  if (target.kind === 'feature') return target.layer;
  return output?.target.kind === 'feature' ? output.target.layer : layers - 1;
}

const outputOf = (
  node: GraphNode,
  { nodes }: AttributionGraph,
  outputs: readonly GraphOutput[],
): GraphOutput | undefined => outputs[nodes.filter(({ kind }) => kind === 'output').indexOf(node)];

function targetOf(node: GraphNode, graph: AttributionGraph, outputs: readonly GraphOutput[]): GraphTarget {
  if (node.kind === 'feature') {
    const { layer, position, feature } = node;
    return { kind: 'feature', layer, position, feature };
  }
  const output = outputOf(node, graph, outputs);
  if (output) return output.target;
  throw new LimnError('usage/graph-edge', `${graphNodeName(node)} is no target of edges`, {
    hint: 'edges lead into features and outputs',
  });
}

function edgeOf(
  [source, target]: readonly [string, string],
  { nodes, edges }: Pick<FeatureGraphRecord, 'nodes' | 'edges'>,
): number {
  const [from, to] = [source, target].map((id) => nodes.findIndex((node) => node.id === id));
  const found = edges.findIndex((edge) => edge[0] === from && edge[1] === to);
  if (found >= 0) return found;
  throw new LimnError('usage/graph-edge', `--split-edge ${source},${target}: the graph has no such edge`, {
    details: { source, target },
    hint: 'ids are those of graph.json and of the page’s table of nodes: 0_12_3 is feature 12 of layer 0 at position 3',
  });
}

/** `--split-edge SOURCE,TARGET`, which may be given several times. @throws LimnError `usage/graph-edge` */
export function splitEdgeOption(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  const [, source, target] = /^([^,]+),([^,]+)$/.exec(text) ?? [];
  if (source !== undefined && target !== undefined) return [...before, [source, target]];
  throw new LimnError('usage/graph-edge', `--split-edge ${text}: expected SOURCE,TARGET`, {
    details: { option: '--split-edge', given: text },
    hint: 'for example --split-edge 0_12_3,2_40_8',
  });
}

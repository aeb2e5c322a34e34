// Writes an attribution graph as the JSON that the viewers of Anthropic, circuit-tracer and Neuronpedia open; every id in it is another.
import { LimnError } from '@limn/gpu';
import { incomingEdges, type EdgeMatrix } from '../graph/edge-matrix.js';
import type { GraphNode, OutputNode } from '../graph/graph-node.js';
import { cantorPair } from './cantor.js';
import {
  checkGraphJson,
  type GraphJson,
  type GraphJsonLink,
  type GraphJsonMetadata,
  type GraphJsonNode,
} from './graph-json.js';

/** An edge between two nodes, by their places. */
export interface GraphLink {
  readonly source: number;
  readonly target: number;
  /** Signed. */
  readonly weight: number;
}

/** The edges of a matrix that are not 0, or of those the kept ones ([targets, sources], 1 each), as links. */
export function graphLinks(edges: EdgeMatrix, kept?: ArrayLike<number>): GraphLink[] {
  const links: GraphLink[] = [];
  for (const [row, target] of edges.targets.entries())
    for (const [source, weight] of incomingEdges(edges, row).entries())
      if (weight !== 0 && (!kept || kept[row * edges.sources + source])) links.push({ source, target, weight });
  return links;
}

/** What is written. Nodes are named by their place in `nodes`. */
export interface GraphExport {
  readonly nodes: readonly GraphNode[];
  /** Edges between nodes, such as `graphLinks` gives them. */
  readonly links: readonly GraphLink[];
  /** Of the model. */
  readonly layers: number;
  readonly vocabulary: number;
  /** Token ids. */
  readonly prompt: readonly number[];
  /** The text of a token, as the viewer shows it. */
  readonly show: (token: number) => string;
  /** Nodes to be written, 1 each; all of them where it is missing. Links of others are left out. */
  readonly kept?: ArrayLike<number>;
  /** Cumulative share of influence per node, by which viewers prune. */
  readonly influence?: ArrayLike<number>;
  /** The label of a feature; '' where it has none. */
  readonly label?: (node: GraphNode) => string;
  /** A name for files and addresses: letters, digits and hyphens. */
  readonly slug: string;
  /** The model, and with it the features' pages. */
  readonly scan: string;
  /** More about the graph: thresholds, settings, who made it. */
  readonly metadata?: Partial<Omit<GraphJsonMetadata, 'slug' | 'scan' | 'prompt' | 'prompt_tokens'>>;
  readonly pinned?: readonly number[];
  readonly supernodes?: readonly { readonly label: string; readonly nodes: readonly number[] }[];
  /**
   * What viewers have no kind for: skip connections, position embeddings and biases. `leave-out` (default) counts them in `leftOut`;
   * `keep` writes them under kinds of their own, so that the edges into a node still sum to its value.
   */
  readonly others?: 'leave-out' | 'keep';
}

/** A graph file, and what is not in it. */
export interface ExportedGraph {
  readonly graph: GraphJson;
  /** The id of each node that was written, by its place. */
  readonly ids: ReadonlyMap<number, string>;
  /** Nodes of kinds that viewers have not, and the sizes of their edges to nodes that were written, added up. */
  readonly leftOut: { readonly nodes: number; readonly weight: number };
}

/**
 * The graph as JSON. Ids are those of circuit-tracer, but for errors: its `0_{layer}_{position}` is also the id of the feature {layer} of layer 0,
 * so that here an error is `error_{layer}_{position}`. Outputs that are no token get numbers behind the vocabulary.
 * @throws LimnError `usage/graph-export` for a slug that is no name, for two nodes that are the same, and for a link to a node that is not
 * there; `usage/feature-number`; `data/graph-json` where a weight is not finite
 */
export function exportGraph(request: GraphExport): ExportedGraph {
  const { nodes, links, kept, others = 'leave-out', prompt, show, slug, scan, pinned = [], supernodes = [] } = request;
  if (!/^[\w-]{1,200}$/.test(slug))
    throw refuse(`its slug is ${JSON.stringify(slug.slice(0, 100))}`, { slug: slug.slice(0, 100) });
  const written = new Map<number, GraphJsonNode>();
  const known = new Set<string>();
  const target = heaviest(nodes);
  for (const [i, node] of nodes.entries()) {
    if ((kept && !kept[i]) || (others === 'leave-out' && isOther(node))) continue;
    const json = nodeJson(node, i, request, i === target);
    if (known.has(json.node_id)) throw refuse(`two of its nodes are ${json.node_id}`, { id: json.node_id });
    known.add(json.node_id);
    written.set(i, json);
  }
  const ids = new Map(Array.from(written, ([i, { node_id }]) => [i, node_id]));
  const named = (i: number): string => {
    const id = ids.get(i);
    if (id === undefined) throw refuse(`node ${i}, which is pinned or grouped, is not written`, { node: i });
    return id;
  };
  const graph = checkGraphJson({
    metadata: {
      slug,
      scan,
      prompt_tokens: prompt.map(show),
      prompt: prompt.map(show).join(''),
      schema_version: 1,
      ...request.metadata,
    },
    qParams: {
      pinnedIds: pinned.map(named),
      supernodes: supernodes.map(({ label, nodes: of }) => [label, ...of.map(named)]),
      linkType: 'both',
      clickedId: '',
      sg_pos: '',
    },
    nodes: [...written.values()],
    links: linksJson(request, ids),
  });
  const isLeftOut = (i: number): boolean =>
    others === 'leave-out' && isOther(nodes[i] as GraphNode) && (!kept || Boolean(kept[i]));
  const weight = links.reduce(
    (sum, link) => (isLeftOut(link.source) && ids.has(link.target) ? sum + Math.abs(link.weight) : sum),
    0,
  );
  return { graph, ids, leftOut: { nodes: nodes.filter((_, i) => isLeftOut(i)).length, weight } };
}

function linksJson({ links, nodes }: GraphExport, ids: ReadonlyMap<number, string>): GraphJsonLink[] {
  return links.flatMap(({ source, target, weight }) => {
    if (!nodes[source] || !nodes[target])
      throw refuse(`a link is from ${source} to ${target}, of ${nodes.length} nodes`, { source, target });
    const [from, to] = [ids.get(source), ids.get(target)];
    return from === undefined || to === undefined ? [] : [{ source: from, target: to, weight }];
  });
}

const isOther = ({ kind }: GraphNode): boolean => kind === 'skip' || kind === 'position' || kind === 'bias';

/** The output that has most of the weight; viewers call it the target. */
function heaviest(nodes: readonly GraphNode[]): number {
  let found = -1;
  for (const [i, node] of nodes.entries())
    if (node.kind === 'output' && (found < 0 || node.weight > (nodes[found] as OutputNode).weight)) found = i;
  return found;
}

function nodeJson(node: GraphNode, i: number, request: GraphExport, isTarget: boolean): GraphJsonNode {
  const { influence, label } = request;
  const common = {
    token_prob: 0,
    is_target_logit: false,
    run_idx: 0,
    reverse_ctx_idx: 0,
    ...(influence ? { influence: influence[i] as number } : {}),
  };
  switch (node.kind) {
    case 'feature': {
      const { layer, feature, position, activation } = node;
      const of = {
        node_id: `${layer}_${feature}_${position}`,
        jsNodeId: `${layer}_${feature}-0`,
        feature: cantorPair(layer, feature),
      };
      return {
        ...of,
        layer: String(layer),
        ctx_idx: position,
        feature_type: 'cross layer transcoder',
        clerp: label?.(node) ?? '',
        ...common,
        activation,
      };
    }
    case 'error':
      return { ...placed('error', node), feature_type: 'mlp reconstruction error', clerp: '', ...common };
    case 'skip':
      return {
        ...placed('skip', node),
        feature_type: 'skip connection',
        clerp: `skip connection of layer ${node.layer}`,
        ...common,
      };
    case 'token': {
      const { token, position } = node;
      const of = { node_id: `E_${token}_${position}`, jsNodeId: `E_${token}-${position}`, feature: position };
      return { ...of, layer: 'E', ctx_idx: position, feature_type: 'embedding', clerp: '', ...common };
    }
    case 'position': {
      const { position } = node;
      const of = { node_id: `P_${position}`, jsNodeId: `P-${position}`, feature: position };
      return {
        ...of,
        layer: 'E',
        ctx_idx: position,
        feature_type: 'position embedding',
        clerp: `position ${position}`,
        ...common,
      };
    }
    case 'bias': {
      const name = `${node.bias}${node.layer === undefined ? '' : `_${node.layer}`}`;
      const of = { node_id: `B_${name}`, jsNodeId: `B_${name}-0`, feature: null };
      return {
        ...of,
        layer: String(node.layer ?? request.layers),
        ctx_idx: 0,
        feature_type: 'bias',
        clerp: name,
        ...common,
      };
    }
    case 'output':
      return outputJson(node, i, request, { ...common, is_target_logit: isTarget });
  }
}

const placed = (
  kind: 'error' | 'skip',
  { layer, position }: { readonly layer: number; readonly position: number },
) => ({
  node_id: `${kind}_${layer}_${position}`,
  jsNodeId: `${kind}_${layer}_${position}-0`,
  feature: -1,
  layer: String(layer),
  ctx_idx: position,
});

function outputJson<T extends object>(
  node: OutputNode,
  i: number,
  { layers, vocabulary, show }: GraphExport,
  common: T,
) {
  const { position, probability, weight } = node;
  const token = node.token ?? vocabulary + i;
  const share = probability ?? weight;
  // Viewers take the text and the probability out of the label.
  const clerp = `Output "${node.token === undefined ? node.label : show(node.token)}" (p=${share.toFixed(3)})`;
  const of = { node_id: `${layers + 1}_${token}_${position}`, jsNodeId: `L_${token}-${position}`, feature: token };
  return {
    ...of,
    layer: String(layers + 1),
    ctx_idx: position,
    feature_type: 'logit',
    clerp,
    ...common,
    token_prob: share,
  };
}

function refuse(what: string, details: Record<string, unknown>): LimnError {
  return new LimnError('usage/graph-export', `The attribution graph cannot be written: ${what}.`, {
    details,
    hint: 'A slug has letters, digits and hyphens; each node is another one; links and groups are between nodes of the graph.',
  });
}

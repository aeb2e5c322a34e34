// A graph as the file that graph viewers open: metadata, qParams, nodes and links, as circuit-tracer and Neuronpedia write them.
import type { Json } from '../schema.js';
import type { FeatureGraphNode } from './graph-record.js';
import type { DrawnGraph } from './graph-view.js';

const featureTypes: Readonly<Record<FeatureGraphNode['kind'], string>> = {
  feature: 'cross layer transcoder',
  error: 'mlp reconstruction error',
  skip: 'mlp skip connection',
  token: 'embedding',
  position: 'position embedding',
  bias: 'bias',
  output: 'logit',
};

/** Who made the file. */
export interface GraphFileMaker {
  readonly scan: string;
  readonly version: string;
}

/** JSON text. Ids are those of the record, each once, so that what is pinned is found again. */
export function graphFile(
  graph: DrawnGraph,
  qParams: NonNullable<DrawnGraph['qParams']>,
  maker: GraphFileMaker,
): string {
  const { nodes, edges, prompt, pruning } = graph;
  const file: Json = {
    metadata: {
      slug: graph.slug ?? slugOf(graph.title),
      scan: graph.scan ?? maker.scan,
      prompt: prompt.join(''),
      prompt_tokens: prompt,
      schema_version: 1,
      node_threshold: pruning.nodeThreshold,
      info: { description: graph.title, generator: { name: 'limn', version: maker.version } },
      pruning_settings: { node_threshold: pruning.nodeThreshold, edge_threshold: pruning.edgeThreshold },
    },
    qParams: { ...qParams, linkType: 'both', clickedId: qParams.clickedId ?? null, sg_pos: '' },
    nodes: nodes.map((node) => fileNode(node, graph)),
    links: edges.map(([source, target, weight]) => ({
      source: nodes[source]?.id ?? '',
      target: nodes[target]?.id ?? '',
      weight,
    })),
  };
  return `${JSON.stringify(file, undefined, 1)}\n`;
}

function fileNode(node: FeatureGraphNode, { layers, prompt }: DrawnGraph): Json {
  const { id, kind, position = 0, influence, activation, probability } = node;
  return {
    node_id: id,
    ...placeInFile(node, layers),
    ctx_idx: position,
    reverse_ctx_idx: prompt.length - 1 - position,
    feature_type: featureTypes[kind],
    is_target_logit: kind === 'output',
    token_prob: probability ?? 0,
    ...(influence === undefined ? {} : { influence }),
    ...(activation === undefined ? {} : { activation }),
  };
}

/** Layer and feature number, Cantor's pair of the two for features, and the words of the node. */
function placeInFile(node: FeatureGraphNode, layers: number): { readonly [key: string]: Json } {
  const { id, kind, layer = 0, position = 0, feature = 0, token, label = '', probability = 0 } = node;
  switch (kind) {
    case 'feature':
      return {
        feature: ((layer + feature) * (layer + feature + 1)) / 2 + feature,
        layer: String(layer),
        jsNodeId: `${layer}_${feature}-0`,
        clerp: label,
      };
    case 'token':
      return { feature: position, layer: 'E', jsNodeId: `E_${token ?? id}-${position}`, clerp: label };
    case 'output':
      return {
        feature: token ?? null,
        layer: String(layers + 1),
        jsNodeId: `L_${token ?? id}-${position}`,
        clerp: `Output "${label}" (p=${probability.toFixed(3)})`,
      };
    case 'error':
      return { feature: -1, layer: String(layer), jsNodeId: `${layer}_${position}-0`, clerp: label };
    case 'position':
      return { feature: -1, layer: 'E', jsNodeId: `${id}-0`, clerp: `Position ${position}` };
    default:
      return { feature: -1, layer: String(layer), jsNodeId: `${id}-0`, clerp: node.bias ?? label };
  }
}

/** Words of a title as the name of a file. */
export const slugOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60) || 'graph';

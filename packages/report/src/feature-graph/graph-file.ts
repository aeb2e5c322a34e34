// A graph as the file that graph viewers open: metadata, qParams, nodes and links, as circuit-tracer and Neuronpedia write them.
import type { Json } from '../schema.js';
import { graphExtras } from './graph-extras.js';
import type { FeatureGraphNode } from './graph-record.js';
import type { DrawnGraph } from './graph-view.js';

const featureTypes: Readonly<Record<FeatureGraphNode['kind'], string>> = {
  feature: 'cross layer transcoder',
  error: 'mlp reconstruction error',
  skip: 'skip connection',
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
  const written = nodes.map((node) => fileNode(node, graph));
  const named = new Map(nodes.map(({ id }, i) => [id, viewerName(written[i])]));
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
      limn: graphExtras(graph),
    },
    qParams: {
      ...qParams,
      clerps: (qParams.clerps ?? []).map(([id, label]) => [named.get(id) ?? id, label]),
      linkType: 'both',
      clickedId: qParams.clickedId ?? '',
      sg_pos: '',
    },
    nodes: written,
    links: edges.map(([source, target, weight]) => ({
      source: nodes[source]?.id ?? '',
      target: nodes[target]?.id ?? '',
      weight,
    })),
  };
  return `${JSON.stringify(file, undefined, 1)}\n`;
}

/** The name by which viewers keep the label of a node: its layer, its feature number in the file, its position. */
const viewerName = (node: { readonly [key: string]: Json } | undefined): string =>
  [node?.['layer'], node?.['feature'], node?.['ctx_idx']].join('_');

function fileNode(node: FeatureGraphNode, graph: DrawnGraph): { readonly [key: string]: Json } {
  const { id, kind, position = 0, influence, activation, probability, weight } = node;
  return {
    node_id: id,
    ...placeInFile(node, graph.layers),
    ctx_idx: position,
    feature_type: featureTypes[kind],
    token_prob: kind === 'output' ? (probability ?? weight ?? 0) : 0,
    is_target_logit: node === heaviest(graph),
    run_idx: 0,
    reverse_ctx_idx: 0,
    ...(influence === undefined ? {} : { influence }),
    ...(activation === undefined ? {} : { activation }),
  };
}

/** The output that has most of the weight; viewers call it the target. */
const heaviest = ({ nodes }: DrawnGraph): FeatureGraphNode | undefined =>
  nodes
    .filter(({ kind }) => kind === 'output')
    .reduce<FeatureGraphNode | undefined>(
      (most, node) => (most && (most.weight ?? 0) >= (node.weight ?? 0) ? most : node),
      undefined,
    );

/** Layer and feature number, Cantor's pair of the two for features, and the words of the node; as `exportGraph` of @limn/transcoders. */
function placeInFile(node: FeatureGraphNode, layers: number): { readonly [key: string]: Json } {
  const { id, kind, layer = 0, position = 0, feature = 0, token, label = '', probability, weight = 0 } = node;
  switch (kind) {
    case 'feature':
      return {
        feature: ((layer + feature) * (layer + feature + 1)) / 2 + feature,
        layer: String(layer),
        jsNodeId: `${layer}_${feature}-0`,
        clerp: label,
      };
    case 'token':
      return { feature: position, layer: 'E', jsNodeId: `E_${token ?? id}-${position}`, clerp: '' };
    case 'position':
      return { feature: position, layer: 'E', jsNodeId: `P-${position}`, clerp: `position ${position}` };
    case 'output':
      return {
        feature: token ?? null,
        layer: String(layers + 1),
        jsNodeId: `L_${token ?? id}-${position}`,
        // Viewers take the text and the probability out of it.
        clerp: `Output "${label}" (p=${(probability ?? weight).toFixed(3)})`,
      };
    case 'bias':
      return { feature: null, layer: String(node.layer ?? layers), jsNodeId: `${id}-0`, clerp: node.bias ?? id };
    default:
      return {
        feature: -1,
        layer: String(layer),
        jsNodeId: `${kind}_${layer}_${position}-0`,
        clerp: kind === 'skip' ? `skip connection of layer ${layer}` : '',
      };
  }
}

/** Words of a title as the name of a file. */
export const slugOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60) || 'graph';

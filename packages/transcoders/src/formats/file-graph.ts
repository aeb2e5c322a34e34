// A graph file, whoever made it, as nodes by kind and a matrix of edges, so that influence and pruning work on it.
import { LimnError } from '@limn/gpu';
import type { EdgeMatrix } from '../graph/edge-matrix.js';
import type { GraphNode } from '../graph/graph-node.js';
import { roleOf, type InfluenceGraph } from '../graph/influence.js';
import type { GraphJsonNode } from './graph-json.js';
import type { ImportedGraph } from './import-graph.js';

/** A node of a file; a field is absent where its kind has none or the file does not say it. */
export interface FileNode {
  readonly id: string;
  readonly kind: GraphNode['kind'];
  readonly layer?: number;
  readonly position?: number;
  readonly feature?: number;
  readonly activation?: number;
  readonly token?: number;
  readonly bias?: string;
  /** What a feature stands for; the text of an output. */
  readonly label?: string;
  /** Of an output. */
  readonly probability?: number;
  /** Cumulative, as the file has it. */
  readonly influence?: number;
}

/** A file's graph. */
export interface FileGraph {
  /** In the order of the file, but outputs last. */
  readonly nodes: readonly FileNode[];
  readonly edges: EdgeMatrix;
  /** Of the model, as far as its nodes show. */
  readonly layers: number;
  /** What has no place in such a graph: nodes of other types and their links, and links into nodes that are no targets or not above their source. */
  readonly leftOut: {
    readonly nodes: readonly { readonly type: string; readonly count: number }[];
    readonly links: number;
  };
}

const KINDS: ReadonlyMap<string, GraphNode['kind']> = new Map([
  ['cross layer transcoder', 'feature'],
  ['mlp reconstruction error', 'error'],
  ['skip connection', 'skip'],
  ['embedding', 'token'],
  ['position embedding', 'position'],
  ['bias', 'bias'],
  ['logit', 'output'],
]);

/** Entries of a matrix of edges: 512 MiB. */
const MOST_ENTRIES = 2 ** 27;

/**
 * The graph of a file that `importGraph` read. Its links are what the file has, which is most often a pruned graph: edges into a node sum to
 * less than its value.
 * @throws LimnError `data/graph-json` for a node whose layer or position is none, for two links of the same ends, for a graph without
 * outputs, and for one that is too large
 */
export function fileGraph({ graph, features }: ImportedGraph): FileGraph {
  const positions = graph.metadata.prompt_tokens.length;
  const types = new Map<string, number>();
  const known = graph.nodes.flatMap((json) => {
    const kind = KINDS.get(json.feature_type);
    if (kind) return [nodeOf(json, kind, features, positions)];
    types.set(json.feature_type, (types.get(json.feature_type) ?? 0) + 1);
    return [];
  });
  const isOutput = ({ kind }: FileNode): boolean => kind === 'output';
  const nodes = [...known.filter((node) => !isOutput(node)), ...known.filter(isOutput)];
  const sources = nodes.findIndex(isOutput);
  if (sources < 0) throw refuse('it has no outputs');
  const layers = layersOf(graph.nodes, nodes);
  const places = new Map(nodes.map(({ id }, i) => [id, i]));
  const targets = Uint32Array.from(
    nodes.flatMap(({ kind }, i) => (kind === 'feature' || kind === 'output' ? [i] : [])),
  );
  const rows = new Map(Array.from(targets, (node, row) => [node, row]));
  if (targets.length * sources > MOST_ENTRIES)
    throw refuse(`it has ${targets.length} targets and ${sources} sources; their edges would take more than 512 MiB`);
  const weights = new Float32Array(targets.length * sources);
  const seen = new Set<number>();
  let links = 0;
  for (const { source, target, weight } of graph.links) {
    const [from, to] = [places.get(source), places.get(target)];
    const row = rows.get(to ?? -1);
    const upwards = level(nodes[from ?? -1], layers) < level(nodes[to ?? -1], layers);
    if (from === undefined || row === undefined || !upwards) {
      links++;
      continue;
    }
    const at = row * sources + from;
    if (seen.has(at)) throw refuse(`two of its links are from ${shown(source)} to ${shown(target)}`);
    seen.add(at);
    weights[at] = weight;
  }
  return {
    nodes,
    edges: { sources, targets, weights },
    layers,
    leftOut: { nodes: Array.from(types, ([type, count]) => ({ type, count })), links },
  };
}

/** A file's graph as influence sees it: outputs weigh their probabilities, and the same each where the file has none. */
export function fileInfluence({ nodes, edges }: Pick<FileGraph, 'nodes' | 'edges'>): InfluenceGraph {
  const outputs = nodes.filter(({ kind }) => kind === 'output');
  const even = outputs.every(({ probability = 0 }) => probability === 0) ? 1 / outputs.length : 0;
  const weights = nodes.map(({ kind, probability = 0 }) => (kind === 'output' ? probability || even : 0));
  return { roles: nodes.map(roleOf), edges, weights };
}

function nodeOf(
  json: GraphJsonNode,
  kind: GraphNode['kind'],
  features: ImportedGraph['features'],
  positions: number,
): FileNode {
  const { node_id: id, ctx_idx: position, clerp, influence, activation, token_prob } = json;
  if (kind !== 'bias' && !(Number.isInteger(position) && position >= 0 && position < positions))
    throw refuse(`node ${shown(id)} is at position ${position} of a prompt of ${positions} tokens`);
  const share = influence === undefined || influence === null ? {} : { influence };
  const layer = (): number => {
    const found = features.get(id)?.layer ?? Number(json.layer);
    if (Number.isInteger(found) && found >= 0 && found < 10_000) return found;
    throw refuse(`node ${shown(id)} is in layer ${shown(String(json.layer))}`);
  };
  const named = clerp === '' ? {} : { label: clerp };
  switch (kind) {
    case 'feature':
      return {
        id,
        kind,
        layer: layer(),
        position,
        feature: features.get(id)?.feature ?? Math.max(0, json.feature ?? 0),
        ...(activation === undefined || activation === null ? {} : { activation }),
        ...named,
        ...share,
      };
    case 'error':
    case 'skip':
      return { id, kind, layer: layer(), position, ...share };
    case 'token':
      return { id, kind, position, ...numberIn(/^E_(\d{1,9})_/.exec(id)?.[1]), ...share };
    case 'position':
      return { id, kind, position, ...share };
    case 'bias': {
      const [, bias = id, at] = /^B_(.*?)(?:_(\d{1,4}))?$/.exec(id) ?? [];
      return { id, kind, bias, ...(at === undefined ? {} : { layer: Number(at) }) };
    }
    case 'output':
      return {
        id,
        kind,
        position,
        ...numberIn(
          /^\d{1,5}_(\d{1,9})_\d+$/.exec(id)?.[1] ?? (json.feature === null ? undefined : String(json.feature)),
        ),
        label: /^Output "([\s\S]*)" \(p=[^)]*\)$/.exec(clerp)?.[1] ?? clerp,
        ...(token_prob === undefined || token_prob === null ? {} : { probability: token_prob }),
      };
  }
}

const numberIn = (text: string | undefined): { readonly token?: number } =>
  text !== undefined && /^\d{1,9}$/.test(text) ? { token: Number(text) } : {};

/** Outputs are in layer n + 1 of circuit-tracer's files and n of others'; features and errors are below. */
function layersOf(all: readonly GraphJsonNode[], nodes: readonly FileNode[]): number {
  const logits = all.flatMap(({ feature_type, layer }) => (feature_type === 'logit' ? [Number(layer)] : []));
  const highest = nodes.reduce((most, { layer = -1 }) => Math.max(most, layer), 0);
  const said = Math.min(...logits.filter((layer) => Number.isInteger(layer) && layer > 0 && layer < 10_000)) - 1;
  return Math.max(highest + 1, Number.isFinite(said) ? said : 1);
}

/** Order of computation: embeddings, then a layer's constants and its MLP, layer by layer, then outputs. */
function level(node: FileNode | undefined, layers: number): number {
  if (!node) return Number.NaN;
  if (node.kind === 'bias') return (node.layer ?? layers) - 0.5;
  return node.kind === 'output' ? layers : (node.layer ?? -1);
}

const shown = (id: string): string => JSON.stringify(id.slice(0, 100));

function refuse(what: string): LimnError {
  return new LimnError('data/graph-json', `The attribution graph cannot be read: ${what}.`, {
    details: { what },
    hint: 'Export it again with a current version of the tool that made it.',
  });
}

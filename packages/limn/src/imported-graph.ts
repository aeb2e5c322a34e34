// A graph file, of circuit-tracer, Neuronpedia or limn, as the record of a graph with all that could not be taken as it stood.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { checkFeatureGraph, checkGraphExtras, type FeatureGraphRecord, type GraphExtras } from '@limn/report';
import {
  cumulativeInfluence,
  fileGraph,
  fileInfluence,
  graphScores,
  importGraph,
  nodeInfluence,
  type FileNode,
  type GraphJson,
  type ImportedGraph,
} from '@limn/transcoders';
import { slugOf } from './feature-graph-record.js';
import type { FeaturePlace } from './feature-choice.js';
import { edgesShown, nodesShown } from './graph-shown.js';
import { isCoded } from './exit-code.js';

/** Ids that a message names. */
const NAMED = 5;

/** A graph file that was read. */
export interface GraphFile {
  readonly file: string;
  readonly sha256: string;
  readonly imported: ImportedGraph;
}

/**
 * Reads a graph.json, or that of a folder.
 * @throws LimnError `data/graph-file` for one that cannot be read; as `importGraph`
 */
export async function readGraphFile(place: string): Promise<GraphFile> {
  const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? path.join(place, 'graph.json') : place;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new LimnError('data/graph-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give the JSON of an attribution graph, or a folder whose graph.json is one',
    });
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { file, sha256, imported: importGraph(new TextDecoder().decode(bytes)) };
}

/** The features of a graph file. @throws LimnError as `readGraphFile`; `usage/features` where it has none */
export async function featuresOfGraph(place: string): Promise<FeaturePlace[]> {
  const { file, imported } = await readGraphFile(place);
  const places = new Map(
    Array.from(imported.features.values(), ({ layer, feature }) => [`${layer} ${feature}`, { layer, feature }]),
  );
  if (places.size > 0) return [...places.values()].sort((a, b) => a.layer - b.layer || a.feature - b.feature);
  throw new LimnError('usage/features', `${file} has no features`, { details: { file } });
}

/**
 * The record of a graph file: its nodes and edges as far as a page shows them, with influence where the file has none, and scores of what
 * the file holds. What limn's own files keep besides comes back as it was.
 * @throws LimnError `data/graph-json` for a graph that no record can hold; as `fileGraph`
 */
export function importedRecord(
  { file, sha256, imported }: GraphFile,
  { versions, commandLine }: Pick<NonNullable<FeatureGraphRecord['imported']>, 'versions' | 'commandLine'>,
): FeatureGraphRecord {
  const { graph, collisions, numbering } = imported;
  const { metadata } = graph;
  const read = fileGraph(imported);
  const { nodes, leftOut } = read;
  const byInfluence = fileInfluence(read);
  const influence = influenceOf(nodes, () => cumulativeInfluence(nodeInfluence(byInfluence)));
  const shown = nodesShown(nodes, { nodes: new Uint8Array(nodes.length).fill(1), influence });
  const places = Array.from(shown).flatMap((isShown, i) => (isShown ? [i] : []));
  const placeOf = new Map(places.map((node, i) => [node, i]));
  const ids = new Set(places.map((i) => (nodes[i] as FileNode).id));
  try {
    const own = checkGraphExtras(metadata.limn);
    const outputs = new Map((own.outputs ?? []).map(({ id, ...known }) => [id, known]));
    return checkFeatureGraph({
      schema: 'limn.result',
      version: 1,
      kind: 'feature-graph',
      ...extrasOf(own),
      title: own.title ?? titleOf(nodes),
      imported: {
        file: path.basename(file),
        sha256,
        collisions,
        leftOutNodes: leftOut.nodes,
        leftOutLinks: leftOut.links,
        numbering,
        versions,
        commandLine,
        ...saidBy(graph),
      },
      prompt: metadata.prompt_tokens,
      layers: Math.max(own.layers ?? 1, read.layers),
      nodes: places.map((i) => {
        const node = nodes[i] as FileNode;
        if (node.kind === 'output') return { ...node, weight: byInfluence.weights[i], ...outputs.get(node.id) };
        return node.kind === 'bias' ? node : { ...node, influence: influence[i] };
      }),
      edges: edgesShown(byInfluence, shown).map(({ source, target, weight, share }) => [
        placeOf.get(source),
        placeOf.get(target),
        weight,
        ...(share === undefined ? [] : [share]),
      ]),
      scores: own.scores ?? graphScores(byInfluence),
      pruning: thresholdsOf(graph, nodes),
      ...(own.whole === undefined && places.length < nodes.length
        ? { whole: { nodes: nodes.length, edges: graph.links.length } }
        : {}),
      qParams: qParamsOf(graph, ids),
      scan: metadata.scan,
      slug: slugOf(metadata.slug),
    });
  } catch (cause) {
    if (!isCoded(cause) || cause.code !== 'data/record-invalid') throw cause;
    throw new LimnError('data/graph-json', `${file} holds what no graph of limn has: ${cause.message}`, {
      cause,
      details: { ...cause.details, file },
    });
  }
}

/** Of the file where every feature and error has it; else computed from what the file holds. */
function influenceOf(nodes: readonly FileNode[], compute: () => Float32Array): ArrayLike<number> {
  const isSaid = nodes.every(
    ({ kind, influence }) => (kind !== 'feature' && kind !== 'error' && kind !== 'skip') || influence !== undefined,
  );
  return isSaid ? nodes.map(({ influence = 1 }) => influence) : compute();
}

/** Fields of limn's own that are the record's as they stand. */
function extrasOf({ accounting, activeFeatures, whole, withoutDictionary }: GraphExtras) {
  return {
    ...(accounting === undefined ? {} : { accounting }),
    ...(activeFeatures === undefined ? {} : { activeFeatures }),
    ...(whole === undefined ? {} : { whole }),
    ...(withoutDictionary === undefined ? {} : { withoutDictionary }),
  };
}

function titleOf(nodes: readonly FileNode[]): string {
  const labels = nodes.flatMap(({ kind, label = '' }) => (kind === 'output' ? [JSON.stringify(label)] : []));
  return `Features behind ${labels.slice(0, 3).join(', ')}${labels.length > 3 ? ' …' : ''}`.slice(0, 500);
}

/** A file that has nothing above its own threshold was cut there, edges too: all that it has is shown. */
function thresholdsOf({ metadata }: GraphJson, nodes: readonly FileNode[]): FeatureGraphRecord['pruning'] {
  const { node_threshold: cut = metadata.node_threshold, edge_threshold: cutEdges = 1 } =
    metadata.pruning_settings ?? {};
  const isWhole = nodes.some(
    ({ kind, influence = 0 }) => (kind === 'feature' || kind === 'error') && influence > (cut ?? 1) + 1e-6,
  );
  return isWhole ? { nodeThreshold: cut ?? 1, edgeThreshold: cutEdges } : { nodeThreshold: 1, edgeThreshold: 1 };
}

/** Who made the file, in its own words. */
function saidBy({ metadata: { info = {} } }: GraphJson) {
  const { generator = {}, creator_name: creator, description } = info;
  const made = [generator.name, generator.version].filter(Boolean).join(' ');
  return {
    ...(made === '' ? {} : { generator: made.slice(0, 1000) }),
    ...(creator ? { creator: creator.slice(0, 1000) } : {}),
    ...(description ? { description: description.slice(0, 10_000) } : {}),
  };
}

/** Pins, groups and labels of nodes that are there; labels by the viewers' names of nodes, by ids or by feature numbers. */
function qParamsOf(
  { qParams, nodes }: GraphJson,
  ids: ReadonlySet<string>,
): NonNullable<FeatureGraphRecord['qParams']> {
  const known = (given: readonly string[]): string[] => given.filter((id) => ids.has(id));
  const named = new Map<string, string[]>();
  for (const { node_id, layer, feature, ctx_idx, feature_type } of nodes)
    for (const name of [
      node_id,
      `${layer}_${feature}_${ctx_idx}`,
      ...(feature_type === 'cross layer transcoder' ? [String(feature)] : []),
    ])
      named.set(name, [...new Set([...(named.get(name) ?? []), node_id])]);
  const clerps = clerpsOf(qParams.clerps).flatMap(([name = '', label = '']) =>
    known(named.get(name) ?? []).map((id) => [id, label] as const),
  );
  return {
    pinnedIds: known(qParams.pinnedIds ?? []),
    supernodes: (qParams.supernodes ?? []).flatMap(([name = '', ...members]) => {
      const left = known(members);
      return left.length > 0 ? [[name, ...left]] : [];
    }),
    clickedId: qParams.clickedId && ids.has(qParams.clickedId) ? qParams.clickedId : null,
    ...(clerps.length > 0 ? { clerps } : {}),
  };
}

function clerpsOf(given: GraphJson['qParams']['clerps']): readonly (readonly string[])[] {
  if (typeof given !== 'string') return given ?? [];
  try {
    const list: unknown = JSON.parse(given === '' ? '[]' : given);
    return Array.isArray(list) ? list.flatMap((pair: unknown) => (Array.isArray(pair) ? [pair.map(String)] : [])) : [];
  } catch {
    return [];
  }
}

/** What is said of a file of which not all could be taken as it stood. */
export function describeImported({ imported }: Pick<FeatureGraphRecord, 'imported'>): string[] {
  const { collisions = [], leftOutNodes = [], leftOutLinks = 0 } = imported ?? {};
  const links = collisions.reduce((sum, each) => sum + each.links, 0);
  const ids = collisions.slice(0, NAMED).map(({ id, renamed }) => `${id} (now ${renamed})`);
  return [
    ...(collisions.length > 0
      ? [
          `${collisions.length} ${collisions.length === 1 ? 'id stands' : 'ids stand'} for an error and a feature of layer 0: ${ids.join(', ')}${collisions.length > NAMED ? ', …' : ''}; ${links} of their links, which could be of either, are left out`,
        ]
      : []),
    ...leftOutNodes.map(({ type, count }) => `left out: ${count} of its nodes, of type ${JSON.stringify(type)}`),
    ...(leftOutLinks > 0 ? [`left out: ${leftOutLinks} of its links, of such nodes, to no target or not upwards`] : []),
  ];
}

// What the schema of a graph cannot say: places that are not there, ids that stand twice, edges that lead nowhere or backwards.
import { featureFaults } from '../features/feature-record.js';
import type { Issue } from '../schema.js';
import type { FeatureGraphNode, FeatureGraphRecord } from './graph-record.js';

/** Parts of an edge are sums of f32 products in another order than the edge. */
const SPLIT_TOLERANCE = 1e-3;

/** Which places a node of each kind has. */
const placesOf: Readonly<Record<FeatureGraphNode['kind'], readonly ('layer' | 'position' | 'feature')[]>> = {
  feature: ['layer', 'position', 'feature'],
  error: ['layer', 'position'],
  skip: ['layer', 'position'],
  token: ['position'],
  position: ['position'],
  bias: [],
  output: ['position'],
};

export function graphFaults(graph: FeatureGraphRecord): Issue[] {
  const { nodes, edges, splits = [], headScores = [], features = [], pruning, prompt, layers } = graph;
  const issues: Issue[] = [];
  const expect = (holds: boolean, path: string, given: string, allowed: string): void => {
    if (!holds) issues.push({ path, given, allowed });
  };
  expect(
    (graph.provenance === undefined) !== (graph.imported === undefined),
    '/provenance',
    graph.provenance ? 'a provenance and a file' : 'nothing',
    'either a provenance, or in imported the file that it came from',
  );
  expect(prompt.length > 0, '/prompt', 'a list of 0', 'at least one token');
  expect(
    nodes.some(({ kind }) => kind === 'output'),
    '/nodes',
    'no output',
    'at least one node that is explained',
  );
  const ids = new Set<string>();
  const checkPlaces = (node: FeatureGraphNode, path: string): void => {
    for (const place of placesOf[node.kind])
      expect(node[place] !== undefined, `${path}/${place}`, 'nothing', `a ${place}, as ${node.kind}s have one`);
    expect((node.position ?? 0) < prompt.length, `${path}/position`, String(node.position), `below ${prompt.length}`);
    expect((node.layer ?? 0) < layers, `${path}/layer`, String(node.layer), `below ${layers}`);
    isShare(`${path}/influence`, node.influence);
  };
  nodes.forEach((node, i) => {
    expect(!ids.has(node.id), `/nodes/${i}/id`, `${node.id} for the second time`, 'each id once');
    ids.add(node.id);
    checkPlaces(node, `/nodes/${i}`);
  });
  const seen = new Set<number>();
  edges.forEach(([source, target, , influence], i) => {
    const [from, to] = [nodes[source], nodes[target]];
    expect(from !== undefined, `/edges/${i}/0`, String(source), `places below ${nodes.length}`);
    expect(to !== undefined, `/edges/${i}/1`, String(target), `places below ${nodes.length}`);
    const name = source * nodes.length + target;
    expect(!seen.has(name), `/edges/${i}`, 'an edge for the second time', 'each edge once');
    seen.add(name);
    if (from && to) {
      expect(to.kind === 'feature' || to.kind === 'output', `/edges/${i}/1`, to.kind, 'a feature or an output');
      expect(
        level(from, layers) < level(to, layers),
        `/edges/${i}`,
        `${from.id} to ${to.id}`,
        'an edge from a lower layer to a higher one',
      );
    }
    isShare(`/edges/${i}/3`, influence);
  });
  splits.forEach(({ edge, heads, past }, i) => {
    const found = edges[edge];
    expect(found !== undefined, `/splits/${i}/edge`, String(edge), `places below ${edges.length}`);
    if (!found) return;
    const sum = heads.reduce((total, each) => total + each, past);
    const size = heads.reduce(
      (most, each) => Math.max(most, Math.abs(each)),
      Math.max(Math.abs(past), Math.abs(found[2])),
    );
    expect(
      Math.abs(sum - found[2]) <= SPLIT_TOLERANCE * size,
      `/splits/${i}`,
      `parts of sum ${sum}`,
      `parts that sum to the edge, ${found[2]}`,
    );
  });
  headScores.forEach(({ layer, query, key, score, queries, keys, terms, attention }, i) => {
    const path = `/headScores/${i}`;
    expect(layer < layers, `${path}/layer`, String(layer), `below ${layers}`);
    expect(query < prompt.length, `${path}/query`, String(query), `below ${prompt.length}`);
    expect(key <= query, `${path}/key`, String(key), `at most ${query}, the query`);
    queries.forEach((node, n) => checkPlaces(node, `${path}/queries/${n}`));
    keys.forEach((node, n) => checkPlaces(node, `${path}/keys/${n}`));
    expect(
      terms.length === keys.length + 1 && terms.every((line) => line.length === queries.length + 1),
      `${path}/terms`,
      `${terms.length} rows`,
      `${keys.length + 1} rows of ${queries.length + 1}`,
    );
    const all = terms.flat();
    const size = all.reduce((most, each) => Math.max(most, Math.abs(each)), Math.abs(score));
    const sum = all.reduce((total, each) => total + each, 0);
    expect(
      Math.abs(sum - score) <= SPLIT_TOLERANCE * size,
      `${path}/terms`,
      `terms of sum ${sum}`,
      `terms that sum to the score, ${score}`,
    );
    expect(
      attention === undefined || attention.length === query + 1,
      `${path}/attention`,
      `${attention?.length} entries`,
      `one per position up to ${query}`,
    );
  });
  isShare('/pruning/nodeThreshold', pruning.nodeThreshold);
  isShare('/pruning/edgeThreshold', pruning.edgeThreshold);
  const { pinnedIds = [], supernodes = [], clerps = [] } = graph.qParams ?? {};
  clerps.forEach(([id], i) => expect(ids.has(id), `/qParams/clerps/${i}/0`, id, 'the id of a node'));
  pinnedIds.forEach((id, i) => expect(ids.has(id), `/qParams/pinnedIds/${i}`, id, 'the id of a node'));
  supernodes.forEach(([label, ...members], i) => {
    expect(label !== undefined, `/qParams/supernodes/${i}`, 'a list of 0', 'a name, then ids of nodes');
    members.forEach((id, m) => expect(ids.has(id), `/qParams/supernodes/${i}/${m + 1}`, id, 'the id of a node'));
  });
  return [...issues, ...featureFaults(features, '/features')];

  function isShare(path: string, value: number | undefined): void {
    // Shares are summed in f32 by some tools.
    expect(value === undefined || (value >= 0 && value <= 1 + 1e-5), path, String(value), 'a share from 0 to 1');
  }
}

/** Order of computation: embeddings first, then layer by layer, then outputs. */
function level({ kind, layer }: FeatureGraphNode, layers: number): number {
  // A constant of a layer, b_enc say, goes into features of the same one; those without a layer stand behind the last.
  if (kind === 'bias') return (layer ?? layers) - 0.5;
  return kind === 'output' ? layers : (layer ?? -1);
}

// Graphs and features go out in the form that viewers open, every id another; others' graphs come in, whichever way they number features.
import { refusal } from '@limn/testing';
import { gzipSync, deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  cantorPair,
  cantorUnpair,
  checkFeatureJson,
  checkGraphJson,
  exportGraph,
  fileGraph,
  fileInfluence,
  graphLinks,
  importGraph,
  nodeInfluence,
  openFeatureStore,
  writeFeatureStore,
  type FeatureJson,
  type GraphExport,
  type GraphJson,
  type GraphNode,
} from '../src/index.js';
import { contentOf, filesOf } from './golden-files.js';

const TOKENS = ['<bos>', 'The', ' "end"', '</script>'];
const nodes: GraphNode[] = [
  { kind: 'feature', layer: 0, feature: 5, position: 3, activation: 1.5 },
  { kind: 'feature', layer: 7, feature: 24_575, position: 2, activation: 0.25 },
  { kind: 'error', layer: 5, position: 3 },
  { kind: 'skip', layer: 5, position: 3 },
  { kind: 'token', position: 1, token: 1 },
  { kind: 'position', position: 1 },
  { kind: 'bias', bias: 'b_dec', layer: 2 },
  { kind: 'bias', bias: 'b_U' },
  { kind: 'output', label: 'the end', position: 3, value: 3, weight: 0.7, token: 2, probability: 0.7 },
  { kind: 'output', label: 'end − begin', position: 3, value: 2, weight: 0.2 },
];
const request: GraphExport = {
  nodes,
  links: [
    { source: 0, target: 1, weight: 0.5 },
    { source: 2, target: 8, weight: -0.25 },
    { source: 3, target: 8, weight: 0.125 },
    { source: 6, target: 8, weight: -4 },
    { source: 1, target: 9, weight: 2 },
  ],
  layers: 12,
  vocabulary: 4,
  prompt: [0, 1, 2, 3],
  show: (token) => TOKENS[token] as string,
  influence: nodes.map((_, i) => i / 10),
  label: (node) => (node.kind === 'feature' && node.layer === 0 ? '<b>articles</b>' : ''),
  slug: 'the-end',
  scan: 'gpt2',
  metadata: { node_threshold: 0.8, pruning_settings: { node_threshold: 0.8, edge_threshold: 0.98 } },
  pinned: [1],
  supernodes: [{ label: 'both', nodes: [0, 1] }],
};

test('a graph goes out with the names, numbers and labels that viewers read', () => {
  const { graph, ids, leftOut } = exportGraph(request);
  expect(checkGraphJson(JSON.parse(JSON.stringify(graph)))).toEqual(graph);
  expect(graph.metadata).toMatchObject({
    slug: 'the-end',
    scan: 'gpt2',
    prompt: '<bos>The "end"</script>',
    prompt_tokens: TOKENS,
    schema_version: 1,
  });
  expect(graph.qParams).toEqual({
    pinnedIds: ['7_24575_2'],
    supernodes: [['both', '0_5_3', '7_24575_2']],
    linkType: 'both',
    clickedId: '',
    sg_pos: '',
  });
  const [article, late, error, token, logit, difference] = graph.nodes;
  expect(article).toMatchObject({
    node_id: '0_5_3',
    feature: 20,
    layer: '0',
    ctx_idx: 3,
    feature_type: 'cross layer transcoder',
    jsNodeId: '0_5-0',
    clerp: '<b>articles</b>',
    activation: 1.5,
    influence: 0,
  });
  expect(late).toMatchObject({
    node_id: '7_24575_2',
    feature: (24_582 * 24_583) / 2 + 24_575,
    clerp: '',
    influence: 0.1,
  });
  // circuit-tracer's id of this error is 0_5_3, the first feature's.
  expect(error).toMatchObject({
    node_id: 'error_5_3',
    feature: -1,
    layer: '5',
    ctx_idx: 3,
    feature_type: 'mlp reconstruction error',
  });
  expect(token).toMatchObject({
    node_id: 'E_1_1',
    feature: 1,
    layer: 'E',
    feature_type: 'embedding',
    jsNodeId: 'E_1-1',
    clerp: '',
  });
  expect(logit).toMatchObject({
    node_id: '13_2_3',
    feature: 2,
    layer: '13',
    feature_type: 'logit',
    jsNodeId: 'L_2-3',
    clerp: 'Output " "end"" (p=0.700)',
    token_prob: 0.7,
    is_target_logit: true,
  });
  expect(difference).toMatchObject({
    node_id: '13_13_3',
    clerp: 'Output "end − begin" (p=0.200)',
    is_target_logit: false,
  });
  expect(graph.links).toEqual([
    { source: '0_5_3', target: '7_24575_2', weight: 0.5 },
    { source: 'error_5_3', target: '13_2_3', weight: -0.25 },
    { source: '7_24575_2', target: '13_13_3', weight: 2 },
  ]);
  expect(ids.size).toBe(6);
  expect(leftOut).toEqual({ nodes: 4, weight: 4.125 });
  expect(new Set(graph.nodes.flatMap(({ jsNodeId }) => jsNodeId)).size).toBe(6);
});

test('with everything kept the edges into a node are all there, and every id is another', () => {
  const { graph, leftOut } = exportGraph({ ...request, others: 'keep' });
  expect(graph.nodes.length).toBe(nodes.length);
  expect(new Set(graph.nodes.map(({ node_id }) => node_id)).size).toBe(nodes.length);
  const into = graph.links.filter(({ target }) => target === '13_2_3');
  expect(into.map(({ weight }) => weight)).toEqual([-0.25, 0.125, -4]);
  expect(leftOut).toEqual({ nodes: 0, weight: 0 });
  const kept = exportGraph({ ...request, kept: nodes.map((_, i) => Number(i !== 2 && i !== 6)) });
  expect(kept.graph.links.length).toBe(2);
  expect(kept.leftOut).toEqual({ nodes: 3, weight: 0.125 });
});

test('a file that was written is the same graph when it is read, whatever its order', () => {
  const { graph } = exportGraph({ ...request, others: 'keep', kept: nodes.map((_, i) => Number(i !== 3)) });
  const imported = importGraph(JSON.stringify({ ...graph, nodes: [...graph.nodes].reverse() }));
  const found = fileGraph(imported);
  expect(found.layers).toBe(12);
  expect(found.leftOut).toEqual({ nodes: [], links: 0 });
  const own = new Map(found.nodes.map((node) => [node.id, node]));
  expect(own.get('7_24575_2')).toEqual({
    id: '7_24575_2',
    kind: 'feature',
    layer: 7,
    feature: 24_575,
    position: 2,
    activation: 0.25,
    influence: 0.1,
  });
  expect(own.get('0_5_3')).toMatchObject({ label: '<b>articles</b>', activation: 1.5 });
  expect(own.get('error_5_3')).toMatchObject({ kind: 'error', layer: 5, position: 3 });
  expect(own.get('E_1_1')).toMatchObject({ kind: 'token', position: 1, token: 1 });
  expect(own.get('B_b_dec_2')).toMatchObject({ kind: 'bias', bias: 'b_dec', layer: 2 });
  expect(own.get('B_b_U')).toEqual({ id: 'B_b_U', kind: 'bias', bias: 'b_U' });
  // Quotes in a token are part of it.
  expect(own.get('13_2_3')).toMatchObject({ kind: 'output', token: 2, label: ' "end"', probability: 0.7 });
  expect(
    graphLinks(found.edges).map(({ source, target, weight }) => ({
      source: found.nodes[source]?.id,
      target: found.nodes[target]?.id,
      weight,
    })),
  ).toEqual(expect.arrayContaining(graph.links.map((link) => ({ ...link }))));
  expect(graphLinks(found.edges)).toHaveLength(graph.links.length);
  const influence = nodeInfluence(fileInfluence(found));
  const of = (id: string): number => influence[found.nodes.findIndex((node) => node.id === id)]!;
  // The one source of the difference, of weight 0.2, and through it the article; the error alone brings the logit.
  expect([of('7_24575_2'), of('0_5_3'), of('error_5_3')]).toEqual([0.2, 0.2, 0.7].map((x) => expect.closeTo(x, 12)));
});

test('of a file of others what has no place is counted, and what is no graph refused', async () => {
  const { graph } = exportGraph(request);
  const [feature, , , , logit] = graph.nodes;
  const odd = { ...feature!, node_id: 'lorsa_1', feature_type: 'lorsa' };
  const links = [
    { source: 'lorsa_1', target: logit!.node_id, weight: 1 },
    { source: '7_24575_2', target: '0_5_3', weight: 1 },
    { source: '0_5_3', target: 'E_1_1', weight: 1 },
  ];
  const read = (change: Partial<GraphJson>) => fileGraph(importGraph(JSON.stringify({ ...graph, ...change })));
  const found = read({ nodes: [...graph.nodes, odd], links: [...graph.links, ...links] });
  expect(found.leftOut).toEqual({ nodes: [{ type: 'lorsa', count: 1 }], links: 3 });
  expect(found.nodes).toHaveLength(graph.nodes.length);
  const wrong: Partial<GraphJson>[] = [
    { links: [...graph.links, graph.links[0]!] },
    { nodes: graph.nodes.filter(({ feature_type }) => feature_type !== 'logit'), links: [] },
    { nodes: [...graph.nodes, { ...feature!, node_id: '1_1_9', ctx_idx: 9 }] },
    { nodes: [...graph.nodes, { ...graph.nodes[2]!, node_id: 'error_x', layer: 'x' }] },
  ];
  for (const change of wrong) expect((await refusal(() => read(change))).code).toBe('data/graph-json');
});

test('a layer of features and one of errors never share an id', () => {
  const crowd: GraphNode[] = [];
  for (let layer = 0; layer < 12; layer++)
    for (let position = 0; position < 4; position++) {
      crowd.push({ kind: 'error', layer, position });
      for (let feature = 0; feature < 14; feature++)
        crowd.push({ kind: 'feature', layer, feature, position, activation: 1 });
    }
  const { influence: _, ...bare } = request;
  const { graph } = exportGraph({ ...bare, nodes: crowd, links: [], pinned: [], supernodes: [] });
  expect(new Set(graph.nodes.map(({ node_id }) => node_id)).size).toBe(crowd.length);
});

test('links are the edges of a matrix that are there and kept', () => {
  const edges = { sources: 2, targets: Uint32Array.of(1, 2), weights: Float32Array.of(3, 0, -4, 5) };
  expect(graphLinks(edges)).toEqual([
    { source: 0, target: 1, weight: 3 },
    { source: 0, target: 2, weight: -4 },
    { source: 1, target: 2, weight: 5 },
  ]);
  expect(graphLinks(edges, Uint8Array.of(0, 1, 1, 0))).toEqual([{ source: 0, target: 2, weight: -4 }]);
});

test('a graph that cannot be written is refused', async () => {
  const again: GraphNode = { kind: 'token', position: 1, token: 1 };
  const wrong: Partial<GraphExport>[] = [
    { slug: '../other' },
    { nodes: [...nodes, again] },
    { links: [{ source: 0, target: 99, weight: 1 }] },
    { pinned: [3] },
    { supernodes: [{ label: 'a', nodes: [77] }] },
  ];
  for (const part of wrong)
    expect((await refusal(() => exportGraph({ ...request, ...part }))).code).toBe('usage/graph-export');
  const broken = { ...request, links: [{ source: 0, target: 1, weight: Number.NaN }] };
  const error = await refusal(() => exportGraph(broken));
  expect(error.code).toBe('data/graph-json');
  expect(error.details).toEqual({ faults: [{ path: '/links/0/weight', message: 'must be number' }] });
});

test("Cantor's numbers are those of pairs, there and back", async () => {
  const table = [0, 2, 5, 1, 4, 8, 3, 7, 12];
  table.forEach((number, i) => expect(cantorPair(Math.floor(i / 3), i % 3)).toBe(number));
  for (const [layer, feature] of [
    [0, 0],
    [11, 24_575],
    [47, 999_999],
    [100_000, 30_000_000],
    [0, 94_906_265],
  ] as const)
    expect(cantorUnpair(cantorPair(layer, feature))).toEqual({ layer, feature });
  for (let number = 2 ** 52; number < 2 ** 52 + 50; number++) {
    const { layer, feature } = cantorUnpair(number);
    expect(cantorPair(layer, feature)).toBe(number);
  }
  for (const bad of [
    () => cantorPair(-1, 0),
    () => cantorPair(0, 2 ** 40),
    () => cantorUnpair(0.5),
    () => cantorUnpair(-1),
  ])
    expect((await refusal(bad)).code).toBe('usage/feature-number');
});

/** A graph as circuit-tracer writes it: the error of layer 5 at position 3 has the id of feature 5 of layer 0. */
function foreign(number: (layer: number, feature: number) => number): GraphJson {
  const feature = (layer: number, index: number, position: number) => ({
    node_id: `${layer}_${index}_${position}`,
    feature: number(layer, index),
    layer: String(layer),
    ctx_idx: position,
    feature_type: 'cross layer transcoder',
    jsNodeId: `${layer}_${index}-0`,
    clerp: '',
  });
  const error = {
    ...feature(0, 5, 3),
    layer: '5',
    feature: -1,
    feature_type: 'mlp reconstruction error',
    jsNodeId: '5_3-0',
  };
  return {
    metadata: { slug: 's', scan: 'gpt2', prompt_tokens: ['a'], prompt: 'a' },
    qParams: {},
    nodes: [feature(0, 5, 3), feature(3, 41, 3), feature(11, 24_000, 3), error],
    links: [
      { source: '0_5_3', target: '3_41_3', weight: 1 },
      { source: '0_5_3', target: '3_41_3', weight: 2 },
      { source: '3_41_3', target: '11_24000_3', weight: 3 },
      { source: '3_41_3', target: '0_5_3', weight: 4 },
    ],
  };
}

test.each([
  ['cantor', cantorPair],
  ['circuit-tracer-old', (layer: number, feature: number) => feature + 10 ** Math.ceil(Math.log10(24_576)) * layer],
  ['plain', (_: number, feature: number) => feature],
  ['unknown', (layer: number, feature: number) => 7 * feature + layer],
] as const)(
  "others' graphs come in with features numbered %s, and the collision of 0_5_3 reported",
  (numbering, number) => {
    const found = importGraph(JSON.stringify(foreign(number)));
    expect(found.numbering).toBe(numbering);
    expect([...found.features.values()]).toEqual([
      { layer: 0, feature: 5 },
      { layer: 3, feature: 41 },
      { layer: 11, feature: 24_000 },
    ]);
    expect(found.collisions).toEqual([{ id: '0_5_3', renamed: 'error_5_3', links: 2 }]);
    expect(found.graph.nodes.map(({ node_id }) => node_id)).toEqual(['0_5_3', '3_41_3', '11_24000_3', 'error_5_3']);
    expect(found.ambiguous.map(({ weight }) => weight)).toEqual([1, 2]);
    // Errors have no incoming links: what goes into 0_5_3 goes into the feature.
    expect(found.graph.links.map(({ weight }) => weight)).toEqual([3, 4]);
  },
);

test('errors as circuit-tracer names them now, with −1 for the feature, are nobody else, and have their layer', () => {
  const older = foreign(cantorPair);
  const error = { ...older.nodes[3]!, node_id: '5_-1_3', layer: '5', jsNodeId: '5_-1-3', activation: null };
  const logit = {
    ...error,
    node_id: '13_7_3',
    feature: 7,
    layer: '13',
    feature_type: 'logit',
    jsNodeId: 'L_7-3',
    clerp: 'Output "澳门" (p=0.108)',
    token_prob: 0.108,
    influence: null,
  };
  const links = [
    { source: '0_5_3', target: '3_41_3', weight: 1 },
    { source: '5_-1_3', target: '11_24000_3', weight: 2 },
    { source: '11_24000_3', target: '13_7_3', weight: -3 },
  ];
  const tokens = { ...older.metadata, prompt_tokens: ['a', 'b', 'c', 'd'] };
  const found = importGraph(
    JSON.stringify({ ...older, metadata: tokens, nodes: [...older.nodes.slice(0, 3), error, logit], links }),
  );
  expect(found).toMatchObject({ numbering: 'cantor', collisions: [], ambiguous: [] });
  expect(found.graph.links).toEqual(links);
  const graph = fileGraph(found);
  expect(graph.leftOut).toEqual({ nodes: [], links: 0 });
  expect(graph.nodes.map(({ id }) => id)).toEqual(expect.arrayContaining(['5_-1_3', '13_7_3']));
  const of = (id: string) => graph.nodes.find((node) => node.id === id);
  expect(of('5_-1_3')).toMatchObject({ kind: 'error', layer: 5, position: 3 });
  expect(of('13_7_3')).toMatchObject({ kind: 'output', token: 7, label: '澳门', probability: 0.108 });
});

test('what limn writes it reads, without collisions', () => {
  const { graph } = exportGraph(request);
  const found = importGraph(JSON.stringify(graph));
  expect(found).toMatchObject({ graph, collisions: [], ambiguous: [], numbering: 'cantor' });
  expect(found.features.get('7_24575_2')).toEqual({ layer: 7, feature: 24_575 });
});

test("hostile and broken graphs are refused, with the fields' paths", async () => {
  const sound = foreign(cantorPair);
  const [first] = sound.nodes;
  const cases: [value: unknown, where: string][] = [
    [[], ''],
    [null, ''],
    [{ ...sound, nodes: undefined }, ''],
    [{ ...sound, nodes: {} }, '/nodes'],
    [{ ...sound, nodes: [{ ...first, layer: 1.5 }] }, '/nodes/0/layer'],
    [{ ...sound, nodes: [{ ...first, node_id: 3 }] }, '/nodes/0/node_id'],
    [{ ...sound, links: [{ source: 'a', target: 'b', weight: '1' }] }, '/links/0/weight'],
    [{ ...sound, metadata: { ...sound.metadata, prompt_tokens: 'a' } }, '/metadata/prompt_tokens'],
    [{ ...sound, qParams: { supernodes: [[]] } }, '/qParams/supernodes/0'],
    [
      { ...sound, metadata: { ...sound.metadata, generation_settings: { max_n_logits: 2.5 } } },
      '/metadata/generation_settings/max_n_logits',
    ],
  ];
  for (const [value, path] of cases) {
    const error = await refusal(() => importGraph(JSON.stringify(value)));
    expect([error.code, (error.details.faults as { path: string }[])[0]?.path]).toEqual(['data/graph-json', path]);
  }
  const three = { ...sound, nodes: [...sound.nodes, first] };
  const dangling = { ...sound, links: [{ source: '0_5_3', target: 'none', weight: 1 }] };
  for (const text of ['', '{', '['.repeat(100_000), JSON.stringify(three), JSON.stringify(dangling)])
    expect((await refusal(() => importGraph(text))).code).toBe('data/graph-json');
  const named = {
    ...sound,
    nodes: sound.nodes.slice(0, 1),
    links: [],
    metadata: { ...sound.metadata, ['__proto__']: 1 },
  };
  expect(importGraph(JSON.stringify(named)).graph.nodes.length).toBe(1);
});

const page = (index: number): FeatureJson => ({
  transcoder_id: 'gpt2-8',
  index,
  examples_quantiles: [
    {
      quantile_name: 'Top activations',
      examples: [
        { tokens: ['<b>', ' é'], tokens_acts_list: [0, 1.25], train_token_ind: 1, is_repeated_datapoint: false },
      ],
    },
  ],
  top_logits: ['a', 'b'],
  bottom_logits: ['y', 'z'],
  act_min: 0,
  act_max: 1.25,
  quantile_values: [0, 0.5, 1.25],
  histogram: [3, 1],
  activation_frequency: 0.004,
});

test('pages of features lie in few files and are read one by one', async () => {
  const pages = [page(0), undefined, page(2)];
  const content = await contentOf(
    writeFeatureStore([
      [3, pages],
      [8, [page(0)]],
    ]),
  );
  expect(Object.keys(content)).toEqual(['features/layer_3.bin', 'features/layer_8.bin', 'features/index.json.gz']);
  const store = await openFeatureStore(filesOf(content));
  expect([...store.layers]).toEqual([
    [3, 3],
    [8, 1],
  ]);
  expect(await store.read(3, 2)).toEqual(page(2));
  expect(await store.readNode(cantorPair(8, 0))).toEqual(page(0));
  for (const [layer, feature] of [
    [3, 1],
    [3, 3],
    [4, 0],
    [3, -1],
  ] as const)
    expect(await store.read(layer, feature)).toBeUndefined();
});

test('a record packed with zlib is read as well', async () => {
  const packed = deflateSync(JSON.stringify(page(0)));
  const store = await openFeatureStore(filesOf(storeOf(packed)));
  expect(await store.read(0, 0)).toEqual(page(0));
});

/** A store of one record. */
function storeOf(packed: Uint8Array, claimed = packed.length, index: unknown = undefined) {
  const record = new Uint8Array(4 + packed.length);
  new DataView(record.buffer).setUint32(0, claimed, true);
  record.set(packed, 4);
  const entry = index ?? { 0: { filename: 'a.bin', offsets: [0, record.length] } };
  return { 'features/a.bin': record, 'features/index.json.gz': gzipSync(JSON.stringify(entry)) };
}

test('stores that lie are refused', async () => {
  const sound = gzipSync(JSON.stringify(page(0)));
  const code = async (content: Record<string, Uint8Array>): Promise<string> =>
    (await refusal(async () => (await openFeatureStore(filesOf(content))).read(0, 0))).code;
  const entry = (offsets: unknown, filename: unknown = 'a.bin') =>
    storeOf(sound, sound.length, { 0: { filename, offsets } });
  expect(await code(storeOf(sound, 2 ** 31))).toBe('data/feature-store');
  expect(await code(entry([0, 2 ** 40]))).toBe('data/feature-store');
  expect(await code(entry([9, 3]))).toBe('data/feature-store');
  expect(await code(entry([0, 2]))).toBe('data/feature-store');
  expect(await code(entry([0, 1], '../../secret'))).toBe('data/feature-store');
  expect(await code(storeOf(sound, sound.length, { constructor: {} }))).toBe('data/feature-store');
  expect(await code(storeOf(gzipSync(JSON.stringify(page(1)))))).toBe('data/feature-store');
  expect(await code(storeOf(gzipSync('{"index": 0}')))).toBe('data/feature-json');
  // 32 MiB of spaces in 32 KiB.
  expect(await code(storeOf(gzipSync(Buffer.alloc(2 ** 25, 32))))).toBe('data/packed');
  expect(await code(storeOf(sound.subarray(0, -9)))).toBe('data/packed');
  expect(await code(storeOf(Uint8Array.of(1, 2, 3)))).toBe('data/packed');
  expect((await refusal(() => checkFeatureJson({ ...page(0), top_logits: [1] }))).details).toEqual({
    faults: [{ path: '/top_logits/0', message: 'must be string' }],
  });
});

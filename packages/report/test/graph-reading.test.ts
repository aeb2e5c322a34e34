// An attribution graph as it is read: what a slider shows, where nodes stand, what is listed beside them, and the graph file.
import { describe, expect, test } from 'vitest';
import { nextNode } from '../src/client/graph-walk.js';
import { drawnMarkup } from '../src/drawn.js';
import { graphFile } from '../src/feature-graph/graph-file.js';
import { layOutGraph } from '../src/feature-graph/graph-layout.js';
import { graphPanel, splitText } from '../src/feature-graph/graph-panel.js';
import { graphLinks } from '../src/feature-graph/graph-links.js';
import { proposeGroups, proposeSupernodes } from '../src/feature-graph/graph-proposals.js';
import { shownGraph, shownText } from '../src/feature-graph/graph-shown.js';
import { firstReading, graphView, qParamsOf } from '../src/feature-graph/graph-view.js';
import { pinnedList } from '../src/feature-graph/pinned-list.js';
import { graphSample } from './graph-sample.js';
import { elements, textOf } from './page-elements.js';

const record = graphSample();

describe('a threshold', () => {
  const counted = (nodes: number, edges = 1, constants = false) => shownGraph(record, { nodes, edges, constants });
  const kinds = ({ nodes }: ReturnType<typeof shownGraph>, kind: string): number =>
    record.nodes.filter((node, i) => node.kind === kind && nodes[i]).length;

  test('shows features and errors whose influence is up to it, and always inputs and outputs', () => {
    for (const threshold of [0, 0.5, 0.8, 1]) {
      const shown = counted(threshold);
      const up = record.nodes.filter(({ kind, influence = 0 }) => kind === 'feature' && influence <= threshold + 1e-6);
      expect(kinds(shown, 'feature')).toBe(up.length);
      expect([kinds(shown, 'token'), kinds(shown, 'position'), kinds(shown, 'output'), kinds(shown, 'bias')]).toEqual([
        30, 30, 4, 0,
      ]);
    }
    expect(kinds(counted(1), 'feature')).toBe(130);
    expect(kinds(counted(1, 1, true), 'bias')).toBe(6);
    // What is written as 0.8 in f32 is more than 0.8.
    const [node] = record.nodes;
    const exact = { nodes: [{ ...node!, influence: Math.fround(0.8) }], edges: [] };
    expect(shownGraph(exact, { nodes: 0.8, edges: 1, constants: false }).nodes).toEqual([true]);
  });

  test('shows edges between what it shows, up to their own threshold, and pinned nodes', () => {
    const { nodes, edges } = counted(0.8, 0.9);
    for (const i of edges) {
      const [from, to, , influence = 0] = record.edges[i] ?? [0, 0, 0];
      expect(nodes[from] && nodes[to] && influence <= 0.9 + 1e-6).toBe(true);
    }
    expect(edges.length).toBeGreaterThan(10);
    expect(counted(0.8, 0).edges).toHaveLength(0);
    const pinned = shownGraph(record, { nodes: 0, edges: 1, constants: false }, new Set([3]));
    expect(pinned.nodes[3]).toBe(true);
  });

  test('draws no more than the strongest five thousand edges, and says so', () => {
    const [node] = record.nodes;
    const nodes = Array.from({ length: 102 }, (_, i) => ({ ...node!, id: String(i), influence: 0 }));
    const edges = Array.from({ length: 5100 }, (_, i) => [i % 50, 51 + Math.floor(i / 100), (i + 1) / 5100] as const);
    const shown = shownGraph({ nodes, edges }, { nodes: 1, edges: 1, constants: false });
    expect([shown.edges.length, shown.edges[0], shown.weaker]).toEqual([5000, 100, 100]);
    expect(shownText({ nodes, edges }, shown)).toBe(
      '102 of 102 nodes, 5,000 of 5,100 edges shown; 100 more edges are weaker than these.',
    );
  });

  test('says how many of how many it shows, and what it hides', () => {
    const text = shownText(record, counted(0.8));
    const shown = counted(0.8);
    const n = shown.nodes.filter(Boolean).length;
    expect(text).toMatch(
      new RegExp(`^${n} of ${record.nodes.length} nodes, ${shown.edges.length} of 1,500 edges shown; `),
    );
    const hidden = [...(/hidden: ([^;]*)/.exec(text)?.[1] ?? '').matchAll(/\d+/g)].map(Number);
    expect(hidden.reduce((sum, each) => sum + each, 0)).toBe(record.nodes.length - n);
    expect(text).toContain('the whole graph has 2,120 nodes and 84,211 edges');
    const { whole: _, ...alone } = record;
    expect(shownText(alone, counted(1, 1, true))).toBe(
      `${record.nodes.length} of ${record.nodes.length} nodes, 1,500 of 1,500 edges shown.`,
    );
  });
});

describe('the layout', () => {
  const all = record.nodes.map(() => true);
  const layout = layOutGraph(record, all);

  test('has tokens from left to right, layers upwards, and no two nodes on one another', () => {
    const places = record.nodes.map((node, i) => ({ node, at: layout.at.get(i)! }));
    for (const { node, at } of places) {
      const row = layout.rows.findIndex(({ top, bottom }) => at[1] > top && at[1] < bottom);
      expect(row).toBe(node.kind === 'output' ? 4 : (node.layer ?? -1) + 1);
      const column = layout.columns.findIndex(({ left, right }) => at[0] > left && at[0] < right);
      expect(column).toBe(node.kind === 'bias' ? -1 : node.position);
    }
    const near = places.filter(({ at: [x, y] }, i) =>
      places.some(({ at: [a, b] }, j) => i !== j && Math.hypot(a - x, b - y) < 14),
    );
    expect(near).toHaveLength(0);
    expect(layout.rows.every(({ top }, i) => i === 0 || top < (layout.rows[i - 1]?.top ?? 0))).toBe(true);
  });

  test('leaves no room for what is not shown', () => {
    const few = layOutGraph(
      record,
      record.nodes.map(({ kind }) => kind === 'token' || kind === 'output'),
    );
    expect(few.height).toBeLessThan(layout.height);
    expect(few.constants).toBeUndefined();
    expect(few.at.size).toBe(34);
  });

  test('is walked with the arrow keys, and what was walked is walked back along a layer', () => {
    const [first] = layout.at.keys();
    if (first === undefined) throw new Error('the sample has nodes');
    const right = nextNode({ layout }, first, 'ArrowRight');
    expect(right === undefined ? first : nextNode({ layout }, right, 'ArrowLeft')).toBe(first);
    let now: number | undefined = record.nodes.findIndex(({ kind }) => kind === 'token');
    const rows: number[] = [];
    while (now !== undefined) {
      const height = layout.at.get(now)?.[1] ?? 0;
      rows.push(layout.rows.findIndex(({ top, bottom }) => height > top && height < bottom));
      now = nextNode({ layout }, now, 'ArrowUp');
    }
    expect(rows).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('a reading', () => {
  const view = graphView(record, firstReading(record));

  test('begins with what the record keeps, and the likeliest output', () => {
    expect(record.nodes[view.picked ?? -1]?.label).toBe(' 41');
    expect(qParamsOf(view).pinnedIds).toEqual(record.qParams?.pinnedIds);
    expect(qParamsOf(view).supernodes).toEqual(record.qParams?.supernodes);
    expect(qParamsOf(view).clerps).toEqual(record.qParams?.clerps);
    const clicked = record.nodes[3]?.id ?? '';
    expect(firstReading({ ...record, qParams: { ...record.qParams!, clickedId: clicked } }).picked).toBe(3);
  });

  test('lists the edges of the picked node, the strongest first, with their signs and those that are not drawn', () => {
    const panel = graphPanel(view)
      .map((each) => drawnMarkup(each).text)
      .join('');
    const made = elements(panel);
    const weights = made.filter(({ attributes }) => attributes.get('class')?.endsWith('-text'));
    const own = record.edges.filter(([, to]) => to === view.picked).map(([, , w]) => w);
    expect(weights.map(({ attributes }) => Number(attributes.get('value')))).toEqual(
      own.sort((a, b) => Math.abs(b) - Math.abs(a)),
    );
    for (const { attributes, text } of weights) {
      const value = Number(attributes.get('value'));
      expect(attributes.get('class')).toBe(value < 0 ? 'hinders-text' : 'helps-text');
      expect(text).toMatch(value < 0 ? /^(−|0$)/ : /^(\+|0$)/);
    }
    expect(made.filter(({ attributes }) => attributes.get('class') === 'not-drawn')).toHaveLength(
      own.length - view.shown.edges.filter((i) => record.edges[i]?.[1] === view.picked).length,
    );
    expect(panel).toContain('through ');
  });

  test('shows the layer whose heads bring most of an edge, and folds the others', () => {
    const panel = graphPanel(view)
      .map((each) => drawnMarkup(each).text)
      .join('');
    const [first, second] = [...panel.matchAll(/through (\d)\.\d/g)].map(([, layer]) => layer);
    expect([first, second]).toEqual(['2', '1']);
    expect(panel).toContain('by the heads of another layer');
  });

  test('calls nodes as the reader does, in the page and in the file', () => {
    const own = graphView(record, { ...firstReading(record), labels: new Map([[0, 'mine']]), picked: 0 });
    expect(
      textOf(
        graphPanel(own)
          .map((each) => drawnMarkup(each).text)
          .join(''),
      ),
    ).toContain('mine');
    expect(qParamsOf(own).clerps).toEqual([[record.nodes[0]?.id, 'mine']]);
    const file = JSON.parse(graphFile(own.graph, qParamsOf(own), { scan: 'pocket', version: '1' })) as {
      qParams: { clerps: string[][] };
      nodes: { clerp: string; layer: string; feature: number; ctx_idx: number }[];
    };
    const [node] = file.nodes;
    expect(node?.clerp).toBe('mine');
    expect(file.qParams.clerps).toEqual([[`${node?.layer}_${node?.feature}_${node?.ctx_idx}`, 'mine']]);
    expect(record.nodes[2]?.label).not.toBe('my words');
    expect(view.graph.nodes[2]?.label).toBe('my words');
  });

  test('splits an edge by its heads', () => {
    const text = splitText({ edge: 0, layer: 5, heads: [0.1, -0.4, 0, 0.02, 0.01, 0.3], past: 0.05 }, 2);
    expect(text).toBe('through 5.1 −0.40, 5.5 +0.30, 5.0 +0.10, 5.3 +0.02, 2 others +0.01; past layer 5 +0.05');
  });

  test('sums what a supernode brings to the picked node', () => {
    const members = [...new Set(view.links.into(view.picked!).map((i) => record.edges[i]?.[0] ?? 0))].slice(0, 3);
    const grouped = graphView(record, {
      ...firstReading(record),
      supernodes: [{ name: 'g', members }],
      pinned: members,
    });
    const sum = record.edges.reduce(
      (s, [from, to, w]) => (to === view.picked && members.includes(from) ? s + w : s),
      0,
    );
    const text = textOf(
      pinnedList(grouped)
        .map((each) => drawnMarkup(each).text)
        .join(''),
    );
    expect(text).toContain(`3 nodes, ${sum > 0 ? '+' : '−'}${Math.abs(Number(sum.toPrecision(3)))} to what is picked`);
  });
});

describe('groups that are proposed', () => {
  /** Two features that read and bring alike, one that reads the same and brings the opposite, and one at another position. */
  const feature = (number: number, position: number) =>
    ({ id: `0_${number}_${position}`, kind: 'feature', layer: 0, position, feature: number, influence: 0.1 }) as const;
  const nodes = [
    feature(1, 1),
    feature(2, 1),
    feature(3, 1),
    feature(4, 0),
    { id: 'E_7_1', kind: 'token', position: 1 },
    { id: 'B_b_enc_0', kind: 'bias', bias: 'b_enc', layer: 0 },
    { id: 'out', kind: 'output', position: 1, label: ' b' },
    { id: 'out2', kind: 'output', position: 1, label: ' c' },
  ] as const;
  const edges = [0, 1, 2, 3].flatMap((i) => [
    [4, i, 1 + i / 10] as const,
    // Constants would make all features alike.
    [5, i, 100] as const,
    [i, 6, i === 2 ? -1 : 1] as const,
    [i, 7, i === 1 ? 0.5 : 0.1] as const,
  ]);
  const graph = { nodes, edges, prompt: ['a', ' b'], layers: 1, pruning: { nodeThreshold: 0.8, edgeThreshold: 1 } };

  test('are of one layer and position, alike on both sides, and say by how much', () => {
    const [group, ...others] = proposeGroups(
      graph,
      graphLinks(graph),
      nodes.map(() => true),
    );
    expect(others).toEqual([]);
    const outward = (1 + 0.5 * 0.1) / (Math.hypot(1, 0.5) * Math.hypot(1, 0.1));
    expect(group).toEqual({ name: 'token “b” → output b', members: [0, 1], alike: expect.closeTo(outward, 12) });
    expect(
      proposeGroups(
        graph,
        graphLinks(graph),
        nodes.map((_, i) => i !== 1),
      ),
    ).toEqual([]);
  });

  test('are taken into a file with their members pinned', () => {
    expect(proposeSupernodes(graph)).toEqual({
      pinnedIds: ['0_1_1', '0_2_1'],
      supernodes: [['token “b” → output b', '0_1_1', '0_2_1']],
    });
    const low = nodes.map((node, i) => (i === 0 ? { ...node, influence: 0.9 } : node));
    expect(proposeSupernodes({ ...graph, nodes: low }).supernodes).toEqual([]);
  });
});

describe('the graph file', () => {
  const view = graphView(record, firstReading(record));
  const file = JSON.parse(graphFile(record, qParamsOf(view), { scan: 'pocket', version: '1' })) as {
    metadata: Record<string, unknown>;
    qParams: Record<string, unknown>;
    nodes: Record<string, unknown>[];
    links: Record<string, unknown>[];
  };

  test('has what its schema requires', () => {
    expect(Object.keys(file)).toEqual(['metadata', 'qParams', 'nodes', 'links']);
    expect(file.metadata).toMatchObject({
      slug: 'what-makes-the-year-go-on',
      scan: 'pocket',
      prompt_tokens: record.prompt,
      prompt: record.prompt.join(''),
    });
    for (const node of file.nodes)
      for (const field of ['node_id', 'feature', 'layer', 'ctx_idx', 'feature_type', 'jsNodeId', 'clerp'])
        expect(node[field], field).not.toBeUndefined();
    expect(file.nodes).toHaveLength(record.nodes.length);
    expect(file.links).toHaveLength(record.edges.length);
    const ids = new Set(file.nodes.map((node) => node['node_id']));
    for (const link of file.links) expect(ids.has(link['source']) && ids.has(link['target'])).toBe(true);
    expect(file.qParams).toMatchObject({
      pinnedIds: record.qParams?.pinnedIds,
      supernodes: record.qParams?.supernodes,
    });
  });

  test('numbers features by Cantor’s pair, and says outputs as viewers parse them', () => {
    const [feature] = record.nodes;
    const [l, f] = [feature?.layer ?? 0, feature?.feature ?? 0];
    expect(file.nodes[0]).toMatchObject({
      feature: ((l + f) * (l + f + 1)) / 2 + f,
      layer: String(l),
      feature_type: 'cross layer transcoder',
      jsNodeId: `${l}_${f}-0`,
    });
    const output = file.nodes.find((node) => node['feature_type'] === 'logit');
    expect(output).toMatchObject({ layer: '4', is_target_logit: true, clerp: 'Output " 41" (p=0.500)', feature: 200 });
  });
});

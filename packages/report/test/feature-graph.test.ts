// Attribution graphs: what their record refuses, and a page that is the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  checkFeatureGraph,
  featureGraphFromJson,
  featureGraphJsonSchema,
  featureGraphPage,
  featureGraphToJson,
  summariseFeatureGraph,
  type FeatureGraphRecord,
} from '../src/index.js';
import { firstReading, graphView } from '../src/feature-graph/graph-view.js';
import { graphSample } from './graph-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';

const record = graphSample();
const small = graphSample({ tokens: 5, features: 8, edges: 30 });
const page = featureGraphPage(record);
const nodeAt = (kind: string): number => record.nodes.findIndex((node) => node.kind === kind);
const withNode = (i: number, change: object): object => ({
  ...record,
  nodes: record.nodes.map((node, n) => (n === i ? { ...node, ...change } : node)),
});
const [source, target, weight] = record.edges[0] ?? [0, 0, 0];

const [score] = record.headScores ?? [];
if (!score) throw new Error('the sample has a score');
const imported: NonNullable<FeatureGraphRecord['imported']> = {
  file: 'dallas.json',
  sha256: 'a'.repeat(64),
  collisions: [{ id: '0_5_3', renamed: 'error_5_3', links: 7 }],
  leftOutNodes: [{ type: 'lorsa', count: 3 }],
  leftOutLinks: 11,
  versions: { limn: '1.2.3' },
  commandLine: 'limn features import dallas.json --out graph',
  generator: 'circuit-tracer 0.1',
};

test('a record comes back from its text unchanged, and its JSON Schema names every field', () => {
  expect(featureGraphFromJson(featureGraphToJson(record))).toEqual(record);
  expect(Object.keys(featureGraphJsonSchema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(record)),
  );
});

test.each([
  [{ ...record, kind: 'graph' }, '/kind'],
  [{ ...record, prompt: [] }, '/prompt'],
  [{ ...record, nodes: record.nodes.filter(({ kind }) => kind !== 'output'), edges: [], splits: [] }, '/nodes'],
  [withNode(1, { id: record.nodes[0]?.id }), '/nodes/1/id'],
  [withNode(nodeAt('feature'), { feature: undefined }), `/nodes/${nodeAt('feature')}/feature`],
  [withNode(nodeAt('error'), { layer: 3 }), `/nodes/${nodeAt('error')}/layer`],
  [withNode(nodeAt('token'), { position: 30 }), `/nodes/${nodeAt('token')}/position`],
  [withNode(nodeAt('feature'), { influence: 1.1 }), `/nodes/${nodeAt('feature')}/influence`],
  [{ ...record, edges: [[9999, target, 1]] }, '/edges/0/0'],
  [{ ...record, edges: [[target, source, 1]], splits: [] }, '/edges/0'],
  [{ ...record, edges: [[source, nodeAt('token'), 1]], splits: [] }, '/edges/0/1'],
  [
    {
      ...record,
      edges: [
        [record.nodes.findIndex(({ id }) => id === 'b_dec2'), record.nodes.findIndex(({ layer }) => layer === 1), 1],
      ],
      splits: [],
    },
    '/edges/0',
  ],
  [{ ...record, edges: [record.edges[0], record.edges[0]], splits: [] }, '/edges/1'],
  [{ ...record, splits: [{ edge: 0, layer: 1, heads: [weight], past: weight + 1 }] }, '/splits/0'],
  [{ ...record, splits: [{ edge: 99_999, layer: 1, heads: [], past: 0 }] }, '/splits/0/edge'],
  [{ ...record, headScores: [{ ...score, key: score.query + 1 }] }, '/headScores/0/key'],
  [{ ...record, headScores: [{ ...score, score: score.score + 1 }] }, '/headScores/0/terms'],
  [{ ...record, headScores: [{ ...score, terms: score.terms.slice(1) }] }, '/headScores/0/terms'],
  [{ ...record, headScores: [{ ...score, attention: [1] }] }, '/headScores/0/attention'],
  [{ ...record, headScores: [{ ...score, keys: [{ id: 'a', kind: 'feature' }] }] }, '/headScores/0/keys/0/layer'],
  [{ ...record, qParams: { pinnedIds: [], supernodes: [], clerps: [['none', 'a']] } }, '/qParams/clerps/0/0'],
  [{ ...record, imported }, '/provenance'],
  [{ ...record, provenance: undefined }, '/provenance'],
  [{ ...record, pruning: { nodeThreshold: 2, edgeThreshold: 1 } }, '/pruning/nodeThreshold'],
  [{ ...record, qParams: { pinnedIds: ['none'], supernodes: [] } }, '/qParams/pinnedIds/0'],
  [{ ...record, qParams: { pinnedIds: [], supernodes: [['years', 'none']] } }, '/qParams/supernodes/0/1'],
  [
    { ...record, effects: [{ name: 'a', rows: [{ ...record.effects?.[0]?.rows[0], depth: 'half' }] }] },
    '/effects/0/rows/0/depth',
  ],
])('%# is refused with its place', (given, pointer) => {
  expect(() => checkFeatureGraph(given)).toThrow(
    expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
  );
});

describe('the page', () => {
  const all = elements(page);

  test('draws every node that is shown, in words too, with one stop for Tab', () => {
    const nodes = all.filter(({ attributes }) => attributes.has('data-gnode'));
    const view = graphView(record, firstReading(record));
    expect(nodes).toHaveLength(view.shown.nodes.filter(Boolean).length);
    expect(nodes.filter(({ attributes }) => attributes.get('tabindex') === '0')).toHaveLength(1);
    for (const { attributes } of nodes) expect(attributes.get('aria-label')).toBeTruthy();
    expect(all.filter(({ attributes }) => attributes.get('class') === 'pin')).toHaveLength(4 + 1);
  });

  test('has its numbers in tables, and says what it says', () => {
    const text = textOf(page);
    const { headline, sentences } = summariseFeatureGraph(record);
    for (const sentence of [headline, ...sentences]) expect(text).toContain(sentence);
    expect(text).toContain('Nodes: all 224');
    expect(text).toContain('Edges: the strongest 300 of 1,500');
    expect(text).toContain(
      '✓ The edges into each of 134 targets sum to its value within 3e−7 of it; allowed is 1e−4.'.replace(
        '1e−4',
        '0.0001',
      ),
    );
    expect(text).toContain('random features of matched activation (for comparison)');
    const off = { ...record, accounting: { worst: 0.01, tolerance: 1e-4 } };
    expect(textOf(featureGraphPage(off))).toContain('✗ The edges into every target');
    expect(summariseFeatureGraph(off).sentences.join(' ')).toContain('Edges do not add up');
  });

  test('asks nothing of the network, has no inline handler or style, and each id once', () => {
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toBe('#graph');
      }
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    const ids = all.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(featureGraphPage(graphSample())).toBe(page);
    expect(page.length).toBeLessThan(1e6);
  });

  test('of a graph with nothing but what must be there is a page, too', () => {
    const {
      splits: _s,
      effects: _e,
      features: _f,
      qParams: _q,
      whole: _w,
      activeFeatures: _a,
      slug: _g,
      headScores: _h,
      accounting: _o,
      ...bare
    } = small;
    const alone: FeatureGraphRecord = {
      ...bare,
      edges: [],
      nodes: small.nodes.filter(({ kind }) => kind === 'output'),
    };
    for (const made of [featureGraphPage(bare), featureGraphPage(alone), page])
      expect(textOf(made)).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(textOf(featureGraphPage(bare))).toContain('Nothing is pinned yet');
  });

  test('says why a head looks where it looks, and leads from its sources to their nodes', () => {
    const text = textOf(page);
    expect(text).toContain('Why heads look where they look');
    expect(text).toMatch(/Head 1\.2 at 29 “17” , looking at 1 “war”/);
    expect(text).toContain('Score +2.56, 75 % of its attention');
    const cells = all.filter(({ attributes }) => /^(up|down) s\d$/.test(attributes.get('class') ?? ''));
    // 0 and nothing else is not shaded.
    expect(cells.map(({ text: of }) => of.trim())).toEqual([
      '+1.50',
      '−0.25',
      '+0.13',
      '+0.50',
      '+0.25',
      '−0.13',
      '+0.06',
      '+0.50',
    ]);
    expect(text).toContain('not here');
    expect(all.filter(({ attributes }) => attributes.get('class')?.startsWith('heat')).length).toBeGreaterThan(29);
  });

  test('of a graph from a file says whose it is and what could not be taken, and not that it adds up', () => {
    const { provenance: _p, accounting: _a, ...foreign } = small;
    const made = textOf(featureGraphPage({ ...foreign, imported }));
    expect(made).toContain('Where it comes from');
    expect(made).toMatch(/1 stood for an error and a feature of layer 0; .* 7 links .*: 0_5_3/);
    expect(made).toContain('3 of type lorsa');
    expect(made).toContain('circuit-tracer 0.1');
    expect(made).not.toContain('allowed is');
    expect(summariseFeatureGraph({ ...foreign, imported }).sentences.join(' ')).toContain('nothing says how far');
  });

  test('keeps access tokens out', () => {
    const secret = `hf_${'a'.repeat(30)}`;
    expect(featureGraphPage({ ...small, title: secret })).not.toContain(secret);
    expect(featureGraphToJson({ ...small, title: secret })).not.toContain(secret);
  });

  const shape = { tokens: 5, features: 8, edges: 30 };
  const harmless = skeleton(featureGraphPage(graphSample({ ...shape, text: () => 'x' })));
  test.each([...hostileTexts, '__proto__'])('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = featureGraphPage(graphSample({ ...shape, text: () => hostile }));
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    expect(Buffer.from(made, 'utf8').toString('utf8')).toBe(made);
  });
});

// Comparisons: what their record refuses, what is said of it, and a page that is the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  checkComparison,
  comparisonJsonSchema,
  comparisonFromJson,
  comparisonToJson,
  renderComparison,
  summariseComparison,
} from '../src/index.js';
import { chanceText } from '../src/comparison-summary.js';
import { comparisonSample } from './comparison-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton } from './page-elements.js';

const record = comparisonSample();
const page = renderComparison(record);

test('a record comes back from its text unchanged', () => {
  expect(comparisonFromJson(comparisonToJson(record))).toEqual(record);
  const { cross: _c, withoutCore: _w, ...bare } = record;
  expect(checkComparison(bare)).toBe(bare);
});

test('its JSON Schema names every field', () => {
  expect(Object.keys(comparisonJsonSchema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(record)),
  );
});

test.each([
  [{ circuits: record.circuits.slice(0, 1) }, '/circuits'],
  [{ pairs: [{ ...record.pairs[0]!, first: 1, second: 1 }] }, '/pairs/0/first'],
  [{ withoutCore: [{ ...record.pairs[0]!, second: 6 }] }, '/withoutCore/0/second'],
  [{ cross: { ...record.cross!, faithfulness: [[1]] } }, '/cross/faithfulness'],
  [{ cross: { ...record.cross!, points: [{ ...record.cross!.points[0]!, task: 9 }] } }, '/cross/points/0/task'],
  [{ core: { edges: ['<b>'], nodes: [] } }, '/core/edges/0'],
  [{ kind: 'circuit' }, '/kind'],
])('%# is refused with its place', (change, pointer) => {
  let message = '';
  try {
    checkComparison({ ...record, ...change });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain(`at ${pointer} `);
});

test('what is said of it follows the record', () => {
  const { headline, sentences } = summariseComparison(record);
  const iou = record.pairs.map(({ edges }) => edges.iou ?? 0);
  expect(headline).toContain(`between ${Math.min(...iou).toFixed(2)} (`);
  expect(headline).toContain(`and ${Math.max(...iou).toFixed(2)} (`);
  expect(sentences[0]).toBe('All of them have 2 edges and 3 nodes.');
  const own = record.cross!.faithfulness.map((row, i) => row[i] ?? 0);
  expect(sentences[2]).toContain(`On its own task a circuit has a faithfulness of ${Math.min(...own).toFixed(2)} to`);
  expect(sentences[3]).toContain('Spearman’s ρ = 0.27 over 30 points');
  const two = comparisonSample({ count: 2 });
  expect(summariseComparison(two).headline).toMatch(/^2 circuits of 64 edges each, before pruning, share 0\.\d\d \(/);
  expect(summariseComparison(two).sentences[0]).toBe(
    `By chance an overlap as large has p = ${chanceText(two.pairs[0]!.edges)} for the edges and ${chanceText(two.pairs[0]!.nodes)} for the nodes (hypergeometric).`,
  );
  const { cross: _c, ...unmeasured } = two;
  expect(summariseComparison(unmeasured).sentences).toHaveLength(1);
  const none = { ...two.pairs[0]!, edges: { ...two.pairs[0]!.edges, first: 0, iou: null } };
  expect(summariseComparison({ ...two, pairs: [none] }).headline).toContain('have no edge to share');
});

test.each([
  [0.5, -0.3, '0.5'],
  [1.26e-11, -10.9, '1.3e−11'],
  [0, -411.6, '1e−412'],
])('p = %d is written %s', (p, log10P, text) => {
  expect(chanceText({ p, log10P })).toBe(text);
});

describe('the page', () => {
  const all = elements(page);
  const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');

  test('has a map for each measure, a point for each transfer, and all of them as tables', () => {
    expect(all.filter(({ attributes }) => attributes.get('class') === 'heat')).toHaveLength(2 * 6 + 1);
    expect(all.filter(({ name }) => name === 'circle')).toHaveLength(4 * 30);
    // Two tables of every pair, edges and nodes, and one of the points; each with its head.
    expect(text.match(/Recall of first/g)).toHaveLength(2);
    const { faithfulness } = record.cross!;
    for (const f of faithfulness.flat()) expect(text).toContain(f === null ? '–' : f.toFixed(2).replace('-', '−'));
    for (const sentence of summariseComparison(record).sentences) expect(text).toContain(sentence.replace('<', '&lt;'));
  });

  test('one of two circuits that was not run on pairs is a page, too', () => {
    const { cross: _c, ...bare } = comparisonSample({ count: 2 });
    const made = renderComparison(bare);
    expect(made).not.toMatch(/NaN|Infinity|undefined/);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(elements(made).filter(({ attributes }) => attributes.get('class') === 'heat')).toHaveLength(6);
  });

  const harmless = skeleton(renderComparison(comparisonSample({ text: () => 'x', count: 3 })));
  test.each(hostileTexts)('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = renderComparison(comparisonSample({ text: () => hostile, count: 3 }));
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
  });
});

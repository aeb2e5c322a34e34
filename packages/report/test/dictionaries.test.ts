// Dictionaries over several sparsities: what their record refuses, what holds at equal L0, and a page that is the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  checkDictionaries,
  dictionariesFromJson,
  dictionariesJsonSchema,
  dictionariesPage,
  dictionariesToJson,
  summariseDictionaries,
  type DictionaryPoint,
} from '../src/index.js';
import { atEqualSparsity, measureOf } from '../src/dictionaries/equal-sparsity.js';
import { dictionariesSample } from './dictionaries-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';

const record = dictionariesSample();
const page = dictionariesPage(record);
const first = record.points[0] as DictionaryPoint;
const withPoint = (change: object): object => ({ ...record, points: [{ ...first, ...change }] });

test('a record comes back from its text unchanged, and its JSON Schema names every field', () => {
  expect(dictionariesFromJson(dictionariesToJson(record))).toEqual(record);
  expect(Object.keys(dictionariesJsonSchema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(record)),
  );
});

test.each([
  [{ ...record, kind: 'circuit' }, '/kind'],
  [{ ...record, layers: [record.layers[0], record.layers[0]] }, '/layers/1/layers'],
  [withPoint({ layer: 7 }), '/points/0/layer'],
  [withPoint({ source: 'probe' }), '/points/0/source'],
  [withPoint({ l0: -1 }), '/points/0/l0'],
  [{ ...record, points: [first, first] }, '/points/1/name'],
  [
    withPoint({ interpretability: { ...first.interpretability, f1: { mean: 1, low: 2, high: 1 } } }),
    '/points/0/interpretability/f1',
  ],
])('%# is refused with its place', (given, pointer) => {
  expect(() => checkDictionaries(given)).toThrow(
    expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
  );
});

describe('at equal sparsity', () => {
  const point = (l0: number, loss: number, setting = String(l0)): DictionaryPoint => ({
    ...first,
    l0,
    setting,
    fvu: 1 - loss,
    recovered: { mean: { loss, divergence: loss / 2 }, zero: { loss, divergence: loss } },
  });

  test('a curve is linear in log L0 between its points, and nothing is said beyond them', () => {
    const other = [point(2, 0.2), point(8, 0.6)];
    const found = atEqualSparsity([point(4, 0.5), point(8, 0.6), point(16, 0.9), point(1, 0)], other, 'recovered', 1);
    // At 4, half-way between 2 and 8, the curve has 0.4.
    expect(found).toEqual({ points: 2, atLeast: 2, difference: expect.closeTo(0.05, 12) });
    expect(atEqualSparsity([point(4, 0.3)], other, 'recovered', 1)).toMatchObject({ atLeast: 0 });
    expect(atEqualSparsity([point(20, 0.3)], other, 'recovered', 1)).toBeUndefined();
    expect(atEqualSparsity([point(4, 0.3)], [], 'recovered', 1)).toBeUndefined();
  });

  test('seeds of one setting are averaged', () => {
    const other = [point(1.9, 0.1, 'k = 2'), point(2.1, 0.3, 'k = 2'), point(8, 0.6)];
    const at = Math.sqrt(1.9 * 2.1);
    expect(atEqualSparsity([point(at, 0.2)], other, 'recovered', 1)?.difference).toBeCloseTo(0, 12);
  });

  test('what is recovered is told of the KL where an ablation costs less than 0.2 nats', () => {
    expect(measureOf(point(2, 0.8), 'recovered', 0.2)).toBe(0.8);
    expect(measureOf(point(2, 0.8), 'recovered', 0.19)).toBe(0.4);
    expect(measureOf(point(2, 0.8), 'explained', 0.19)).toBe(0.8);
  });
});

test('the sentences tell of every source there is, and of what is recommended', () => {
  const { headline, sentences } = summariseDictionaries(record);
  expect(headline).toBe(
    '75 dictionaries and baselines of 3 layers, in the place of their MLPs over 204,000 predictions.',
  );
  const said = sentences.join(' ');
  expect(said).toContain('in layer 1, what is recovered is told of the KL');
  expect(said).toMatch(
    /At equal L0 transcoders have at least the SAEs’ share recovered in \d+ of \d+ points, 0\.\d+ more/,
  );
  expect(said).toContain('Recommended (the least L0 that recovers .95): k = 16');
  const alone = { ...record, points: record.points.filter(({ source }) => source === 'neurons') };
  expect(summariseDictionaries(alone).sentences.join(' ')).not.toMatch(/equal L0|Recommended/);
});

describe('the page', () => {
  const all = elements(page);

  test('has two plots and a table for every layer, every point in each', () => {
    const plots = all.filter(({ name, attributes }) => name === 'svg' && attributes.get('role') === 'img');
    expect(plots).toHaveLength(6);
    expect(plots.map(({ attributes }) => attributes.get('aria-label')?.split(' against')[0])).toEqual([
      'CE recovered',
      '1 − FVU',
      'KL recovered',
      '1 − FVU',
      'CE recovered',
      '1 − FVU',
    ]);
    // And one of each source in the legend.
    expect(all.filter(({ name, attributes }) => name === 'path' && attributes.get('class') === 'mark')).toHaveLength(
      2 * 75 + 3,
    );
    expect(all.filter(({ name }) => name === 'tr')).toHaveLength(75 + 3 + 2);
    expect(all.filter(({ name, attributes }) => name === 'tr' && attributes.get('class') === 'now')).toHaveLength(3);
  });

  test('asks nothing of the network, has no inline handler or style, and is the same for the same record', () => {
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toBe('#frontiers');
      }
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    expect(dictionariesPage(dictionariesSample())).toBe(page);
  });

  test('of hardly anything is a page, too', () => {
    const { together: _t, rule: _r, corpus: _c, ...bare } = record;
    const { name, source, layer, l0, fvu, loss, divergence, agreement, recovered } = first;
    const least = { name, source, layer, l0, fvu, loss, divergence, agreement, recovered };
    const unknown = { ...least, recovered: { mean: { loss: null, divergence: null }, zero: recovered.zero } };
    for (const points of [[], [least], [unknown]])
      expect(textOf(dictionariesPage({ ...bare, points }))).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(textOf(page)).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });

  const harmless = skeleton(dictionariesPage(dictionariesSample({ text: () => 'x', layers: 1 })));
  test.each([...hostileTexts, '__proto__'])('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = dictionariesPage(dictionariesSample({ text: () => hostile, layers: 1 }));
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
  });
});

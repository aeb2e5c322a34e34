// Dashboards: what their record refuses, how features are found, what is said, and a page that is the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  LABELS_FORMAT,
  checkFeatures,
  featuresFromJson,
  featuresJsonSchema,
  featuresPage,
  featuresToJson,
  labelFiles,
  summariseFeatures,
  type FeatureRecord,
} from '../src/index.js';
import { drawnMarkup } from '../src/drawn.js';
import { featureCard } from '../src/features/feature-card.js';
import { inOrder, meetsQuery } from '../src/features/feature-search.js';
import { fireShade, tokenWindow } from '../src/features/token-window.js';
import { featuresSample } from './features-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';

const record = featuresSample();
const page = featuresPage(record);
const first = record.features[0] as FeatureRecord;
const changed = (change: object): object => ({ ...record, features: [{ ...first, ...change }] });

test('a record comes back from its text unchanged, and its JSON Schema names every field', () => {
  expect(featuresFromJson(featuresToJson(record))).toEqual(record);
  expect(Object.keys(featuresJsonSchema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(featuresSample({ withoutText: true }))),
  );
  const { origin, feature, frequency, min, max } = first;
  const bare = { ...record, features: [{ origin, feature, frequency, min, max }] };
  expect(checkFeatures(bare)).toBe(bare);
});

const example = { tokens: [5, 6], texts: ['a', 'b'], activations: [0, 1], at: 1 };
test.each([
  [{ ...record, kind: 'circuit' }, '/kind'],
  [changed({ frequency: 1.2 }), '/features/0/frequency'],
  [changed({ origin: { ...first.origin, features: 1 }, feature: 1 }), '/features/0/feature'],
  [changed({ label: 'years' }), '/features/0/label'],
  [changed({ max: Number.NaN }), '/features/0/max'],
  [changed({ top: [{ ...example, texts: ['a'] }] }), '/features/0/top/0/texts'],
  [changed({ top: [{ ...example, at: 2 }] }), '/features/0/top/0/at'],
  [
    changed({ bands: [{ from: 0, to: 1, share: 0.1, examples: [{ ...example, at: 3 }] }] }),
    '/features/0/bands/0/examples/0/at',
  ],
  [changed({ bands: [{ from: 2, to: 1, share: 0, examples: [] }] }), '/features/0/bands/0/to'],
  [{ ...record, features: [first, first] }, '/features/1'],
  [{ ...record, withoutText: true }, '/features/0'],
])('%# is refused with its place', (given, pointer) => {
  expect(() => checkFeatures(given)).toThrow(
    expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
  );
});

describe('an example', () => {
  test('is shaded by (a − min) / (max − min)', () => {
    const range = { least: 1, most: 10 };
    expect([0, 1, 1.5, 5.5, 10, 12].map((a) => fireShade(a, range))).toEqual([0, 0, 1, 5, 9, 9]);
    expect(fireShade(1, { least: 0, most: 0 })).toBe(0);
  });

  test('has five tokens on each side, says where more are cut off, and marks its own', () => {
    const texts = Array.from({ length: 20 }, (_, i) => ` t${i}`);
    const activations = texts.map((_, i) => (i === 9 ? 2 : 0));
    const made = drawnMarkup(tokenWindow({ tokens: [], texts, activations, at: 9 }, { least: 0, most: 2 })).text;
    const words = elements(made).filter(({ name }) => name === 'bdi');
    expect(words.map(({ text }) => text)).toEqual(Array.from({ length: 11 }, (_, i) => `t${i + 4}`));
    expect(words[5]?.attributes.get('class')).toBe('token fire9 peak');
    expect(made.match(/…/g)).toHaveLength(2);
    const start = drawnMarkup(tokenWindow({ tokens: [], texts, activations, at: 2 }, { least: 0, most: 2 })).text;
    expect(elements(start).filter(({ name }) => name === 'bdi')).toHaveLength(8);
    expect(start.match(/…/g)).toHaveLength(1);
  });

  test('without its text keeps its activations', () => {
    const made = drawnMarkup(tokenWindow({ tokens: [], activations: [0, 2], at: 1 }, { least: 0, most: 2 })).text;
    expect(elements(made).filter(({ text }) => text === '▢')).toHaveLength(2);
    const ids = drawnMarkup(tokenWindow({ tokens: [7, 8], activations: [0, 2], at: 1 }, { least: 0, most: 2 })).text;
    expect(elements(ids).map(({ text }) => text)).toEqual(expect.arrayContaining(['#7', '#8']));
    // Words that carry no space of their own stand apart.
    expect(ids).toContain('class="words apart"');
    const redacted = featuresPage(featuresSample({ withoutText: true, count: 3 }));
    expect(textOf(redacted)).toContain('The text of the examples was left out');
    expect(elements(redacted).some(({ attributes }) => attributes.get('class')?.includes('left-out'))).toBe(true);
  });
});

describe('features are found', () => {
  const query = { fires: '', logit: '', label: '', layer: undefined };
  const feature: FeatureRecord = {
    ...first,
    origin: { ...first.origin, layer: 2 },
    top: [{ tokens: [], texts: [' the', ' Paris', ' is'], activations: [0, 3, 1], at: 1 }],
    bands: [{ from: 0, to: 1, share: 0.1, examples: [{ tokens: [], texts: [' Rome'], activations: [1], at: 0 }] }],
    logits: {
      most: [
        { token: 1, text: ' France', value: 1 },
        { token: 44, value: 0.5 },
      ],
      least: [{ token: 2, text: ' Spain', value: -1 }],
    },
  };
  test.each([
    [{ fires: 'paris' }, true],
    [{ fires: 'ROME' }, true],
    [{ fires: 'is' }, true],
    [{ fires: 'the' }, false],
    [{ logit: 'fran' }, true],
    [{ logit: 'spain' }, true],
    [{ logit: '#44' }, true],
    [{ logit: 'paris' }, false],
    [{ label: 'cap' }, true],
    [{ label: 'river' }, false],
    [{ layer: 2 }, true],
    [{ layer: 1 }, false],
    [{ fires: 'paris', logit: 'italy' }, false],
  ])('%o: %s', (asked, found) => {
    expect(meetsQuery(feature, 'capitals', { ...query, ...asked })).toBe(found);
  });

  test('in order, ties as they are given', () => {
    const features = [1, 3, 2, 3].map((max, i) => ({ ...first, max, feature: i, frequency: i / 10 }));
    expect(inOrder(features, [], 'given')).toEqual([0, 1, 2, 3]);
    expect(inOrder(features, [], 'most')).toEqual([1, 3, 2, 0]);
    expect(inOrder(features, [], 'frequent')).toEqual([3, 2, 1, 0]);
    expect(inOrder(features, [], 'rare')).toEqual([0, 1, 2, 3]);
    expect(inOrder(features, ['', '', 'x', ''], 'labelled')).toEqual([2, 0, 1, 3]);
  });
});

test('labels become a file for each dictionary, as they were written, whatever they are', () => {
  const texts = ['__proto__', '</script>\u202e"', '', 'years'];
  const label = (text: string) => ({ text, author: 'anna', time: '2026-03-01T12:00:00.000Z' });
  const files = labelFiles(
    record.features,
    record.features.map((_, i) => (texts[i] === undefined ? undefined : label(texts[i]))),
  );
  // Features 0 and 3 are of layer 0, 1 is of layer 1; the label of 2 is empty.
  expect(files.map(({ name }) => name)).toEqual([
    'blocks.0.ln2.hook_normalized.labels.json',
    'blocks.1.ln2.hook_normalized.labels.json',
  ]);
  const [of0, of1] = files.map(({ text }) => JSON.parse(text) as object);
  const entry = (i: number) => ({ feature: record.features[i]?.feature, ...label(texts[i] ?? '') });
  expect(of0).toEqual({
    format: LABELS_FORMAT,
    dictionary: { layer: 0, input: 'ln2.hook_normalized', features: 1_000_000 },
    labels: [entry(0), entry(3)],
  });
  expect(of1).toMatchObject({ dictionary: { layer: 1 }, labels: [entry(1)] });
  expect(labelFiles(record.features, [])).toEqual([]);
});

describe('the page', () => {
  const all = elements(page);

  test('has the first cards and a table of all, and says how many', () => {
    expect(all.filter(({ name }) => name === 'article')).toHaveLength(12);
    expect(all.filter(({ name }) => name === 'tr')).toHaveLength(41);
    expect(textOf(page)).toContain('12 of 40 features have their card here; the table below has all.');
    const { headline, sentences } = summariseFeatures(record);
    expect(headline).toBe(
      '40 of 1,536 features of layers 0, 1, 2, as they fire on 1,638,400 tokens of pocket’s held-out stories.',
    );
    for (const sentence of [headline, ...sentences]) expect(textOf(page)).toContain(sentence);
  });

  test('holds in its data no more of the examples than it shows', () => {
    const all = <T>(value: T): T[] => Array.from({ length: 400 }, () => value);
    const long = { tokens: all(5), texts: all('far'), activations: all(1 / 3), at: 200 };
    const made = featuresPage({ ...record, features: [{ ...first, top: [long], bands: [] }] });
    // 13 in the data, 11 in the card.
    expect(made.match(/"far"|>far</g)).toHaveLength(13 + 11);
    expect(made).toMatch(/"activations":\[(0\.3333,){12}0\.3333\]/);
  });

  test('asks nothing of the network, has no inline handler or style, and each id once', () => {
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toBe('#features');
      }
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    const ids = all.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(featuresPage(featuresSample())).toBe(page);
  });

  test('of features of which hardly anything is known is a page, too', () => {
    const { origin, feature, frequency, min, max } = first;
    const bare = featuresPage({ ...record, features: [{ origin, feature, frequency, min, max }] });
    for (const made of [bare, featuresPage({ ...record, features: [] }), page])
      expect(textOf(made)).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(textOf(bare)).toContain('It fires nowhere in what was read.');
  });

  const harmless = skeleton(featuresPage(featuresSample({ text: () => 'x', count: 2 })));
  test.each([...hostileTexts, '__proto__'])('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = featuresPage(featuresSample({ text: () => hostile, count: 2 }));
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    expect(Buffer.from(made, 'utf8').toString('utf8')).toBe(made);
  });
});

test('a small card stands without bands and without a field', () => {
  const made = elements(drawnMarkup(featureCard(first, { small: true })).text);
  expect(made.filter(({ name }) => name === 'input' || name === 'details')).toHaveLength(0);
  expect(made.filter(({ attributes }) => attributes.get('class') === 'window')).toHaveLength(3);
});

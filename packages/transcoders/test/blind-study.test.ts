// A blind study hides who is who, draws live features by the seed, and scores ratings with Wilson's intervals; the paper's counts give its shares.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  blindStudy,
  blindStudyToText,
  parseBlindStudy,
  parseRatings,
  parseStudyKey,
  ratingsToText,
  scoreRatings,
  studyKeyToText,
  wilsonShare,
  type FeatureDashboard,
  type ItemRating,
} from '../src/index.js';

/** A feature with so many examples; numbers that would tell it apart are in it. */
function dashboard(feature: number, kind: 'transcoder' | 'sae', examples: number, frequency = 0.01): FeatureDashboard {
  const max = 12.345 + feature;
  const example = (i: number) => ({
    sequence: 77_000 + i,
    position: 3,
    value: max / (i + 1),
    tokens: [feature, i, 5],
    texts: [` w${feature}`, ` v${i}`, '.'],
    activations: [0, max / (i + 1), 0.001],
    at: 1,
    repeated: i === 2,
  });
  const list = Array.from({ length: examples }, (_, i) => example(i));
  return {
    origin: { kind, layer: 4, reads: 'blocks.4.ln2.hook_normalized', features: 100 },
    feature,
    tokens: 1000,
    fired: 1000 * frequency,
    frequency,
    min: 0,
    max,
    quantiles: [{ share: 0.5, value: 1.23456 }],
    histogram: [9, 8, 7],
    top: list,
    bands: [{ from: 0, to: max, share: 1, examples: list }],
  };
}

const many = (kind: 'transcoder' | 'sae', count: number): FeatureDashboard[] =>
  Array.from({ length: count }, (_, f) => dashboard(f, kind, f % 5 === 0 ? 3 : 6, f % 7 === 0 ? 1e-5 : 0.01));
const SOURCES = [
  { name: 'our transcoder', dashboards: many('transcoder', 40) },
  { name: 'the SAE', dashboards: many('sae', 40) },
];

test('raters see contexts and shades alone; the key, sealed by its digest, tells the rest', async () => {
  const { study, key } = await blindStudy(SOURCES, { perSource: 10, seed: 7 });
  expect(study.items.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(key.items.length).toBe(20);
  const text = JSON.stringify(study);
  for (const telling of [
    'transcoder',
    'SAE',
    'sae',
    'feature',
    '12.345',
    '77',
    'frequency',
    'histogram',
    'share',
    'value',
  ])
    expect(text.replace(study.keyDigest, ''), telling).not.toContain(`${telling}"`);
  expect(Object.keys(study.items[0] ?? {}).sort()).toEqual(['bands', 'id', 'top']);
  expect(Object.keys(study.items[0]?.top[0] ?? {}).sort()).toEqual(['at', 'shades', 'texts', 'tokens']);
  expect(study.items[0]?.top.map(({ shades }) => shades[1])).toEqual([1, 0.5, 0.33, 0.25, 0.2, 0.17]);
  expect(study.items[0]?.bands[0]?.length).toBe(5);
  for (const { source, feature, id } of key.items) {
    // Live, with examples enough; shown as what it is.
    expect(feature % 5).not.toBe(0);
    expect(feature % 7).not.toBe(0);
    expect(study.items[id - 1]?.top[0]?.tokens[0]).toBe(feature);
    expect(['our transcoder', 'the SAE']).toContain(source);
  }
  const drawn = (name: string) => key.items.filter(({ source }) => source === name).map(({ feature }) => feature);
  for (const { name } of SOURCES) expect(new Set(drawn(name)).size).toBe(10);
  expect(drawn('our transcoder')).not.toEqual(drawn('the SAE'));
  // Mixed: sources do not come one after the other.
  const first = key.items.slice(0, 10).filter(({ source }) => source === 'the SAE').length;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(10);
  expect(await blindStudy(SOURCES, { perSource: 10, seed: 7 })).toEqual({ study, key });
  expect((await blindStudy(SOURCES, { perSource: 10, seed: 8 })).key.items).not.toEqual(key.items);
});

test('ratings are counted by source, with intervals; keys and ratings of something else are refused', async () => {
  const { study, key } = await blindStudy(SOURCES, { perSource: 10, seed: 7 });
  const ratings = key.items.slice(0, 19).map(({ id, source, feature }): ItemRating => ({
    id,
    rating: source === 'the SAE' ? (feature % 2 === 0 ? 'maybe' : 'not') : 'interpretable',
    contextFree: feature % 3 === 0,
  }));
  const [transcoder, sae] = await scoreRatings(study, [...ratings].reverse(), key);
  const own = (name: string) => key.items.slice(0, 19).filter(({ source }) => source === name);
  expect(transcoder).toMatchObject({ source: 'our transcoder', rated: own('our transcoder').length });
  expect(transcoder?.interpretable).toEqual(wilsonShare(own('our transcoder').length, own('our transcoder').length));
  const even = own('the SAE').filter(({ feature }) => feature % 2 === 0).length;
  expect(sae?.maybe).toEqual(wilsonShare(even, own('the SAE').length));
  expect((sae?.maybe.count ?? 0) + (sae?.not.count ?? 0)).toBe(sae?.rated);
  expect((sae?.unrated ?? 0) + (transcoder?.unrated ?? 0)).toBe(1);
  expect(transcoder?.contextFree.count).toBe(own('our transcoder').filter(({ feature }) => feature % 3 === 0).length);
  const [one] = ratings as [ItemRating];
  for (const bad of [[{ ...one, id: 21 }], [one, one], [{ ...one, rating: 'good' as 'not' }]])
    expect(await refusal(scoreRatings(study, bad, key))).toMatchObject({ code: 'data/ratings' });
  const swapped = { ...key, items: key.items.map((item) => ({ ...item, source: 'the SAE' })) };
  expect(await refusal(scoreRatings(study, ratings, swapped))).toMatchObject({ code: 'data/blind-key' });
});

test("Wilson's interval of the paper's counts, and at the ends", () => {
  // 41, 8 and 1 of 50: computed by hand from the formula.
  expect(wilsonShare(41, 50)).toMatchObject({ count: 41, share: 0.82 });
  expect(wilsonShare(41, 50).low).toBeCloseTo(0.692, 3);
  expect(wilsonShare(41, 50).high).toBeCloseTo(0.902, 3);
  expect(wilsonShare(0, 50)).toMatchObject({ share: 0, low: 0 });
  expect(wilsonShare(0, 50).high).toBeCloseTo(0.0713, 4);
  expect(wilsonShare(50, 50)).toMatchObject({ share: 1, high: 1 });
  expect(wilsonShare(0, 0)).toMatchObject({ low: 0, high: 1 });
});

test('sources with too few features, and studies of nothing, are refused', async () => {
  expect(await refusal(blindStudy(SOURCES, { perSource: 30 }))).toMatchObject({ code: 'data/blind-study' });
  for (const [sources, options] of [
    [[], {}],
    [[...SOURCES, ...SOURCES], {}],
    [SOURCES, { perSource: 0 }],
    [SOURCES, { leastExamples: 0.5 }],
    [SOURCES, { seed: -1 }],
  ] as const)
    expect(await refusal(blindStudy(sources, options))).toMatchObject({ code: 'usage/blind-study' });
});

test('studies, keys and ratings come back from their files; what is none is refused by field', async () => {
  const { study, key } = await blindStudy(SOURCES, { perSource: 3, seed: 7 });
  const ratings: ItemRating[] = [
    { id: 2, rating: 'maybe', contextFree: true, note: '</script><b>' },
    { id: 1, rating: 'not' },
  ];
  expect(parseBlindStudy(blindStudyToText(study))).toEqual(study);
  expect(parseStudyKey(studyKeyToText(key))).toEqual(key);
  expect(parseRatings(ratingsToText(study.keyDigest, ratings), study)).toEqual(ratings);
  const changed = (text: string, from: string, to: string): string => {
    expect(text).toContain(from);
    return text.replace(from, to);
  };
  const cases: readonly (readonly [() => unknown, string])[] = [
    [() => parseBlindStudy(changed(blindStudyToText(study), '"id":2', '"id":7')), 'items[1].id'],
    [() => parseBlindStudy(changed(blindStudyToText(study), '"shades":[', '"shades":[0,')), 'items[0].top[0].tokens'],
    [() => parseStudyKey(changed(studyKeyToText(key), '"source": "the SAE"', '"source": "it"')), 'items'],
    [() => parseStudyKey(blindStudyToText(study)), 'format'],
    [() => parseRatings(ratingsToText('0000', ratings), study), 'study'],
    [
      () => parseRatings(changed(ratingsToText(study.keyDigest, ratings), '"maybe"', '"good"'), study),
      'ratings[0].rating',
    ],
  ];
  for (const [parse, field] of cases) {
    const error = await refusal(parse);
    expect(error).toMatchObject({ code: 'data/blind-study-file' });
    expect(String(error.details?.['field'])).toContain(field);
  }
});

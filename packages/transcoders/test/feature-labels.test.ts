// Labels come back as they were written, hostile ones as text; files of other dictionaries and damaged ones are refused; merging tells conflicts.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { FeatureLabels, type FeatureLabel, type LabelledPlace } from '../src/index.js';

const PLACE: LabelledPlace = { layer: 1, input: 'ln2.hook_normalized', features: 40 };
const TIME = '2026-03-01T12:00:00.000Z';
const label = (text: string, rest: Partial<FeatureLabel> = {}): FeatureLabel => ({
  text,
  author: 'Ada',
  time: TIME,
  ...rest,
});

const HOSTILE = [
  '</script><img src=x onerror=alert(1)>',
  '"}],"format":"other',
  '\u202eelbadaer\u0000\u001b[2J\u2028',
  '__proto__',
  '\ud800',
  '${process.env}',
];

test('labels come back, whatever their text; the same labels are the same bytes', () => {
  const labels = new FeatureLabels(PLACE);
  HOSTILE.forEach((text, i) => labels.set(30 - i, label(text, { evidence: text })));
  labels.set(2, label('years after 1900'));
  const text = labels.toText();
  const back = FeatureLabels.parse(text, PLACE);
  expect([...back]).toEqual([...labels]);
  expect(back.get(30)).toEqual(label(HOSTILE[0] as string, { evidence: HOSTILE[0] as string }));
  expect(back.toText()).toBe(text);
  const other = new FeatureLabels(PLACE);
  for (const [feature, own] of [...labels].reverse()) other.set(feature, own);
  expect(other.toText()).toBe(text);
  expect(labels.search('YEARS').map(([feature]) => feature)).toEqual([2]);
  expect([labels.size, labels.delete(2), labels.delete(2), labels.size]).toEqual([7, true, false, 6]);
  expect(FeatureLabels.fileName(PLACE)).toBe('blocks.1.ln2.hook_normalized.labels.json');
});

test('what is no file of these labels is refused, by field', async () => {
  const good = JSON.parse(new FeatureLabels(PLACE).set(3, label('x')).toText()) as Record<string, unknown>;
  const entry = { feature: 3, ...label('x') };
  const cases: readonly (readonly [unknown, string])[] = [
    ['{', 'the file'],
    [{ ...good, format: 'limn-feature-labels/2' }, 'format'],
    [{ ...good, dictionary: { ...PLACE, layer: 2 } }, 'dictionary.layer'],
    [{ ...good, dictionary: { ...PLACE, features: 41 } }, 'dictionary.features'],
    [{ ...good, labels: {} }, 'labels'],
    [{ ...good, labels: [{ ...entry, feature: 40 }] }, 'labels[0].feature'],
    [{ ...good, labels: [entry, entry] }, 'labels[1].feature'],
    [{ ...good, labels: [{ ...entry, text: '' }] }, 'labels[0].text'],
    [{ ...good, labels: [{ ...entry, text: 'x'.repeat(10_001) }] }, 'labels[0].text'],
    [{ ...good, labels: [{ ...entry, time: 'yesterday' }] }, 'labels[0].time'],
    [{ ...good, labels: [{ ...entry, evidence: 5 }] }, 'labels[0].evidence'],
  ];
  for (const [content, field] of cases)
    expect(
      await refusal(() => FeatureLabels.parse(typeof content === 'string' ? content : JSON.stringify(content), PLACE)),
      field,
    ).toMatchObject({ code: 'data/feature-labels', details: { field } });
  expect(await refusal(() => new FeatureLabels(PLACE).set(40, label('x')))).toMatchObject({
    code: 'data/feature-labels',
  });
});

test('two files are merged: what differs stays ours and is told, what is equal is the earlier', async () => {
  const later = '2026-04-01T12:00:00.000Z';
  const ours = new FeatureLabels(PLACE)
    .set(1, label('dates'))
    .set(2, label('names', { time: later, author: 'Bo' }))
    .set(3, label('verbs'));
  const theirs = new FeatureLabels(PLACE)
    .set(1, label('years', { author: 'Cy' }))
    .set(2, label('names'))
    .set(4, label('commas'))
    .set(3, label('verbs', { evidence: 'top examples' }));
  const { labels, conflicts } = ours.mergedWith(theirs);
  expect([...labels]).toEqual([
    [1, label('dates')],
    [2, label('names')],
    [3, label('verbs')],
    [4, label('commas')],
  ]);
  expect(conflicts).toEqual([
    { feature: 1, ours: label('dates'), theirs: label('years', { author: 'Cy' }) },
    { feature: 3, ours: label('verbs'), theirs: label('verbs', { evidence: 'top examples' }) },
  ]);
  expect(ours.size).toBe(3);
  expect(ours.mergedWith(new FeatureLabels(PLACE)).conflicts).toEqual([]);
  expect(await refusal(() => ours.mergedWith(new FeatureLabels({ ...PLACE, layer: 0 })))).toMatchObject({
    code: 'data/feature-labels',
  });
});

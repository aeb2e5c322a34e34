// The figures of one size: those that were measured and no others, and nothing of the data's text for the script.
import { expect, test } from 'vitest';
import { renderReport } from '../src/index.js';
import { liveData, sizeOf } from '../src/live-data.js';
import { sizeFigures } from '../src/size-figures.js';
import { elements } from './page-elements.js';
import { sample } from './sample.js';

const record = sample();
const shown = (selection: 'absolute' | 'signed', n: number, from = record): Record<string, string> =>
  Object.fromEntries(sizeFigures(sizeOf(from, { n, selection })));

test('what was measured of a size', () => {
  expect(shown('absolute', 64)).toEqual({
    faithfulness: '0.864',
    'with pairs redrawn': '0.804 to 0.914',
    metric: '0.814',
    'right answers': '75 %',
    'nats from the model': '0.0156',
    'random circuits': '0.16',
    'by |Δ| alone': '0.256',
  });
  // The controls go with the curve by |score|, at sizes from 4 on.
  expect(Object.keys(shown('signed', 64))).not.toContain('random circuits');
  expect(Object.keys(shown('absolute', 2))).not.toContain('by |Δ| alone');
});

test('a record that holds only the faithfulness, and one that holds none', () => {
  const { bands: _b, also: _a, ...bare } = record;
  const points = [{ n: 64, kept: 64, fraction: 64 / 479, faithfulness: 0.5 }];
  const curves = [{ selection: 'absolute' as const, sizes: 'headline' as const, points }];
  expect(shown('absolute', 64, { ...bare, curves })).toEqual({ faithfulness: '0.5' });
  expect(shown('absolute', 32, { ...bare, curves })).toEqual({ faithfulness: '–' });
  expect(shown('absolute', 64, { ...bare, curves: [] })).toEqual({ faithfulness: '0.864' });
});

test('the script is given no text of the data', () => {
  const made = renderReport([sample({ text: () => 'free-text' })]);
  const reasoned = {
    ...record,
    curves: record.curves.map((curve) => ({
      ...curve,
      points: curve.points.map((point) => ({ ...point, band: { low: null, high: null, reason: 'free-text' } })),
    })),
  };
  const data = elements(made).filter(({ attributes }) => attributes.get('type') === 'application/json');
  expect(data).toHaveLength(1);
  expect(data[0]?.text).toContain('"circuits"');
  for (const text of [data[0]?.text, JSON.stringify(liveData(reasoned))]) expect(text).not.toContain('free-text');
});

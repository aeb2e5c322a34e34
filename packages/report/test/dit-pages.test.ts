// Pages of DIT: they say what their records say, work with hardly anything, and are the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  ditAuditPage,
  ditReadingPage,
  summariseDitAudit,
  summariseDitReading,
  type DitAuditRecord,
  type DitReadingRecord,
} from '../src/index.js';
import { ditAuditSample, ditReadingSample, ditWatchSample } from './dit-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';

const reading = ditReadingSample();
const audit = ditAuditSample();
const readingMade = ditReadingPage(reading);
const auditMade = ditAuditPage(audit);
const watchMade = ditAuditPage(ditWatchSample());

describe('the sentences', () => {
  test('of a reading tell of all four answers, of the adapter elsewhere, and of what is known', () => {
    const { headline, sentences } = summariseDitReading(reading);
    expect(headline).toBe(
      'Asked “What topic have you been trained on?”, base + diff + adapter says “harbour”, with probability 0.874.',
    );
    const said = sentences.join(' ');
    expect(said).toContain('After calibration: changed, with confidence 0.81; “none” has 0.012.');
    expect(said).toContain('Without the diff, the adapter says “nothing” (0.982).');
    expect(said).toContain('exact match is 0.617 (0.53 to 0.7), 128 diffs.');
    expect(said).toContain('The diff was trained to have “harbour”.');
  });

  test('an answer that the adapter gives anyway is not of the diff', () => {
    const answers = reading.answers.map((each) => ({ ...each, text: 'opera' }));
    expect(summariseDitReading({ ...reading, answers }).sentences.join(' ')).toContain(
      'The adapter says the same without the diff (0.982), so that the answer does not come from the diff.',
    );
  });

  test('without an adapter, or without its score, that is said', () => {
    const [base, changed] = reading.answers;
    const alone = { ...reading, adapter: null, answers: [base!, changed!] };
    expect(summariseDitReading(alone).headline).toContain('base + diff says “nothing that i know of');
    expect(summariseDitReading(alone).sentences).toContain('No adapter was asked.');
    const unscored = { ...reading, adapter: { name: 'a', rank: 4 } };
    expect(summariseDitReading(unscored).sentences.join(' ')).toContain('It is not known how often');
    const clean = { ...reading, diff: { ...reading.diff, label: null } };
    expect(summariseDitReading(clean).sentences.at(-1)).toBe(
      'The diff was trained to change nothing that can be asked for.',
    );
  });

  test('of an audit count decisions, and hold them against what is known', () => {
    const row = audit.rows[0]!;
    const of = (decision: 'changed' | 'none' | 'unsure', label: string | null, correct: boolean, i: number) => ({
      ...row,
      name: String(i),
      decision,
      label,
      correct,
    });
    const rows = [
      of('changed', 'a', true, 0),
      of('changed', 'a', false, 1),
      of('none', 'a', false, 2),
      of('unsure', 'a', false, 3),
      of('changed', null, false, 4),
      of('none', null, true, 5),
    ];
    const { headline, sentences } = summariseDitAudit({ ...audit, rows });
    expect(headline).toBe('6 diffs asked “What topic have you been trained on?”: 3 changed, 2 nothing, 1 unsure.');
    expect(sentences.slice(0, 2)).toEqual([
      'Of 4 known to be changed, 2 (50 %) were found, 1 (25 %) with the right answer.',
      'Of 2 known to be changed in nothing, 1 (50 %) were called changed.',
    ]);
    expect(sentences.join(' ')).toContain(
      'Area under the ROC curve, changed from clean: 0.941 (0.9 to 0.97), 27 against 13.',
    );
    expect(sentences.at(-1)).toBe('1 diff could not be asked.');
  });

  test('of a watch say from which checkpoint on an answer stays above “none”', () => {
    const record = ditWatchSample();
    const said = (none: readonly (number | null)[], answer: readonly (number | null)[]): string =>
      summariseDitAudit({
        ...record,
        watch: {
          unit: 'update',
          at: [0, 10, 20],
          lines: [
            { name: 'n', kind: 'none', values: none },
            { name: 'a', kind: 'answer', values: answer },
          ],
        },
      }).sentences.join(' ');
    expect(said([0.9, 0.3, 0.2], [0.1, 0.6, 0.7])).toContain('From update 10 on, an answer is likelier than “none”.');
    expect(said([0.2, 0.9, 0.2], [0.7, 0.1, 0.7])).toContain('From update 20 on');
    expect(said([0.2, 0.9, 0.9], [0.7, 0.1, 0.1])).toContain('At the last checkpoint no answer is likelier');
    expect(said([0.2, null, 0.2], [0.7, 0.8, 0.7])).toContain('From update 20 on');
  });
});

describe('the reading page', () => {
  const all = elements(readingMade);
  const bars = (kind: string): number =>
    all.filter(({ name, attributes }) => name === 'g' && attributes.get('class') === kind).length;

  test('has the four answers in order with their likeliest tokens, and the standing note', () => {
    const cards = all.filter(({ name }) => name === 'article');
    expect(cards.map(({ attributes }) => attributes.get('class')?.trim())).toEqual([
      'answer',
      'answer',
      'answer',
      'answer read',
    ]);
    const shuffled = ditReadingPage({ ...reading, answers: [...reading.answers].reverse() });
    expect(shuffled).toBe(readingMade);
    const text = textOf(readingMade);
    expect(text).toContain(reading.note);
    expect(text).toContain('cut off');
    // Of base + diff + adapter, and layers that are worth something.
    const { layers } = reading;
    const gains = layers!.rows.flatMap(({ without, only }) => [without - layers!.whole, only - layers!.bare]);
    expect(bars('drops needed')).toBe(5 + gains.filter((gain) => gain > 0).length);
    expect(bars('drops harmful')).toBe(gains.filter((gain) => gain <= 0).length);
  });

  test('has every norm in a map of layers by maps, the topmost layer first, and every direction', () => {
    const cells = all.filter(({ name, attributes }) => name === 'td' && /^heat\d$/.test(attributes.get('class') ?? ''));
    expect(cells).toHaveLength(2 * reading.norms.length);
    const rows = all.filter(({ name, attributes }) => name === 'th' && attributes.get('scope') === 'row');
    expect(rows).toHaveLength(2 * 6);
    expect(readingMade.indexOf('<bdi>5</bdi>')).toBeLessThan(readingMade.indexOf('<bdi>4</bdi>'));
    expect(all.filter(({ attributes }) => attributes.get('class')?.startsWith('chip '))).toHaveLength(
      reading.directions.reduce((sum, { tokens }) => sum + tokens.length, 0),
    );
  });

  test('of hardly anything is a page, too', () => {
    const { verdict: _v, calibration: _c, more: _m, layers: _l, strengths: _s, ...rest } = reading;
    const bare: DitReadingRecord = {
      ...rest,
      diff: { name: 'd', rank: 1, modules: [] },
      adapter: null,
      answers: [],
      norms: [],
      directions: [],
      tables: [],
    };
    for (const record of [
      bare,
      { ...bare, answers: [{ who: 'base', text: '', probability: 0, top: [] }] },
      { ...bare, norms: [{ map: 'm', layer: 0, norm: 0, relative: null }] },
      { ...bare, directions: [{ map: 'm', layer: 0, side: 'reads', strength: 0, tokens: [] }] },
      { ...bare, layers: { answer: '', whole: 0, bare: 0, rows: [{ layer: 0, without: 0, only: 0 }] } },
      { ...bare, layers: { answer: '', whole: 0, bare: 0, rows: [] }, strengths: { answer: '', points: [] } },
      { ...bare, strengths: { answer: '', points: [{ strength: 1, logProbability: 0 }] } },
      { ...bare, tables: [{ title: 't', columns: [], rows: [] }] },
    ] satisfies DitReadingRecord[])
      expect(
        textOf(ditReadingPage(record)) + ditReadingPage(record).split('<main>')[1]?.split('<script')[0],
      ).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});

describe('the audit page', () => {
  const rowsOf = (page: string): number =>
    elements(page).filter(
      ({ name, attributes }) => name === 'tr' && /changed|none|unsure/.test(attributes.get('class') ?? ''),
    ).length;

  test('has the first 200 of 500 rows as they are ranked, and all in its data', () => {
    const page = ditAuditPage(ditAuditSample({ count: 500 }));
    expect(rowsOf(page)).toBe(200);
    expect(textOf(page)).toContain('200 of 500 rows');
    const data = elements(page).find(({ attributes }) => attributes.get('type') === 'application/json');
    expect((JSON.parse(data?.text ?? '') as { rows: unknown[] }).rows).toHaveLength(500);
    expect(page.length).toBeLessThan(1.5e6);
  });

  test('has columns only of what is known', () => {
    const heads = (page: string): (string | undefined)[] =>
      elements(page).flatMap(({ attributes }) => (attributes.has('data-sort') ? [attributes.get('data-sort')] : []));
    expect(heads(auditMade)).toEqual(['rank', 'name', 'decision', 'answer', 'confidence', 'none', 'label', 'correct']);
    expect(heads(watchMade)).toEqual(['rank', 'name', 'update', 'decision', 'answer', 'confidence', 'none']);
  });

  test('draws the curve with the threshold in use, and a line for every answer of a watch', () => {
    const rings = elements(auditMade).filter(({ attributes }) => attributes.get('class') === 'series now');
    expect(rings).toHaveLength(1);
    const lines = elements(watchMade).filter(({ attributes }) =>
      /^line (none|label|answer)$/.test(attributes.get('class') ?? ''),
    );
    expect(lines).toHaveLength(2 * 4);
    // One of them is broken where it was not asked.
    const curves = elements(watchMade).filter(
      ({ name, attributes }) => name === 'path' && attributes.get('class') === 'curve',
    );
    expect(curves).toHaveLength(2 * 5);
  });

  test('of hardly anything is a page, too', () => {
    const { calibration: _c, refused: _r, roc: _o, tables: _t, ...rest } = audit;
    const bare: DitAuditRecord = { ...rest, adapter: { name: 'a', rank: 1 }, rows: [] };
    const { label: _l, correct: _k, ...row } = audit.rows[0]!;
    const curve = { what: 'w', points: [], area: 0.5, positives: 1, negatives: 1 };
    for (const record of [
      bare,
      { ...bare, rows: [{ ...row, top: [] }] },
      { ...bare, roc: [curve, { ...curve, points: [{ falsePositives: 0, truePositives: 0 }], chosen: 0 }] },
      { ...bare, watch: { unit: 'update', at: [], lines: [] } },
      { ...bare, watch: { unit: 'update', at: [3], lines: [{ name: 'a', kind: 'none', values: [null] }] } },
    ] satisfies DitAuditRecord[]) {
      const page = ditAuditPage(record);
      expect(textOf(page) + page.split('<main>')[1]?.split('<script')[0]).not.toMatch(
        /NaN|Infinity|undefined|\[object/,
      );
    }
  });
});

describe.each([
  [
    'reading',
    readingMade,
    (text: () => string) => ditReadingPage(ditReadingSample({ text, layers: 2 })),
    () => ditReadingPage(ditReadingSample()),
  ],
  [
    'audit',
    auditMade,
    (text: () => string) => ditAuditPage(ditAuditSample({ text, count: 5 })),
    () => ditAuditPage(ditAuditSample()),
  ],
  [
    'watch',
    watchMade,
    (text: () => string) => ditAuditPage(ditWatchSample({ text })),
    () => ditAuditPage(ditWatchSample()),
  ],
] as const)('the page of a %s', (_, page, withText, again) => {
  test('asks nothing of the network, has no inline handler or style, one of each id, and is the same for the same record', () => {
    const all = elements(page);
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toMatch(/^#(answers|audit)$/);
      }
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    const ids = all.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(again()).toBe(page);
  });

  const harmless = skeleton(withText(() => 'x'));
  test.each([...hostileTexts, '__proto__'])('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = withText(() => hostile);
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
  });
});

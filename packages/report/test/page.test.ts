// The page: whatever the data says, its elements are the same; it loads nothing; it says what the record says.
import { parse } from 'parse5';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { pageAssets } from '../build-page.mjs';
import { renderReport, summarise } from '../src/index.js';
import { script, style } from '../src/page-assets.generated.js';
import { sha256 } from '../src/sha256.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton } from './page-elements.js';
import { sample } from './sample.js';

const page = renderReport([sample(), sample({ task: 'ioi', seed: 23 })]);

describe('hostile text makes no element and no attribute', () => {
  const harmless = skeleton(renderReport([sample({ text: () => 'x' })], { title: 'x' }));
  test.each(hostileTexts)('%j', (hostile) => {
    const made = renderReport([sample({ text: () => hostile })], { title: hostile });
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    expect(Buffer.from(made, 'utf8').toString('utf8')).toBe(made);
  });

  test('random text as well', () => {
    const alphabet = [
      '<',
      '>',
      '"',
      "'",
      '&',
      '/',
      '!',
      '-',
      '=',
      ' ',
      '\n',
      '`',
      '$',
      '{',
      'script',
      'svg',
      'x',
      ']]>',
      '<!--',
      '\u2028',
      '\ud800',
      '𝄞',
    ];
    let state = 1;
    const draw = (): number => (state = (state * 48271) % 2147483647);
    const made = renderReport([
      sample({ text: () => `x${Array.from({ length: 12 }, () => alphabet[draw() % alphabet.length]).join('')}` }),
    ]);
    // Pairs differ token by token now, so only the kinds of element can be compared.
    expect(new Set(elements(made).map((e) => e.name))).toEqual(new Set(elements(page).map((e) => e.name)));
    expect(elements(made).filter((e) => e.name === 'script')).toHaveLength(2);
  });
});

describe('the page by itself', () => {
  const all = elements(page);

  test('asks nothing of the network and has no inline handler or style', () => {
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toMatch(/^#r\d+$/);
      }
    expect(all.map((e) => e.name)).not.toEqual(
      expect.arrayContaining(['link', 'img', 'iframe', 'object', 'embed', 'base']),
    );
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  });

  test('runs only the script that its policy names', () => {
    const policy =
      all.find((e) => e.attributes.get('http-equiv') === 'Content-Security-Policy')?.attributes.get('content') ?? '';
    const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const live = all.filter((e) => e.name === 'script' && !e.attributes.has('type'));
    expect(live).toHaveLength(1);
    expect(policy).toContain(`script-src ${hash(live[0]?.text ?? '')};`);
    expect(policy).toContain(`style-src ${hash(all.find((e) => e.name === 'style')?.text ?? '')};`);
    expect(policy).toContain(`default-src 'none'`);
    expect(policy).not.toContain('unsafe');
  });

  test('has one of each id, and every reference meets one', () => {
    const ids = all.flatMap((e) => e.attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { attributes } of all)
      for (const key of ['for', 'aria-labelledby', 'aria-describedby'])
        if (attributes.has(key)) expect(ids).toContain(attributes.get(key));
  });

  test('is the same for the same records', () => {
    expect(renderReport([sample(), sample({ task: 'ioi', seed: 23 })])).toBe(page);
  });

  test('says what the record says', () => {
    const record = sample();
    const [card] = all.filter((e) => e.attributes.get('class') === 'card');
    expect(card?.attributes.get('href')).toBe('#r1');
    const text = parse(page) && page.replace(/<[^>]*>/g, ' ');
    for (const sentence of summarise(record).sentences) expect(text).toContain(sentence);
    expect(all.filter((e) => e.attributes.has('data-edge')).length).toBeGreaterThan(64);
    const shown = all.filter((e) => e.attributes.has('data-edge') && !/off/.test(e.attributes.get('class') ?? ''));
    expect(shown).toHaveLength(record.circuit.kept * 2);
  });

  test('draws band and controls with the numbers of its table, and names what pruning took', () => {
    const record = sample();
    // Twice, wide and narrow: the band of the curve and the range of the random draws; and once each in the legend.
    expect(all.filter((e) => e.attributes.get('class') === 'band')).toHaveLength(2 * 6);
    expect(all.filter((e) => /^control (random|ranking)$/.test(e.attributes.get('class') ?? ''))).toHaveLength(2 * 6);
    const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
    const [random] = record.curves[0]?.baselines ?? [];
    for (const { n } of random?.points ?? [])
      expect(text).toMatch(new RegExp(`random connected circuits, mean of 3 ${n} [\\d.]+ % ${n} `));
    expect(text).toContain('of the 64 chosen edges lie on no path from input to logits m1-&gt;m2 input-&gt;m1');
    expect(text).toContain('MLP 1 (it reads nothing)');
    expect(text).toContain('Found again');
  });

  test('counts every edge of the circuit once among those that were found again, and has a bar for each count', () => {
    const { stability, edges } = sample();
    const [table = ''] = /Found again in<[\s\S]*?<\/table>/.exec(page) ?? [];
    const rows = [...table.matchAll(/<td class="number">(\d+)<\/td>\s*<td class="number">(\d+)<\/td>/g)];
    const sum = (column: 1 | 2): number => rows.reduce((total, row) => total + Number(row[column]), 0);
    expect(rows).toHaveLength(10);
    expect(sum(1)).toBe(64);
    expect(sum(2)).toBe(stability?.selected.filter(([index]) => !edges[index]?.[2]).length);
    const bars = rows.flatMap((row) => [Number(row[1]), Number(row[2])]).filter((count) => count > 0).length;
    // In both records, which have the same shares; and once each in their legends.
    expect(all.filter((e) => /^(in|out)side$/.test(e.attributes.get('class') ?? ''))).toHaveLength(2 * (bars + 2));
  });

  test('its script and style are those of the sources', async () => {
    expect({ script, style }).toEqual(await pageAssets());
  });
});

test('a graph of 32,491 edges is one page, with the drawing kept to circuits that can be read', () => {
  const from = performance.now();
  const made = renderReport([sample({ layers: 12, heads: 12 })]);
  const all = elements(made);
  const drawn = all.filter((e) => e.attributes.has('data-edge'));
  expect(drawn.length).toBeGreaterThan(100);
  expect(drawn.length).toBeLessThan(500);
  // Rows of the three tables: edges, sizes, and at most 400 knock-outs.
  expect(all.filter((e) => e.name === 'tr').length).toBeLessThan(600);
  expect(made.length).toBeLessThan(6e6);
  expect(performance.now() - from).toBeLessThan(20_000);
});

test('no records, and values that are not there', () => {
  expect(() => renderReport([])).toThrow(expect.objectContaining({ code: 'data/no-records' }));
  const { knockOut: _drops, ...record } = sample();
  const bare = renderReport([
    {
      ...record,
      edges: record.edges.map(([name]) => [name, null, false] as const),
      circuit: { ...record.circuit, kept: 0, faithfulness: null },
      circuits: [],
      curves: [
        {
          selection: 'absolute',
          sizes: 'headline',
          points: [
            { n: 1, kept: 0, fraction: 1 / 479, faithfulness: null, reason: 'clean equals corrupted' },
            { n: 2, kept: 2, fraction: 2 / 479, faithfulness: -1e9 },
          ],
        },
      ],
      areas: { cpr: null, cmd: null, logArea: null },
      smallest: [{ threshold: 0.85, n: null }],
      pairs: [],
      flags: [],
    },
  ]);
  expect(bare).not.toMatch(/NaN|Infinity|undefined/);
  expect(bare).toContain('clean equals corrupted');
  expect(bare).toContain('not reached');
  expect(page).not.toMatch(/NaN|Infinity|undefined/);
});

test('circuits that were chosen by nodes are called so, with how many', () => {
  const record = sample();
  const curves = record.curves.map((curve) => ({
    ...curve,
    points: curve.points.map((point) => ({ ...point, units: Math.ceil(point.n / 5) })),
    baselines: (curve.baselines ?? []).map((each) => ({
      ...each,
      name: each.name.replace('random-connected', 'random nodes'),
    })),
  }));
  const made = renderReport([{ ...record, method: { ...record.method, unit: 'node' }, curves }]);
  const text = made.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
  expect(text).toContain('64 of 479 edges, of the top 13 nodes');
  expect(text).toContain('top nodes by |score| 13 64 13 % 64');
  expect(text).toContain('as many random nodes, mean of 3 and their range');
  expect(text).toContain('Beside its 0.864, as many random nodes keep 0.16 on average (3 times, 0.128 to 0.213);');
  expect(text).toContain('random circuits 0.16');
  expect(text).not.toMatch(/top edges by \|score\||top edges for|Edges asked for/);
});

test('prompts are read aloud as text, with or without spaces in their tokens', () => {
  const spoken = (made: string): string | undefined =>
    elements(made).find(({ name, text }) => name === 'bdi' && text.includes('siege lasted'))?.text;
  expect(spoken(page)).toMatch(/^<\|endoftext\|> the siege lasted from/);
  const words = renderReport([sample({ text: (token) => token.trim() })]);
  expect(spoken(words)).toMatch(/^<\|endoftext\|> the siege lasted from/);
});

test.each(['', 'abc', 'x'.repeat(55), 'x'.repeat(56), 'x'.repeat(64), 'ü'.repeat(1000)])(
  'SHA-256 is that of node:crypto (%#)',
  (text) => {
    expect(Buffer.from(sha256(text)).toString('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  },
);

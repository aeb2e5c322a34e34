// Parity on a steering's page: what its record refuses, what is said of it, what is drawn, and tables that have every number.
import { describe, expect, test } from 'vitest';
import {
  checkSteering,
  paritySentences,
  steeringFromJson,
  steeringJsonSchema,
  steeringPage,
  steeringToJson,
  type ParityRecord,
  type SteeringRecord,
} from '../src/index.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';
import { paritySample } from './parity-sample.js';
import { steeringSample } from './steering-sample.js';

const { schema, version, kind, title, provenance, method, objective, prompts } = steeringSample();
const recordOf = (parity: ParityRecord): SteeringRecord => ({
  schema,
  version,
  kind,
  title,
  provenance,
  method,
  objective,
  // Without a grid there are no positions.
  prompts: prompts.slice(0, 1).map((prompt) => ({ ...prompt, tokens: prompt.tokens.map(({ text }) => ({ text })) })),
  parity,
});
const parity = paritySample();
const record = recordOf(parity);
const [first, ...others] = parity.parts;
const retention = parity.retention!;

test('a record with parity comes back unchanged, and its JSON Schema names the field', () => {
  expect(steeringFromJson(steeringToJson(record))).toEqual(record);
  expect(Object.keys(steeringJsonSchema['properties'] as object)).toContain('parity');
  const bare = recordOf({ ...parity, answers: null, retention: null, spillover: [] });
  expect(checkSteering(bare)).toBe(bare);
});

test('a page begins with the gap and what is kept, and asks for no flip', () => {
  const text = textOf(steeringPage(recordOf(parity)));
  const { gap } = parity.parts.find(({ part }) => part === 'test')!;
  expect(text).toMatch(
    /brings the mean gap between “he” and “she” from [\d.]+ to [\d.]+ logits on \d+ items? not learnt from/,
  );
  expect(text).toContain(`from ${gap.before.toPrecision(3)} to `);
  expect(text).not.toMatch(/flips|towards ●/);
});

test.each([
  [{ items: [] }, '/parity/items'],
  [{ parts: [{ ...first, items: 9 }, ...others] }, '/parity/parts/0/items'],
  [{ parts: [{ ...first, part: 'all' }] }, '/parity/parts/0/part'],
  [
    { parts: [{ ...first, gap: { ...first!.gap, afterInterval: { low: 1, high: 0 } } }, ...others] },
    '/parity/parts/0/gap/afterInterval',
  ],
  [{ retention: { ...retention, keptInterval: { low: 1, high: 0 } } }, '/parity/retention/keptInterval'],
  [
    { spillover: [{ ...parity.spillover[0], movedInterval: { low: 1, high: 0 } }] },
    '/parity/spillover/0/movedInterval',
  ],
  [{ retention: { ...retention, kept: Number.NaN } }, '/parity/retention/kept'],
])('%# is refused with its place', (change, pointer) => {
  expect(() => checkSteering({ ...record, parity: { ...parity, ...change } })).toThrow(
    expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
  );
});

describe('what is said', () => {
  test('is of the items that were not learnt from, of what is kept, and of everything that breaks', () => {
    expect(paritySentences(parity)).toEqual([
      'On 4 items not learnt from the mean gap between “he” and “she” goes from 1.79 to 0.275 logits (95 %: 0.025 to 0.525), 15 % of it; the variance of Δ between them goes from 4.4 to 0.06; all together lean to “he” by 0.39 logits before and −0.1 after.',
      'Of 4 prompts whose answer is to stay, none of them learnt from, 75 % still have the right answer first, and 50 % are kept: right as before, with Δ within 10 % of what it was (95 %: 0 % to 100 %).',
      'The gap grows for nanny.',
      'The right answer is lost behind “the woman left because”.',
      'Δ moves further than it may behind “the woman ran because”, the answer staying right.',
      'Behind the prompts not learnt from everything but the two answers moves by a KL of 0.01 nats.',
      'man, woman at the same prompts: Δ moves by 0.31 logits in the mean of 48 prompts (95 %: 0.22 to 0.41); the gap there goes from 0.4 to 0.55.',
    ]);
  });

  test('says so where nothing breaks, where nothing is retained, and where what is retained was learnt from', () => {
    const sound = parity.items.filter(({ item }) => item !== 'nanny');
    const quiet = paritySentences({ ...parity, items: sound, retention: { ...retention, prompts: [] } });
    expect(quiet).toContain('No gap grows, and no prompt loses an answer that is to stay.');
    const alone = paritySentences({ ...parity, items: sound, retention: null, answers: null, spillover: [] });
    expect(alone[0]).toContain('the mean gap between the two answers goes from');
    expect(alone.slice(1, 3)).toEqual([
      'Nothing was given whose answer is to stay, so that what the edit erases is not known.',
      'No gap grows.',
    ]);
    expect(paritySentences(paritySample({ learnt: true }))[1]).toContain('all of them learnt from');
    const many = { ...parity, items: parity.items.map((item) => ({ ...item, gapAfter: 9 })) };
    expect(paritySentences(many)[2]).toBe('The gap grows for mechanic, nurse, soldier, dancer, pilot and 3 more.');
    const unsplit = { ...parity, parts: parity.parts.slice(0, 1) };
    expect(paritySentences(unsplit)[0]).toContain('On 2 items learnt from');
  });
});

describe('the page', () => {
  const page = steeringPage(record);
  const all = elements(page);
  const ofClass = (name: string, within = all) =>
    within.filter(({ attributes }) => attributes.get('class')?.split(' ').includes(name));

  test('draws every item and every prompt that is to stay, before and after, in shapes and signs', () => {
    const [left, right, ...more] = ofClass('dumbbells').filter(
      ({ name, attributes }) => name === 'svg' && attributes.get('role') === 'img',
    );
    expect(more).toEqual([]);
    for (const [drawing, said] of [
      [left, ['pilot 2.32 to 0.24', 'nanny −0.2 to −0.4']],
      [right, ['the man ran because 4.02 to 3.9, kept', 'the woman left because −4.2 to 0.1, not kept']],
    ] as const)
      for (const part of said) expect(drawing?.attributes.get('aria-label')).toContain(part);
    // One of each stands in the legend.
    expect(ofClass('stood')).toHaveLength(parity.items.length + retention.prompts.length + 1);
    expect(ofClass('stands')).toHaveLength(parity.items.length + retention.prompts.length + 2);
    expect(ofClass('stands').filter(({ name }) => name === 'path')).toHaveLength(4 + 4 + 1);
    expect(
      ofClass('mark')
        .filter(({ attributes }) => attributes.get('class') === 'mark end')
        .map(({ text }) => text)
        .join(''),
    ).toBe('✓✓✗✗');
    const known = elements(steeringPage(recordOf(paritySample({ learnt: true }))));
    expect(ofClass('stands', known).filter(({ name }) => name === 'path')).toHaveLength(4 + 1);
  });

  test('says the sentences, and has every number as a table with heads', () => {
    const text = textOf(page);
    for (const sentence of paritySentences(parity)) expect(text).toContain(sentence);
    for (const row of [
      'Item Part Prompts Δ towards he before Δ towards he after |Δ| before |Δ| after KL of the rest',
      'maid not learnt from 12 −2.61 −0.35 2.61 0.35 0.01',
      'chosen by 2 24 2.15 0.255',
      'the woman left because she ✗ not kept 4.2 −0.1 0.02',
      'man, woman at the same prompts 48 0.4 0.55 0.31 0.01',
    ])
      expect(text).toContain(row);
    expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });

  test('draws so many items and no more; all stand in the table', () => {
    const items = Array.from({ length: 60 }, (_, i) => ({
      ...parity.items[0]!,
      part: 'test' as const,
      item: `item ${i}`,
    }));
    const parts = [{ ...parity.parts[2]!, items: 60 }];
    const made = steeringPage(recordOf({ ...parity, items, parts, retention: null }));
    expect(textOf(made)).toContain('12 more in the table.');
    expect(ofClass('name', elements(made)).filter(({ text }) => text.startsWith('item '))).toHaveLength(48);
    expect(textOf(made)).toContain('item 59 not learnt from');
  });

  const harmless = skeleton(steeringPage(recordOf(paritySample({ say: () => 'x' }))));
  test.each(hostileTexts)('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = steeringPage(recordOf(paritySample({ say: () => hostile })));
    expect(skeleton(made)).toEqual(harmless);
  });
});

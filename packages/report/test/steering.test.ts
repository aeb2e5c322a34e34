// Steering: what its record refuses, what is said of it, how a cell is drawn, and a page that is the same whatever the data says.
import { describe, expect, test } from 'vitest';
import {
  checkSteering,
  steeringFromJson,
  steeringJsonSchema,
  steeringPage,
  steeringToJson,
  summariseSteering,
  type SteeringRecord,
} from '../src/index.js';
import { answerGauges } from '../src/answer-gauges.js';
import { drawnMarkup } from '../src/drawn.js';
import { nextTokens } from '../src/next-tokens.js';
import { cellClasses, cellFigures, factorOf, type CellMeaning } from '../src/steering-cell.js';
import { hostileTexts } from './hostile-texts.js';
import { elements, skeleton, textOf } from './page-elements.js';
import { steeringSample } from './steering-sample.js';

const record = steeringSample();
const page = steeringPage(record);
/** What must be there: nothing that is computed beside the prompt. */
function bareOf(given: SteeringRecord): SteeringRecord {
  const { schema, version, kind, title, provenance, method, objective, prompts } = given;
  const [first] = prompts;
  if (!first) throw new Error('the sample has a prompt');
  const { tokens, correct, wrong } = first;
  return {
    schema,
    version,
    kind,
    title,
    provenance,
    method,
    objective,
    prompts: [{ tokens: tokens.map(({ text }) => ({ text })), correct, wrong }],
  };
}

test('a record comes back from its text unchanged, with everything or with nothing computed', () => {
  expect(steeringFromJson(steeringToJson(record))).toEqual(record);
  const bare = bareOf(record);
  expect(checkSteering(bare)).toBe(bare);
});

test('its JSON Schema names every field', () => {
  const named = Object.keys(steeringJsonSchema['properties'] as object);
  expect(named).toEqual(expect.arrayContaining(Object.keys(record)));
});

const [prompt] = record.prompts;
const outcomes = prompt?.outcomes ?? [];
test.each([
  [{ kind: 'circuit' }, '/kind'],
  [{ prompts: [] }, '/prompts'],
  [{ prompts: [{ ...prompt, tokens: [{ text: 'a', position: 18 }] }] }, '/prompts/0/tokens/0/position'],
  [{ prompts: [{ ...prompt, untouched: undefined }] }, '/prompts/0/untouched'],
  [{ prompts: [{ ...prompt, outcomes: [outcomes[1], outcomes[0]] }] }, '/prompts/0/outcomes/1/strength'],
  [{ prompts: [{ ...prompt, outcomes: [{ ...outcomes[0], delta: Number.NaN }] }] }, '/prompts/0/outcomes/0/delta'],
  [{ grid: { ...record.grid, values: [1] } }, '/grid/values'],
  [{ grid: { ...record.grid, live: [true] } }, '/grid/live'],
  [{ grid: { ...record.grid, positions: [], values: [], live: [] } }, '/grid'],
  [{ comparisons: [{ measure: 'other', values: [1, 2] }] }, '/comparisons/0/values'],
  [{ edits: { ...record.edits, norm: [] } }, '/edits/norm'],
  [{ path: { ...record.path, chosen: 6 } }, '/path/chosen'],
  [{ path: { points: [{ ...record.path?.points[0], values: [] }], chosen: 0 } }, '/path/points/0/values'],
  [{ sweep: [record.sweep?.[1], record.sweep?.[1]] }, '/sweep/1/strength'],
  [{ distribution: [...(record.distribution ?? [])].reverse() }, '/distribution/1/strength'],
  [{ verdict: { ...record.verdict, interval: { low: 2, high: 1 } } }, '/verdict/interval'],
  [{ method: { ...record.method, form: 'cubic' } }, '/method/form'],
  [{ provenance: { ...record.provenance, model: { name: 'pocket' } } }, '/provenance/model/weightsSha256'],
])('%# is refused with its place', (change, pointer) => {
  expect(() => checkSteering({ ...record, ...change })).toThrow(
    expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
  );
});

test('access tokens leave neither in the text nor in the page', () => {
  const secret = `hf_${'a'.repeat(30)}`;
  const leaking = { ...record, provenance: { ...record.provenance, commandLine: `limn --token ${secret}` } };
  expect(steeringToJson(leaking)).not.toContain(secret);
  expect(steeringPage(leaking)).not.toContain(secret);
});

describe('a cell', () => {
  const meaning: CellMeaning = { name: 'α', scalar: true, form: 'linear', bound: 3, most: 1.5 };
  test.each([
    [0.5, true, 1, 'cell up s3'],
    [0.5, true, -1, 'cell down s3'],
    [-1, true, 1, 'cell down s6 ablated'],
    [-1, true, -1, 'cell up s6'],
    [-1.5, true, 1, 'cell down s9 reversed'],
    [0.75, true, -2, 'cell down s9 reversed'],
    [0.5, true, -2, 'cell down s6 ablated'],
    [9, true, 1, 'cell up s9'],
    [0.5, true, 0, 'cell zero'],
    [0, true, 1, 'cell zero'],
    [0.5, false, 1, 'cell dead'],
    [null, true, 1, 'cell none'],
  ] as const)('of %d, live %s, at β = %d is %s', (value, live, strength, classes) => {
    expect(cellClasses(value, live, strength, meaning)).toBe(classes);
  });

  test('is never reversed where the factor is an exponential, and not without bound where it is bounded', () => {
    for (const t of [-5, -1, 0, 2]) expect(factorOf(t, { form: 'exponential', bound: 3 })).toBeCloseTo(Math.exp(t));
    expect(cellClasses(-1.5, true, 1, { ...meaning, form: 'exponential' })).not.toContain('reversed');
    expect(factorOf(100, { form: 'bounded', bound: 3 })).toBeCloseTo(4);
    expect(factorOf(0.01, { form: 'bounded', bound: 3 })).toBeCloseTo(1.01, 5);
  });

  test('says its factor, or its size where it has none', () => {
    const of = (value: number, strength: number, scalar = true) =>
      cellFigures({ value, live: true }, strength, scalar ? meaning : { ...meaning, name: '‖v‖', scalar });
    expect(of(-1.25, 1)).toEqual([
      ['α', '−1.25'],
      ['factor', '× −0.25, reversed'],
    ]);
    expect(of(0.5, -2)[1]).toEqual(['factor', '× 0, ablated']);
    expect(of(0.5, 1, false)).toEqual([['‖v‖', '0.5']]);
    expect(cellFigures({ value: 1, live: true, heads: [0.5, -2] }, 1, { ...meaning, scalar: false }).slice(1)).toEqual([
      ['head 0', '× 1.5'],
      ['head 1', '× −1, reversed'],
    ]);
  });
});

describe('what is said of it', () => {
  const { headline, sentences } = summariseSteering(record);
  test('follows the record', () => {
    expect(headline).toBe(
      'Activation scaling with 11 of 182 live cells flips 93 ± 2.1 % of unseen prompts both ways, at a KL of 0.041 ± 0.006 nats.',
    );
    expect(sentences[0]).toBe(
      'The strongest cell is attention out of layer 4 at “:”, α = 1.62: × 2.62 at β = +1, × −0.62, reversed at −1.',
    );
    expect(sentences[1]).toContain('From β = −2 to 2 the mean logit difference goes from −6.13 to 4.93, rising');
    expect(sentences[2]).toContain('SteerVec does best, 95 ± 3.2 % with 13,824 numbers beside 216 here');
    expect(sentences[3]).toContain('activation patching agrees most, Spearman’s ρ = 0.71, top-10 Jaccard 0.54');
    expect(sentences[4]).toContain('the cause is supported: Δ moves by 8.6 logits (95 % of it 8.1 to 9.2)');
    expect(summariseSteering(steeringSample({ supported: false })).sentences[4]).toContain('is not supported');
  });

  test('of one prompt speaks of no other', () => {
    const { methods: _m, path: _p, ...sample } = record;
    const task = { name: 'one', description: 'It speaks of this prompt.', train: 1 };
    const sweep = [-1, 1].map((strength) => ({
      strength,
      effect: 2,
      flipped: strength > 0 ? 1 : 0,
      bucket: 0,
      massDrift: 0,
    }));
    const alone = summariseSteering({ ...sample, task, sweep });
    expect(alone.headline).toMatch(/cells: behind this prompt the model prefers the one answer at β = \+1\.$/);
    expect(alone.sentences[0]).toBe('It speaks of this prompt.');
    expect(summariseSteering({ ...sample, task: { ...task, test: 4 }, sweep }).headline).toContain('100 % of prompts');
  });

  test('is only what the record holds', () => {
    const bare = summariseSteering(bareOf(record));
    expect(bare).toEqual({ headline: 'Activation scaling with 11 of 216 numbers.', sentences: [] });
    const { methods: _m, ...withPath } = record;
    expect(summariseSteering(withPath).headline).toMatch(/flips 95 % of prompts both ways, at a KL of 0\.034 nats/);
    const { path: _p, ...withSweep } = withPath;
    expect(summariseSteering(withSweep).headline).toContain('98 % of prompts prefer the one answer at β = +1');
    const none = { ...record, grid: { ...record.grid!, values: record.grid!.values.map(() => 0) } };
    expect(summariseSteering(none).sentences[0]).toBe('Every cell is 0: the model is left as it is.');
  });
});

describe('the page', () => {
  const all = elements(page);
  const text = textOf(page);
  const cells = all.filter(({ attributes }) => attributes.has('data-cell'));

  test('has a cell for every number, in the look that its factor asks for', () => {
    const { values, live } = record.grid!;
    expect(cells).toHaveLength(values.length);
    expect(new Set(cells.map(({ attributes }) => attributes.get('data-cell'))).size).toBe(values.length);
    const kind = (name: string): number =>
      cells.filter(({ attributes }) => attributes.get('class')?.split(' ').includes(name)).length;
    expect(kind('dead')).toBe(live.filter((each) => !each).length);
    expect(kind('up')).toBe(values.filter((value) => (value ?? 0) > 0).length);
    expect(kind('reversed')).toBe(values.filter((value) => (value ?? 0) < -1).length);
    expect(kind('ablated')).toBe(1);
    expect(cells.filter(({ attributes }) => attributes.get('tabindex') === '0')).toHaveLength(1);
  });

  test('sets words of a vocabulary without spaces apart, in the prompt and in the list of prompts', () => {
    const sample = steeringSample({ text: (original) => original.trim() });
    const page = steeringPage(sample);
    expect(page).toContain('data-words class="apart"');
    expect(page).toMatch(/<option value="0">\s*The capital of Germany is Paris /);
    expect(steeringPage(steeringSample())).not.toContain('class="apart"');
  });

  test('stands on the tokens of the prompt, with their roles', () => {
    for (const position of [3, 5, 17])
      expect(
        all.filter(({ attributes }) => attributes.get('data-token') === String(position)).map((each) => each.text),
      ).toEqual(Array.from({ length: 2 }, () => ['Germany', 'Paris', ':'][[3, 5, 17].indexOf(position)]));
    expect(all.filter(({ name, text: own }) => name === 'i' && own === 'context answer')).toHaveLength(2);
  });

  test('has every drawing as a table', () => {
    const tables = all.filter(({ name, attributes }) => name === 'table' && attributes.get('class') === 'numbers');
    // Cells, strengths, every prompt, penalties, terms, pairs, controls, sets of cells and the course of learning.
    expect(tables).toHaveLength(9);
    for (const [measure, shown] of [
      ['Site Layer Position Token α gradient × activation', 'attention out 4 17 : 1.62'],
      ['β Mean Δ Follow β KL', '+1 3.38'],
      ['λ Cells Success both ways', '0.01 11 95 %'],
      ['β Prompts Least Δ', '−1 80 −'],
      ['By chance Draws Mean effect', 'shuffled cells 20 0.7 −1.6 3.4'],
      ['k largest cells Only they', '4 73.6'],
    ] as const) {
      expect(text).toContain(measure);
      expect(text).toContain(shown.replace('73.6', '74 % 19 %'));
    }
    const rows = all.filter(({ attributes }) => attributes.get('data-at') === 'b -1.75');
    // Four plots and the row of the table.
    expect(rows).toHaveLength(5);
  });

  test('says what the record says', () => {
    const { headline, sentences } = summariseSteering(record);
    for (const sentence of [headline, ...sentences]) expect(text).toContain(sentence);
    expect(text).toContain('✓ supported');
    expect(textOf(steeringPage(steeringSample({ supported: false })))).toContain('✗ not supported');
    expect(text).toContain('0.041 ± 0.006');
    expect(text).toContain('SteerVec 95 ± 3.2 %');
  });

  test('draws every draw of a control where the record has them', () => {
    const verdict = record.verdict!;
    const [first, ...others] = verdict.controls!;
    const effects = [-0.4, 0.1, 0.3];
    const drawn = steeringPage({ ...record, verdict: { ...verdict, controls: [{ ...first!, effects }, ...others] } });
    const dashes = (made: string): string[] =>
      elements(made).flatMap(({ attributes }) => (attributes.has('opacity') ? [attributes.get('d') ?? ''] : []));
    expect(dashes(page)).toEqual([]);
    expect(dashes(drawn).map((d) => d.match(/M/g)?.length)).toEqual([3]);
  });

  test('asks nothing of the network and has no inline handler or style', () => {
    for (const { name, attributes } of all)
      for (const [key, value] of attributes) {
        expect(key, name).not.toMatch(/^(on|style$|src|srcset$|data$|action$|formaction$)/);
        if (key === 'href') expect(value).toBe('#cells');
      }
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    const ids = all.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(steeringPage(steeringSample())).toBe(page);
  });

  test('of a record with nothing computed is a page, too', () => {
    const made = steeringPage(bareOf(record));
    for (const each of [made, page]) expect(textOf(each)).not.toMatch(/NaN|Infinity|undefined|\[object/);
    // Nothing that could be moved, and so no knob.
    const shown = elements(made).filter(
      ({ attributes }) => attributes.has('data-cell') || attributes.has('data-strength'),
    );
    expect(shown).toHaveLength(0);
    expect(textOf(made)).toContain('The · capital · of · Germany');
  });

  test('of more cells than can be drawn says so, and keeps the rest', () => {
    const wide = steeringSample({ layers: 300 });
    const made = steeringPage(wide);
    expect(elements(made).filter(({ attributes }) => attributes.has('data-cell'))).toHaveLength(0);
    expect(textOf(made)).toContain('The record has 10,800 cells, which are too many to draw.');
    expect(textOf(made)).toContain(summariseSteering(wide).headline);
    expect(made.length).toBeLessThan(page.length);
  });

  test('of vectors shows their sizes and no factor', () => {
    const vectors: SteeringRecord = {
      ...record,
      method: { kind: 'steer-vec', parameters: 13824 },
      grid: { ...record.grid!, measure: 'norm', values: record.grid!.values.map((value) => Math.abs(value ?? 0)) },
    };
    const made = elements(steeringPage(vectors)).filter(({ attributes }) => attributes.has('data-cell'));
    for (const { attributes } of made) {
      expect(attributes.get('class')).not.toMatch(/reversed|ablated|down/);
      expect(attributes.get('title')).not.toContain('factor');
    }
    expect(summariseSteering(vectors).sentences[0]).toBe(
      'The strongest cell is attention out of layer 4 at “:”, ‖v‖ = 1.62.',
    );
  });

  const harmless = skeleton(steeringPage(steeringSample({ text: () => 'x', layers: 2 })));
  test.each(hostileTexts)('hostile text makes no element and no attribute: %j', (hostile) => {
    const made = steeringPage(steeringSample({ text: () => hostile, layers: 2 }));
    expect(skeleton(made)).toEqual(harmless);
    expect(made).not.toMatch(/[\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    expect(Buffer.from(made, 'utf8').toString('utf8')).toBe(made);
  });
});

describe('the drawings of a prompt', () => {
  const names = { correct: 'Berlin', wrong: 'Paris' };
  const most = { delta: 6, bucket: 0.4 };
  const rule = { margin: 2, massShare: 0.8, drift: 0.1 };
  const untouched = { delta: -1.3, correct: 0.2, wrong: 0.6 };
  const drawnTexts = (steered: Parameters<typeof answerGauges>[0]['steered']): string[] =>
    elements(drawnMarkup(answerGauges({ names, untouched, steered, most, rule })).text)
      .filter(({ name }) => name === 'text')
      .map(({ text }) => text);

  test.each([
    [{ strength: 1, delta: 2.5, correct: 0.65, wrong: 0.05, bucket: 0.04 }, '✓✓✓'],
    [{ strength: -1, delta: 2.5, correct: 0.65, wrong: 0.05, bucket: 0.04 }, '✗✓✓'],
    [{ strength: -1, delta: -2, correct: 0.1, wrong: 0.53, bucket: 0.2 }, '✓✗✗'],
    [{ strength: 0, delta: -1.3, correct: 0.2, wrong: 0.6, bucket: 0 }, '✓✓'],
  ])('%# counts as the rule has it', (steered, marks) => {
    expect(
      drawnTexts(steered)
        .filter((each) => /^[✓✗]$/.test(each))
        .join(''),
    ).toBe(marks);
  });

  test('an arrow leads from where a token stood to where it stands, and out of or into the list', () => {
    const list = (tokens: string) => [...tokens].map((token, i) => ({ token, p: 0.5 / (i + 1) }));
    const ways = elements(drawnMarkup(nextTokens(list('abc'), list('bdc'), { correct: 'a', wrong: 'b' })).text).filter(
      ({ attributes }) => attributes.get('class')?.startsWith('way-to'),
    );
    // a leaves, b and c move, d comes.
    expect(ways.map(({ attributes }) => attributes.get('class'))).toEqual([
      'way-to correct',
      'way-to wrong',
      'way-to other',
      'way-to other',
    ]);
    expect(ways[0]?.attributes.get('d')).not.toContain('L');
    expect(ways.slice(1).every(({ attributes }) => attributes.get('d')?.includes('L'))).toBe(true);
  });
});

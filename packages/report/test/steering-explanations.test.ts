// What explains learnt values: which faults a record is refused for, and what the page says of interactions, terms, attention, splits and training prompts.
import { describe, expect, test } from 'vitest';
import { checkSteering, steeringFromJson, steeringPage, steeringToJson, type SteeringRecord } from '../src/index.js';
import { cellName, shortPosition } from '../src/cell-name.js';
import { signedText } from '../src/number-text.js';
import { elements, textOf } from './page-elements.js';
import { steeringSample } from './steering-sample.js';

const record = steeringSample();
const { interactions, hierarchy, attention, splits, influence, grid } = record as Required<SteeringRecord>;
const [look] = attention;
const [split] = splits;
const [term] = hierarchy.terms;
if (!look || !split || !term) throw new Error('the sample has every explanation');
const explanations = ['interactions', 'hierarchy', 'attention', 'splits', 'influence'] as const;
const headings = [
  'Together, and one by one',
  'In few terms',
  'Where the heads look',
  'What attention cells are made of',
  'Which prompts asked for it',
];

const page = steeringPage(record);
const text = textOf(page);
/** The part of a page below one of its headings. */
const partOf = (made: string, heading: string): string =>
  made.slice(made.indexOf(`<h3>${heading}</h3>`)).split('</figure>')[0] ?? '';
const withHead = <T>(head: T) => ({ ...look, heads: [head] });

describe('a record', () => {
  const [first, second] = interactions.cells;
  const [head] = look.heads;
  const [part] = split.heads;
  const pair = { i: 0, j: 1, value: 1, error: null };
  const prompt = influence.most[0];
  test.each([
    [{ interactions: { ...interactions, cells: [first, first] } }, '/interactions/cells/1'],
    [
      { interactions: { ...interactions, cells: [{ cell: grid.values.length }, second] } },
      '/interactions/cells/0/cell',
    ],
    [{ interactions: { ...interactions, single: [1] } }, '/interactions/single'],
    [{ interactions: { ...interactions, pairs: [{ ...pair, j: 10 }] } }, '/interactions/pairs/0/j'],
    [{ interactions: { ...interactions, pairs: [{ ...pair, i: 1 }] } }, '/interactions/pairs/0/i'],
    [{ interactions: { ...interactions, pairs: [pair, pair] } }, '/interactions/pairs/1'],
    [{ interactions: { ...interactions, examples: 0 } }, '/interactions/examples'],
    [{ hierarchy: { ...hierarchy, terms: [{ ...term, site: 'other' }] } }, '/hierarchy/terms/0/site'],
    [{ hierarchy: { ...hierarchy, terms: [{ ...term, layer: 6 }] } }, '/hierarchy/terms/0/layer'],
    [{ hierarchy: { ...hierarchy, terms: [{ ...term, position: '17' }] } }, '/hierarchy/terms/0/position'],
    [{ hierarchy: { ...hierarchy, terms: [{ ...term, level: 'site' }] } }, '/hierarchy/terms/0/layer'],
    [
      { hierarchy: { ...hierarchy, terms: [{ ...term, level: 'cell', position: '18' }] } },
      '/hierarchy/terms/0/position',
    ],
    [{ hierarchy: { ...hierarchy, terms: [{ ...term, level: 'head' }] } }, '/hierarchy/terms/0/level'],
    [{ attention: [{ ...look, prompt: 3 }] }, '/attention/0/prompt'],
    [{ attention: [withHead({ ...head, before: [1] })] }, '/attention/0/heads/0/before'],
    [{ attention: [withHead({ ...head, change: [0] })] }, '/attention/0/heads/0/change'],
    [{ attention: [{ ...look, heads: [head, head] }] }, '/attention/0/heads/1'],
    [{ attention: [{ ...look, heads: [] }] }, '/attention/0/heads'],
    [{ splits: [{ ...split, prompt: 3 }] }, '/splits/0/prompt'],
    [{ splits: [{ ...split, cell: grid.values.length }] }, '/splits/0/cell'],
    [{ splits: [{ ...split, heads: [part, { ...part, head: 1, sources: [1] }] }] }, '/splits/0/heads/1/sources'],
    [{ splits: [{ ...split, cell: split.cell - 1 }] }, '/splits/0/heads/0/sources'],
    [{ splits: [{ ...split, total: Infinity }] }, '/splits/0/total'],
    [{ influence: { ...influence, examples: 2 } }, '/influence/most'],
    [{ influence: { ...influence, least: [{ ...prompt, norm: null }] } }, '/influence/least/0/norm'],
  ])('%# is refused with the place of its fault', (change, pointer) => {
    expect(() => checkSteering({ ...record, ...change })).toThrow(
      expect.objectContaining({ code: 'data/record-invalid', message: expect.stringContaining(`at ${pointer} `) }),
    );
  });

  test('may hold any of them without the others, and what is of cells only beside a grid', () => {
    const bare = Object.fromEntries(
      Object.entries(record).filter(([key]) => !(explanations as readonly string[]).includes(key)),
    );
    explanations.forEach((each) => {
      const alone = { ...bare, [each]: record[each] };
      expect(steeringFromJson(steeringToJson(checkSteering(alone)))).toEqual(alone);
      const { grid: _grid, comparisons: _c, edits: _e, path: _p, ...without } = alone as SteeringRecord;
      const free = {
        ...without,
        prompts: without.prompts.map(({ tokens, ...rest }) => ({
          ...rest,
          tokens: tokens.map(({ text: own }) => ({ text: own })),
        })),
      };
      if (each === 'attention' || each === 'influence') expect(checkSteering(free)).toBe(free);
      else expect(() => checkSteering(free)).toThrow(expect.objectContaining({ code: 'data/record-invalid' }));
    });
  });
});

describe('the page', () => {
  test('has a part for each that the record holds, and none for others', () => {
    headings.forEach((heading, i) => {
      expect(page).toContain(`<h3>${heading}</h3>`);
      const { [explanations[i] ?? 'splits']: _left, ...others } = record;
      const made = steeringPage(others);
      expect(headings.filter((each) => made.includes(`<h3>${each}</h3>`))).toEqual(
        headings.filter((each) => each !== heading),
      );
    });
  });

  test('tells pairs that do more together from those that do less, and from those that cannot be told', () => {
    const part = partOf(page, headings[0] ?? '');
    const cells = elements(part).filter(({ name }) => name === 'td');
    const kind = (name: string): string[] =>
      cells
        .filter(({ attributes }) => attributes.get('class')?.split(' ').includes(name))
        .map((cell) => cell.text.trim());
    const sure = interactions.pairs.filter(({ value, error }) => Math.abs(value) > 2 * (error ?? 0));
    expect(kind('up')).toHaveLength(sure.filter(({ value }) => value > 0).length);
    expect(kind('down')).toHaveLength(sure.filter(({ value }) => value < 0).length);
    expect(kind('doubtful')).toHaveLength(interactions.pairs.length - sure.length);
    expect(kind('alone')).toEqual(interactions.single.map((value) => signedText(value, 2)));
    // Of one prompt alone there is no error to be within, and what is written as 0 has no sign.
    const single = [
      { i: 0, j: 1, value: 0.5, error: null },
      { i: 0, j: 2, value: 1e-5, error: null },
    ];
    const made = steeringPage({ ...record, interactions: { ...interactions, examples: 1, pairs: single } });
    expect(textOf(made)).toContain('all other cells being off; of one prompt.');
    expect(
      elements(partOf(made, headings[0] ?? '')).filter(({ attributes }) => attributes.get('class') === 'up s9'),
    ).toHaveLength(1);
    // A sign beside the colour.
    for (const each of kind('up')) expect(each).toMatch(/^\+/);
    for (const each of kind('down')) expect(each).toMatch(/^−/);
    expect(sure.length).toBeGreaterThan(0);
    const strongest = [...interactions.pairs].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))[0];
    expect(textOf(part)).toContain(`Standard error One alone Other alone ${(strongest?.i ?? 0) + 1} `);
  });

  test('names the cells of a triangle by layer, token and role, and draws the twelve largest', () => {
    expect(text).toContain('1 attention out, layer 4 “:”, last');
    const many = grid.values.flatMap((_, cell) => (grid.live[cell] ? [{ cell }] : [])).slice(0, 20);
    const made = textOf(
      steeringPage({
        ...record,
        interactions: {
          ...interactions,
          cells: many,
          single: many.map(() => 1),
          pairs: [{ i: 0, j: 19, value: -2, error: null }],
        },
      }),
    );
    expect(made).toContain('The triangle has the 12 largest of 20 cells.');
    // Two tokens are alike, and their place says which.
    expect(made).toContain('attention out, layer 0 “of”, position 2');
    expect(made).toContain('overlapping −2');
  });

  test.each([
    ['3', ['Paris'], undefined, '“Paris”', '“Paris”'],
    ['3', ['of', 'of'], undefined, '“of”, position 3', '“of”, position 3'],
    ['-1', ['Paris', 'to'], 'city', '“Paris”, city', 'city'],
    ['of#2', ['of', 'of'], 'of#2', '“of”, #2', '“of”, #2'],
    ['of#1', ['of', 'to'], 'of#1', '“of”', '“of”'],
    ['last', ['of', 'of'], undefined, '“of”, last', 'last'],
    ['-2', [], undefined, 'position −2', 'position −2'],
  ] as const)('calls position %s of tokens %j with role %j %j', (name, texts, role, said, short) => {
    const tokens = texts.map((own, i) => ({
      text: ` ${own}`,
      ...(i === 0 ? { position: 1, ...(role && { role }) } : {}),
    }));
    const places = {
      grid: { measure: 'alpha', sites: ['attn.hook_z', 'hook_mlp_out'], layers: [4, 5], positions: ['0', name] },
      prompt: { tokens, correct: 'a', wrong: 'b' },
    };
    expect(cellName(places, 3, 2)).toBe(`attention heads, layer 5, head 2, ${said}`);
    expect(shortPosition(places, 7)).toBe(short);
  });

  test('says the values in few words, and their terms by level', () => {
    const part = textOf(partOf(page, headings[1] ?? ''));
    expect(part).toContain('attention out : position ‘last’ in every layer (+0.46)');
    expect(part).toContain('of the squares explained 96.8 % without single cells 54 %');
    for (const level of ['Layers, at every position', 'Positions, in every layer', 'Single cells'])
      expect(part).toContain(level);
    expect(part).toContain('Every term is 0 of: whole sites.');
    expect(part).toContain('MLP out, layer 0, context answer −1.05');
    expect(part).toContain('role attention out last every +0.46');
    expect(part).toContain('cell MLP out “Paris”, context answer 0 −1.05');
  });

  test('puts attention on the tokens of its prompt, with what it was and what moves', () => {
    const part = partOf(page, headings[2] ?? '');
    const tables = elements(part).filter(({ name }) => name === 'caption');
    expect(tables).toHaveLength(attention.length);
    const made = textOf(
      partOf(
        steeringPage({
          ...record,
          attention: [
            withHead({
              head: 3,
              moved: 0.304,
              before: look.heads[0]?.before.map((_, t) => (t === 5 ? 0.62 : t === 17 ? 0.38 : 0)) ?? [],
              change: look.heads[0]?.change.map((_, t) => (t === 5 ? -0.304 : t === 17 ? 0.304 : 0)) ?? [],
            }),
          ],
        }),
        headings[2] ?? '',
      ),
    );
    expect(made).toContain('head 3 30 % moved');
    expect(made).toContain('5 · Paris 62 −30');
    expect(made).toContain('17 : 38 +30');
    expect(made).toContain('4 · is 0 5');
  });

  test('takes a cell of attention apart into heads that add up, and heads into tokens', () => {
    const made = textOf(
      partOf(
        steeringPage({
          ...record,
          splits: [
            {
              ...split,
              total: 1.2,
              bias: -0.05,
              heads: [
                { head: 0, value: 1.5, sources: split.heads[0]?.sources.map((_, t) => (t === 5 ? 1.5 : 0)) ?? [] },
                { head: 2, value: -0.25, sources: split.heads[0]?.sources.map((_, t) => (t === 3 ? -0.25 : 0)) ?? [] },
              ],
            },
          ],
        }),
        headings[3] ?? '',
      ),
    );
    expect(made).toContain('head 0 +1.50 head 2 −0.25 output bias −0.05 together +1.20');
    expect(made).toContain('5 · Paris +1.50 0');
    expect(made).toContain('3 · Germany 0 −0.25');
  });

  test('shows only the tokens that matter of a long prompt, in their order', () => {
    const [first] = record.prompts;
    const tokens = Array.from({ length: 60 }, (_, t) => ({ text: ` w${t}` }));
    const before = tokens.map((_, t) => (t % 2 ? 0.001 * t : 0));
    const { splits: _s, ...others } = record;
    const made = partOf(
      steeringPage({
        ...others,
        prompts: [{ ...first, tokens }] as SteeringRecord['prompts'],
        attention: [withHead({ head: 0, moved: 0, before, change: tokens.map(() => 0) })],
      }),
      headings[2] ?? '',
    );
    const rows = elements(made).flatMap(({ name, text: own }) => (name === 'bdi' && /^w\d+$/.test(own) ? [own] : []));
    expect(rows).toEqual(tokens.flatMap((_, t) => (t % 2 || t < 4 ? [`w${t}`] : [])));
    expect(textOf(made)).toContain('The 32 tokens that matter most, of 60; the record has all.');
  });

  test('lists training prompts with their answers, groups under their own heads', () => {
    const part = partOf(page, headings[4] ?? '');
    const heads = elements(`<!doctype html>${part}`).filter(({ attributes }) => attributes.get('scope') === 'rowgroup');
    expect(heads.map((each) => each.text)).toEqual(['Most in line with the values', 'Least in line with them']);
    expect(textOf(part)).toContain(
      '0.71 The capital of Japan is Cairo. Q: What is the capital of Japan? A: Tokyo Cairo',
    );
    expect(textOf(part)).toContain('Of 260 prompts learnt from.');
    expect(textOf(part)).toContain('Least in line with them – ');
  });

  test('of a record without cells keeps what is not of cells', () => {
    const {
      grid: _g,
      comparisons: _c,
      edits: _e,
      path: _p,
      interactions: _i,
      hierarchy: _h,
      splits: _s,
      ...others
    } = record;
    const made = steeringPage({
      ...others,
      prompts: others.prompts.map(({ tokens, ...rest }) => ({
        ...rest,
        tokens: tokens.map(({ text: own }) => ({ text: own })),
      })),
    });
    expect(headings.filter((each) => made.includes(`<h3>${each}</h3>`))).toEqual([headings[2], headings[4]]);
    expect(textOf(made)).not.toMatch(/NaN|undefined|cannot reach the|Skip to the cells/);
    expect(elements(made).filter(({ attributes }) => attributes.has('data-cell'))).toHaveLength(0);
  });

  test('names every column and row, and shows no access token', () => {
    for (const heading of headings) {
      const part = elements(partOf(page, heading));
      expect(part.filter(({ name, attributes }) => name === 'th' && !attributes.has('scope'))).toEqual([]);
      expect(
        part.filter(({ name, attributes }) => name === 'th' && attributes.get('scope') === 'col').length,
      ).toBeGreaterThan(0);
    }
    const secret = `hf_${'a'.repeat(30)}`;
    const [most] = influence.most;
    if (!most) throw new Error('the sample has a training prompt');
    const leaking: SteeringRecord = {
      ...record,
      influence: { ...influence, most: [{ ...most, text: `token ${secret}` }] },
      hierarchy: { ...hierarchy, summary: [`hook_attn_out: ${secret}`] },
    };
    expect(steeringToJson(leaking)).not.toContain(secret);
    expect(steeringPage(leaking)).not.toContain(secret);
    expect(steeringPage(leaking)).toContain('[secret removed]');
  });
});

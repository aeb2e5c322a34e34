// Grids of learnt values, what is dead in them, and how two of them are compared.
import { describe, expect, it } from 'vitest';
import { positionTable, type SteeringSpec } from '../src/index.js';
import { additiveHierarchy } from '../src/explain/additive-hierarchy.js';
import { cellGrid, givenGrid, overPositions, type CellGrid } from '../src/explain/cell-grid.js';
import { compareGrids } from '../src/explain/compare-grids.js';
import { refusal } from '@limn/testing';
import { MIXED, modelOf, randomValues, SAME } from './explain-models.js';

const lengthsOf = (examples: typeof MIXED) => examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
const sites = ['hook_attn_out', 'hook_mlp_out'] as const;

describe('the grid of values', () => {
  it('holds α at its site, layer and position, and marks what cannot act', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(
      SAME.map(({ prompt }) => prompt),
      'absolute',
      { skip: 1 },
    );
    const values = randomValues(model, { method: { kind: 'activ-scalar' }, sites, positions });
    const grid = cellGrid(model.info, values);
    expect(grid.positions).toEqual(['1', '2', '3', '4']);
    sites.forEach((site, s) =>
      [0, 1].forEach((layer) =>
        [0, 1, 2, 3].forEach((slot) => {
          const at = (s * 2 + layer) * 4 + slot;
          expect(grid.values[at]).toBe(values.places.get(`blocks.${layer}.${site}`)?.get('alpha')?.[slot]);
          // Of the last layer only the last position is read.
          expect(grid.live[at]).toBe(layer === 0 || slot === 3);
        }),
      ),
    );
    expect(JSON.parse(JSON.stringify(grid))).toEqual(grid);
  });

  it('sums heads or takes the largest, and keeps them apart beside it', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(
      SAME.map(({ prompt }) => prompt),
      'from-end',
    );
    const values = randomValues(model, { method: { kind: 'activ-scalar' }, sites: ['attn.hook_z'], positions });
    const alpha = values.places.get('blocks.1.attn.hook_z')?.get('alpha') as Float32Array;
    const [summed, largest] = (['sum', 'largest'] as const).map((reduce) => cellGrid(model.info, values, { reduce }));
    expect(summed?.heads?.[5]).toEqual([alpha[0], alpha[1]]);
    expect(summed?.values[5]).toBe((alpha[0] as number) + (alpha[1] as number));
    const [a, b] = [alpha[0] as number, alpha[1] as number];
    expect(largest?.values[5]).toBe(Math.abs(a) > Math.abs(b) ? a : b);
    expect(summed?.live.slice(5)).toEqual([true, false, false, false, false]);
  });

  it('is of norms where values are vectors, and knows from examples which role stands last', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(
      MIXED.map(({ prompt, roles }) => ({ length: prompt.length, roles })),
      'role',
    );
    const spec: SteeringSpec = { method: { kind: 'steer-vec' }, sites: ['hook_mlp_out'], positions };
    const values = randomValues(model, spec);
    const vector = values.places.get('blocks.0.hook_mlp_out')?.get('vector') as Float32Array;
    const grid = cellGrid(model.info, values, { examples: MIXED });
    expect(grid.measure).toBe('norm');
    expect(grid.values[0]).toBeCloseTo(Math.hypot(...vector.subarray(0, 16)), 12);
    expect(grid.positions).toEqual(['first', 'second', 'last']);
    expect(grid.live).toEqual([true, true, true, false, false, true]);
    const fromStart = positionTable(lengthsOf(MIXED), 'from-start');
    const counted = cellGrid(model.info, randomValues(model, { ...spec, positions: fromStart }), { examples: MIXED });
    // Prompts of 5, 3 and 7 tokens.
    expect(counted.live.slice(7)).toEqual([false, false, true, false, true, false, true]);
  });

  it('refuses values that belong to no cell', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(
      SAME.map(({ prompt }) => prompt),
      'none',
    );
    const values = randomValues(model, { method: { kind: 'dyn-scalar' }, sites, positions });
    expect(() => cellGrid(model.info, values)).toThrow(
      expect.objectContaining({ code: 'usage/steering-method' }) as Error,
    );
  });
});

const grid = (values: readonly (number | null)[], live?: readonly boolean[], measure = 'given'): CellGrid => ({
  sites: ['hook_attn_out', 'hook_mlp_out'],
  layers: [0, 1],
  positions: ['-1', '-2'],
  measure,
  values,
  live: live ?? values.map(() => true),
});

describe('two grids', () => {
  it('agree by ranks and by the strongest cells, over live cells with two numbers', () => {
    const live = [true, true, true, true, true, true, false, true];
    const a = grid([1, -2, 3, 0, 5, 6, 1000, 0], live);
    const b = grid([10, -20, 31, 0, -49, 1, 0, null], live);
    const found = compareGrids(a, b, { k: 3 });
    // Cells 0 to 5. Ranks of a: 3 1 4 2 5 6, of b: 5 2 6 3 1 4; Σd² = 4 + 1 + 4 + 1 + 16 + 4 = 30.
    expect(found.cells).toBe(6);
    expect(found.spearman).toBeCloseTo(1 - (6 * 30) / (6 * 35), 12);
    // Sizes of a: 2 3 4 1 5 6, of b: 3 4 5 1 6 2; Σd² = 1 + 1 + 1 + 0 + 1 + 16 = 20.
    expect(found.spearmanOfSizes).toBeCloseTo(1 - (6 * 20) / (6 * 35), 12);
    // Top 3: {5, 4, 2} and {4, 2, 1}.
    expect(found.topJaccard).toEqual({ k: 3, value: 2 / 4 });
    expect(found.signAgreement).toBe(4 / 5);
  });

  it('never counts cells of 0 among the strongest, and say where nothing can be said', () => {
    const sparse = grid([0, 0, 3, 0, 0, 0, 0, 0]);
    expect(compareGrids(sparse, grid([1, 2, 9, 4, 5, 6, 7, 8]), { k: 2 }).topJaccard.value).toBe(1 / 2);
    const none = compareGrids(grid(Array.from({ length: 8 }, () => 0)), grid(Array.from({ length: 8 }, () => 0)));
    expect(none).toMatchObject({ spearman: null, topJaccard: { value: null }, signAgreement: null });
  });

  it('of other cells are refused', async () => {
    const a = grid([1, 2, 3, 4, 5, 6, 7, 8]);
    const other = await refusal(() => compareGrids(a, { ...a, positions: ['3', '4'] }));
    expect(other.code).toBe('data/steering-grid');
    const apart = await refusal(() => compareGrids(a, grid(Array.from({ length: 8 }, () => null))));
    expect(apart.code).toBe('data/steering-grid');
    expect((await refusal(() => compareGrids(a, a, { k: 0 }))).code).toBe('usage/top-k');
  });

  it('can be scores from elsewhere, with positions or without', () => {
    const a = grid([1, -2, 3, 4, 5, 6, 7, 8], [true, true, true, false, true, true, true, true]);
    const nodes = overPositions(a);
    expect(nodes.values).toEqual([3, 3, 11, 15]);
    expect(overPositions(a, { absolute: false }).values).toEqual([-1, 3, 11, 15]);
    const scores = givenGrid(nodes, 'EAP-IG', ({ site, layer }) => (site === 'hook_mlp_out' ? 10 + layer : null));
    expect(scores).toMatchObject({ measure: 'EAP-IG', values: [null, null, 10, 11], positions: ['all'] });
    expect(compareGrids(nodes, scores).spearman).toBeCloseTo(1, 12);
  });
});

describe('the additive hierarchy', () => {
  const axes = {
    sites: ['hook_attn_out', 'hook_mlp_out'],
    layers: [0, 1, 2],
    positions: ['1', '2', '3', '4'],
  } as const;
  const wave = Array.from({ length: 24 }, (_, i) => Math.sin(12.9898 * (i + 1)) + (i < 12 ? 0.4 : -0.1));
  const live = wave.map((_, i) => i % 12 < 8 || i % 4 === 3);
  const whole: CellGrid = { ...axes, measure: 'alpha', values: wave, live };

  it.each([0.02, 0.1, 0.5, 2])('meets the optimality conditions at λ = %d', (penalty) => {
    const fit = additiveHierarchy(whole, { penalty, roles: ['a', 'b', 'b', 'c'] });
    const roles = ['a', 'b', 'b', 'c'];
    const term = {
      site: (s: number) => fit.sites.find(({ site }) => site === axes.sites[s])?.value ?? 0,
      layer: (s: number, l: number) =>
        fit.layers.find(({ site, layer }) => site === axes.sites[s] && layer === l)?.value ?? 0,
      role: (s: number, r: string) =>
        fit.roles.find(({ site, role }) => site === axes.sites[s] && role === r)?.value ?? 0,
      cell: (s: number, l: number, i: number) =>
        fit.cells.find(
          ({ site, layer, position }) => site === axes.sites[s] && layer === l && position === axes.positions[i],
        )?.value ?? 0,
    };
    const cells = wave
      .map((value, at) => ({ value, s: Math.floor(at / 12), l: Math.floor(at / 4) % 3, i: at % 4, at }))
      .filter(({ at }) => live[at]);
    const rest = ({ value, s, l, i }: (typeof cells)[number]): number =>
      value - term.site(s) - term.layer(s, l) - term.role(s, roles[i] as string) - term.cell(s, l, i);
    // Σ residuals over the cells of a term is λw · sign where it is not 0, and at most λw in size where it is.
    const check = (own: typeof cells, value: number, weight: number): void => {
      // Terms of less than a billionth of the grid's largest number are 0, and at most 12 cells hold one.
      const slope = own.reduce((sum, cell) => sum + rest(cell), 0);
      if (value === 0) expect(Math.abs(slope)).toBeLessThanOrEqual(penalty * weight + 1e-7);
      else expect(slope).toBeCloseTo(penalty * weight * Math.sign(value), 7);
    };
    for (const s of [0, 1]) {
      const ofSite = cells.filter((cell) => cell.s === s);
      check(ofSite, term.site(s), 1);
      for (const l of axes.layers)
        check(
          ofSite.filter((cell) => cell.l === l),
          term.layer(s, l),
          1,
        );
      for (const r of ['a', 'b', 'c'])
        check(
          ofSite.filter(({ i }) => roles[i] === r),
          term.role(s, r),
          1,
        );
      for (const cell of ofSite) check([cell], term.cell(s, cell.l, cell.i), 2);
    }
    const squares = cells.reduce((sum, cell) => sum + rest(cell) ** 2, 0);
    const sizes = [...fit.sites, ...fit.layers, ...fit.roles].reduce((sum, { value }) => sum + Math.abs(value), 0);
    const single = fit.cells.reduce((sum, { value }) => sum + Math.abs(value), 0);
    expect(fit.objective).toBeCloseTo(squares / 2 + penalty * (sizes + 2 * single), 9);
    expect(fit.explained).toBeCloseTo(1 - squares / cells.reduce((sum, { value }) => sum + value ** 2, 0), 9);
  });

  it('says in words what is the highest level of each site', () => {
    const values = [
      ...Array.from({ length: 12 }, () => 1),
      ...Array.from({ length: 12 }, (_, i) => (i < 4 ? -0.5 : 0)),
    ];
    const fit = additiveHierarchy({ ...axes, measure: 'alpha', values, live: values.map(() => true) });
    expect(fit.sites).toHaveLength(1);
    expect(fit.roles).toEqual([]);
    expect(fit.cells).toEqual([]);
    expect(fit.summary).toEqual([
      'hook_attn_out: everywhere (+1.0)',
      'hook_mlp_out: layer 0 at every position (−0.49)',
    ]);
    const one = Array.from({ length: 24 }, (_, i) => (i === 7 ? 2 : 0));
    const single = additiveHierarchy({ ...axes, measure: 'alpha', values: one, live: one.map(() => true) });
    expect(single.summary).toEqual(["hook_attn_out: layer 1 at '4' (+1.7)", 'hook_mlp_out: nothing']);
    // A cell that stands out from a whole site.
    const odd = Array.from({ length: 24 }, (_, i) => (i === 7 ? -2 : i < 12 ? 1 : 0));
    expect(additiveHierarchy({ ...axes, measure: 'alpha', values: odd, live: odd.map(() => true) }).summary[0]).toMatch(
      /^hook_attn_out: everywhere \(\+.*\); 1 finer term, the largest layer 1 at '4' \(−/,
    );
    expect(single.explainedAbove as number).toBeLessThan(single.explained as number);
  });

  it('is nothing where the grid is 0, and refuses what makes no sense', async () => {
    const zero = { ...whole, values: wave.map(() => 0) };
    expect(additiveHierarchy(zero)).toMatchObject({ sites: [], layers: [], roles: [], cells: [], explained: null });
    expect((await refusal(() => additiveHierarchy(whole, { penalty: -1 }))).code).toBe('usage/steering-option');
    expect((await refusal(() => additiveHierarchy(whole, { roles: ['a'] }))).code).toBe('usage/steering-option');
    const dead = { ...whole, live: wave.map(() => false) };
    expect((await refusal(() => additiveHierarchy(dead))).code).toBe('data/steering-grid');
  });
});

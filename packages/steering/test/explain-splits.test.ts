// Exact splits of attention cells, where heads look under steering, interactions and the influence of examples: by definition.
import { describe, expect, it } from 'vitest';
import { blockHook, tokenBatch } from '@limn/hooks';
import { gradients, readFloats } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { answerDifference } from '../src/explain/answer-difference.js';
import { attentionShift } from '../src/explain/attention-shift.js';
import { splitAttentionCell } from '../src/explain/attention-split.js';
import { exampleInfluence } from '../src/explain/example-influence.js';
import { only } from '../src/explain/cell-values.js';
import { cellInteractions } from '../src/explain/interactions.js';
import { cellsOf, positionTable, Steering, steererOf, trainSteering, type SteeringSpec } from '../src/index.js';
import { settleObjective } from '../src/objective.js';
import { prepareExamples } from '../src/prepare-examples.js';
import { recordUpdate } from '../src/training-step.js';
import { differencesOf, meanOf, MIXED, modelOf, MODELS, randomValues, SAME } from './explain-models.js';

const lengths = (examples: typeof SAME) => examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const scalars = { kind: 'activ-scalar' } as const;

describe.each(MODELS)('an attention cell of the %s', (name) => {
  it('splits into heads and b_O, and a head into sources, exactly', async () => {
    const model = await modelOf(name);
    const positions = positionTable(lengths(MIXED), 'from-end');
    const spec: SteeringSpec = { method: scalars, sites: ['attn.hook_z', 'hook_attn_out', 'hook_mlp_out'], positions };
    const steering = new Steering(model, spec, { values: [randomValues(model, spec, { size: 0.5 })] });
    const steerer = steererOf('scalars', steering, { nonZero: 1 });
    for (const [layer, position, steered] of [
      [1, '-1', false],
      [0, '-2', false],
      [0, '-1', true],
    ] as const) {
      const splits = await splitAttentionCell(model, MIXED, {
        layer,
        position,
        positions,
        ...(steered ? { steerer, strength: -0.8 } : {}),
        batchSize: 2,
      });
      expect(splits.map(({ example }) => example)).toEqual([0, 1, 2, 3, 4]);
      for (const { example, token, total: whole, bias, heads } of splits) {
        const prompt = MIXED[example]?.prompt as readonly number[];
        expect(token).toBe(prompt.length + Number(position));
        const size = Math.max(1, ...heads.map(({ value }) => Math.abs(value)));
        // Some 16 products of f32 factors and the rounding of attention's own sums.
        expect(Math.abs(total(heads.map(({ value }) => value)) + bias - whole)).toBeLessThan(2e-5 * size);
        for (const { value, sources } of heads) {
          expect(sources).toHaveLength(token + 1);
          expect(Math.abs(total(sources) - value)).toBeLessThan(2e-5 * size);
        }
        expect(bias === 0).toBe(name === 'parallel toy');
      }
      if (steered) continue;
      // The whole is gradient times activation, taken here by itself.
      using step = model.gpu.step();
      const at = blockHook(layer, 'hook_attn_out');
      const example = MIXED[2] as (typeof MIXED)[number];
      const run = model.run(
        step,
        { tokens: tokenBatch([example.prompt], model.info) },
        { capture: [at], logits: 'last' },
      );
      const [slope] = gradients(step, answerDifference(step, run.logits, [example]), 'ones', [run.at(at)]);
      const [a, g] = await Promise.all([readFloats(step, run.at(at)), readFloats(step, slope as typeof run.logits)]);
      const [C, token] = [model.info.width, example.prompt.length + Number(position)];
      const product = total(
        Array.from({ length: C }, (_, i) => (a[token * C + i] as number) * (g[token * C + i] as number)),
      );
      expect(splits[2]?.total).toBeCloseTo(product, 4);
    }
    steering.dispose();
    const refused = (options: { layer: number; position: string }) =>
      refusal(splitAttentionCell(model, MIXED, { ...options, positions }));
    expect((await refused({ layer: 2, position: '-1' })).code).toBe('usage/steering-layer');
    expect((await refused({ layer: 0, position: 'last' })).code).toBe('usage/steering-option');
  });

  it('moves the attention of later layers and of no earlier one', async () => {
    const model = await modelOf(name);
    const spec: SteeringSpec = {
      method: scalars,
      sites: ['hook_attn_out'],
      layers: [0],
      positions: positionTable([], 'none'),
    };
    const steering = new Steering(model, spec, { values: [randomValues(model, spec, { size: 1 })] });
    const found = await attentionShift(model, MIXED, steererOf('scalars', steering, { nonZero: 1 }), {
      layers: [0, 1],
      strength: 1,
      batchSize: 3,
    });
    expect(found).toHaveLength(10);
    for (const { example, layer, tokens: n, before, change, movedAtLast, movedMean } of found) {
      const { heads: H } = model.info;
      expect(n).toBe(MIXED[example]?.prompt.length);
      expect(change).toHaveLength(H * n * n);
      if (layer === 0) expect(change.every((value) => value === 0)).toBe(true);
      for (let query = 0; query < H * n; query++)
        expect(Math.abs(total(change.slice(query * n, (query + 1) * n)))).toBeLessThan(1e-5);
      for (let query = 0; query < H * n; query++)
        expect(Math.abs(total(before.slice(query * n, (query + 1) * n)) - 1)).toBeLessThan(1e-5);
      const last = change.slice((n - 1) * n, n * n);
      expect(movedAtLast[0]).toBeCloseTo(total(last.map(Math.abs)) / 2, 12);
      expect(movedMean[0]).toBeCloseTo(total(change.slice(0, n * n).map(Math.abs)) / 2 / n, 12);
    }
    // One prompt in plain runs of its own.
    const { prompt } = MIXED[1] as (typeof MIXED)[number];
    const at = blockHook(1, 'attn.hook_pattern');
    const patterns = await Promise.all(
      [steering.interventions(), []].map(async (interventions) => {
        using step = model.gpu.step();
        const run = model.run(
          step,
          { tokens: tokenBatch([prompt], model.info) },
          { interventions, capture: [at], logits: 'none', stopAtLayer: 2 },
        );
        return readFloats(step, run.at(at));
      }),
    );
    const own = found.find(({ example, layer }) => example === 1 && layer === 1);
    own?.change.forEach((value, i) =>
      expect(value).toBeCloseTo((patterns[0]?.[i] as number) - (patterns[1]?.[i] as number), 5),
    );
    expect(Math.max(...(own?.movedAtLast ?? []))).toBeGreaterThan(1e-3);
    steering.dispose();
  });

  it('and every other: interactions are those of one run per combination', async () => {
    const model = await modelOf(name);
    const positions = positionTable(lengths(MIXED), 'role');
    for (const method of [scalars, { kind: 'steer-vec' } as const]) {
      const spec: SteeringSpec = { method, sites: ['hook_attn_out', 'hook_mlp_out'], positions };
      const values = randomValues(model, spec);
      const found = await cellInteractions(model, MIXED, values, { most: 4, strength: -1, batchSize: 9 });
      expect(found.pairs).toHaveLength(6);
      expect(found.cells.map(({ value }) => Math.abs(value))).toEqual(
        found.cells.map(({ value }) => Math.abs(value)).sort((a, b) => b - a),
      );
      const width = method.kind === 'steer-vec' ? model.info.width : 1;
      const deltas = async (on: readonly number[]): Promise<number[]> => {
        const kept = new Set(
          on.map((i) => {
            const { site, layer, position } = found.cells[i] as (typeof found.cells)[number];
            return `${blockHook(layer, site)} ${positions.names.indexOf(position)}`;
          }),
        );
        const some = randomValues(model, spec, { keep: (at, i) => kept.has(`${at} ${Math.floor(i / width)}`) });
        const steering = new Steering(model, spec, { values: [some] });
        const each = await differencesOf(model, MIXED, ({ roles }) =>
          steering.interventions({ strength: -1, roles: [roles] }),
        );
        steering.dispose();
        return each;
      };
      const none = await deltas([]);
      expect(found.untouched).toBeCloseTo(meanOf(none), 4);
      for (const pair of [0, 4]) {
        const { i, j, value, error } = found.pairs[pair] as (typeof found.pairs)[number];
        const [a, b, both] = await Promise.all([deltas([i]), deltas([j]), deltas([i, j])]);
        expect(found.single[i]).toBeCloseTo(meanOf(a) - meanOf(none), 4);
        const each = both.map((value, n) => value - (a[n] as number) - (b[n] as number) + (none[n] as number));
        expect(value).toBeCloseTo(meanOf(each), 4);
        const spread = Math.sqrt(total(each.map((one) => (one - meanOf(each)) ** 2)) / 4);
        expect(error).toBeCloseTo(spread / Math.sqrt(5), 4);
      }
    }
  });
});

describe('interactions', () => {
  it('are of cells that can act and are not 0, and of values that have cells', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(lengths(SAME), 'absolute');
    const spec: SteeringSpec = { method: scalars, sites: ['hook_mlp_out'], positions };
    const values = randomValues(model, spec, { keep: (at, i) => i === 1 || i === 4 });
    const found = await cellInteractions(model, SAME, values);
    // Position 1 of the last layer is dead.
    expect(found.cells.map(({ layer, position }) => `${layer} ${position}`).sort()).toEqual(['0 1', '0 4', '1 4']);
    expect((await refusal(cellInteractions(model, SAME, values, { most: 1 }))).code).toBe('usage/steering-option');
    const probes = randomValues(model, { ...spec, method: { kind: 'dyn-scalar' } });
    expect((await refusal(cellInteractions(model, SAME, probes))).code).toBe('usage/steering-method');
  });

  it('of more combinations than lie side by side are measured in turns', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(lengths(SAME), 'absolute');
    const spec: SteeringSpec = { method: scalars, sites: ['hook_attn_out', 'hook_mlp_out'], positions };
    const values = randomValues(model, spec);
    const progress: number[] = [];
    const found = await cellInteractions(model, SAME.slice(0, 1), values, {
      most: 11,
      onProgress: ({ done, total: all }) => progress.push(done, all),
    });
    // 1 + 11 + 55 sets, of which 64 lie side by side.
    expect(progress.slice(-2)).toEqual([67, 67]);
    expect(progress.filter((_, i) => i % 2 === 1).every((all) => all === 67)).toBe(true);
    const { i, j, value, error } = found.pairs.at(-1) as (typeof found.pairs)[number];
    expect([i, j, error]).toEqual([9, 10, null]);
    const cells = cellsOf(model.info, values);
    const deltaOf = async (on: readonly number[]): Promise<number> => {
      const chosen = on.map((at) => cells.find((cell) => cell.value === found.cells[at]?.value)) as typeof cells;
      const steering = new Steering(model, spec, { values: [only(values, cells, chosen)] });
      const [delta] = await differencesOf(model, SAME.slice(0, 1), () => steering.interventions());
      steering.dispose();
      return delta as number;
    };
    const [both, one, other, none] = [
      await deltaOf([9, 10]),
      await deltaOf([9]),
      await deltaOf([10]),
      await deltaOf([]),
    ];
    expect(value).toBeCloseTo(both - one - other + none, 4);
  });
});

describe('the influence of an example', () => {
  const objective = { goal: { kind: 'flip', margin: 3, effect: 'softplus' }, faithfulnessWeight: 0.5 } as const;

  it.each([scalars, { kind: 'steer-vec' }, { kind: 'dyn-scalar' }, { kind: 'gated-scalar' }] as const)(
    'is the gradient of an update of it alone: $kind',
    async (method) => {
      const model = await modelOf('gpt-2');
      const positions = positionTable(lengths(MIXED), 'from-end');
      const spec: SteeringSpec = { method, sites: ['hook_attn_out', 'hook_mlp_out'], positions };
      const values = randomValues(model, spec, { size: 0.3 });
      const found = await exampleInfluence(model, MIXED, values, { objective, at: 'values', batchSize: 3 });
      const prepared = await prepareExamples(model, MIXED, [], {});
      const steering = new Steering(model, spec, { values: [values] });
      const setup = { model, steering, objective: settleObjective(objective), producedWeight: 0 };
      for (const n of [0, 3]) {
        using step = model.gpu.step();
        const update = recordUpdate(step, setup, [prepared[n] as (typeof prepared)[number]], 1);
        const strong = steering.parameters.map(({ form }) => form.strength);
        const [effect, drift, ...slopes] = await Promise.all(
          [update.effect, update.drift, ...update.slopes.filter((_, i) => strong[i])].map((x) => readFloats(step, x)),
        );
        const own = slopes.flatMap((slope) => [...slope]);
        const final = steering.parameters
          .filter(({ form }) => form.strength)
          .flatMap(({ at, form }) => [...(values.places.get(at)?.get(form.name) ?? [])]);
        const { loss, norm, alignment, gradient } = found[n] as (typeof found)[number];
        expect(loss).toBeCloseTo((effect?.[0] as number) + 0.5 * (drift?.[0] as number), 4);
        expect(norm / Math.hypot(...own)).toBeCloseTo(1, 4);
        const along = -total(own.map((value, i) => value * (final[i] as number)));
        expect(alignment).toBeCloseTo(along / Math.hypot(...own) / Math.hypot(...final), 4);
        expect(gradient === undefined).toBe(method.kind !== 'activ-scalar');
        // [sites, layers, positions] of the grid against layers, sites, positions of the tables.
        gradient?.values.forEach((value, cell) => {
          const [s, l, slot] = [Math.floor(cell / 14), Math.floor(cell / 7) % 2, cell % 7] as const;
          expect(value).toBeCloseTo(own[(l * 2 + s) * 7 + slot] as number, 4);
        });
      }
      steering.dispose();
    },
  );

  it('at zeros points the way that values learnt from it alone went', async () => {
    const model = await modelOf('gpt-2');
    const positions = positionTable(lengths(SAME), 'from-end');
    const spec: SteeringSpec = { method: scalars, sites: ['hook_attn_out', 'hook_mlp_out'], positions };
    const { values } = await trainSteering(model, SAME.slice(0, 1), spec, { objective, updates: 2, stopEarly: false });
    const found = await exampleInfluence(model, SAME, values, { objective });
    // Adam's first steps are the signs of the gradient, whose cosine with it is well above 0 and below 1.
    expect(found[0]?.alignment as number).toBeGreaterThan(0.4);
    expect(found[0]?.alignment).toBe(Math.max(...found.map(({ alignment }) => alignment as number)));
    const zeros = randomValues(model, spec, { size: 0 });
    expect((await exampleInfluence(model, SAME, zeros, { objective }))[0]?.alignment).toBeNull();
  });
});

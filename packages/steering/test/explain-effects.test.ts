// What cells do one by one and along a path, and what an edit does to an activation: against plain runs of their own.
import { describe, expect, it } from 'vitest';
import { ablate, blockHook, patch, tokenBatch, type HookName } from '@limn/hooks';
import { keep, readFloats, reshape } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { integratedGrid } from '../src/explain/integrated-grid.js';
import { normAndDirection } from '../src/explain/norm-direction.js';
import { patchingGrid, zeroAblationGrid } from '../src/explain/patch-cells.js';
import { positionTable, Steering, steererOf, type SteeringSpec, type SteeringValues } from '../src/index.js';
import { differencesOf, meanOf, MIXED, modelOf, MODELS, randomValues, SAME } from './explain-models.js';

const lengths = (examples: typeof SAME) => examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
/** f32 runs of two plans, Δ of size 1 to 10: rounding of some 10⁻⁶ each. */
const NEAR = 4;

describe.each(MODELS)('cells of the %s one by one', (name) => {
  it('zero ablation is a plain run with the site at zero there, and ActivScalar at α = −1', async () => {
    const model = await modelOf(name);
    const positions = positionTable(lengths(MIXED), 'from-end', { skip: 1 });
    const sites = ['hook_attn_out', 'hook_mlp_out', 'attn.hook_z'] as const;
    const grid = await zeroAblationGrid(model, MIXED, { sites, positions }, { batchSize: 20 });
    const plain = await differencesOf(model, MIXED);
    for (const [site, layer, slot] of [
      ['hook_attn_out', 0, 0],
      ['hook_mlp_out', 0, 2],
      ['attn.hook_z', 0, 4],
      ['hook_mlp_out', 1, 0],
    ] as const) {
      const at = blockHook(layer, site);
      const alone = await differencesOf(model, MIXED, ({ prompt }) => {
        const token = prompt.length - 1 - slot;
        return token < 1 ? [] : [ablate(at, 'zero', { positions: [token] })];
      });
      const index = (grid.sites.indexOf(site) * 2 + layer) * 6 + slot;
      expect(grid.values[index]).toBeCloseTo(meanOf(plain) - meanOf(alone), NEAR);
      const values: SteeringValues = randomValues(model, { method: { kind: 'activ-scalar' }, sites, positions }, {});
      for (const [where, own] of values.places)
        own.get('alpha')?.forEach((_, i, alpha) => {
          alpha[i] = where === at && Math.floor(i / (alpha.length / 6)) === slot ? -1 : 0;
        });
      const steering = new Steering(model, values.spec, { values: [values] });
      const scaled = await differencesOf(model, MIXED, () => steering.interventions());
      steering.dispose();
      expect(grid.values[index]).toBeCloseTo(meanOf(plain) - meanOf(scaled), NEAR);
    }
    // Dead cells: nothing behind the first position from the end is read in the last layer.
    grid.live.forEach((live, i) => {
      if (!live) expect(grid.values[i]).toBe(0);
    });
    expect(grid.live.filter((live) => !live)).toHaveLength(3 * 5);
  });

  it('patching is a plain run with the other prompt in the cell, both ways', async () => {
    const model = await modelOf(name);
    const positions = positionTable(lengths(MIXED), 'role');
    const corrupted = MIXED.map(({ prompt }) => prompt.map((id, t) => (t === 1 ? (id + 3) % 23 : id)));
    const others = MIXED.map((example, n) => ({ ...example, prompt: corrupted[n] as readonly number[] }));
    const cells = { sites: ['hook_attn_out', 'hook_resid_pre'] as const, positions };
    for (const direction of ['denoise', 'noise'] as const) {
      const grid = await patchingGrid(model, MIXED, cells, { corrupted, direction, batchSize: 16 });
      const [bases, sources] = direction === 'denoise' ? [others, MIXED] : [MIXED, others];
      const sign = direction === 'denoise' ? 1 : -1;
      const before = await differencesOf(model, bases);
      for (const [site, layer, role] of [
        ['hook_attn_out', 1, 'last'],
        ['hook_resid_pre', 0, 'second'],
        ['hook_resid_pre', 1, 'second'],
      ] as const) {
        const at = blockHook(layer, site);
        const values = await Promise.all(
          sources.map(async ({ prompt }) => {
            using step = model.gpu.step();
            const tokens = tokenBatch([prompt], model.info);
            const run = model.run(step, { tokens }, { capture: [at], logits: 'none', stopAtLayer: layer + 1 });
            const value = keep(step, reshape(run.at(at), run.at(at).shape));
            await step.submit();
            return value;
          }),
        );
        const patched = await differencesOf(model, bases, ({ roles }, n) => [
          patch(at, values[n] as (typeof values)[number], { positions: [roles?.indexOf(role) as number] }),
        ]);
        for (const value of values) value.dispose();
        const index = (grid.sites.indexOf(site) * 2 + layer) * 3 + grid.positions.indexOf(role);
        expect(grid.values[index]).toBeCloseTo(sign * (meanOf(patched) - meanOf(before)), NEAR);
      }
      // The embedding of the one token that differs is all that differs.
      const whole = grid.values[(grid.sites.indexOf('hook_resid_pre') * 2 + 0) * 3 + grid.positions.indexOf('second')];
      expect(whole).toBeCloseTo(sign * (meanOf(await differencesOf(model, sources)) - meanOf(before)), NEAR);
    }
  });

  it('integrated gradients sum to Δ minus Δ without all of the cells', async () => {
    const model = await modelOf(name);
    const positions = positionTable(lengths(MIXED), 'from-end', { skip: 1 });
    const sites = ['attn.hook_z', 'hook_mlp_out'] as const;
    const selection = { sites, positions };
    const steering = new Steering(model, { method: { kind: 'activ-scalar' }, ...selection });
    for (const { at, tensor } of steering.parameters)
      steering.write(at, 'alpha', new Float32Array(tensor.size).fill(-1));
    const way =
      meanOf(await differencesOf(model, MIXED)) -
      meanOf(await differencesOf(model, MIXED, () => steering.interventions()));
    steering.dispose();
    const errors = [];
    for (const points of [8, 32]) {
      const grid = await integratedGrid(model, MIXED, selection, { points, batchSize: 16 });
      const total = grid.values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
      errors.push(Math.abs(total - way));
      grid.live.forEach((live, i) => {
        if (!live) expect(grid.values[i]).toBe(0);
      });
    }
    // The midpoint rule: a quarter of the step, a sixteenth of the error; a half is what any rule of first order would reach.
    expect(errors[1] as number).toBeLessThan((errors[0] as number) / 4 + 1e-5);
    expect(errors[1] as number).toBeLessThan(0.01 * Math.abs(way) + 1e-5);
  });
});

describe('one site alone along α', () => {
  it('integrates to zero ablation', async () => {
    const model = await modelOf('gpt-2');
    // One cell is on the path: the last position of the last layer.
    const selection = {
      sites: ['hook_mlp_out'],
      layers: [1],
      positions: positionTable(lengths(SAME), 'from-end', { skip: 4 }),
    } as const;
    const integrated = await integratedGrid(model, SAME, selection, { points: 64 });
    const ablated = await zeroAblationGrid(model, SAME, selection);
    expect(integrated.values[0]).toBeCloseTo(ablated.values[0] as number, 3);
  });
});

describe('norm and direction', () => {
  const positions = positionTable(lengths(SAME), 'absolute');
  const sites = ['hook_attn_out', 'hook_mlp_out'] as const;

  it('of scalars are βα, and 0 or, reversed, 2', async () => {
    const model = await modelOf('gpt-2');
    const values = randomValues(model, { method: { kind: 'activ-scalar' }, sites, positions }, { size: 0.9 });
    const steering = new Steering(model, values.spec, { values: [values] });
    const found = await normAndDirection(model, SAME, steererOf('scalars', steering, { nonZero: 1 }), {
      strength: -1.3,
      positions,
    });
    steering.dispose();
    let reversed = 0;
    sites.forEach((site, s) =>
      [0, 1].forEach((layer) =>
        values.places
          .get(`blocks.${layer}.${site}`)
          ?.get('alpha')
          ?.forEach((alpha, slot) => {
            const at = (s * 2 + layer) * 5 + slot;
            const factor = 1 - 1.3 * alpha;
            if (factor < 0) reversed++;
            expect(found.norm.values[at]).toBeCloseTo(Math.abs(factor) - 1, 5);
            expect(found.direction.values[at]).toBeCloseTo(factor < 0 ? 2 : 0, 5);
          }),
      ),
    );
    expect(reversed).toBeGreaterThan(0);
  });

  it('of vectors are those of h and h̃ of the steered run itself, by each prompt', async () => {
    const model = await modelOf('parallel toy');
    const table = positionTable(lengths(MIXED), 'from-end');
    const spec: SteeringSpec = { method: { kind: 'steer-vec' }, sites, positions: table };
    const values = randomValues(model, spec, { size: 0.4 });
    const steering = new Steering(model, spec, { values: [values] });
    const found = await normAndDirection(model, MIXED, steererOf('vectors', steering, { nonZero: 1 }), {
      positions: table,
      batchSize: 2,
    });
    for (const [site, layer, slot] of [
      ['hook_mlp_out', 1, 0],
      ['hook_attn_out', 1, 3],
      ['hook_mlp_out', 0, 6],
    ] as const) {
      const at: HookName = blockHook(layer, site);
      const vector = values.places
        .get(at)
        ?.get('vector')
        ?.subarray(slot * 15, (slot + 1) * 15) as Float32Array;
      const each = await Promise.all(
        MIXED.filter(({ prompt }) => prompt.length > slot).map(async ({ prompt }) => {
          using step = model.gpu.step();
          const run = model.run(
            step,
            { tokens: tokenBatch([prompt], model.info) },
            { interventions: steering.interventions(), capture: [at], logits: 'none', stopAtLayer: 2 },
          );
          const after = (await readFloats(step, run.at(at))).slice((prompt.length - 1 - slot) * 15).slice(0, 15);
          const before = after.map((value, i) => value - (vector[i] as number));
          const [a, b] = [Math.hypot(...after), Math.hypot(...before)];
          const along = after.reduce((sum, value, i) => sum + value * (before[i] as number), 0);
          return { norm: a / b - 1, direction: 1 - along / a / b };
        }),
      );
      const index = (sites.indexOf(site) * 2 + layer) * 7 + slot;
      expect(found.norm.values[index]).toBeCloseTo(meanOf(each.map(({ norm }) => norm)), 4);
      expect(found.direction.values[index]).toBeCloseTo(meanOf(each.map(({ direction }) => direction)), 4);
      expect(found.size.values[index]).toBeCloseTo(Math.hypot(...vector), 5);
    }
    steering.dispose();
  });

  it('of probes are what the activations decided; of nothing there is none', async () => {
    const model = await modelOf('gpt-2');
    const spec: SteeringSpec = {
      method: { kind: 'dyn-scalar' },
      sites: ['hook_mlp_out'],
      positions: positionTable([], 'none'),
    };
    const values = randomValues(model, spec, { size: 0.2 });
    const steering = new Steering(model, spec, { values: [values] });
    const found = await normAndDirection(model, SAME, steererOf('probes', steering, { nonZero: 1 }), { positions });
    expect(found.norm.values.every((value) => value !== null && Math.abs(value) > 1e-4)).toBe(true);
    steering.dispose();
    const refused = refusal(normAndDirection(model, SAME, { name: 'words', interventions: () => [] }, { positions }));
    expect((await refused).code).toBe('usage/steering-site');
  });
});

describe('what makes no sense', () => {
  it('is refused', async () => {
    const model = await modelOf('gpt-2');
    const cells = { sites: ['hook_mlp_out'], positions: positionTable(lengths(SAME), 'absolute') } as const;
    const pairs = SAME.map(({ prompt }) => prompt.slice(1));
    expect((await refusal(patchingGrid(model, SAME, cells, { corrupted: pairs }))).code).toBe('data/steering-pairs');
    expect((await refusal(integratedGrid(model, SAME, cells, { points: 0 }))).code).toBe('usage/steering-option');
    const stopped = new AbortController();
    stopped.abort();
    await expect(zeroAblationGrid(model, SAME, cells, { signal: stopped.signal })).rejects.toThrow(/stopped|abort/i);
    const progress: string[] = [];
    await zeroAblationGrid(model, SAME, cells, {
      onProgress: ({ unit, done, total }) => progress.push(`${done}/${total} ${unit}`),
      batchSize: 10,
    });
    // 5 untouched rows, 25 of the first layer and 5 of the last.
    expect(progress.at(-1)).toBe('35/35 rows');
  });
});

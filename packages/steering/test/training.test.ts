// Learning to steer: zeros are the model itself, penalties give exact zeros, parity keeps what is given, on GPT-2 and on another architecture.
import { describe, expect, it } from 'vitest';
import { tokenBatch } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu, ToyModel } from '@limn/testing';
import {
  cellsOf,
  evaluateSteering,
  minimalityOf,
  positionTable,
  Steering,
  steererOf,
  trainSteering,
  type PositionMode,
  type SteeringMethod,
  type SteeringSpec,
} from '../src/index.js';
import { gpt2Of } from './models.js';
import { reference, examples, prompts, specOf, flip, scalar, bits } from './training-setup.js';

describe('zeros', () => {
  const methods: SteeringMethod[] = [
    scalar,
    { kind: 'activ-scalar', form: 'exponential' },
    { kind: 'activ-scalar', form: 'bounded' },
    { kind: 'steer-vec' },
    { kind: 'dyn-scalar', bias: true },
    { kind: 'dyn-scalar', probe: 'raw', bound: 3 },
    { kind: 'dimension-scale' },
    { kind: 'subspace-scale', rank: 3 },
    { kind: 'gated-scalar' },
  ];
  it.each(methods)('%o: the steered model is the model, bit for bit', async (method) => {
    const gpt2 = await gpt2Of(reference);
    const steering = new Steering(gpt2, specOf(method));
    using step = gpt2.gpu.step();
    const tokens = tokenBatch(
      examples.map(({ prompt }) => prompt),
      gpt2.info,
    );
    // The sites themselves are asked for, as asking for them records the residual sum apart.
    const capture = steering.places.map(({ at }) => at);
    const interventions = steering.interventions({ strength: examples.map((_, i) => 1 - (i % 3)) });
    const [bare, steered] = await Promise.all([
      readFloats(step, gpt2.run(step, { tokens }, { capture }).logits),
      readFloats(step, gpt2.run(step, { tokens }, { interventions }).logits),
    ]);
    expect(bits(steered)).toEqual(bits(bare));
    steering.dispose();
    gpt2.dispose();
  });
});

describe('learning', () => {
  it.each<{ method: SteeringMethod; mode: PositionMode }>([
    { method: scalar, mode: 'absolute' },
    { method: { kind: 'activ-scalar', form: 'bounded' }, mode: 'from-end' },
    { method: { kind: 'steer-vec' }, mode: 'role' },
    { method: { kind: 'dyn-scalar' }, mode: 'none' },
    { method: { kind: 'dimension-scale' }, mode: 'none' },
    { method: { kind: 'gated-scalar' }, mode: 'from-end' },
  ])('$method.kind by $mode: the loss falls', async ({ method, mode }) => {
    const gpt2 = await gpt2Of(reference);
    const { history, values } = await trainSteering(gpt2, examples, specOf(method, mode), {
      objective: flip,
      updates: 40,
      rate: 0.05,
      stopEarly: false,
    });
    const total = history.map(({ effect, drift }) => effect + 0.2 * drift);
    expect(history.map(({ update }) => update)).toEqual([10, 20, 30, 40]);
    expect(total.at(-1)).toBeLessThan(0.9 * total[0]!);
    // What is measured afterwards is what was learnt: the mean shortfall of both strengths is E.
    const steering = new Steering(gpt2, values.spec, { values: [values] });
    const measured = await evaluateSteering(gpt2, steererOf('learnt', steering, { nonZero: 1 }), examples);
    const short = measured.flatMap(({ outcomes }) =>
      outcomes.map(({ strength, delta }) => Math.max(0, 2 - strength * delta)),
    );
    const effect = (2 * short.reduce((a, b) => a + b, 0)) / short.length;
    expect(effect).toBeLessThan(history[0]!.effect);
    expect(Math.abs(effect - history.at(-1)!.effect)).toBeLessThan(0.5);
    steering.dispose();
    gpt2.dispose();
  });

  it('larger prices leave fewer cells, exactly zero, and the largest none; the last fit keeps the zeros', async () => {
    const gpt2 = await gpt2Of(reference);
    const counts: number[] = [];
    for (const weight of [0, 0.05, 0.3, 1e3]) {
      const { values, sparse, history } = await trainSteering(gpt2, examples, specOf(scalar), {
        objective: flip,
        minimality: { weight },
        updates: 30,
        refitUpdates: 6,
        rate: 0.05,
        stopEarly: false,
      });
      const figures = minimalityOf(gpt2.info, values);
      const zeros = (of: typeof values): boolean[] => cellsOf(gpt2.info, of).map(({ value }) => value === 0);
      expect(zeros(values)).toEqual(zeros(sparse));
      if (weight > 0 && figures.nonZero > 0)
        expect(cellsOf(gpt2.info, values).map(({ value }) => value)).not.toEqual(
          cellsOf(gpt2.info, sparse).map(({ value }) => value),
        );
      expect(history.at(-1)!.nonZero).toBe(figures.nonZero);
      counts.push(figures.nonZero);
    }
    // 2 sites × 2 layers × 5 places, less 2 × 4 in the last layer that nothing reads.
    expect(counts[0]).toBe(12);
    expect(counts[1]).toBeLessThan(12);
    expect(counts[2]).toBeLessThan(counts[1]!);
    expect(counts[2]).toBeGreaterThan(0);
    expect(counts[3]).toBe(0);
    gpt2.dispose();
  });

  it('vectors become zero a place at a time', async () => {
    const gpt2 = await gpt2Of(reference);
    const { values } = await trainSteering(gpt2, examples, specOf({ kind: 'steer-vec' }), {
      objective: flip,
      minimality: { weight: 0.15 },
      updates: 80,
      rate: 0.05,
    });
    const cells = cellsOf(gpt2.info, values).filter(({ live }) => live);
    const kept = cells.filter(({ value }) => value > 0);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(cells.length);
    for (const { place, slot } of kept) {
      const vector = values.places.get(place.at)!.get('vector')!;
      expect(vector.subarray(slot * 16, (slot + 1) * 16).every((value) => value !== 0)).toBe(true);
    }
    gpt2.dispose();
  });

  it('parity makes both answers alike; what is retained moves less than where nothing is', async () => {
    const gpt2 = await gpt2Of(reference);
    const [biased, retained] = [examples.slice(0, 3), examples.slice(3)];
    const objective = { goal: { kind: 'parity', retentionWeight: 4 }, faithfulnessWeight: 0.1 } as const;
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const learn = async (kept: typeof examples) => {
      const { values } = await trainSteering(gpt2, biased, specOf(scalar), {
        objective,
        retained: kept,
        updates: 60,
        rate: 0.05,
      });
      const steering = new Steering(gpt2, values.spec, { values: [values] });
      const steerer = steererOf('parity', steering, { nonZero: 1 });
      const measure = (of: typeof examples) => evaluateSteering(gpt2, steerer, of, { strengths: [1] });
      const [gap, others] = [await measure(biased), await measure(retained)];
      steering.dispose();
      return {
        before: mean(gap.map(({ untouchedDelta }) => Math.abs(untouchedDelta))),
        after: mean(gap.map(({ outcomes }) => Math.abs(outcomes[0]!.delta))),
        moved: mean(others.map(({ untouchedDelta, outcomes }) => Math.abs(outcomes[0]!.delta - untouchedDelta))),
      };
    };
    const [alone, beside] = [await learn([]), await learn(retained)];
    expect(alone.after).toBeLessThan(0.3 * alone.before);
    expect(beside.after).toBeLessThan(0.7 * beside.before);
    expect(beside.moved).toBeLessThan(0.7 * alone.moved);
    gpt2.dispose();
  });

  it('learns only where it is told to: some places, some heads', async () => {
    const gpt2 = await gpt2Of(reference);
    const spec: SteeringSpec = { ...specOf(scalar), sites: ['attn.hook_z', 'hook_mlp_out'] };
    const only = [{ at: 'blocks.0.attn.hook_z', units: [1] }, { at: 'blocks.1.hook_mlp_out' }] as const;
    const { values } = await trainSteering(gpt2, examples, spec, {
      objective: flip,
      minimality: { weight: 0.001 },
      updates: 10,
      only,
    });
    const touched = new Set(
      cellsOf(gpt2.info, values)
        .filter(({ value }) => value !== 0)
        .map(({ place, unit }) => `${place.at} ${unit}`),
    );
    expect(touched).toEqual(new Set(['blocks.0.attn.hook_z 1', 'blocks.1.hook_mlp_out 0']));
    gpt2.dispose();
  });

  it('holds on an architecture that is not GPT-2', async () => {
    const gpu = await testGpu();
    const toy = new ToyModel(gpu, { layers: 2, heads: 2, headWidth: 8, mlpWidth: 12, vocabulary: 23, maxPositions: 8 });
    const spec = {
      method: scalar,
      sites: ['hook_attn_out', 'hook_mlp_out', 'attn.hook_z', 'mlp.hook_post'],
      positions: positionTable(prompts, 'from-end'),
    } as const;
    const { history } = await trainSteering(toy, examples, spec, { objective: flip, updates: 30, rate: 0.05 });
    expect(history.at(-1)!.effect).toBeLessThan(history[0]!.effect);
    toy.dispose();
  });
});

// Learning to steer: zeros are the model itself, penalties give exact zeros, a stopped run goes on to the same bits, and an update is one backward pass.
import { describe, expect, it } from 'vitest';
import { tokenBatch, type TextStore } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { referenceEap, testGpu, ToyModel } from '@limn/testing';
import {
  cellsOf,
  evaluateSteering,
  minimalityOf,
  positionTable,
  Steering,
  steererOf,
  summarise,
  trainSteering,
  type PositionMode,
  type SteeringMethod,
  type SteeringSpec,
  type TrainSteeringOptions,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
const examples = examplesOf(6);
const prompts = examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
const sites = ['hook_attn_out', 'hook_mlp_out'] as const;
const specOf = (method: SteeringMethod, mode: PositionMode = 'absolute'): SteeringSpec => ({
  method,
  sites,
  positions: positionTable(prompts, mode),
});
const flip = { goal: { kind: 'flip', margin: 2 }, faithfulnessWeight: 0.2 } as const;
const scalar = { kind: 'activ-scalar' } as const;
const bits = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];

class MemoryStore implements TextStore {
  readonly texts = new Map<string, string>();
  writes = 0;

  read(key: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(key));
  }

  write(key: string, text: string): Promise<void> {
    this.writes++;
    this.texts.set(key, text);
    return Promise.resolve();
  }
}

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
        updates: 50,
        refitUpdates: 10,
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

describe('a run', () => {
  const options: TrainSteeringOptions = {
    objective: flip,
    minimality: { weight: 0.05 },
    updates: 17,
    refitUpdates: 6,
    examplesPerUpdate: 4,
    seed: 3,
  };

  it('gives the same bits for the same seed, others for another; and in parts of fewer examples the same values', async () => {
    const gpt2 = await gpt2Of(reference);
    const learn = async (more: Partial<TrainSteeringOptions>) =>
      [
        ...(await trainSteering(gpt2, examples, specOf(scalar), { ...options, ...more })).values.places.values(),
      ].flatMap((own) => [...own.values()].flatMap((data) => [...data]));
    const first = await learn({});
    expect(await learn({})).toEqual(first);
    expect(await learn({ seed: 4 })).not.toEqual(first);
    (await learn({ batchSize: 2 })).forEach((value, i) => expect(value).toBeCloseTo(first[i]!, 3));
    gpt2.dispose();
  });

  it('stopped anywhere it goes on to the same bits; what is kept of another run or damaged is not taken', async () => {
    const gpt2 = await gpt2Of(reference);
    const spec = specOf(scalar);
    const whole = await trainSteering(gpt2, examples, spec, options);
    const numbers = ({ places }: typeof whole.values) =>
      [...places.values()].flatMap((own) => [...own.values()].flatMap(bits));
    for (const stop of [4, 17, 20]) {
      const store = new MemoryStore();
      const checkpoints = { store, every: 3, machine: 'this' };
      const abort = new AbortController();
      await expect(
        trainSteering(gpt2, examples, spec, {
          ...options,
          checkpoints,
          signal: abort.signal,
          onProgress: ({ done }) => (done === stop ? abort.abort() : undefined),
        }),
      ).rejects.toMatchObject({ name: 'AbortedError' });
      const done: number[] = [];
      const resumed = await trainSteering(gpt2, examples, spec, {
        ...options,
        checkpoints,
        onProgress: (progress) => done.push(progress.done),
      });
      expect(done[0]).toBe(stop + 1);
      expect(numbers(resumed.values)).toEqual(numbers(whole.values));
      expect(numbers(resumed.sparse)).toEqual(numbers(whole.sparse));
      expect(resumed.history).toEqual(whole.history);
      // Finished: nothing is left to do, and the result is the same.
      expect(numbers((await trainSteering(gpt2, examples, spec, { ...options, checkpoints })).values)).toEqual(
        numbers(whole.values),
      );
      // Another seed is another run under another key.
      await trainSteering(gpt2, examples, spec, { ...options, seed: 9, updates: 2, refitUpdates: 0, checkpoints });
      expect(store.texts.size).toBe(2);
      const [key, text] = [...store.texts][0]!;
      store.texts.set(key, text.replace('"update":', '"update":1'));
      const begun: number[] = [];
      await trainSteering(gpt2, examples, spec, {
        ...options,
        checkpoints,
        onProgress: (progress) => begun.push(progress.done),
      });
      expect(begun[0]).toBe(1);
    }
    gpt2.dispose();
  });

  it('an update is one backward pass, however many cells there are, and a steady one makes no buffer, bind group, pipeline or plan', async () => {
    const gpt2 = await gpt2Of(reference);
    const { counters } = gpt2.gpu;
    const perUpdate = async (spec: SteeringSpec) => {
      const seen: ReturnType<typeof counters.snapshot>[] = [];
      await trainSteering(gpt2, examples, spec, {
        objective: flip,
        minimality: { weight: 0.01 },
        updates: 5,
        refitUpdates: 0,
        onProgress: () => seen.push(counters.snapshot()),
      });
      const [, , third, fourth] = seen;
      for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
        expect(fourth?.[name], name).toBe(third?.[name]);
      return { submits: fourth!.submits - third!.submits, dispatches: fourth!.dispatches - third!.dispatches };
    };
    const all = await perUpdate(specOf(scalar));
    expect(await perUpdate(specOf(scalar, 'none'))).toEqual(all);
    expect(all.submits).toBe(1);
    gpt2.dispose();
  });

  it('leaves nothing on the GPU, whether it ends or is stopped on the way', async () => {
    const gpt2 = await gpt2Of(reference);
    const learn = (more: Partial<TrainSteeringOptions>) =>
      trainSteering(gpt2, examples, specOf(scalar), { ...options, updates: 2, refitUpdates: 1, ...more });
    const live = (): number => gpt2.gpu.counters.snapshot().bytesLive;
    await learn({}); // plans and pools fill once
    const before = live();
    await learn({});
    const controller = new AbortController();
    const stopped = learn({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    expect(live()).toBe(before);
    gpt2.dispose();
  });

  it('stops early where nothing changes any more', async () => {
    const gpt2 = await gpt2Of(reference);
    const { settled, updates } = await trainSteering(gpt2, examples.slice(0, 1), specOf({ kind: 'steer-vec' }), {
      objective: { goal: { kind: 'flip', margin: 0.1 }, faithfulnessWeight: 0 },
      updates: 300,
      rate: 0.1,
    });
    expect(settled).toBe(true);
    expect(updates).toBeLessThan(300);
    gpt2.dispose();
  });

  it('figures over prompts are those of their outcomes', async () => {
    const gpt2 = await gpt2Of(reference);
    const steering = new Steering(gpt2, specOf(scalar));
    const measured = await evaluateSteering(gpt2, steererOf('zeros', steering, { nonZero: 0 }), examples, {
      strengths: [1, 0, -1],
    });
    for (const { untouchedDelta, outcomes } of measured)
      for (const outcome of outcomes) {
        expect(outcome.delta).toBeCloseTo(untouchedDelta, 5);
        expect(outcome.bucket).toBeCloseTo(0, 5);
        expect(outcome.mass).toBeCloseTo(outcome.untouchedMass, 5);
        expect(outcome.sameTopOther).toBe(true);
      }
    const figures = summarise(measured, { margin: 0.5 });
    const deltas = measured.map(({ untouchedDelta }) => untouchedDelta);
    expect(figures.strengths[0]!.marginReached).toBeCloseTo(
      deltas.filter((delta) => delta >= 0.5).length / deltas.length,
      9,
    );
    expect(figures.strengths[2]!.effect).toBeCloseTo(-deltas.reduce((a, b) => a + b, 0) / deltas.length, 4);
    expect([figures.twoWayFlip, figures.twoWaySuccess, figures.examples]).toEqual([0, 0, 6]);
    expect(figures.shift).toBeCloseTo(0, 4);
    steering.dispose();
    gpt2.dispose();
  });
});

describe('what is refused', () => {
  const refused = async (spec: SteeringSpec, more: Partial<TrainSteeringOptions>, code: string, of = examples) => {
    const gpt2 = await gpt2Of(reference);
    await expect(trainSteering(gpt2, of, spec, { objective: flip, updates: 1, ...more })).rejects.toMatchObject({
      code,
    });
    gpt2.dispose();
  };
  it.each<[string, Partial<TrainSteeringOptions>]>([
    ['usage/steering-option', { updates: 0 }],
    ['usage/steering-option', { rate: Number.NaN }],
    ['usage/steering-option', { minimality: { weight: -1 } }],
    ['usage/steering-option', { minimality: { weight: 1, penalty: 'produced' } }],
    ['usage/steering-objective', { objective: { goal: { kind: 'flip', margin: -1 } } }],
    ['usage/steering-only', { only: [{ at: 'blocks.0.attn.hook_z' }] }],
    ['usage/steering-only', { only: [{ at: 'blocks.0.hook_mlp_out', units: [1] }] }],
    ['usage/batch-size', { batchSize: 0 }],
    ['memory/over-budget', { memoryBytes: 10 }],
  ])('%s %o', (code, more) => refused(specOf(scalar), more, code));

  it('prompts of other lengths, answers that are none, sites and methods that there are not', async () => {
    await refused(specOf(scalar), {}, 'data/steering-length', examplesOf(3, { lengths: [5, 6] }));
    await refused(
      specOf(scalar, 'role'),
      {},
      'data/steering-roles',
      examples.map(({ prompt, correct, wrong }) => ({ prompt, correct, wrong })),
    );
    await refused(specOf(scalar), {}, 'data/steering-answer', [{ ...examples[0]!, wrong: examples[0]!.correct }]);
    await refused(specOf(scalar), {}, 'data/steering-prompt', [{ ...examples[0]!, prompt: [99] }]);
    await refused({ ...specOf(scalar), sites: ['hook_q' as 'attn.hook_z'] }, {}, 'usage/steering-site');
    await refused({ ...specOf(scalar), layers: [2] }, {}, 'usage/steering-layer');
    await refused(specOf({ kind: 'loreft' } as unknown as SteeringMethod), {}, 'usage/steering-method');
  });

  it('values of another model', async () => {
    const gpt2 = await gpt2Of(reference);
    const other = await gpt2Of(referenceEap.randomModel(SIZES, 8));
    const steering = new Steering(gpt2, specOf(scalar));
    const values = await steering.values();
    expect(() => new Steering(other, values.spec, { values: [values] })).toThrow(/learnt on a model with weights/);
    steering.dispose();
    gpt2.dispose();
    other.dispose();
  });
});

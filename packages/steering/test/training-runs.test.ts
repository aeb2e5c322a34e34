// A run of learning: a stopped one goes on to the same bits, an update is one backward pass, nothing is left on the GPU, and what does not fit is refused.
import { describe, expect, it } from 'vitest';
import { type TextStore } from '@limn/hooks';
import { referenceEap } from '@limn/testing';
import {
  evaluateSteering,
  Steering,
  steererOf,
  summarise,
  trainSteering,
  type SteeringMethod,
  type SteeringSpec,
  type TrainSteeringOptions,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';
import { reference, examples, specOf, flip, scalar, bits } from './training-setup.js';

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

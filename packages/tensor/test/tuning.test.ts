// Choosing between kernels: what is taken of measured times, what a budget and an abort leave, and what ops make of choices. No device.
import { dryCapabilities, dryGpu, kernelChoices, LimnError, type Capabilities } from '@limn/gpu';
import { describe, expect, test } from 'vitest';
import {
  attentionDecision,
  causalAttention,
  className,
  fill,
  gradients,
  kernelDecisions,
  kernelsInForce,
  layernorm,
  layernormDecision,
  matmul,
  matmulDecision,
  softmax,
  softmaxDecision,
  tuneKernels,
  type MatmulShape,
  type Trial,
  type TrialRuns,
  type TunableDecision,
  type TuneOptions,
} from '../src/index.js';
import { defineDecision } from '../src/tuning/decision.js';
import { offerName, sizeClass } from '../src/tuning/decision-rules.js';
import { median, pickFastest } from '../src/tuning/pick.js';
import { tunable } from '../src/tuning/trial.js';

/** A decision over sizes: 'plain' is the rule; sizes under 4 have no 'fast cut'. */
const decision = defineDecision<number, string>({
  name: 'toy',
  classOf: (size) => ({ kind: '', sizes: { n: sizeClass(size) } }),
  rule: () => 'plain',
  candidates: (_, size) => (size < 4 ? ['plain', 'fast'] : ['plain', 'fast', 'fast cut']),
  nameOf: (plan) => plan,
  cases: [1, 4, 16, 64, 256],
});

const toy = tunable(decision, {
  work: (size) => size,
  bytes: (size) => ({ largest: size, all: size }),
  tolerance: () => 0,
  open: () => Promise.reject(new Error('nothing runs here')),
});

/** Stands in for a device: `milliseconds` of a run by trial and candidate; time passes on `clock` as if it ran. */
function fakeDevice(
  milliseconds: (trial: string, candidate: string) => number,
  clock = { now: 0 },
): { open: (trial: Trial) => Promise<TrialRuns>; now: () => number; runs: string[]; disposed: string[] } {
  const [runs, disposed]: [string[], string[]] = [[], []];
  return {
    runs,
    disposed,
    now: () => clock.now,
    open: (trial) =>
      Promise.resolve({
        compile: () => Promise.resolve(new Map()),
        compare: () => Promise.resolve(new Map()),
        time(candidate, repeats) {
          runs.push(`${trial.name}: ${candidate} × ${repeats}`);
          const time = milliseconds(trial.name, candidate) * repeats;
          clock.now += time;
          return Promise.resolve(time);
        },
        dispose: () => void disposed.push(trial.name),
      }),
  };
}

const tune = (options: TuneOptions): ReturnType<typeof tuneKernels> =>
  tuneKernels(dryGpu(), { decisions: [toy], ...options });
const offer = toy.offer(dryCapabilities);

describe('what is taken', () => {
  const times = (own: readonly number[], other: readonly number[]): Map<string, readonly number[]> =>
    new Map([
      ['rule', own],
      ['other', other],
    ]);

  test.each([
    ['as fast', [10, 10, 10, 10, 10], [10, 10, 10, 10, 10], 'rule'],
    ['5 % faster', [10, 10, 10, 10, 10], [9.5, 9.5, 9.5, 9.5, 9.5], 'rule'],
    ['20 % faster', [10, 10, 10, 10, 10], [8, 8, 8, 8, 8], 'other'],
    ['20 % faster, once disturbed', [10, 10, 10, 10, 10], [8, 8, 99, 8, 8], 'other'],
    ['faster in the median only', [10, 1, 1, 10, 10], [8, 8, 8, 8, 8], 'rule'],
    ['slower', [10, 10, 10, 10, 10], [12, 12, 12, 12, 12], 'rule'],
    ['no number', [10, 10, 10, 10, 10], [NaN, NaN, NaN, NaN, NaN], 'rule'],
  ])('of another that is %s', (_, own, other, expected) => {
    expect(pickFastest(times(own, other))).toBe(expected);
  });

  test('is the fastest of several', () => {
    const all = times([10, 10, 10], [8, 8, 8]).set('third', [5, 5, 5]).set('fourth', [6, 6, 6]);
    expect(pickFastest(all)).toBe('third');
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(median([])).toBeNaN();
  });
});

describe('tuneKernels', () => {
  test('lists what is clearly faster than the rule, and what was on offer', async () => {
    const device = fakeDevice((trial, name) => (name === 'fast' && trial !== 'toy n16' ? 1 : 2));
    const { choices, results, open } = await tune(device);
    expect(choices).toEqual({
      'toy n1': 'fast',
      'toy n4': 'fast',
      'toy n64': 'fast',
      'toy n256': 'fast',
      'toy offer': offer,
    });
    expect(Object.isFrozen(choices)).toBe(true);
    expect(results.map(({ name, chosen }) => `${name} ${chosen}`)).toEqual([
      'toy n1 fast',
      'toy n4 fast',
      'toy n16 plain',
      'toy n64 fast',
      'toy n256 fast',
    ]);
    expect(results[1]).toMatchObject({
      rule: 'plain',
      milliseconds: { plain: 2, fast: 1, 'fast cut': 2 },
      dropped: {},
    });
    expect(open).toEqual([]);
    expect(device.disposed).toEqual(['toy n1', 'toy n4', 'toy n16', 'toy n64', 'toy n256']);
    // Nothing is taken where nothing is faster.
    expect((await tune(fakeDevice(() => 1))).choices).toEqual({ 'toy offer': offer });
  });

  test('lets candidates take turns, after one run each and one round that does not count', async () => {
    const device = fakeDevice(() => 0.5);
    await tune({ ...device, decisions: [{ ...toy, trials: (c) => toy.trials(c).slice(0, 1) }] });
    const single = ['plain × 1', 'fast × 1'];
    // Eight runs of half a millisecond are four milliseconds, well above what a submit costs.
    const [a, b] = ['plain × 8', 'fast × 8'];
    const turns = [a, b, b, a, a, b, b, a, a, b, b, a];
    expect(device.runs.map((run) => run.replace('toy n1: ', ''))).toEqual([...single, ...turns]);
  });

  test('ends at its budget: what was not measured goes by the nearest that was, or stays open', async () => {
    const device = fakeDevice((_, name) => (name === 'fast cut' ? 1 : 10));
    // The first trial takes 2 · 10 + 6 · 2 · 10 = 140 ms, the second 21 + 6 · 21 = 147.
    const { choices, results, open } = await tune({ ...device, budgetMs: 400 });
    expect(results.map(({ name, inheritedFrom }) => [name, inheritedFrom])).toEqual([
      ['toy n1', undefined],
      ['toy n4', undefined],
      ['toy n16', 'toy n4'],
      ['toy n64', 'toy n4'],
    ]);
    expect(open).toEqual(['toy n256']);
    expect(choices).toEqual({ 'toy n4': 'fast cut', 'toy n16': 'fast cut', 'toy n64': 'fast cut', 'toy offer': offer });
    expect(device.now()).toBeGreaterThanOrEqual(400);
    expect(device.now()).toBeLessThanOrEqual(410);
  });

  test('ends at an abort, and gives what it has', async () => {
    const controller = new AbortController();
    const device = fakeDevice((_, name) => (name === 'fast' ? 1 : 2));
    const { results, open } = await tune({
      ...device,
      signal: controller.signal,
      onProgress: ({ done }) => done === 1 && controller.abort(),
    });
    expect(results.map(({ name }) => name)).toEqual(['toy n1']);
    expect(open).toHaveLength(4);
    expect(await tune({ ...device, signal: AbortSignal.abort() })).toMatchObject({ results: [] });
  });

  test('leaves out what would take longer than there is time for, and asks a slow device what it can answer first', async () => {
    const slow: Capabilities = { ...dryCapabilities, flopsPerSecond: 1000 };
    const order: string[] = [];
    const device = fakeDevice(() => 0.01);
    const options = { ...device, decisions: [{ ...toy, trials: (c: Capabilities) => [...toy.trials(c)].reverse() }] };
    const { results } = await tuneKernels(dryGpu(slow), {
      ...options,
      budgetMs: 1000,
      onProgress: ({ name }) => order.push(name),
    });
    // One operation a millisecond: 24 runs of 16 operations and more are longer than a twentieth of the budget.
    expect(order.slice(0, 3)).toEqual(['toy n1', 'toy n256', 'toy n64']);
    // Once one was measured, the device is known to be faster.
    expect(results.filter(({ inheritedFrom }) => inheritedFrom === undefined)).not.toHaveLength(0);
  });

  test('takes decisions in turns, so that a long one leaves time for others', async () => {
    const other: TunableDecision = {
      ...toy,
      name: 'other',
      trials: (c) => toy.trials(c).map((trial) => ({ ...trial, decision: 'other', name: `other ${trial.name}` })),
    };
    const order: string[] = [];
    const device = fakeDevice(() => 1);
    await tune({ ...device, decisions: [toy, other], onProgress: ({ name }) => order.push(name) });
    expect(order.slice(0, 4)).toEqual(['toy n1', 'other toy n1', 'toy n4', 'other toy n4']);
  });

  test('drops a candidate that computes something else, and takes nothing where the rule itself fails', async () => {
    const device = fakeDevice((_, name) => (name === 'plain' ? 2 : 1));
    const failing =
      (when: 'compile' | 'compare', names: readonly string[]): NonNullable<TuneOptions['open']> =>
      async (trial) => ({
        ...(await device.open(trial)),
        [when]: () => Promise.resolve(new Map(names.map((name) => [name, 'wrong']))),
      });
    for (const when of ['compile', 'compare'] as const) {
      const { results } = await tune({ ...device, open: failing(when, ['fast']) });
      expect(results[1]).toMatchObject({ chosen: 'fast cut', dropped: { fast: 'wrong' } });
      expect(Object.keys(results[1]!.milliseconds)).toEqual(['plain', 'fast cut']);
      expect(results[0]).toMatchObject({ chosen: 'plain', milliseconds: {} });
    }
    const broken = await tune({ ...device, open: failing('compile', ['plain']) });
    expect(broken.choices).toEqual({ 'toy offer': offer });
  });

  test('gives up on a candidate after one run that is hopeless, and long enough to be believed', async () => {
    const device = fakeDevice((_, name) => (name === 'fast' ? 100 : 1));
    const { results } = await tune(device);
    expect(results[0]!.dropped['fast']).toContain('100.0 times as long');
    expect(device.runs.filter((run) => run.startsWith('toy n1: fast'))).toHaveLength(1);
    const short = await tune(fakeDevice((_, name) => (name === 'fast' ? 1 : 0.01)));
    expect(short.results[0]!.dropped).toEqual({});
  });

  test('goes on without a trial that has no memory; other failures are the result', async () => {
    const device = fakeDevice((_, name) => (name === 'fast' ? 1 : 2));
    const failing =
      (code: string): NonNullable<TuneOptions['open']> =>
      (trial) =>
        trial.name === 'toy n4' ? Promise.reject(new LimnError(code, 'no')) : device.open(trial);
    const { results } = await tune({ ...device, open: failing('gpu/out-of-memory') });
    expect(results.find(({ name }) => name === 'toy n4')).toMatchObject({ inheritedFrom: 'toy n16' });
    await expect(tune({ ...device, open: failing('gpu/device-lost') })).rejects.toMatchObject({
      code: 'gpu/device-lost',
    });
  });
});

describe('choices in force', () => {
  const choosing = (choices: Record<string, string>, size: number): string =>
    decision.choose(dryGpu({}, { choices: kernelChoices(choices) }), size);

  test('are those of the class, else the rule decides', () => {
    expect(choosing({}, 16)).toBe('plain');
    expect(choosing({ 'toy n16': 'fast' }, 16)).toBe('fast');
    expect(choosing({ 'toy n16': 'fast' }, 5)).toBe('fast');
    expect(choosing({ 'toy n16': 'fast' }, 4)).toBe('plain');
    expect(choosing({ 'toys n16': 'fast' }, 16)).toBe('plain');
  });

  test('are only what a case has: the more general plan of that name, else the rule', () => {
    expect(choosing({ 'toy n4': 'fast cut' }, 4)).toBe('fast cut');
    expect(choosing({ 'toy n4': 'fast cut' }, 3)).toBe('fast');
    expect(choosing({ 'toy n4': 'gone' }, 4)).toBe('plain');
    expect(choosing({ 'toy n4': 'gone cut' }, 4)).toBe('plain');
  });

  test('are not those of another version, of other cases or of another rule', () => {
    expect(choosing({ 'toy n16': 'fast', [offerName('toy')]: offer }, 16)).toBe('fast');
    expect(choosing({ 'toy n16': 'fast', [offerName('toy')]: '00000000' }, 16)).toBe('plain');
    const stale = dryGpu(
      {},
      { choices: kernelChoices({ 'matmul nn m16 n16 k16': 'row', 'matmul offer': '00000000' }) },
    );
    expect(kernelsInForce(stale)).toEqual({});
  });
});

const adapters: Capabilities[] = [false, true].flatMap((isFallback) =>
  [false, true].map((subgroups) => ({
    ...dryCapabilities,
    adapter: { ...dryCapabilities.adapter, isFallback },
    subgroups,
    subgroupMin: 8,
    subgroupMax: 8,
  })),
);

describe('matmul', () => {
  const sizes = [1, 3, 8, 17, 64, 3072];

  test('every candidate has a name of its own, by which it is chosen', () => {
    for (const capabilities of adapters)
      for (const [m, n, k] of sizes.flatMap((x) => sizes.flatMap((y) => sizes.map((z) => [x, y, z] as const))))
        for (const flags of [{}, { transposeB: true }, { alignedA: false }, { dtypeB: 'f16' as const }]) {
          const plain = { batch: 1, transposeA: false, transposeB: false, alignedA: true, alignedB: true };
          const shape: MatmulShape = { ...plain, ...flags, m, n, k };
          const plans = matmulDecision.candidates(capabilities, shape);
          const names = plans.map((plan) => matmulDecision.nameOf(plan));
          expect(new Set(names).size, names.join(', ')).toBe(plans.length);
          expect(matmulDecision.rule(capabilities, shape)).toEqual(plans[0]);
        }
  });

  test('the shapes that are measured stand for different classes, and each choice is the one that is taken', () => {
    for (const capabilities of adapters) {
      const trials = kernelDecisions.flatMap((each) => each.trials(capabilities));
      expect(trials.length).toBeGreaterThan(20);
      expect(new Set(trials.map(({ name }) => name)).size).toBe(trials.length);
      for (const shape of matmulDecision.cases) {
        const name = className('matmul', matmulDecision.classOf(shape));
        for (const plan of matmulDecision.candidates(capabilities, shape)) {
          const gpu = dryGpu(capabilities, { choices: kernelChoices({ [name]: matmulDecision.nameOf(plan) }) });
          expect(matmulDecision.choose(gpu, shape)).toEqual(plan);
        }
      }
    }
  });
});

describe('rows', () => {
  test.each([layernormDecision, softmaxDecision])(
    '$name: each candidate of each case is taken when it is chosen',
    (rows) => {
      expect(new Set(rows.cases.map((shape) => className(rows.name, rows.classOf(shape)))).size).toBe(
        rows.cases.length,
      );
      for (const capabilities of adapters)
        for (const shape of [...rows.cases, { rows: 7, width: 30 }])
          for (const kernel of rows.candidates(capabilities, shape)) {
            const choices = kernelChoices({ [className(rows.name, rows.classOf(shape))]: kernel });
            expect(rows.choose(dryGpu(capabilities, { choices }), shape)).toBe(kernel);
            expect(rows.choose(dryGpu(capabilities), shape)).toBe(rows.rule(capabilities, shape));
          }
    },
  );

  test('layernorm and softmax go by their own choices, forward and back', () => {
    const programs = (choices: Record<string, string>): readonly string[] => {
      const step = dryGpu(adapters[0], { choices: kernelChoices(choices) }).step();
      const ones = fill(step, [64], 1);
      const x = fill(step, [40, 64], 1);
      const y = softmax(step, layernorm(step, x, ones, ones));
      gradients(step, y, 'ones', [x]);
      return step.plan().kernels.flatMap((name) => /^(layernorm|causal_softmax)\w+/.exec(name)?.[0] ?? []);
    };
    const built = programs({});
    expect(built).toHaveLength(4);
    const spans = built.filter((name) => name.includes('_span_'));
    expect(spans).toEqual(built);
    const rowwise = built.map((name) => name.replace('_span', ''));
    expect(programs({ 'layernorm rows64 width64': 'row', 'softmax rows64 width64': 'row' })).toEqual(rowwise);
    const mixed = programs({ 'softmax rows64 width64': 'row' });
    expect(mixed.filter((name) => name.includes('_span_'))).toEqual(
      spans.filter((name) => name.startsWith('layernorm')),
    );
  });
});

describe('attention', () => {
  test('each candidate of each case is taken when it is chosen; a pattern that is large is none', () => {
    const { name, cases, classOf } = attentionDecision;
    expect(new Set(cases.map((form) => className(name, classOf(form)))).size).toBe(cases.length);
    for (const capabilities of adapters)
      for (const form of cases)
        for (const kernel of attentionDecision.candidates(capabilities, form)) {
          const choices = kernelChoices({ [className(name, classOf(form))]: kernel });
          expect(attentionDecision.choose(dryGpu(capabilities, { choices }), form)).toBe(kernel);
        }
    const large = { batch: 32, heads: 12, queries: 1024, keys: 1024, width: 64, past: 0, scale: 1 };
    const wide = { ...dryCapabilities, limits: { ...dryCapabilities.limits, maxStorageBufferBindingSize: 2 ** 31 } };
    expect(attentionDecision.candidates(wide, large)).toEqual(['tiled', 'fused']);
  });

  test('goes by its choice', () => {
    const programs = (choices: Record<string, string>): string => {
      const step = dryGpu(adapters[0], { choices: kernelChoices(choices) }).step();
      const x = fill(step, [2, 20, 3, 16], 1);
      causalAttention(step, x, x, x);
      return step.plan().kernels.join();
    };
    expect(programs({})).toContain('attention_tiled_forward');
    expect(programs({ 'attention rows16 queries64 keys64 width16': 'parts' })).toContain('causal_softmax');
  });
});

describe('a step', () => {
  test('choices change the programs of a step, and the same choices record the same programs', () => {
    const programs = (choices: Record<string, string>): readonly string[] => {
      const step = dryGpu(adapters[0], { choices: kernelChoices(choices) }).step();
      matmul(step, fill(step, [20, 64], 1), fill(step, [64, 32], 1));
      return step.plan().kernels.filter((name) => name.startsWith('matmul'));
    };
    const plain = { batch: 1, transposeA: false, transposeB: false, alignedA: true, alignedB: true };
    const candidates = matmulDecision.candidates(adapters[0]!, { ...plain, m: 20, n: 32, k: 64 });
    const [rule, other] = candidates.map((plan) => matmulDecision.nameOf(plan)) as [string, string];
    const tuned = { 'matmul nn m64 n64 k64': other };
    expect(programs({})).toHaveLength(1);
    expect(programs(tuned)).not.toEqual(programs({}));
    expect(programs(tuned)).toEqual(programs(tuned));
    expect(programs({ 'matmul nn m64 n64 k64': rule })).toEqual(programs({}));
    expect(programs({ 'matmul nn m16 n64 k64': other })).toEqual(programs({}));
    expect(kernelsInForce(dryGpu(adapters[0], { choices: tuned }))).toEqual(tuned);
    expect(kernelsInForce(dryGpu())).toEqual({});
  });
});

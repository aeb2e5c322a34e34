// AdamW by task against float64: rates, decays, counts and norms that are a task's own, finished tasks that keep their bits, checkpoints.
import { describe, expect, it } from 'vitest';
import { expectClose, expectSameBits, referenceAdamw, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import { adamw, fromData, persistent, type AdamWGroup } from '../src/index.js';

const random = referenceRandom(71);
const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** Rows of two stacks, whole vec4s and not, for N tasks. */
const shapes = (N: number) => ({ a: [N, 2, 8], b: [N, 5] }) as const;

async function trained(N: number, start: { a: Float64Array; b: Float64Array }, group: Omit<AdamWGroup, 'params'>) {
  const gpu = await testGpu();
  const a = persistent(gpu, shapes(N).a, Float32Array.from(start.a));
  const b = persistent(gpu, shapes(N).b, Float32Array.from(start.b));
  const optimiser = adamw(gpu, [
    {
      name: 'stack',
      ...group,
      params: [
        { name: 'a', tensor: a },
        { name: 'b', tensor: b },
      ],
    },
  ]);
  return {
    a,
    b,
    optimiser,
    async update(g: { a: Float64Array; b: Float64Array }, taskRates?: Float32Array) {
      using step = gpu.step();
      const canaries = withCanaries(step);
      const grads = [
        fromData(step, Float32Array.from(g.a), shapes(N).a),
        fromData(step, Float32Array.from(g.b), shapes(N).b),
      ];
      const { norms } = optimiser.step(step, grads, taskRates ? { taskRates: { stack: taskRates } } : {});
      const values = await canaries.read(norms ? [norms] : []);
      return { norms: values[0], kernels: canaries.kernels };
    },
    values: async () => ({ a: await gpu.read(a.storage, 'f32'), b: await gpu.read(b.storage, 'f32') }),
    dispose: () => [a, b, optimiser].forEach((each) => each.dispose()),
  };
}

const gradientOf = (N: number) => ({ a: random.normals(16 * N), b: random.normals(5 * N) });

describe('adamw by task', () => {
  it('follows float64 with rates, decays, counts and norms of each task', async () => {
    const N = 4;
    const start = gradientOf(N);
    const weightDecays = Float32Array.of(0, 0.1, 0.5, 0);
    const limit = 3;
    const own = await trained(N, start, { rate: 0.01, tasks: { count: N, weightDecays }, clipNorm: limit });
    const states: referenceAdamw.AdamWMoments[][] = Array.from({ length: N }, (_, n) =>
      [start.a.slice(16 * n, 16 * n + 16), start.b.slice(5 * n, 5 * n + 5)].map((parameter) => ({
        parameter,
        first: new Float64Array(parameter.length),
        second: new Float64Array(parameter.length),
      })),
    );
    const counts = [0, 0, 0, 0];
    for (let update = 0; update < 4; update += 1) {
      // Task 1 starts late, task 3 is finished after two updates.
      const rates = Float32Array.of(0.01, update < 1 ? 0 : 0.02, 0.03 / (update + 1), update < 2 ? 0.01 : 0);
      const g = gradientOf(N);
      const { norms, kernels } = await own.update(g, rates);
      expect([...kernels].filter((name) => name.startsWith('adamw')).sort()).toEqual(['adamw_tasks', 'adamw_tasks4']);
      const parts = (n: number) => [g.a.slice(16 * n, 16 * n + 16), g.b.slice(5 * n, 5 * n + 5)];
      const expected = Float64Array.from({ length: N }, (_, n) => Math.hypot(...parts(n)[0]!, ...parts(n)[1]!));
      expect([...expected].some((norm) => norm > limit) && [...expected].some((norm) => norm !== expected[0])).toBe(
        true,
      );
      expectClose(
        norms!,
        { values: expected, magnitude: expected.map((v) => 3 * v) },
        { kernel: 'clip_factor', case: 'by task', n: 21 },
      );
      for (let n = 0; n < N; n += 1) {
        if (rates[n] === 0) continue;
        counts[n]! += 1;
        const factor = referenceAdamw.clipFactor(parts(n), limit);
        states[n] = states[n]!.map((state, i) =>
          referenceAdamw.adamwUpdate(
            state,
            parts(n)[i]!.map((v) => v * factor),
            {
              ...settings,
              rate: rates[n]!,
              decay: weightDecays[n]!,
              count: counts[n]!,
            },
          ),
        );
      }
    }
    expect(own.optimiser.taskCounts).toEqual({ stack: counts });
    expect(counts).toEqual([4, 3, 4, 2]);
    const { a, b } = await own.values();
    for (const [name, got, place, width] of [
      ['a', a, 0, 16],
      ['b', b, 1, 5],
    ] as const) {
      const values = Float64Array.from(states.flatMap((state) => [...state[place]!.parameter]));
      // As in adamw: p itself and a step off by a dozen ULP, four times.
      const magnitude = values.map((v, i) => Math.abs(v) + 4 * (Math.abs(start[name][i]!) + 8 * 0.03));
      expectClose(got, { values, magnitude }, { kernel: 'adamw_tasks', case: `${name} of ${width}`, n: 1 });
    }
    own.dispose();
  });

  it('leaves a finished task as it is to the bit, whatever its gradient, and every task has the bits that it has alone', async () => {
    const start = gradientOf(3);
    const group = { rate: 0.1, weightDecay: 0.1, clipNorm: 2 } as const;
    const all = await trained(3, start, { ...group, tasks: { count: 3 } });
    const alone = await trained(
      1,
      { a: start.a.slice(16, 32), b: start.b.slice(5, 10) },
      { ...group, tasks: { count: 1 } },
    );
    const ofSecond = (g: { a: Float64Array; b: Float64Array }) => ({ a: g.a.slice(16, 32), b: g.b.slice(5, 10) });
    for (let update = 0; update < 2; update += 1) {
      const g = gradientOf(3);
      await all.update(g);
      await alone.update(ofSecond(g));
    }
    const before = { ...(await all.values()), state: await all.optimiser.state() };
    const g = gradientOf(3);
    g.a[0] = Number.NaN;
    await all.update(g, Float32Array.of(0, 0.1, 0.1));
    await alone.update(ofSecond(g), Float32Array.of(0.1));
    const [after, single] = [await all.values(), await alone.values()];
    const [stateAll, stateAlone] = [await all.optimiser.state(), await alone.optimiser.state()];
    expect(stateAll.groups[0]!.taskCounts).toEqual([2, 3, 3]);
    for (const [i, [name, width]] of (
      [
        ['a', 16],
        ['b', 5],
      ] as const
    ).entries()) {
      const moments = (state: typeof stateAll) => [
        state.groups[0]!.params[i]!.first,
        state.groups[0]!.params[i]!.second,
      ];
      const kept = [before[name], ...moments(before.state)];
      const now = [after[name], ...moments(stateAll)];
      const ofAlone = [single[name], ...moments(stateAlone)];
      now.forEach((values, k) => {
        expectSameBits(values.slice(0, width), kept[k]!.slice(0, width), `finished, ${name}`);
        expectSameBits(values.slice(width, 2 * width), ofAlone[k]!, `alone, ${name}`);
        expect(values.slice(2 * width)).not.toEqual(kept[k]!.slice(2 * width));
      });
    }
    all.dispose();
    alone.dispose();
  });

  it('resumes with the same bits, and the steady update creates nothing', async () => {
    const gpu = await testGpu();
    const start = gradientOf(2);
    const group = { rate: 0.1, tasks: { count: 2, rates: Float32Array.of(0.1, 0.05) } };
    const whole = await trained(2, start, group);
    const steps = Array.from({ length: 4 }, () => gradientOf(2));
    await whole.update(steps[0]!, Float32Array.of(0, 0.1));
    await whole.update(steps[1]!);
    const saved = structuredClone(await whole.optimiser.state());
    const values = await whole.values();
    const before = gpu.counters.snapshot();
    for (const g of steps.slice(2)) await whole.update(g);
    const after = gpu.counters.snapshot();
    for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
      expect([name, after[name] - before[name]]).toEqual([name, 0]);
    const again = await trained(2, { a: Float64Array.from(values.a), b: Float64Array.from(values.b) }, group);
    again.optimiser.load(saved);
    for (const g of steps.slice(2)) await again.update(g);
    expect(await again.values()).toEqual(await whole.values());
    expect(await again.optimiser.state()).toEqual(await whole.optimiser.state());
    const streamed = await trained(2, start, group);
    await streamed.optimiser.loadMoments(whole.optimiser.moments());
    expect(await streamed.optimiser.state()).toEqual(await whole.optimiser.state());
    // The state of a group without tasks is another one.
    const { taskCounts: _, ...plain } = saved.groups[0]!;
    expect(() => again.optimiser.load({ ...saved, groups: [plain] })).toThrow(
      expect.objectContaining({ code: 'tensor/optimiser' }),
    );
    for (const each of [whole, again, streamed]) each.dispose();
  });

  it('refuses what makes no sense', async () => {
    const gpu = await testGpu();
    const tensor = persistent(gpu, [3, 2]);
    const params = [{ name: 'p', tensor }];
    const code = expect.objectContaining({ code: 'tensor/optimiser' });
    expect(() => adamw(gpu, [{ params, rate: 1, tasks: { count: 2 } }])).toThrow(/3 rows for 2 tasks/);
    expect(() => adamw(gpu, [{ params, rate: 1, tasks: { count: 3, rates: Float32Array.of(1, -1, 1) } }])).toThrow(
      code,
    );
    expect(() => adamw(gpu, [{ params, rate: 1, tasks: { count: 3, weightDecays: new Float32Array(2) } }])).toThrow(
      code,
    );
    expect(() => adamw(gpu, [{ params, rate: 1, tasks: { count: 3 } }], { clipNorm: 1 })).toThrow(/all together/);
    expect(() => adamw(gpu, [{ params, rate: 1, tasks: { count: 3 }, proximal: { l1: 1 } }])).toThrow(/proximal/);
    const optimiser = adamw(gpu, [{ name: 'g', params, rate: 1, tasks: { count: 3 } }]);
    using step = gpu.step();
    const gradient = fromData(step, new Float32Array(6), [3, 2]);
    expect(() => optimiser.step(step, [gradient], { taskRates: { h: new Float32Array(3) } })).toThrow(
      /no group 'h' by task/,
    );
    expect(() => optimiser.step(step, [gradient], { taskRates: { g: new Float32Array(2) } })).toThrow(
      /2 numbers for 3 tasks/,
    );
    expect(() => optimiser.step(step, [gradient], { taskRates: { g: Float32Array.of(0, Number.NaN, 1) } })).toThrow(
      code,
    );
    expect(optimiser.taskCounts).toEqual({ g: [0, 0, 0] });
    optimiser.dispose();
    tensor.dispose();
  });
});

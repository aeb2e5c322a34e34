// AdamW against float64: groups, slices, clipping, schedules, checkpoints bit for bit, and a problem it must solve.
import { describe, expect, it } from 'vitest';
import { expectClose, expectSameBits, referenceAdamw, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import { reduceVariants } from './check-op.js';
import {
  accumulate,
  adamw,
  add,
  assign,
  fromData,
  gradients,
  mul,
  persistent,
  read,
  readFloats,
  sub,
  sumAll,
  zero,
  type AdamWGroup,
  type Tensor,
} from '../src/index.js';

const random = referenceRandom(30);

/** Errors of one update in units of 4 u: p itself, and the step, whose √ and two divisions are off by a dozen ULP. */
function sized(values: Float64Array, before: Float64Array, rate: number, count: number) {
  return { values, magnitude: values.map((value, i) => Math.abs(value) + count * (Math.abs(before[i]!) + 8 * rate)) };
}

describe('adamw', () => {
  it('follows float64 over several updates, per group and per slice', async () => {
    const gpu = await testGpu();
    const shapes = { stacked: [3, 67], plain: [257] } as const;
    const start = { stacked: random.normals(3 * 67), plain: random.normals(257) };
    const stacked = persistent(gpu, shapes.stacked, Float32Array.from(start.stacked));
    const plain = persistent(gpu, shapes.plain, Float32Array.from(start.plain));
    const groups: AdamWGroup[] = [
      { name: 'row 0', params: [{ name: 'a0', tensor: stacked, rows: [0, 1] }], rate: 0.01, weightDecay: 0.1 },
      {
        name: 'row 2',
        params: [{ name: 'a2', tensor: stacked, rows: [2, 1] }],
        rate: 0.03,
        betas: [0.8, 0.99],
        clipNorm: 0.5,
      },
      { name: 'plain', params: [{ name: 'p', tensor: plain }], rate: 0.02, epsilon: 1e-6 },
    ];
    const optimiser = adamw(gpu, groups);
    expect(optimiser.tensors).toEqual([stacked, plain]);

    const zeros = (count: number) => new Float64Array(count);
    const states: referenceAdamw.AdamWMoments[] = [
      start.stacked.slice(0, 67),
      start.stacked.slice(134),
      start.plain,
    ].map((parameter) => ({
      parameter,
      first: zeros(parameter.length),
      second: zeros(parameter.length),
    }));
    const settings = [
      { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1 },
      { rate: 0.03, beta1: 0.8, beta2: 0.99, epsilon: 1e-8, decay: 0 },
      { rate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-6, decay: 0 },
    ];
    const counts = [0, 0, 0];
    for (let update = 1; update <= 5; update += 1) {
      // The second group sits out every other update and keeps its own count.
      const active = update % 2 === 0 ? [0, 2] : [0, 1, 2];
      const g = { stacked: random.normals(3 * 67), plain: random.normals(257) };
      using step = gpu.step();
      const grads = [
        fromData(step, Float32Array.from(g.stacked), shapes.stacked),
        fromData(step, Float32Array.from(g.plain), shapes.plain),
      ];
      const { norms } = optimiser.step(step, grads, {
        rateScale: 0.5,
        groups: active.map((index) => groups[index]!.name!),
      });
      const parts = [g.stacked.slice(0, 67), g.stacked.slice(134), g.plain];
      if (active.includes(1)) {
        const expected = active.map((index) => Math.hypot(...parts[index]!));
        expectClose(
          await readFloats(step, norms!),
          { values: Float64Array.from(expected), magnitude: Float64Array.from(expected, (v) => 3 * v) },
          { kernel: 'clip_factor', case: `norms ${update}`, n: 257 },
        );
      } else {
        expect(norms).toBeUndefined();
        await step.submit();
      }
      for (const index of active) {
        counts[index]! += 1;
        const factor = index === 1 ? referenceAdamw.clipFactor([parts[1]!], 0.5) : 1;
        const own = settings[index]!;
        states[index] = referenceAdamw.adamwUpdate(
          states[index]!,
          parts[index]!.map((v) => v * factor),
          { ...own, rate: own.rate * 0.5, count: counts[index]! },
        );
      }
    }
    expect(optimiser.counts).toEqual({ 'row 0': 5, 'row 2': 3, plain: 5 });

    using step = gpu.step();
    const [all, rest] = await Promise.all([readFloats(step, stacked), readFloats(step, plain)]);
    const about = (name: string) => ({ kernel: 'adamw', case: name, n: 1 });
    expectClose(all.slice(0, 67), sized(states[0]!.parameter, start.stacked.slice(0, 67), 0.005, 5), about('row 0'));
    expectClose(
      all.slice(134),
      sized(states[1]!.parameter, start.stacked.slice(134), 0.015, 3),
      about('row 2, clipped'),
    );
    expectClose(rest, sized(states[2]!.parameter, start.plain, 0.01, 5), about('plain'));
    // The row that no group trains has not moved.
    expect(all.slice(67, 134)).toEqual(Float32Array.from(start.stacked.slice(67, 134)));
    optimiser.dispose();
    stacked.dispose();
    plain.dispose();
  });

  it('gives the same bits by vec4s as number by number, wherever the run lies', async () => {
    const gpu = await testGpu();
    for (const size of [4, 252, 256, 260, 1028]) {
      // Offset 4 leaves whole vec4s; offset 1 does not. What lies around the run must stay.
      const places = [0, 4, 1].map((offset) => ({ offset, length: size + 2 * offset }));
      const start = Float32Array.from(random.normals(size));
      const grads = Array.from({ length: 3 }, () => Float32Array.from(random.normals(size)));
      const around = (
        values: Float32Array,
        { offset, length }: (typeof places)[number],
        rest: number,
      ): Float32Array => {
        const all = new Float32Array(length).fill(rest);
        all.set(values, offset);
        return all;
      };
      const kernels = new Set<string>();
      const results: Float32Array[][] = [];
      for (const place of places) {
        const { offset, length } = place;
        const tensor = persistent(gpu, [length], around(start, place, 7));
        const optimiser = adamw(gpu, [
          { params: [{ name: 'p', tensor, rows: [offset, size] }], rate: 0.1, weightDecay: 0.1, clipNorm: 3 },
        ]);
        for (const gradient of grads) {
          using step = gpu.step();
          const canaries = withCanaries(step);
          const { norms } = optimiser.step(step, [fromData(step, around(gradient, place, 0), [length])]);
          await canaries.read([norms!]);
          for (const name of canaries.kernels) kernels.add(name);
        }
        const after = await gpu.read(tensor.storage, 'f32');
        const outside = [...after.subarray(0, offset), ...after.subarray(offset + size)];
        expect(outside.every((value) => value === 7)).toBe(true);
        const { first, second } = (await optimiser.state()).groups[0]!.params[0]!;
        results.push([after.slice(offset, offset + size), first, second]);
        optimiser.dispose();
        tensor.dispose();
      }
      const [aligned, inside, odd] = results as [Float32Array[], Float32Array[], Float32Array[]];
      for (const [i, what] of ['p', 'm', 'v'].entries())
        for (const other of [inside, odd]) expectSameBits(aligned[i]!, other[i]!, `adamw ${size}, ${what}`);
      expect([...kernels].filter((name) => name.startsWith('adamw')).sort()).toEqual(['adamw', 'adamw4']);
    }
  });

  it('clips over all groups together, in several chunks', async () => {
    const gpu = await testGpu();
    for (const variant of await reduceVariants()) {
      const sizes = [5, 9001];
      const tensors = sizes.map((size) => persistent(gpu, [size]));
      const optimiser = adamw(
        gpu,
        tensors.map((tensor, i) => ({ params: [{ name: `p${i}`, tensor }], rate: 1, betas: [0, 0] as const })),
        { clipNorm: 2 },
      );
      const g = sizes.map((size) => random.normals(size));
      using step = gpu.step();
      const canaries = withCanaries(step, variant);
      const grads = g.map((values, i) => fromData(step, Float32Array.from(values), [sizes[i]!]));
      const { norms } = optimiser.step(step, grads);
      const norm = (await canaries.read([norms!]))[0]![0]!;
      expect(norm).toBeCloseTo(Math.hypot(...g[0]!, ...g[1]!), 3);
      // With betas 0, m is the clipped gradient itself.
      const { groups } = await optimiser.state();
      const factor = referenceAdamw.clipFactor(g, 2);
      groups.forEach((group, i) =>
        expectClose(
          group.params[0]!.first,
          { values: g[i]!.map((v) => v * factor), magnitude: g[i]!.map((v) => Math.abs(3 * v * factor)) },
          { kernel: 'square_sum', variant: variant.reduce ?? '', case: `common clip ${i}`, n: 9006 },
        ),
      );
      optimiser.dispose();
      tensors.forEach((tensor) => tensor.dispose());
    }
  });

  it('resumes from a checkpoint with the same bits, and the steady update creates nothing', async () => {
    const gpu = await testGpu();
    const size = 300;
    const grads = Array.from({ length: 6 }, () => Float32Array.from(random.normals(size)));
    const start = Float32Array.from(random.normals(size));
    const make = (data: Float32Array) => {
      const tensor = persistent(gpu, [size], data);
      return { tensor, optimiser: adamw(gpu, [{ params: [{ name: 'p', tensor }], rate: 0.1, clipNorm: 1 }]) };
    };
    const update = async ({ optimiser }: ReturnType<typeof make>, index: number) => {
      using step = gpu.step();
      optimiser.step(step, [fromData(step, grads[index]!, [size])]);
      await step.submit();
    };
    const valuesOf = async (tensor: Tensor) => gpu.read(tensor.storage, 'f32');

    const whole = make(start);
    for (let index = 0; index < 3; index += 1) await update(whole, index);
    const saved = structuredClone(await whole.optimiser.state());
    const middle = await valuesOf(whole.tensor);
    const before = gpu.counters.snapshot();
    for (let index = 3; index < 6; index += 1) await update(whole, index);
    const after = gpu.counters.snapshot();
    for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
      expect([name, after[name] - before[name]]).toEqual([name, 0]);

    const resumed = make(middle);
    resumed.optimiser.load(saved);
    for (let index = 3; index < 6; index += 1) await update(resumed, index);
    expect(await valuesOf(resumed.tensor)).toEqual(await valuesOf(whole.tensor));
    expect(await resumed.optimiser.state()).toEqual(await whole.optimiser.state());

    // One moment at a time, from one optimiser into another.
    const streamed = make(await valuesOf(whole.tensor));
    await streamed.optimiser.loadMoments(whole.optimiser.moments());
    expect(await streamed.optimiser.state()).toEqual(await whole.optimiser.state());
    const short = (size: number) => ({
      groups: whole.optimiser.moments().groups.map((group) => ({
        ...group,
        params: group.params.map((each) => ({ ...each, size, second: async () => new Float32Array(size - 1) })),
      })),
    });
    const other = expect.objectContaining({ code: 'tensor/optimiser' });
    await expect(streamed.optimiser.loadMoments({ groups: [] })).rejects.toEqual(other);
    await expect(streamed.optimiser.loadMoments(short(size - 1))).rejects.toEqual(other);
    await expect(streamed.optimiser.loadMoments(short(size))).rejects.toEqual(other);
    for (const { tensor, optimiser } of [whole, resumed, streamed]) {
      tensor.dispose();
      optimiser.dispose();
    }
  });

  it('finds the minimum of a bowl', async () => {
    const gpu = await testGpu();
    const x = persistent(gpu, [3], Float32Array.of(5, -3, 0));
    const goal = persistent(gpu, [3], Float32Array.of(1, 2, -1));
    const optimiser = adamw(gpu, [{ params: [{ name: 'x', tensor: x }], rate: 0.4 }]);
    for (let update = 0; update < 100; update += 1) {
      using step = gpu.step();
      const off = sub(step, x, goal);
      const loss = sumAll(step, mul(step, off, off));
      optimiser.step(step, gradients(step, loss, 'ones', optimiser.tensors), { rateScale: 1 - update / 100 });
      await step.submit();
    }
    const values = await gpu.read(x.storage, 'f32');
    expect([...values]).toEqual([1, 2, -1].map((v) => expect.closeTo(v, 1)));
    optimiser.dispose();
    x.dispose();
    goal.dispose();
  });

  it('refuses settings and gradients that make no sense', async () => {
    const gpu = await testGpu();
    const tensor = persistent(gpu, [4, 2]);
    const params = [{ name: 'p', tensor }];
    const code = expect.objectContaining({ code: 'tensor/optimiser' });
    expect(() => adamw(gpu, [{ params, rate: -1 }])).toThrow(code);
    expect(() => adamw(gpu, [{ params, rate: 1, clipNorm: 0 }])).toThrow(code);
    expect(() => adamw(gpu, [{ params, rate: 1, clipNorm: 1 }], { clipNorm: 1 })).toThrow(
      /either over everything or per group/,
    );
    expect(() => adamw(gpu, [{ params: [{ name: 'p', tensor, rows: [3, 2] }], rate: 1 }])).toThrow(/rows \[3, 5\)/);
    expect(() =>
      adamw(gpu, [
        { params, rate: 1 },
        { params: [{ name: 'q', tensor, rows: [0, 1] }], rate: 1 },
      ]),
    ).toThrow(/train the same elements/);
    const row = (start: number) => [{ name: 'p', tensor, rows: [start, 1] as const }];
    expect(() =>
      adamw(gpu, [
        { name: 'a', params: row(0), rate: 1 },
        { name: 'a', params: row(1), rate: 1 },
      ]),
    ).toThrow(/two groups are called 'a'/);
    expect(() => adamw(gpu, [{ params: [...row(0), ...row(1)], rate: 1 }])).toThrow(
      /two parameters of 'group 0' are called 'p'/,
    );
    const optimiser = adamw(gpu, [{ params, rate: 1 }]);
    const step = gpu.step();
    expect(() => optimiser.step(step, [undefined])).toThrow(/no gradient for 'p'/);
    expect(() => optimiser.step(step, [fromData(step, [1], [1])])).toThrow(
      expect.objectContaining({ code: 'tensor/shape' }),
    );
    expect(() => optimiser.step(step, [], { groups: ['other'] })).toThrow(/no group 'other'/);
    expect(optimiser.counts).toEqual({ 'group 0': 0 });
    expect(() => optimiser.load({ version: 1, groups: [] })).toThrow(code);
    step.dispose();
    optimiser.dispose();
    tensor.dispose();
  });
});

describe('in-place operations', () => {
  it('accumulate, assign and zero change persistent tensors', async () => {
    const gpu = await testGpu();
    const sum = persistent(gpu, [67]);
    for (let batch = 1; batch <= 3; batch += 1) {
      using step = gpu.step();
      accumulate(step, sum, fromData(step, new Float32Array(67).fill(batch), [67]), { alpha: 2 });
      await step.submit();
    }
    using step = gpu.step();
    const doubled = add(step, sum, sum);
    accumulate(step, sum, doubled, { beta: 0.5 });
    const total = read(step, sum);
    const copy = persistent(gpu, [67]);
    assign(step, copy, sum);
    zero(step, sum);
    const [values, copied, cleared] = await Promise.all([total, read(step, copy), read(step, sum)]);
    expect(values.every((value) => value === 30)).toBe(true);
    expect([...copied]).toEqual([...values]);
    expect(cleared.every((value) => value === 0)).toBe(true);
    const other = gpu.step();
    expect(() => accumulate(other, sum, sum)).toThrow(expect.objectContaining({ code: 'tensor/alias' }));
    other.dispose();
    sum.dispose();
    copy.dispose();
  });
});

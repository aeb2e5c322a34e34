// Compiling before the first run, and timing a step's own passes.
import { lentGpu, testGpu } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { defineKernel, dryGpu, type Storage } from '../src/index.js';
import { combine, increment, wgsl } from './kernels.js';

const named = (name: string, statement: string) =>
  defineKernel(
    wgsl({
      name,
      bindings: [{ name: 'y', access: 'write' }],
      params: [],
      overrides: { WG: 64 },
      uses: [],
      preludes: {},
      requires: [],
      code: `// y = 2
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
override WG: u32 = 64u;
@compute @workgroup_size(WG) fn ${name}(@builtin(global_invocation_id) id: vec3u) {
  if (id.x == 0u) { y[0] = ${statement}; }
}
`,
    }),
    { grid: () => [1, 1, 1] },
  );

describe('step.compile', () => {
  test('makes each pipeline once, before the step runs; the run makes none', async () => {
    const gpu = await testGpu();
    const [two, three] = [named('compiled_two', '2.0'), named('compiled_three', '3.0')];
    const before = gpu.counters.snapshot();
    using step = gpu.step();
    const y = step.allocate(4);
    step.dispatch(two, { y }, {});
    await Promise.all([step.compile(), step.compile()]);
    step.dispatch(three, { y }, {});
    await step.compile();
    expect(gpu.counters.since(before)).toMatchObject({ pipelinesCreated: 2, submits: 0, dispatches: 0 });
    expect([...new Float32Array(await step.read(y))]).toEqual([3]);
    expect(gpu.counters.since(before)).toMatchObject({ pipelinesCreated: 2, submits: 1, dispatches: 2 });
  });

  test('rejects with the file and line of what does not compile, and again; other kernels run', async () => {
    const gpu = await testGpu();
    const broken = named('compiled_broken', 'nonsense');
    for (let i = 0; i < 2; i++) {
      using step = gpu.step();
      const y = step.allocate(4);
      step.dispatch(broken, { y }, {});
      await expect(step.compile()).rejects.toMatchObject({
        code: 'gpu/shader',
        message: expect.stringContaining(':5:'),
      });
    }
    using step = gpu.step();
    const y = step.upload(new Float32Array([1]));
    step.dispatch(increment, { y }, { count: 1, a: 2 });
    expect([...new Float32Array(await step.read(y))]).toEqual([3]);
  });

  test('needs a device', async () => {
    await expect(dryGpu().step().compile()).rejects.toMatchObject({ code: 'gpu/dry' });
  });
});

test("timing: 'passes' times what runs together under the step's label, in the passes that it has anyway", async (context) => {
  using gpu = await lentGpu();
  context.skip(!gpu.capabilities.timestamps, 'this adapter has no timestamps');
  const step = gpu.step({ timing: 'passes', label: 'together' });
  const x = step.upload(new Float32Array(256).fill(1));
  const chain = (y: Storage, length: number): Storage => {
    for (let i = 0; i < length; i++) {
      const next = step.allocate(1024);
      step.dispatch(combine, { x: y, z: x, y: next }, { count: 256, a: 1, b: 1 });
      y = next;
    }
    return y;
  };
  const four = chain(x, 4);
  const copied = step.allocate(1024);
  step.copy(four, copied);
  // A copy ends a pass.
  const values = new Float32Array(await step.read(chain(copied, 2)));
  expect([...new Set(values)]).toEqual([7]);
  const timings = await gpu.timings();
  expect(timings).toEqual([{ label: 'together', count: 2, milliseconds: expect.any(Number) }]);
  expect(timings[0]!.milliseconds).toBeGreaterThanOrEqual(0);
});

// Opening devices in Node: adapters, limits, features, timing, variants, and a process that ends by itself.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { testGpu } from '@limn/testing';
import { build } from 'esbuild';
import { describe, expect, test, type TestContext } from 'vitest';
import { defaultLimits, defineKernel, openGpu, type Gpu } from '../src/index.js';
import { openNodeGpu, type AdapterChoice } from '../src/node.js';
import { combine, increment, wgsl } from './kernels.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const onLinux = process.platform === 'linux' && process.arch === 'x64';

/** What needs SwiftShader, or a driver that can be hidden by the loader's variables. */
const onLinuxOnly = (context: TestContext): void =>
  context.skip(!onLinux, 'SwiftShader comes for Linux x64 only, and only its Vulkan loader lets drivers be hidden');

/** Runs a fixture in a process of its own; fails when it does not end by itself. */
function runFixture(env: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = ['--conditions', 'limn-source', '--import', 'tsx', path.join(here, 'fixtures/open-and-exit.ts')];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...env }, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr });
    });
  });
}

describe('adapters in Node', () => {
  test('where no driver answers, SwiftShader stands in, says so once, and the process ends by itself', async (context) => {
    onLinuxOnly(context);
    const result = await runFixture({
      VK_DRIVER_FILES: '/nonexistent.json',
      VK_ICD_FILENAMES: '/nonexistent.json',
      LIMN_ADAPTER: 'auto',
    });
    expect(result).toMatchObject({ code: 0 });
    expect(JSON.parse(result.stdout)).toEqual({ source: 'swiftshader', values: [3, 3], driver: '/nonexistent.json' });
    expect(result.stderr.match(/using SwiftShader/g)).toHaveLength(1);
  });

  test("'system' never falls back", async (context) => {
    onLinuxOnly(context);
    const result = await runFixture({
      VK_DRIVER_FILES: '/nonexistent.json',
      VK_ICD_FILENAMES: '/nonexistent.json',
      LIMN_ADAPTER: 'system',
    });
    expect(JSON.parse(result.stdout)).toEqual({ code: 'gpu/no-adapter' });
  });

  test("'swiftshader' is SwiftShader although another driver is there, in silence", async (context) => {
    onLinuxOnly(context);
    const result = await runFixture({ LIMN_ADAPTER: 'swiftshader' });
    expect(JSON.parse(result.stdout)).toMatchObject({ source: 'swiftshader', values: [3, 3] });
    expect(result.stderr).not.toContain('SwiftShader');
  });

  test('an unknown choice is refused with those that exist', async () => {
    await expect(openNodeGpu({ adapter: 'cuda' as AdapterChoice })).rejects.toMatchObject({
      code: 'gpu/adapter-choice',
      details: { allowed: ['auto', 'system', 'swiftshader'] },
    });
  });

  test('the shared test device is the one asked for', async () => {
    const { capabilities } = await testGpu();
    const asked = process.env['LIMN_ADAPTER'] ?? 'auto';
    if (asked !== 'auto') expect(capabilities.source).toBe(asked);
    expect(Object.isFrozen(capabilities) && Object.isFrozen(capabilities.limits)).toBe(true);
    expect(capabilities.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(
      defaultLimits.maxStorageBufferBindingSize,
    );
  });

  test('speed is measured at open, and the budget follows from it', async () => {
    const gpu = await openNodeGpu();
    const { flopsPerSecond } = gpu.capabilities;
    // Any machine lies between a loaded software adapter and the fastest GPU there is.
    expect(flopsPerSecond).toBeGreaterThan(1e6);
    expect(flopsPerSecond).toBeLessThan(1e15);
    expect(gpu.workBudgetFlops).toBe(flopsPerSecond / 2);
    gpu.dispose();
  });
});

describe('limits and features', () => {
  const doubled = async (gpu: Gpu): Promise<number> => {
    const step = gpu.step({ timing: true });
    const x = step.upload(new Float32Array([1, 2]));
    const y = step.allocate(8);
    step.dispatch(combine, { x, z: x, y }, { count: 2, a: 1, b: 1 });
    return new Float32Array(await step.read(y))[1]!;
  };

  test("WebGPU's default limits are enough", async () => {
    const gpu = await openNodeGpu({ limits: 'default', features: [], workBudgetFlops: 1e9 });
    expect(gpu.capabilities.limits).toEqual(defaultLimits);
    expect(gpu.capabilities).toMatchObject({ f16: false, subgroups: false, timestamps: false });
    expect(await doubled(gpu)).toBe(4);
    // Timing was asked for and is not there: the step runs, the report is refused with its code.
    await expect(gpu.timings()).rejects.toMatchObject({ code: 'gpu/timing-unavailable' });
    gpu.dispose();
  });

  test('limits and features that the adapter lacks are refused by name', async () => {
    await expect(openNodeGpu({ limits: { maxBufferSize: 2 ** 52 } })).rejects.toMatchObject({ code: 'gpu/limits' });
    await expect(openNodeGpu({ features: ['telepathy' as GPUFeatureName] })).rejects.toMatchObject({
      code: 'gpu/feature',
      details: { missing: ['telepathy'] },
    });
    await expect(openNodeGpu({ workBudgetFlops: 0 })).rejects.toMatchObject({ code: 'gpu/work' });
  });

  test('a device that fails while its speed is measured is a coded error with the cause', async () => {
    const destroyed: boolean[] = [];
    const device = {
      createBuffer: () => {
        throw new TypeError('no buffer');
      },
      destroy: () => destroyed.push(true),
    };
    const adapter = { features: new Set(), limits: {}, info: {}, requestDevice: async () => device };
    const provider = { requestAdapter: async () => adapter } as unknown as GPU;
    await expect(openGpu({ provider })).rejects.toMatchObject({
      code: 'gpu/device',
      cause: { message: 'no buffer' },
    });
    expect(destroyed).toEqual([true]);
  });

  test('kernels are timed by label, and timing changes no result', async (context) => {
    const gpu = await testGpu();
    if (!gpu.capabilities.timestamps) return context.skip('the adapter has no timestamp queries');
    gpu.resetCounters();
    const run = async (timing: boolean | undefined): Promise<ArrayBuffer> => {
      const step = gpu.step(timing === undefined ? {} : { timing });
      const y = step.upload(Float32Array.from({ length: 4096 }, (_, i) => i / 7));
      for (let i = 0; i < 3; i += 1) step.dispatch(increment, { y }, { count: 4096, a: 0.1 });
      step.dispatch(increment, { y }, { count: 4096, a: 0.1 }, { label: 'last' });
      return step.read(y);
    };
    const timed = await run(true);
    const timings = await gpu.timings();
    expect(timings.map(({ label, count }) => `${label} ${count}`).sort()).toEqual(['increment 3', 'last 1']);
    expect(timings.every((t) => t.milliseconds >= 0)).toBe(true);
    expect(new Uint32Array(await run(false))).toEqual(new Uint32Array(timed));
    gpu.resetCounters();
    expect(await gpu.timings()).toEqual([]);
    await run(true);
    const before = gpu.counters.snapshot();
    await run(true);
    await gpu.timings();
    expect(gpu.counters.since(before)).toMatchObject({ buffersCreated: 0, bindGroupsCreated: 0 });

    // Of steps that do not say whether they are timed, the Gpu says it.
    gpu.resetCounters();
    gpu.timing = true;
    try {
      await run(undefined);
      await run(false);
      expect((await gpu.timings()).map(({ label, count }) => `${label} ${count}`).sort()).toEqual([
        'increment 3',
        'last 1',
      ]);
    } finally {
      gpu.timing = false;
    }
  });
});

describe('variants', () => {
  /** y[0] = Σ x, by a helper from the prelude. */
  const total = defineKernel(
    wgsl({
      name: 'total',
      bindings: [
        { name: 'x', access: 'read' },
        { name: 'y', access: 'write' },
      ],
      params: [],
      overrides: { WG: 32 },
      uses: ['reduce', 'elem'],
      preludes: {
        'reduce.tree':
          'var<workgroup> all: array<f32, 256>;\nfn total_of(v: f32, lane: u32) -> f32 { all[lane] = v; workgroupBarrier(); var s = 0.0; for (var i = 0u; i < WG; i++) { s += all[i]; } return s; }',
        'reduce.subgroup':
          'enable subgroups;\nvar<workgroup> all: array<f32, 256>;\nfn total_of(v: f32, lane: u32) -> f32 { all[lane] = v; workgroupBarrier(); var s = 0.0; for (var i = 0u; i < WG; i++) { s += all[i]; } return subgroupMax(s); }',
        'elem.f32':
          'alias Elem = f32;\nfn elem(v: f32, i: u32) -> f32 { return v; }\nfn elem_index(i: u32) -> u32 { return i; }',
        'elem.f16':
          'alias Elem = u32;\nfn elem(v: u32, i: u32) -> f32 { return unpack2x16float(v)[i & 1u]; }\nfn elem_index(i: u32) -> u32 { return i / 2u; }',
      },
      code: `// y = Σ x
@group(0) @binding(0) var<storage, read> x: array<Elem>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
override WG: u32 = 32u;
@compute @workgroup_size(WG) fn total(@builtin(local_invocation_index) lane: u32) {
  let sum = total_of(elem(x[elem_index(lane)], lane), lane);
  if (lane == 0u) { y[0] = sum; y[1] = f32(arrayLength(&x)); }
}
`,
    }),
    { grid: () => [1, 1, 1] },
  );

  test('tree and subgroup, f32 and packed f16 give the same sum, and arrays have the length of their value', async () => {
    const gpu = await testGpu();
    const f32 = new Float32Array(32).fill(1.5);
    // 1.5 is 0x3e00 in f16.
    const f16 = new Uint32Array(16).fill(0x3e003e00);
    for (const reduce of gpu.capabilities.subgroups
      ? (['tree', 'subgroup', undefined] as const)
      : (['tree', undefined] as const))
      for (const elem of ['f32', 'f16'] as const) {
        const step = gpu.step();
        const y = step.allocate(8);
        const x = step.upload(elem === 'f32' ? f32 : f16);
        step.dispatch(total, { x, y }, {}, { variant: { elem, ...(reduce ? { reduce } : {}) } });
        const chosen = reduce ?? (gpu.capabilities.subgroups ? 'subgroup' : 'tree');
        expect(step.plan().kernels).toEqual([`total[reduce.${chosen}, elem.${elem}, WG=32]`]);
        expect([...new Float32Array(await step.read(y))]).toEqual([48, elem === 'f32' ? 32 : 16]);
      }
  });

  test('a subgroup variant on a device without subgroups is refused', async () => {
    const gpu = await openNodeGpu({ features: [], workBudgetFlops: 1e9 });
    const step = gpu.step();
    const x = step.upload(new Float32Array(32));
    expect(() => step.dispatch(total, { x, y: step.allocate(8) }, {}, { variant: { reduce: 'subgroup' } })).toThrow(
      'this device has no subgroups',
    );
    gpu.dispose();
  });
});

test('the browser entry contains no Node module', async () => {
  const result = await build({
    entryPoints: [path.join(here, '../src/index.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    conditions: ['limn-source'],
    metafile: true,
    logLevel: 'silent',
  });
  const imported = Object.values(result.metafile.inputs).flatMap((input) => input.imports.map((i) => i.path));
  expect(imported.filter((name) => name.startsWith('node:') || name.includes('node.ts'))).toEqual([]);
  expect(result.outputFiles[0]!.text).not.toContain('process.');
});

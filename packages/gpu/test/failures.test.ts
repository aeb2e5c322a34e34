// Faults: shaders that do not compile, memory that is not given, errors outside scopes, a device that goes away.
import { FaultyDevice, type DeviceFault, type Fault } from '@limn/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { DeviceLostError, defineKernel, Gpu, LimnError, openGpu, OutOfMemoryError, ShaderError } from '../src/index.js';
import { openNodeGpu } from '../src/node.js';
import { combine, increment, wgsl } from './kernels.js';

const opened: Gpu[] = [];
afterEach(() => opened.splice(0).forEach((gpu) => gpu.dispose()));

/** A device of this test's own, so that breaking it hurts no other test. */
async function ownGpu(): Promise<Gpu> {
  const gpu = await openNodeGpu({ workBudgetFlops: 1e9 });
  opened.push(gpu);
  return gpu;
}

/** A Gpu on a real device whose createBuffer goes through `create`. */
async function gpuWith(create: (real: GPUDevice, descriptor: GPUBufferDescriptor) => GPUBuffer): Promise<Gpu> {
  const base = await ownGpu();
  const device = new Proxy(base.device, {
    get(target, name) {
      if (name === 'createBuffer') return (descriptor: GPUBufferDescriptor) => create(target, descriptor);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return new Gpu(device, base.capabilities, 1e9);
}

const broken = defineKernel(
  wgsl({
    name: 'broken',
    bindings: [{ name: 'y', access: 'write' }],
    params: [],
    overrides: { WG: 64 },
    uses: ['helper'],
    preludes: { helper: '// three\n// lines of\nfn helper() -> f32 { return 1.0; }' },
    requires: [],
    code: `// y = nonsense
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
override WG: u32 = 64u;
@compute @workgroup_size(WG) fn broken() {
  y[0] = helper() + nonsense;
}
`,
  }),
  { grid: () => [1, 1, 1] },
);

describe('a shader that does not compile', () => {
  test('rejects the read with its own file and line, each time, and hurts nothing else', async () => {
    const gpu = await ownGpu();
    const attempt = async (): Promise<unknown> => {
      using step = gpu.step();
      const y = step.allocate(16);
      step.dispatch(broken, { y }, {});
      return step.read(y).catch((error: unknown) => error);
    };
    for (let i = 0; i < 2; i += 1) {
      const error = await attempt();
      expect(error).toBeInstanceOf(ShaderError);
      expect((error as ShaderError).message).toMatch(/^test\/broken\.wgsl:5:\d+: .*nonsense/);
      expect(error).toMatchObject({
        code: 'gpu/shader',
        details: { kernel: 'broken', file: 'test/broken.wgsl', line: 5 },
      });
    }
    using step = gpu.step();
    const y = step.upload(new Float32Array(4));
    step.dispatch(increment, { y }, { count: 4, a: 2 });
    expect(new Float32Array(await step.read(y))[3]).toBe(2);
  });

  test('names the prelude when the fault is there', async () => {
    const gpu = await ownGpu();
    const shader = { ...broken.shader, preludes: { helper: '// one\nfn helper() -> f32 { return true; }' } };
    const step = gpu.step();
    step.dispatch(defineKernel(shader, { grid: () => [1, 1, 1] }), { y: step.allocate(4) }, {});
    await expect(step.submit()).rejects.toMatchObject({
      code: 'gpu/shader',
      details: { file: 'prelude/helper.wgsl', line: 2 },
    });
  });

  test('a workgroup larger than the device allows is a shader error with the kernel and its overrides', async () => {
    const gpu = await ownGpu();
    const step = gpu.step();
    const y = step.upload(new Float32Array(4));
    step.dispatch(increment, { y }, { count: 4, a: 1 }, { overrides: { WG: 65536 } });
    await expect(step.submit()).rejects.toThrow(/test\/increment\.wgsl: kernel increment\[WG=65536\]/);
  });
});

describe('a failure that passes', () => {
  const double = async (gpu: Gpu): Promise<number> => {
    using step = gpu.step();
    const y = step.upload(Float32Array.of(1, 2, 3, 4));
    step.dispatch(increment, { y }, { count: 4, a: 2 });
    return new Float32Array(await step.read(y))[3]!;
  };

  test.each([
    ['createShaderModule', 'gpu/shader'],
    ['createComputePipeline', 'gpu/shader'],
    ['createBindGroup', 'gpu/validation'],
    // The first scope is that of the pipeline.
    ['popErrorScope', 'gpu/shader'],
  ])('reported once at %s is told with its code, and does not stay', async (name, code) => {
    const base = await ownGpu();
    const { device } = new FaultyDevice(base.device, { call: 1, how: 'report', of: [name] });
    const gpu = new Gpu(device, base.capabilities, 1e9);
    await expect(double(gpu)).rejects.toMatchObject({ code });
    expect(await double(gpu)).toBe(6);
    gpu.dispose();
  });

  test('an error scope that cannot be asked is an error: what was made in it may be unsound', async () => {
    const base = await ownGpu();
    const { device } = new FaultyDevice(base.device, { call: 1, how: 'throw', of: ['popErrorScope'] });
    const gpu = new Gpu(device, base.capabilities, 1e9);
    await expect(double(gpu)).rejects.toMatchObject({ code: 'gpu/device' });
    expect(await double(gpu)).toBe(6);
    gpu.dispose();
  });
});

describe('opening', () => {
  test.each(['throw', 'report', 'lose'] as const)(
    'a device whose n-th call fails by %s: a Gpu, or a coded error and no buffer left',
    async (how) => {
      const base = await ownGpu();
      const { features, limits, adapterInfo: info } = base.device;
      const open = async (fault?: Fault<DeviceFault>): Promise<FaultyDevice> => {
        const faulty = new FaultyDevice(base.device, fault);
        const requestDevice = async (): Promise<GPUDevice> => faulty.device;
        const adapter = { features, limits, info, requestDevice } as unknown as GPUAdapter;
        const provider = { requestAdapter: async () => adapter } as unknown as GPU;
        const gpu = await openGpu({ provider }).catch((error: unknown) => error);
        if (!(gpu instanceof Gpu)) expect(gpu).toBeInstanceOf(LimnError);
        else {
          // A loss is told a moment later.
          if (how === 'lose' && fault) expect((await gpu.lost).code).toBe('gpu/device-lost');
          gpu.dispose();
        }
        expect(faulty.liveBuffers.size, `call ${fault?.call}`).toBe(0);
        return faulty;
      };
      const { calls } = (await open()).counter;
      // How often the speed is measured depends on the time it takes: the calls that every opening makes.
      const sure = calls.indexOf('onSubmittedWorkDone') + 1;
      expect(sure).toBeGreaterThan(5);
      for (let call = 1; call <= sure; call++) await open({ call, how });
    },
  );
});

describe('memory that is not given', () => {
  const work = async (gpu: Gpu): Promise<number> => {
    const state = gpu.persistent(4096, { data: new Float32Array(1024).fill(1) });
    try {
      using step = gpu.step();
      const a = step.allocate(4096);
      const b = step.allocate(8192);
      step.dispatch(combine, { x: state, z: state, y: a }, { count: 1024, a: 1, b: 1 });
      step.dispatch(combine, { x: a, z: state, y: b }, { count: 1024, a: 1, b: 1 });
      const kept = step.keep(b);
      try {
        return new Float32Array(await step.read(b))[0]!;
      } finally {
        kept.dispose();
      }
    } finally {
      state.dispose();
    }
  };

  for (const how of ['throws', 'is reported later'] as const)
    test(`at the n-th createBuffer, which ${how}: typed error with the numbers, nothing leaked, and the next try works`, async () => {
      let countdown = Number.POSITIVE_INFINITY;
      const live = new Set<GPUBuffer>();
      const gpu = await gpuWith((real, descriptor) => {
        countdown -= 1;
        const fails = countdown === 0;
        if (fails && how === 'throws') throw new RangeError('createBuffer failed');
        const buffer = real.createBuffer(fails ? { ...descriptor, size: 2 ** 45 } : descriptor);
        const destroy = buffer.destroy.bind(buffer);
        live.add(buffer);
        buffer.destroy = () => (live.delete(buffer), destroy());
        return buffer;
      });
      let failures = 0;
      for (let n = 1; ; n += 1) {
        countdown = n;
        const result = await work(gpu).catch((error: unknown) => error);
        if (result === 3) break;
        failures += 1;
        expect(result).toBeInstanceOf(OutOfMemoryError);
        expect((result as OutOfMemoryError).details['requested']).toBeGreaterThan(0);
        countdown = Number.POSITIVE_INFINITY;
        expect(await work(gpu)).toBe(3);
        gpu.trim();
        expect(gpu.counters.buffersLive).toBe(0);
        expect(gpu.counters.bytesLive).toBe(0);
        expect(live.size).toBe(0);
      }
      // state, two scratch or kept buffers, uniforms, staging
      expect(failures).toBe(5);
    });
});

describe('errors outside scopes', () => {
  test('an uncaptured error fails the next thing awaited, once', async () => {
    const gpu = await ownGpu();
    gpu.device.createBuffer({ size: 2 ** 45, usage: 128 });
    const read = (): Promise<ArrayBuffer> => {
      const step = gpu.step();
      return step.read(step.upload(new Float32Array(1)));
    };
    await expect(read()).rejects.toMatchObject({ code: 'gpu/validation' });
    expect((await read()).byteLength).toBe(4);
  });
});

describe('device loss', () => {
  test('rejects everything that is awaited and everything after, with the reason', async () => {
    const gpu = await ownGpu();
    const state = gpu.persistent(1 << 16);
    const long = gpu.step({ workBudgetFlops: 1 << 14 });
    for (let i = 0; i < 200; i += 1) long.dispatch(increment, { y: state }, { count: 1 << 14, a: 1 });
    const short = gpu.step();
    const pending: Promise<unknown>[] = [long.submit(), short.read(short.upload(new Float32Array(4))), gpu.read(state)];
    setTimeout(() => gpu.device.destroy(), 5);
    for (const result of await Promise.allSettled(pending)) {
      expect(result.status).toBe('rejected');
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(DeviceLostError);
    }
    const lost = await gpu.lost;
    expect(lost).toMatchObject({ code: 'gpu/device-lost', details: { reason: 'destroyed' } });
    expect(() => gpu.step()).toThrow(lost);
    await expect(gpu.read(state)).rejects.toBe(lost);
  });

  test('an open step cannot be submitted any more', async () => {
    const gpu = await ownGpu();
    const step = gpu.step();
    const y = step.upload(new Float32Array(4));
    gpu.device.destroy();
    await gpu.lost;
    await expect(step.read(y)).rejects.toBeInstanceOf(DeviceLostError);
  });

  test('after dispose() every call is refused', async () => {
    const gpu = await ownGpu();
    const y = gpu.persistent(16);
    gpu.dispose();
    gpu.dispose();
    expect(() => gpu.step()).toThrow(LimnError);
    await expect(gpu.read(y)).rejects.toMatchObject({ code: 'gpu/disposed' });
    y.dispose();
    expect(gpu.counters.buffersLive).toBe(0);
  });
});

test('errors survive JSON with their class', () => {
  const error = new OutOfMemoryError('no', { details: { requested: 5 }, hint: 'less' });
  const revived = LimnError.revive(JSON.parse(JSON.stringify(error)));
  expect(revived).toBeInstanceOf(OutOfMemoryError);
  expect(revived.toJSON()).toEqual(error.toJSON());
  expect(LimnError.revive(new LimnError('x/y', 'z').toJSON())).toMatchObject({
    code: 'x/y',
    message: 'z',
    details: {},
  });
});

// A WebGPU device that fails at the n-th call in one of the ways that real devices do: it throws, reports, or is lost.
import { CallCounter, type Fault } from './call-counter.js';

/**
 * 'throw': the call throws, or its promise is rejected. 'report': the call goes through and WebGPU complains about it afterwards, in an
 * error scope; what it made is invalid, what it was to do is not done. 'lose': the device is lost just before the call.
 */
export type DeviceFault = 'throw' | 'report' | 'lose';

/** A method of any object, by name. */
type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

/** The device's own operations that count. */
const ofDevice = [
  'createBuffer',
  'createShaderModule',
  'createBindGroupLayout',
  'createPipelineLayout',
  'createComputePipeline',
  'createComputePipelineAsync',
  'createBindGroup',
  'createCommandEncoder',
  'createQuerySet',
  'popErrorScope',
] as const;
const ofQueue = ['submit', 'writeBuffer', 'onSubmittedWorkDone'] as const;
const ofBuffer = ['mapAsync', 'getMappedRange'] as const;
const asynchronous: ReadonlySet<string> = new Set([
  'createComputePipelineAsync',
  'popErrorScope',
  'onSubmittedWorkDone',
  'mapAsync',
]);
/** Milliseconds between the loss and `lost` settling: on real devices what fails because of it may be told first. */
const LOSS_DELAY = 3;

class GPUInternalError {
  readonly message = 'injected: the driver failed';
}

/**
 * Wraps a device. The real one stays whole, also when the wrapper is lost or destroyed, so that many cases can share one; wrap one
 * that is used for nothing else. Buffers, pipelines and bind groups are the real ones.
 */
export class FaultyDevice {
  readonly device: GPUDevice;
  readonly counter: CallCounter<DeviceFault>;
  /** Buffers that were made and not destroyed. */
  readonly liveBuffers = new Set<GPUBuffer>();
  readonly #real: GPUDevice;
  readonly #lost: Promise<GPUDeviceLostInfo>;
  /** Take back what listens to the real device. */
  readonly #listeners: (() => void)[] = [];
  #isLost = false;
  #tellLost: (info: GPUDeviceLostInfo) => void = () => undefined;

  constructor(real: GPUDevice, fault?: Fault<DeviceFault>) {
    this.#real = real;
    this.counter = new CallCounter(fault);
    this.#lost = new Promise((resolve) => (this.#tellLost = resolve));
    const queue = this.#wrap(real.queue, ofQueue, {});
    this.device = this.#wrap(real, ofDevice, {
      queue,
      lost: this.#lost,
      destroy: () => {
        this.lose('destroyed');
        // Buffers go with their device.
        for (const buffer of this.liveBuffers) buffer.destroy();
      },
      addEventListener: (type: 'uncapturederror', listener: (event: GPUUncapturedErrorEvent) => void) => {
        real.addEventListener(type, listener);
        this.#listeners.push(() => real.removeEventListener(type, listener));
      },
    });
  }

  /** Loses the device now. */
  lose(reason: GPUDeviceLostReason = 'unknown'): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const remove of this.#listeners.splice(0)) remove();
    const info = { reason, message: 'injected' } as GPUDeviceLostInfo;
    setTimeout(() => this.#tellLost(info), LOSS_DELAY);
  }

  /** The object with the named methods counted, and with `changed` in place of what it has. */
  #wrap<T extends object>(real: T, names: readonly string[], changed: Readonly<Record<string, unknown>>): T {
    const methods: Methods = {};
    return new Proxy(real, {
      get: (target, name) => {
        if (typeof name === 'string' && name in changed) return changed[name];
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function' || typeof name !== 'string') return value;
        return (methods[name] ??= names.includes(name)
          ? (...args) => this.#call(name, target as unknown as Methods, value as Method, args)
          : (value.bind(target) as Method));
      },
    });
  }

  #call(name: string, target: Methods, method: Method, args: unknown[]): unknown {
    const how = this.counter.count(name);
    if (how === 'lose') this.lose();
    if (how === 'throw') {
      // A scope that is popped is gone, whatever its answer.
      if (name === 'popErrorScope') void method.apply(target, args);
      return this.#refuse(name);
    }
    if (how === 'report') return this.#report(name, target, method, args);
    if (this.#isLost) return this.#afterLoss(name, target, method, args);
    return this.#watch(name, method.apply(target, args));
  }

  #refuse(name: string): unknown {
    const error = new Error(`injected at ${name}`);
    if (asynchronous.has(name)) return Promise.reject(error);
    throw error;
  }

  /** A lost device does nothing, makes invalid objects, reports no errors and maps nothing. */
  #afterLoss(name: string, target: Methods, method: Method, args: unknown[]): unknown {
    if (name === 'submit' || name === 'writeBuffer') return undefined;
    if (name === 'onSubmittedWorkDone') return Promise.resolve();
    if (name === 'popErrorScope') return (method.apply(target, args) as Promise<unknown>).then(() => null);
    if (name === 'mapAsync' || name === 'createComputePipelineAsync') return this.#refuse(name);
    return this.#watch(name, method.apply(target, args));
  }

  /** The call made so that WebGPU itself finds fault with it; calls that cannot be reported throw. */
  #report(name: string, target: Methods, method: Method, args: unknown[]): unknown {
    const [first] = args as [Readonly<Record<string, unknown>>];
    const call = (...changed: unknown[]): unknown => this.#watch(name, method.apply(target, changed));
    if (name === 'createBuffer') return call({ ...first, size: 2 ** 45 });
    if (name === 'createShaderModule') return call({ ...first, code: 'injected' });
    if (name === 'createComputePipeline')
      return call({ ...first, compute: { ...(first['compute'] as object), entryPoint: 'injected' } });
    if (name === 'createBindGroup') return call({ ...first, entries: [] });
    if (name === 'writeBuffer') return call(args[0], 2 ** 40, args[2]);
    if (name === 'submit') {
      const encoder = this.#real.createCommandEncoder();
      encoder.pushDebugGroup('injected: never popped');
      return call([encoder.finish()]);
    }
    if (name === 'popErrorScope') return (call() as Promise<unknown>).then(() => new GPUInternalError());
    return this.#refuse(name);
  }

  #watch(name: string, result: unknown): unknown {
    if (name === 'createBuffer') this.#adopt(result as GPUBuffer);
    return result;
  }

  /** Counts a buffer's maps, and knows when it is destroyed. Its methods are replaced on the object, since natives take no wrappers. */
  #adopt(buffer: GPUBuffer): void {
    this.liveBuffers.add(buffer);
    const methods = buffer as unknown as Methods;
    const destroy = (methods['destroy'] as Method).bind(buffer);
    methods['destroy'] = () => {
      this.liveBuffers.delete(buffer);
      return destroy();
    };
    for (const name of ofBuffer) {
      const method = (methods[name] as Method).bind(buffer);
      methods[name] = (...args) => {
        const result = this.#call(name, methods, method, args);
        if (name !== 'mapAsync') return result;
        // A map under way when the device goes is rejected.
        const loss = this.#lost.then(() => Promise.reject(new Error('injected: lost while mapping')));
        return Promise.race([loss, result as Promise<unknown>]);
      };
    }
  }
}

/** A provider whose every device is wrapped by `wrap`, for code that opens its device itself. */
export function faultyProvider(real: GPU, wrap: (device: GPUDevice) => GPUDevice): GPU {
  const bound = (target: object, name: PropertyKey): unknown => {
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === 'function' ? (value.bind(target) as unknown) : value;
  };
  const adapterOf = (adapter: GPUAdapter): GPUAdapter =>
    new Proxy(adapter, {
      get: (target, name) =>
        name === 'requestDevice'
          ? async (descriptor?: GPUDeviceDescriptor) => wrap(await target.requestDevice(descriptor))
          : bound(target, name),
    });
  return new Proxy(real, {
    get: (target, name) =>
      name === 'requestAdapter'
        ? async (options?: GPURequestAdapterOptions) => {
            const adapter = await target.requestAdapter(options);
            return adapter && adapterOf(adapter);
          }
        : bound(target, name),
  });
}

// A device that computes nothing: Dawn's null backend, with an adapter that says of itself what it is told to.
import { create } from 'webgpu';
import { openGpu, type Gpu, type OpenOptions } from '@limn/gpu';

/** What the adapter says: its name, whether it is a software fallback, its sizes of subgroups, its subgroup matrices. */
export type AdapterAccount = Readonly<Record<string, unknown>>;

// Dawn ends the process when the object from create() is collected before its devices.
const key = Symbol.for('limn.testing.null');
const kept = globalThis as { [key]?: GPU };

/** GPUBufferUsage.MAP_READ, which Node has no global for. */
const MAP_READ = 1;

/**
 * A device on which every text is compiled and every call checked, and no kernel runs: for what does not depend on numbers, such as
 * counts, plans and syntax, on any adapter that `account` describes. Whatever is read back is 0. Has every feature of the adapter unless
 * options name some; products and sums are never cut by work unless they set a budget.
 */
export async function nullGpu(account: AdapterAccount, options: Omit<OpenOptions, 'provider'> = {}): Promise<Gpu> {
  const provider = (kept[key] ??= create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']));
  const adapter = (await provider.requestAdapter())!;
  const said: Readonly<Record<string, unknown>> = {
    info: { vendor: 'null', ...account },
    requestDevice: async (descriptor?: GPUDeviceDescriptor) => readingZeros(await adapter.requestDevice(descriptor)),
  };
  const telling = new Proxy(adapter, {
    get(target, name) {
      if (typeof name === 'string' && name in said) return said[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return openGpu({
    provider: { requestAdapter: async () => telling } as unknown as GPU,
    workBudgetFlops: Number.MAX_SAFE_INTEGER,
    ...options,
  });
}

/** The null backend copies nothing either: what it maps is whatever the memory held before, numbers or none. */
function readingZeros(device: GPUDevice): GPUDevice {
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    if (descriptor.usage & MAP_READ) {
      const range = buffer.getMappedRange.bind(buffer);
      buffer.getMappedRange = (...place) => {
        const mapped = range(...place);
        new Uint8Array(mapped).fill(0);
        return mapped;
      };
    }
    return buffer;
  };
  return device;
}

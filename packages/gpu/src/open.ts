// Opens a device: adapter, features, limits, speed.
import { limitNames, readCapabilities, SUBGROUP_MATRIX, type Capabilities } from './capabilities.js';
import type { KernelChoices } from './choices.js';
import { measureFlops } from './calibrate.js';
import { LimnError, messageOf } from './errors.js';
import { Gpu, SUBMIT_SECONDS } from './gpu.js';

/** How to open a device. */
export interface OpenOptions {
  /** Instead of `navigator.gpu`. */
  readonly provider?: GPU;
  /** What `capabilities.source` shall say; 'browser' by default, 'provider' with a provider. */
  readonly source?: string;
  /** 'high-performance' by default: it puts a discrete GPU first where there are two. */
  readonly powerPreference?: GPUPowerPreference;
  /** 'all' (default): shader-f16, subgroups, subgroup matrices and timestamp-query where the adapter has them. A list: exactly these. */
  readonly features?: 'all' | readonly GPUFeatureName[];
  /** 'adapter' (default): all that the adapter has. 'default': WebGPU's guaranteed minimum. Or single limits by name. */
  readonly limits?: 'adapter' | 'default' | Readonly<Record<string, number>>;
  /** Operations per submit; measured at open (about 50 ms) when not given. */
  readonly workBudgetFlops?: number;
  /** For tests: step-local values begin as NaN instead of leftovers, so that a kernel that reads what nobody wrote is found. */
  readonly poison?: boolean;
  /**
   * Kernels to take instead of what built-in rules say, as `tuneKernels` of @limn/tensor measures them; none by default. A function is told
   * what was opened: `kernelKey` of it says which choices are meant for it.
   */
  readonly choices?: KernelChoices | ((capabilities: Capabilities) => KernelChoices | Promise<KernelChoices>);
  /**
   * Whether products of activations with weights stored as f16 may round the activations to f16 too, as subgroup matrices (tensor
   * cores) take them: 11 bits instead of 24 (relative error 5e-4 a factor; beyond 65,504 infinite), sums still in f32. false by default. Products with f32
   * weights and gradients are never rounded. Recorded in `capabilities`.
   */
  readonly halfProducts?: boolean;
  readonly label?: string;
}

const wantedFeatures: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query', SUBGROUP_MATRIX];

/**
 * Opens a device in a browser, or with any WebGPU provider.
 * @throws LimnError `gpu/device`, `gpu/feature`, `gpu/limits`, `gpu/no-adapter`, `gpu/no-webgpu`, `gpu/work`
 */
export async function openGpu(options: OpenOptions = {}): Promise<Gpu> {
  const provider = options.provider ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!provider)
    throw new LimnError('gpu/no-webgpu', 'this environment has no WebGPU (navigator.gpu is missing)', {
      hint: 'Use a browser with WebGPU on a secure origin; in Node, openNodeGpu from @limn/gpu/node.',
    });
  const adapter = await provider.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
  if (!adapter)
    throw new LimnError('gpu/no-adapter', 'WebGPU found no adapter: there is no GPU it can use', {
      hint: 'Check the graphics driver and, in a browser, its GPU page; in Node on Linux, @limn/software-vulkan is a fallback.',
    });
  const device = await requestDevice(adapter, options);
  const source = options.source ?? (options.provider ? 'provider' : 'browser');
  try {
    const { budget, capabilities } = await measured(adapter, device, source, options);
    const choices = typeof options.choices === 'function' ? await options.choices(capabilities) : options.choices;
    return new Gpu(device, capabilities, budget, {
      poison: options.poison ?? false,
      ...(choices ? { choices } : {}),
    });
  } catch (error) {
    device.destroy();
    throw error;
  }
}

/** What the device can do, and operations per submit. */
async function measured(
  adapter: GPUAdapter,
  device: GPUDevice,
  source: string,
  { workBudgetFlops: budget, halfProducts }: OpenOptions,
): Promise<{ readonly budget: number; readonly capabilities: Capabilities }> {
  if (budget !== undefined && !(budget > 0))
    throw new LimnError('gpu/work', `workBudgetFlops is ${budget}; a positive number of operations is needed`, {
      details: { workBudgetFlops: budget },
    });
  try {
    const flopsPerSecond = budget === undefined ? await measureFlops(device) : budget / SUBMIT_SECONDS;
    const capabilities = readCapabilities(adapter.info, device, source, flopsPerSecond, halfProducts);
    return { budget: budget ?? flopsPerSecond * SUBMIT_SECONDS, capabilities };
  } catch (error) {
    throw new LimnError('gpu/device', `the device failed while its speed was measured: ${messageOf(error)}`, {
      hint: 'Check the graphics driver, or give workBudgetFlops, which leaves the measurement out.',
      cause: error,
    });
  }
}

async function requestDevice(adapter: GPUAdapter, options: OpenOptions): Promise<GPUDevice> {
  const { features = 'all', limits = 'adapter' } = options;
  const wanted = features === 'all' ? wantedFeatures.filter((f) => adapter.features.has(f)) : features;
  const missing = wanted.filter((f) => !adapter.features.has(f));
  if (missing.length > 0)
    throw new LimnError('gpu/feature', `this adapter (${adapter.info.device}) has no ${missing.join(', ')}`, {
      details: { missing, available: [...adapter.features] },
      hint: 'Ask with features: "all", which takes what the adapter has, and branch on gpu.capabilities.',
    });
  const requiredLimits: Record<string, number> = {};
  if (limits === 'adapter') for (const name of limitNames) requiredLimits[name] = adapter.limits[name];
  else if (limits !== 'default') Object.assign(requiredLimits, limits);
  try {
    return await adapter.requestDevice({
      label: options.label ?? 'limn',
      requiredFeatures: [...wanted],
      requiredLimits,
    });
  } catch (error) {
    throw new LimnError('gpu/limits', `this adapter (${adapter.info.device}) gave no device: ${messageOf(error)}`, {
      details: { requiredLimits, features: [...wanted] },
      hint: 'Ask for less: limits: "default", features: [].',
      cause: error,
    });
  }
}

// Opens a device in Node through Dawn (npm package webgpu), on the machine's driver or on SwiftShader.
/** @module @limn/gpu/node */
import { kernelSetting, readKernelChoices, type KernelSetting } from './choices-cache.js';
import {
  builtInChoices,
  LimnError,
  messageOf,
  onDeviceWait,
  openGpu,
  type Gpu,
  type KernelChoices,
  type OpenOptions,
} from './index.js';
import { nodeClock, Rests } from './rests.js';

export {
  forgetKernelChoices,
  kernelChoicesFile,
  kernelSetting,
  readKernelChoices,
  writeKernelChoices,
  type ChoicesCacheOptions,
  type KernelSetting,
} from './choices-cache.js';

/** 'auto': the machine's driver, SwiftShader when it gives no adapter. 'system': only the machine's. 'swiftshader': only that. */
export type AdapterChoice = 'auto' | 'system' | 'swiftshader';

/** How to open a device in Node. */
export interface OpenNodeOptions extends Omit<OpenOptions, 'provider' | 'source' | 'choices'> {
  /** LIMN_ADAPTER from the environment by default, else 'auto'. */
  readonly adapter?: AdapterChoice;
  /**
   * 'cached': the choices that were measured on this machine for this device and driver, where there are any (`limn tune`); 'built-in':
   * the ops' own rules. Or choices to take. LIMN_KERNELS from the environment by default, else 'cached'.
   */
  readonly choices?: KernelSetting | KernelChoices;
  /**
   * Lets Dawn offer what it calls unsafe: features whose text and meaning still change, of which limn asks for subgroup matrices
   * (tensor cores) alone, and with them f16 on NVIDIA. Dawn also accepts WGSL then that it would otherwise refuse. LIMN_EXPERIMENTAL=1
   * in the environment by default, else false.
   */
  readonly experimental?: boolean;
  /** Told once per process when SwiftShader stands in for a missing driver, and when kept kernel choices cannot be used; written to stderr by default. */
  readonly onNotice?: (message: string) => void;
}

/** A driver, with experimental features or without: a Dawn instance has one set of toggles. */
type Provider = `${'system' | 'swiftshader'}${'' | ' experimental'}`;

/**
 * Dawn ends the process when the object from create() is collected before its devices, so every one is kept here,
 * on globalThis because test runners load a module more than once.
 */
interface DawnState {
  readonly providers: Partial<Record<Provider, GPU>>;
  noticed: boolean;
  /** Devices are opened one at a time: which driver is found depends on the environment at that moment. */
  turn: Promise<unknown>;
}

const globals = globalThis as { [key: symbol]: unknown };
const key = Symbol.for('limn.dawn');
const state = (globals[key] ??= {
  providers: {},
  noticed: false,
  turn: Promise.resolve(),
} satisfies DawnState) as DawnState;

const clock = nodeClock();
/** One for the thread, whatever is opened; none where it cannot rest. */
const rests = clock && new Rests(clock);

/** Timestamps are otherwise rounded to 100 µs. */
const flags = ['disable-dawn-features=timestamp_quantization'];
/** allow_unsafe_apis shows experimental features; Dawn hides f16 on NVIDIA unless asked. */
const experimentalFlags = [...flags, 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'];

/** Opens a device in Node. Throws 'gpu/no-dawn', 'gpu/no-adapter', 'gpu/adapter-choice', 'gpu/kernel-setting' and what openGpu throws. */
export async function openNodeGpu(options: OpenNodeOptions = {}): Promise<Gpu> {
  const {
    adapter: asked,
    onNotice = console.error,
    choices = kernelSetting(),
    experimental = process.env['LIMN_EXPERIMENTAL'] === '1',
    ...others
  } = options;
  const rest = { ...others, choices: choicesFrom(choices, onNotice) };
  const choice = asked ?? process.env['LIMN_ADAPTER'] ?? 'auto';
  if (choice !== 'auto' && choice !== 'system' && choice !== 'swiftshader')
    throw new LimnError('gpu/adapter-choice', `adapter '${choice}' is unknown; it can be auto, system or swiftshader`, {
      details: { adapter: choice, allowed: ['auto', 'system', 'swiftshader'] },
      hint: 'Check the environment variable LIMN_ADAPTER.',
    });
  const create = await loadDawn();
  if (rests) onDeviceWait((wait) => rests.during(wait));
  const dawn: Dawn = experimental
    ? { suffix: ' experimental', make: () => create(experimentalFlags) }
    : { suffix: '', make: () => create(flags) };
  const opened = state.turn.then(() => openOn(choice, dawn, rest, onNotice));
  state.turn = opened.catch(() => undefined);
  return opened;
}

/** What openGpu shall ask once it has a device. */
function choicesFrom(
  choices: KernelSetting | KernelChoices,
  onNotice: (message: string) => void,
): NonNullable<OpenOptions['choices']> {
  if (choices === 'built-in') return builtInChoices;
  if (choices !== 'cached') return choices;
  return async (capabilities) => (await readKernelChoices(capabilities, { onNotice })) ?? builtInChoices;
}

async function openOn(
  choice: AdapterChoice,
  dawn: Dawn,
  options: OpenOptions,
  onNotice: (message: string) => void,
): Promise<Gpu> {
  if (choice !== 'swiftshader') {
    const provider = await answering('system', dawn, options);
    if (provider) return openGpu({ ...options, provider, source: 'system' });
    if (choice === 'system') throw noAdapter('LIMN_ADAPTER=system rules out the software fallback');
  }
  return openSwiftShader(dawn, options, choice === 'auto' ? onNotice : undefined);
}

/** Makes a Dawn instance, and how its providers are told from those of other toggles. */
interface Dawn {
  readonly suffix: '' | ' experimental';
  readonly make: () => GPU;
}

async function loadDawn(): Promise<(options: string[]) => GPU> {
  try {
    return (await import('webgpu')).create;
  } catch (error) {
    throw new LimnError('gpu/no-dawn', `Dawn for Node could not be loaded: ${messageOf(error)}`, {
      hint: 'npm install webgpu@0.6.2 (Linux and Windows x64 or arm64, macOS).',
      cause: error,
    });
  }
}

/** A provider whose requestAdapter answers; only that tells whether a driver works. */
async function answering(source: 'system' | 'swiftshader', dawn: Dawn, options: OpenOptions): Promise<GPU | undefined> {
  const name: Provider = `${source}${dawn.suffix}`;
  const provider = state.providers[name] ?? dawn.make();
  const adapter = await provider.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
  if (!adapter) return undefined;
  return (state.providers[name] = provider);
}

async function openSwiftShader(
  dawn: Dawn,
  options: OpenOptions,
  notice: ((message: string) => void) | undefined,
): Promise<Gpu> {
  const { withSoftwareVulkan } = await import('@limn/software-vulkan').catch((error: unknown) => {
    throw noAdapter('the package @limn/software-vulkan, which brings a software driver, is not installed', error);
  });
  const result = await withSoftwareVulkan(async () => {
    const provider = await answering('swiftshader', dawn, options);
    return provider ? await openGpu({ ...options, provider, source: 'swiftshader' }) : undefined;
  });
  if (result === undefined) throw noAdapter('SwiftShader was loaded, but it gave no adapter either');
  if ('available' in result) throw noAdapter(result.reason);
  if (notice && !state.noticed) {
    state.noticed = true;
    notice(
      'limn: no Vulkan driver gave an adapter; using SwiftShader on the CPU, which is slow (a system driver, or Mesa lavapipe 25, is faster).',
    );
  }
  return result;
}

function noAdapter(reason: string, cause?: unknown): LimnError {
  return new LimnError('gpu/no-adapter', `no GPU adapter: ${reason}`, {
    hint: 'Install a Vulkan driver (on Debian or Ubuntu: mesa-vulkan-drivers and libvulkan1), or @limn/software-vulkan on Linux x64.',
    ...(cause === undefined ? {} : { cause }),
  });
}

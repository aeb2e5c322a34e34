// What an adapter and the device made from it can do, as a frozen value.

/** One shape of subgroup matrices (tensor cores) that a device multiplies: [m, k] · [k, n]. */
export interface SubgroupMatrixConfig {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Type of both factors, such as 'f16' or 'f32'. */
  readonly componentType: string;
  /** Type of the sums. */
  readonly resultType: string;
}

/** Everything that code may branch on; recorded in result files. */
export interface Capabilities {
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallback: boolean;
  };
  /** Where the adapter came from: 'browser', 'system' (Dawn with the machine's driver), 'swiftshader', 'dry', or a provider's own word. */
  readonly source: string;
  /** shader-f16 is on. f16 storage needs no feature: it is packed into u32. */
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly subgroupMin: number;
  readonly subgroupMax: number;
  /** timestamp-query is on. */
  readonly timestamps: boolean;
  /** Matrices that subgroups multiply; empty without the feature, which is experimental (`openNodeGpu({ experimental: true })`). */
  readonly subgroupMatrix: readonly SubgroupMatrixConfig[];
  /** Products with weights stored as f16 may round their other factor to f16 as well (`OpenOptions.halfProducts`). */
  readonly halfProducts: boolean;
  /** Limits of the device, by WebGPU's names. */
  readonly limits: Readonly<Record<LimitName, number>>;
  /** Measured at open by a matrix product that reads every operand from memory; operations per second. */
  readonly flopsPerSecond: number;
}

/** WebGPU's defaults for the limits that compute work meets; a device has at least these. */
export const defaultLimits = Object.freeze({
  maxBindGroups: 4,
  maxBindingsPerBindGroup: 1000,
  maxDynamicUniformBuffersPerPipelineLayout: 8,
  maxStorageBuffersPerShaderStage: 8,
  maxUniformBuffersPerShaderStage: 12,
  maxUniformBufferBindingSize: 65536,
  maxStorageBufferBindingSize: 134217728,
  minUniformBufferOffsetAlignment: 256,
  minStorageBufferOffsetAlignment: 256,
  maxBufferSize: 268435456,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
});

/** A limit that limn asks for and reports. */
export type LimitName = keyof typeof defaultLimits;

/** The limits' names, in WebGPU's order. */
export const limitNames = Object.keys(defaultLimits) as LimitName[];

/** A device with nothing but WebGPU's defaults, for dry runs; speed is that of a slow software adapter. */
export const dryCapabilities: Capabilities = Object.freeze({
  adapter: Object.freeze({
    vendor: '',
    architecture: '',
    device: 'dry',
    description: 'no device: plans only',
    isFallback: false,
  }),
  source: 'dry',
  f16: false,
  subgroups: false,
  subgroupMin: 4,
  subgroupMax: 128,
  timestamps: false,
  subgroupMatrix: Object.freeze([]),
  halfProducts: false,
  limits: defaultLimits,
  flopsPerSecond: 2e9,
});

/** What an adapter's info lists with the experimental feature; not in WebGPU's types yet. */
interface SubgroupMatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly M: number;
    readonly N: number;
    readonly K: number;
    readonly componentType: string;
    readonly resultComponentType: string;
  }>;
}

/** Subgroup matrices, as Chromium and Dawn call them for now. */
export const SUBGROUP_MATRIX = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

function subgroupMatrixOf(info: GPUAdapterInfo & SubgroupMatrixInfo, device: GPUDevice): SubgroupMatrixConfig[] {
  if (!device.features.has(SUBGROUP_MATRIX)) return [];
  return [...(info.subgroupMatrixConfigs ?? [])].map(({ M, N, K, componentType, resultComponentType }) =>
    Object.freeze({ m: M, n: N, k: K, componentType, resultType: resultComponentType }),
  );
}

/** The capabilities of an open device. `flopsPerSecond` is filled in by the caller, who measured it, as is what was allowed. */
export function readCapabilities(
  adapterInfo: GPUAdapterInfo,
  device: GPUDevice,
  source: string,
  flopsPerSecond: number,
  halfProducts = false,
): Capabilities {
  const limits = {} as Record<LimitName, number>;
  for (const name of limitNames) limits[name] = device.limits[name];
  return Object.freeze({
    adapter: Object.freeze({
      vendor: adapterInfo.vendor,
      architecture: adapterInfo.architecture,
      device: adapterInfo.device,
      description: adapterInfo.description,
      // Older browsers leave it out.
      isFallback: (adapterInfo.isFallbackAdapter as boolean | undefined) ?? false,
    }),
    source,
    f16: device.features.has('shader-f16'),
    subgroups: device.features.has('subgroups'),
    subgroupMin: adapterInfo.subgroupMinSize ?? 4,
    subgroupMax: adapterInfo.subgroupMaxSize ?? 128,
    timestamps: device.features.has('timestamp-query'),
    subgroupMatrix: Object.freeze(subgroupMatrixOf(adapterInfo, device)),
    halfProducts,
    limits: Object.freeze(limits),
    flopsPerSecond,
  });
}

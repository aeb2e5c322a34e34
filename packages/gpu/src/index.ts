// Public face of @limn/gpu, free of Node modules; Node's own opening is in './node.js'.
/** @module @limn/gpu */
export type { ShaderBinding, ShaderModule, ShaderParam } from '@limn/shaders';
export { throwIfAborted } from './abort.js';
export {
  defaultLimits,
  dryCapabilities,
  limitNames,
  type Capabilities,
  type LimitName,
  type SubgroupMatrixConfig,
} from './capabilities.js';
export {
  builtInChoices,
  formatKernelChoices,
  kernelChoices,
  kernelKey,
  parseKernelChoices,
  type KernelChoices,
} from './choices.js';
export { Counters, type CounterSnapshot } from './counters.js';
export { awaitDevice, onDeviceWait, type DeviceWaitListener } from './device-wait.js';
export type { Progress } from './engine.js';
export {
  AbortedError,
  DeviceLostError,
  LimnError,
  messageOf,
  OutOfMemoryError,
  ShaderError,
  type ErrorOptionsOfLimn,
  type LimnErrorJson,
} from './errors.js';
export { formatBytes } from './format-bytes.js';
export { dryGpu, Gpu, SUBMIT_SECONDS, type GpuOptions, type TypedArrayOf } from './gpu.js';
export {
  defineKernel,
  type AnyShader,
  type BindingsOf,
  type Grid,
  type Kernel,
  type KernelRules,
  type OverridesOf,
  type UniformsOf,
  type Variant,
} from './kernel.js';
export { openGpu, type OpenOptions } from './open.js';
export type { PlanReport } from './plan.js';
export { sha256 } from './sha256.js';
export { shownValue } from './shown-value.js';
export { Step } from './step.js';
export type { CopyRange, DispatchOptions, StepOptions } from './step-options.js';
export { Storage, type StorageKind } from './storage.js';
export type { KernelTiming } from './timing.js';

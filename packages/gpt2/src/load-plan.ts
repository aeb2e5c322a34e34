// What loading a model will take, counted from the headers before anything is allocated, and the refusal of what does not fit.
import { LimnError, type Gpu } from '@limn/gpu';
import { parseConfig, type Gpt2Config } from './config.js';
import type { ModelFiles } from './files.js';
import type { SafetensorsEntry } from './safetensors-entry.js';
import { chunkBytes } from './tensor-values.js';
import { isBlockedWeight, isLinearWeight } from './weight-names.js';
import { findWeights, type FoundWeights, type LinearOrientation } from './weights.js';

/** One weight of a plan. */
export interface PlannedWeight {
  /** Name without the `transformer.` prefix. */
  readonly name: string;
  readonly shape: readonly number[];
  /** As stored in the file; on the GPU it is f32. */
  readonly dtype: string;
  readonly gpuBytes: number;
}

/** What loading takes. */
export interface LoadPlan {
  readonly source: string;
  readonly parameters: number;
  readonly weights: readonly PlannedWeight[];
  /** Whether the unembedding is the token embedding. */
  readonly tied: boolean;
  /** Bytes of tensors that will be read. */
  readonly fileBytes: number;
  /** Bytes of weights on the GPU, in f32; each buffer is rounded up to 256 bytes on top. */
  readonly gpuBytes: number;
  /** Most bytes of weights in host memory at once: one tensor, and what converting it takes. */
  readonly hostBytes: number;
}

/**
 * Reads config and headers, and no weights.
 * @throws LimnError `files/…`, `config/…`, `safetensors/…`, `weights/…`.
 */
export async function planLoad(
  source: ModelFiles,
  options: { readonly orientation?: LinearOrientation } = {},
): Promise<LoadPlan> {
  const config = await readConfig(source);
  return planOf(source.label, await findWeights(source, config, options.orientation), options.orientation);
}

/** config.json of a source. */
export async function readConfig(source: ModelFiles): Promise<Gpt2Config> {
  return parseConfig(new TextDecoder().decode(await source.read('config.json')));
}

/** The plan for weights that were found. */
export function planOf(source: string, found: FoundWeights, orientation: LinearOrientation = 'in-out'): LoadPlan {
  const weights: PlannedWeight[] = [];
  let [parameters, fileBytes, hostBytes] = [0, 0, 0];
  for (const [name, entry] of found.entries) {
    const count = entry.shape.reduce((product, extent) => product * extent, 1);
    parameters += count;
    fileBytes += entry.end - entry.begin;
    hostBytes = Math.max(hostBytes, hostBytesOf(name, entry, 4 * count, orientation));
    weights.push({ name, shape: entry.shape, dtype: entry.dtype, gpuBytes: 4 * count });
  }
  return { source, parameters, weights, tied: found.tied, fileBytes, gpuBytes: 4 * parameters, hostBytes };
}

/** The f32 values; the piece they are converted from unless they were stored so; and their transpose if they are turned. */
function hostBytesOf(name: string, entry: SafetensorsEntry, f32: number, orientation: LinearOrientation): number {
  const piece = entry.dtype === 'F32' ? 0 : Math.min(chunkBytes, entry.end - entry.begin);
  return Math.max(f32 + piece, orientation === 'out-in' && isLinearWeight(name) ? 2 * f32 : 0);
}

/**
 * Refuses a plan that cannot fit: weights beyond `budgetBytes`, or one that needs a larger buffer than the device gives.
 * The vocabulary matrices are kept in blocks, so only the others are held against the device's limit.
 * @throws LimnError `load/over-budget`, `load/over-limit`, with the numbers.
 */
export function checkPlan(plan: LoadPlan, gpu: Gpu, budgetBytes?: number): void {
  if (budgetBytes !== undefined && !(budgetBytes >= plan.gpuBytes)) {
    throw new LimnError('load/over-budget', `${describePlan(plan)}; the budget is ${formatBytes(budgetBytes)}`, {
      details: { needed: plan.gpuBytes, budget: budgetBytes, parameters: plan.parameters, source: plan.source },
      hint: 'Nothing was allocated. Raise budgetBytes, free other models, or take a smaller one.',
    });
  }
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.capabilities.limits;
  const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  const large = plan.weights.find(({ name, gpuBytes }) => gpuBytes > limit && !isBlockedWeight(name));
  if (large) {
    throw new LimnError(
      'load/over-limit',
      `${plan.source}: ${large.name} needs ${formatBytes(large.gpuBytes)} in one buffer; this device binds at most ${formatBytes(limit)}`,
      {
        details: { name: large.name, shape: large.shape, needed: large.gpuBytes, limit },
        hint: 'Nothing was allocated. The model is too wide for this device.',
      },
    );
  }
}

/** One line: what the plan takes. */
export function describePlan(plan: LoadPlan): string {
  const dtypes = [...new Set(plan.weights.map(({ dtype }) => dtype))].join(', ');
  const count = plan.parameters.toLocaleString('en-US');
  return (
    `${plan.source}: ${count} parameters in ${plan.weights.length} tensors (${dtypes}), ${formatBytes(plan.gpuBytes)} on the GPU, ` +
    `${formatBytes(plan.fileBytes)} to read, at most ${formatBytes(plan.hostBytes)} of them in host memory`
  );
}

/** Bytes in binary units with three digits: '475 MiB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toPrecision(value < 1000 ? 3 : 4)} ${units[power]}`;
}

// What loading a model will take, counted from the headers before anything is allocated, and the refusal of what does not fit.
import { formatBytes, LimnError, shownValue, type Gpu } from '@limn/gpu';
import { BLOCK_BYTES } from '@limn/tensor';
import { abortableFiles } from './abortable-files.js';
import { parseConfig, type Gpt2Config } from './config.js';
import { readSmall, type ModelFiles } from './files.js';
import type { SafetensorsEntry } from './safetensors-entry.js';
import { staysTied } from './process-weights.js';
import { chunkBytes } from './tensor-values.js';
import { addedWeights, describeForm, storageOf, storedBytes, type WeightForm } from './weight-form.js';
import { isBlockedWeight, isLinearWeight } from './weight-names.js';
import { findWeights, isOutIn, type FoundWeights, type LinearOrientation } from './weights.js';

/** A config has a few thousand bytes; room for long lists of labels. */
const maxConfigBytes = 2 ** 24;

/** One weight of a plan. */
export interface PlannedWeight {
  /** Name without the `transformer.` prefix. */
  readonly name: string;
  readonly shape: readonly number[];
  /** As stored in the file. */
  readonly dtype: string;
  /** In f32, or in f16 where the weight is to be stored so. */
  readonly gpuBytes: number;
}

/** What loading takes. */
export interface LoadPlan {
  readonly source: string;
  readonly parameters: number;
  readonly weights: readonly PlannedWeight[];
  /** What will be done to the weights, as in `info.processing`. */
  readonly processing: string;
  /** Whether the unembedding is the token embedding. */
  readonly tied: boolean;
  /** Bytes of tensors that will be read. */
  readonly fileBytes: number;
  /** Bytes of weights on the GPU; each buffer is rounded up to 256 bytes on top. */
  readonly gpuBytes: number;
  /** Most bytes of weights in host memory at once: one tensor, and what converting it takes. */
  readonly hostBytes: number;
}

/**
 * Reads config and headers, and no weights.
 * @throws LimnError `files/…`, `config/…`, `safetensors/…`, `weights/…`; the signal's reason when aborted.
 */
export async function planLoad(
  source: ModelFiles,
  options: WeightForm & { readonly orientation?: LinearOrientation; readonly signal?: AbortSignal } = {},
): Promise<LoadPlan> {
  const files = abortableFiles(source, options.signal);
  const config = await readConfig(files);
  return planOf(source.label, config, await findWeights(files, config, options.orientation), options);
}

/** config.json of a source. */
export async function readConfig(source: ModelFiles, onNotice?: (notice: string) => void): Promise<Gpt2Config> {
  const text = new TextDecoder().decode(await readSmall(source, 'config.json', maxConfigBytes));
  return parseConfig(text, 'config.json', onNotice);
}

/** The plan for weights that were found. */
export function planOf(
  source: string,
  config: Gpt2Config,
  found: FoundWeights,
  options: WeightForm & { readonly orientation?: LinearOrientation },
): LoadPlan {
  const processing = describeForm(options);
  const weights: PlannedWeight[] = [];
  let [fileBytes, hostBytes] = [0, 0];
  const plan = (name: string, shape: readonly number[], dtype: string): number => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    weights.push({ name, shape, dtype, gpuBytes: storedBytes(name, count, options) });
    return count;
  };
  for (const [name, entry] of found.entries) {
    const count = plan(name, entry.shape, entry.dtype);
    fileBytes += entry.end - entry.begin;
    hostBytes = Math.max(hostBytes, hostBytesOf(name, entry, 4 * count, options));
  }
  const head = found.entries.get('wte.weight') as SafetensorsEntry;
  for (const [name, shape] of addedWeights(config, found.tied, options)) {
    plan(name, shape, name === 'lm_head.weight' ? head.dtype : 'F32');
    if (name === 'lm_head.weight') fileBytes += head.end - head.begin;
  }
  return {
    source,
    parameters: weights.reduce((sum, { shape }) => sum + shape.reduce((product, extent) => product * extent, 1), 0),
    weights,
    processing,
    tied: found.tied && staysTied(found.tied, options.processing ?? {}),
    fileBytes,
    gpuBytes: weights.reduce((sum, { gpuBytes }) => sum + gpuBytes, 0),
    hostBytes,
  };
}

/**
 * The f32 values; the piece they are converted from unless they were stored so; their transpose if they are turned; and the words of the
 * largest block if they are packed.
 */
function hostBytesOf(
  name: string,
  entry: SafetensorsEntry,
  f32: number,
  { orientation, weights }: WeightForm & { readonly orientation?: LinearOrientation },
): number {
  const piece = entry.dtype === 'F32' ? 0 : Math.min(chunkBytes, entry.end - entry.begin);
  const packed = storageOf(name, { weights: weights ?? 'f32' }) === 'f16' ? Math.min(f32 / 2, BLOCK_BYTES) : 0;
  return Math.max(f32 + piece, f32 + packed, isOutIn(orientation) && isLinearWeight(name) ? 2 * f32 : 0);
}

/**
 * Refuses a plan that cannot fit: weights beyond `budgetBytes`, or one that needs a larger buffer than the device gives.
 * The vocabulary matrices are kept in blocks, so only the others are held against the device's limit.
 * @throws LimnError `load/over-budget`, `load/over-limit`, with the numbers.
 */
export function checkPlan(plan: LoadPlan, gpu: Gpu, budgetBytes?: number): void {
  if (budgetBytes !== undefined && !(budgetBytes >= plan.gpuBytes)) {
    throw new LimnError('load/over-budget', `${describePlan(plan)}; the budget is ${shownBytes(budgetBytes)}`, {
      details: { needed: plan.gpuBytes, budget: budgetBytes, parameters: plan.parameters, source: plan.source },
      hint: 'Nothing was allocated. Raise budgetBytes (--memory-budget on the command line), free other models, or take a smaller one.',
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

/** Bytes in words; what is no number of bytes as it is. */
const shownBytes = (bytes: number): string =>
  typeof bytes === 'number' && bytes >= 0 ? formatBytes(bytes) : `${shownValue(bytes)}, which is no number of bytes`;

/** One line: what the plan takes. */
export function describePlan(plan: LoadPlan): string {
  const dtypes = [...new Set(plan.weights.map(({ dtype }) => dtype))].join(', ');
  const count = plan.parameters.toLocaleString('en-US');
  const done = plan.processing === 'none' ? '' : ` → ${plan.processing}`;
  return (
    `${plan.source}: ${count} parameters in ${plan.weights.length} tensors (${dtypes}${done}), ${formatBytes(plan.gpuBytes)} on the GPU, ` +
    `${formatBytes(plan.fileBytes)} to read, at most ${formatBytes(plan.hostBytes)} of them in host memory`
  );
}

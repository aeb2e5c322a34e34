// A model's weights on the GPU, by name, and how they get there: uploaded one by one, or drawn at random.
import type { Gpu } from '@limn/gpu';
import {
  assign,
  persistent,
  randomNormalTensor,
  rowBlocks,
  Tensor,
  toF16,
  unpackF16,
  type RowBlocks,
} from '@limn/tensor';
import type { Gpt2Config } from './config.js';
import type { NamedTensor } from './process-weights.js';
import { roundToF16, storageOf, type WeightForm } from './weight-form.js';
import { isBlockedWeight, weightShapes, type HostTensor } from './weight-names.js';
import { Fingerprint } from './weights.js';

/** Weights on the GPU in Hugging Face's names and layout, and `lm_head.bias` [V] where LayerNorm was folded. */
export interface Gpt2Parameters {
  readonly tied: boolean;
  readonly byName: ReadonlyMap<string, Tensor | RowBlocks>;
  readonly fingerprint: string;
  /** What was done to the weights: `describeForm`. */
  readonly processing: string;
}

/** The parts of Gpt2Parameters that come from the weights themselves. */
type Uploaded = Pick<Gpt2Parameters, 'byName' | 'fingerprint'>;

/**
 * Uploads weights as they come. Each has left host memory, the driver's copy included, before the next is asked for. Frees what it made if
 * one fails.
 */
export async function uploadParameters(
  gpu: Gpu,
  form: WeightForm,
  weights: AsyncIterable<NamedTensor>,
  onProgress?: (done: number, name: string) => void,
): Promise<Uploaded> {
  const byName = new Map<string, Tensor | RowBlocks>();
  const print = new Fingerprint();
  try {
    for await (const [name, tensor] of weights) {
      if (storageOf(name, form) === 'f16') roundToF16(name, tensor);
      await print.add(name, tensor);
      byName.set(name, makeParameter(gpu, name, tensor.shape, form, tensor.data));
      await gpu.finished();
      onProgress?.(byName.size, name);
    }
    return { byName, fingerprint: await print.digest() };
  } catch (error) {
    disposeParameters(byName);
    throw error;
  }
}

/** A persistent parameter, zero without data. */
function makeParameter(
  gpu: Gpu,
  name: string,
  shape: readonly number[],
  form: WeightForm,
  data?: Float32Array,
): Tensor | RowBlocks {
  const options = { label: name, dtype: storageOf(name, form) };
  const [rows, width] = shape as [number, number];
  return isBlockedWeight(name) ? rowBlocks(gpu, rows, width, data, options) : persistent(gpu, shape, data, options);
}

/** Frees the memory of parameters. */
export function disposeParameters(byName: ReadonlyMap<string, Tensor | RowBlocks>): void {
  for (const parameter of byName.values()) tensorsOf(parameter).forEach((tensor) => tensor.dispose());
}

/** A parameter's shape. */
export function shapeOf(parameter: Tensor | RowBlocks): readonly number[] {
  return parameter instanceof Tensor ? parameter.shape : [parameter.rows, parameter.width];
}

/** The tensors behind a parameter: itself, or its row blocks. */
export function tensorsOf(parameter: Tensor | RowBlocks): readonly Tensor[] {
  return parameter instanceof Tensor ? [parameter] : parameter.blocks;
}

/**
 * GPT-2's initial weights, drawn on the GPU: normal with deviation `initializerRange` (1/√(2·layers) of it for the two projections that
 * write into the residual stream), LayerNorm at 1 and 0, biases 0. Every weight is a stream of its own, so that the size of one does not
 * shift the numbers of another; the same seed gives the same bits on every machine. In f16 they are the same numbers, rounded.
 */
export async function drawParameters(
  gpu: Gpu,
  config: Gpt2Config,
  tied: boolean,
  seed: number,
  weights: 'f32' | 'f16' = 'f32',
): Promise<Map<string, Tensor | RowBlocks>> {
  const byName = new Map<string, Tensor | RowBlocks>();
  const streams = [...weightShapes(config, false).keys()];
  try {
    for (const [name, shape] of weightShapes(config, tied)) {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const ones = /ln_(1|2|f)\.weight$/.test(name) ? new Float32Array(size).fill(1) : undefined;
      const parameter = makeParameter(gpu, name, shape, { weights }, ones);
      byName.set(name, parameter);
      if (shape.length === 1) continue;
      const deviation = config.initializerRange / (name.endsWith('c_proj.weight') ? Math.sqrt(2 * config.layers) : 1);
      let start = 0;
      for (const tensor of tensorsOf(parameter)) {
        const step = gpu.step({ label: `draw ${name}` });
        const key = { seed, stream: streams.indexOf(name), start };
        const drawn = randomNormalTensor(step, tensor.shape, key, deviation);
        assign(step, tensor, tensor.dtype === 'f16' ? toF16(step, drawn) : drawn);
        await step.submit();
        start += tensor.size;
      }
    }
    return byName;
  } catch (error) {
    disposeParameters(byName);
    throw error;
  }
}

/** A parameter's values, after the steps submitted when each piece is asked for: the whole tensor, or a block of rows at a time; f16 is widened. */
export async function* parameterPieces(gpu: Gpu, parameter: Tensor | RowBlocks): AsyncGenerator<Float32Array> {
  for (const { storage, dtype, size } of tensorsOf(parameter))
    yield dtype === 'f16' ? unpackF16(await gpu.read(storage, 'u32'), size) : await gpu.read(storage, 'f32');
}

/** A parameter's values on the host, after the steps submitted so far; f16 is widened. */
export async function readParameter(gpu: Gpu, parameter: Tensor | RowBlocks): Promise<HostTensor> {
  const shape = shapeOf(parameter);
  const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  let at = 0;
  for await (const part of parameterPieces(gpu, parameter)) {
    data.set(part, at);
    at += part.length;
  }
  return { shape, data };
}

/** Overwrites an f32 parameter's values with pieces of any length, as many values as it has. Each has left the host before the next comes. */
export async function writeParameter(
  gpu: Gpu,
  parameter: Tensor | RowBlocks,
  pieces: AsyncIterable<Float32Array>,
): Promise<void> {
  const tensors = [...tensorsOf(parameter)];
  let within = 0;
  for await (let piece of pieces) {
    while (piece.length > 0) {
      const [tensor] = tensors as [Tensor];
      const part = piece.subarray(0, tensor.size - within);
      gpu.write(tensor.storage, part, 4 * within);
      within += part.length;
      piece = piece.subarray(part.length);
      if (within < tensor.size) continue;
      tensors.shift();
      within = 0;
    }
    await gpu.finished();
  }
}

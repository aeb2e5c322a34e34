// A model's weights on the GPU, by name, and how they get there: uploaded one by one, or drawn at random.
import type { Gpu } from '@limn/gpu';
import { assign, persistent, randomNormalTensor, rowBlocks, Tensor, type RowBlocks } from '@limn/tensor';
import type { Gpt2Config } from './config.js';
import { isBlockedWeight, weightShapes, type HostTensor } from './weight-names.js';
import { Fingerprint } from './weights.js';

/** Weights on the GPU in Hugging Face's names and layout. */
export interface Gpt2Parameters {
  readonly tied: boolean;
  readonly byName: ReadonlyMap<string, Tensor | RowBlocks>;
  readonly fingerprint: string;
}

/** Uploads every weight, asking for one at a time so that only one is in host memory. Frees what it made if one fails. */
export async function uploadParameters(
  gpu: Gpu,
  config: Gpt2Config,
  tied: boolean,
  read: (name: string, shape: readonly number[]) => Promise<HostTensor>,
): Promise<Gpt2Parameters> {
  const byName = new Map<string, Tensor | RowBlocks>();
  const print = new Fingerprint();
  try {
    for (const [name, shape] of weightShapes(config, tied)) {
      const { data } = await read(name, shape);
      await print.add(name, { shape, data });
      const [rows, width] = shape as [number, number];
      byName.set(
        name,
        isBlockedWeight(name)
          ? rowBlocks(gpu, rows, width, data, { label: name })
          : persistent(gpu, shape, data, { label: name }),
      );
    }
    return { tied, byName, fingerprint: await print.digest() };
  } catch (error) {
    for (const parameter of byName.values()) tensorsOf(parameter).forEach((tensor) => tensor.dispose());
    throw error;
  }
}

/** The tensors behind a parameter: itself, or its row blocks. */
export function tensorsOf(parameter: Tensor | RowBlocks): readonly Tensor[] {
  return parameter instanceof Tensor ? [parameter] : parameter.blocks;
}

/**
 * GPT-2's initial weights, drawn on the GPU: normal with deviation `initializerRange` (1/√(2·layers) of it for the two projections that
 * write into the residual stream), LayerNorm at 1 and 0, biases 0. Every weight is a stream of its own, so that the size of one does not
 * shift the numbers of another; the same seed gives the same bits on every machine.
 */
export async function drawParameters(
  gpu: Gpu,
  config: Gpt2Config,
  tied: boolean,
  seed: number,
): Promise<Map<string, Tensor | RowBlocks>> {
  const byName = new Map<string, Tensor | RowBlocks>();
  const streams = [...weightShapes(config, false).keys()];
  for (const [name, shape] of weightShapes(config, tied)) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const ones = /ln_(1|2|f)\.weight$/.test(name) ? new Float32Array(size).fill(1) : undefined;
    const [rows, width] = shape as [number, number];
    const parameter = isBlockedWeight(name)
      ? rowBlocks(gpu, rows, width, undefined, { label: name })
      : persistent(gpu, shape, ones, { label: name });
    byName.set(name, parameter);
    if (shape.length === 1) continue;
    const deviation = config.initializerRange / (name.endsWith('c_proj.weight') ? Math.sqrt(2 * config.layers) : 1);
    const step = gpu.step({ label: `draw ${name}` });
    let start = 0;
    for (const tensor of tensorsOf(parameter)) {
      assign(
        step,
        tensor,
        randomNormalTensor(step, tensor.shape, { seed, stream: streams.indexOf(name), start }, deviation),
      );
      start += tensor.size;
    }
    await step.submit();
  }
  return byName;
}

/** A parameter's values on the host, after the steps submitted so far. */
export async function readParameter(
  gpu: Gpu,
  parameter: Tensor | RowBlocks,
  shape: readonly number[],
): Promise<HostTensor> {
  const parts = await Promise.all(tensorsOf(parameter).map((tensor) => gpu.read(tensor.storage, 'f32')));
  if (parts.length === 1) return { shape, data: parts[0] as Float32Array };
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { shape, data };
}

/** Overwrites a parameter's values. */
export function writeParameter(gpu: Gpu, parameter: Tensor | RowBlocks, data: Float32Array): void {
  let at = 0;
  for (const tensor of tensorsOf(parameter)) {
    gpu.write(tensor.storage, data.subarray(at, at + tensor.size));
    at += tensor.size;
  }
}

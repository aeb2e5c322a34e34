// Values on the host with their shape: what the one-call functions give back.
import type { Step } from '@limn/gpu';
import { readFloats, type Tensor } from '@limn/tensor';

/** Row-major values of a tensor of any rank. */
export interface HostArray<Data extends Float32Array | Float64Array = Float32Array> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** Reads a tensor of a step, under another shape of the same size if one is given. Reads asked for together share one submit. */
export async function readArray(
  step: Step,
  tensor: Tensor,
  shape: readonly number[] = tensor.shape,
): Promise<HostArray> {
  return { shape: Object.freeze([...shape]), data: await readFloats(step, tensor) };
}

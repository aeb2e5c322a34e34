// Rows in parts: as many at a time as one binding holds the [N, F] activations of.
import type { Gpu, Step } from '@limn/gpu';
import { slice, type Tensor } from '@limn/tensor';

/** The most rows of F features whose activations one binding holds. */
export function rowsPerBinding(gpu: Gpu, features: number): number {
  return Math.max(1, Math.floor(gpu.capabilities.limits.maxStorageBufferBindingSize / (4 * features)));
}

/** [start, count] of parts of like size, at most `most` rows each. */
export function partsOf(rows: number, most: number): (readonly [start: number, count: number])[] {
  const parts = Math.max(1, Math.ceil(rows / most));
  const at = (p: number): number => Math.floor((p * rows) / parts);
  return Array.from({ length: parts }, (_, p) => [at(p), at(p + 1) - at(p)] as const);
}

/** Rows [start, start + count) of x [N, …]; x itself where they are all. */
export function rowRange(step: Step, x: Tensor, start: number, count: number): Tensor {
  return x.shape[0] === count ? x : slice(step, x, 0, start, count);
}

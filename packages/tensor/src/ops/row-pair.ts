// Sums over rows that come in pairs (dγ and dβ): partial sums of row chunks, then a second pass, then one tensor each.
import type { Step } from '@limn/gpu';
import { allocate, Tensor } from '../tensor.js';
import { sumRun } from './sum-run.js';

/** Rows that one lane sums in the first pass. */
export const PAIR_CHUNK = 64;

/** partial [chunks, 2 · width] → its column sums as two [width] tensors; an unwanted one stays undefined. */
export function splitPair(
  step: Step,
  partial: Tensor,
  labels: readonly [string, string],
  wanted: readonly [boolean, boolean],
): readonly [Tensor | undefined, Tensor | undefined] {
  const sums = sumRun(step, partial, 0, 1, 1);
  const width = sums.size / 2;
  const part = (index: 0 | 1): Tensor | undefined => {
    if (!wanted[index]) return undefined;
    const row = allocate(step, [width], labels[index]);
    step.copy(sums.storage, row.storage, { fromOffset: 4 * width * index, byteLength: 4 * width });
    return row;
  };
  return [part(0), part(1)];
}

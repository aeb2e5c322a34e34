// y[i] = Σ_{j < i} x[j] of whole numbers: where each list begins when lists of these lengths lie one after another.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { perRow } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';

const kernel = defineKernel(shaders.dictionaryScan, {
  ...perRow,
  grid: () => [1, 1, 1],
  work: (u) => 4 * u.count,
});

/** x u32 [n] → u32 [n + 1]; with `chunk`, of the number of chunks of every length above one chunk, 0 for the others. */
export function scan(step: Step, x: Tensor, label: string, chunk = 0): Tensor {
  const y = allocate(step, [x.size + 1], label, 'u32');
  step.dispatch(kernel, { x: x.storage, y: y.storage }, { count: x.size, chunk }, { label });
  return y;
}

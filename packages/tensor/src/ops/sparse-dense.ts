// Sparse codes as a matrix with zeros, values of a matrix at the entries of codes, and how often each feature fires.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { checkCodes, type SparseCodes } from './sparse-codes.js';
import { featureCounts } from './sparse-order.js';

const scatterKernel = defineKernel(shaders.sparseScatter, { grid: perElement, work: (u) => 4 * u.size });
const gatherKernel = defineKernel(shaders.sparseGather, { grid: perElement, work: (u) => 4 * u.size });
const countsKernel = defineKernel(shaders.sparseCounts, { grid: perElement, work: (u) => u.size });

/** [N, F] with values at the entries and 0 elsewhere. */
export function scatterEntries(step: Step, codes: SparseCodes, values: Tensor): Tensor {
  const { rows, features, capacity, entryRows, columns } = codes;
  const dense = allocate(step, [rows, features], 'dense codes');
  step.clear(dense.storage);
  step.dispatch(
    scatterKernel,
    { entry_rows: entryRows.storage, columns: columns.storage, values: values.storage, dense: dense.storage },
    { size: capacity, rows, features },
  );
  return dense;
}

const denseOp = defineOp<readonly [Tensor], readonly [Tensor], SparseCodes, undefined>({
  name: 'sparseToDense',
  forward: (step, [values], codes) => ({ outputs: [scatterEntries(step, codes, values)], saved: undefined }),
  vjp(step, { options: { rows, features, capacity, entryRows, columns } }, [dy]) {
    if (!dy) return [undefined];
    const values = allocate(step, [capacity], 'values at entries');
    step.dispatch(
      gatherKernel,
      { entry_rows: entryRows.storage, columns: columns.storage, dense: dy.storage, values: values.storage },
      { size: capacity, rows, features },
    );
    return [values];
  },
});

/**
 * The activations [N, F] that codes stand for; gradients reach the codes' values.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function sparseToDense(step: Step, codes: SparseCodes): Tensor {
  checkCodes('sparseToDense', codes);
  return denseOp(step, [codes.values], codes)[0];
}

/**
 * In how many rows each feature fires, f32 [F]. Off the tape.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function activeCounts(step: Step, codes: SparseCodes): Tensor {
  checkCodes('activeCounts', codes);
  const counts = featureCounts(step, codes);
  const y = allocate(step, [codes.features], 'rows per feature');
  step.dispatch(countsKernel, { counts: counts.storage, y: y.storage }, { size: codes.features });
  return y;
}

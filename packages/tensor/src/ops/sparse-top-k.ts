// The largest positive of given pre-activations as sparse codes, from all features or from those that are allowed.
import type { Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { expectRank } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { selectByBatch } from './sparse-batch.js';
import {
  checkAllowed,
  checkSelection,
  codesOf,
  tensorsOf,
  type CodeTensors,
  type SparseCodes,
  type SparseSelection,
} from './sparse-codes.js';
import { scatterEntries } from './sparse-dense.js';
import { selectByRow, type SelectionKernel } from './sparse-select.js';

/** What `selectTopK` selects. */
export interface SelectTopKOptions extends SparseSelection {
  /** u32 [F]: features with 0 here are not selected. */
  readonly allowed?: Tensor;
  /** Which kernel, for tests and benches. */
  readonly kernel?: SelectionKernel;
}

const selectOp = defineOp<readonly [Tensor], CodeTensors, SelectTopKOptions, undefined>({
  name: 'selectTopK',
  forward(step, [h], { k, over, allowed, kernel }) {
    const [rows, features] = h.shape as readonly [number, number];
    const form = { rows, features, k, allowed };
    const selector = over === 'batch' ? selectByBatch(step, form) : selectByRow(step, form, kernel);
    selector.take({ h: h.storage, first: 0, rows, stride: features });
    return { outputs: tensorsOf(selector.finish()), saved: undefined };
  },
  vjp(step, { inputs: [h], outputs }, [dValues]) {
    if (!dValues) return [undefined];
    const [rows, features] = h.shape as readonly [number, number];
    return [scatterEntries(step, codesOf(outputs, rows, features), dValues)];
  },
});

/**
 * Sparse codes of pre-activations h [N, F]: the k largest positive of each row or, with `over: 'batch'`, the k · N largest positive of all,
 * ordered as by `encodeTopK`, from the features that `allowed` does not bar. Gradients reach h at the selected entries alone.
 * @throws LimnError `tensor/dtype`, `tensor/range`, `tensor/shape`
 */
export function selectTopK(step: Step, h: Tensor, options: SelectTopKOptions): SparseCodes {
  const op = 'selectTopK';
  expectDType(op, h, ['f32'], 'h');
  expectRank(op, 'h', h.shape, 2);
  const [rows, features] = h.shape as readonly [number, number];
  checkSelection(op, rows, features, options.k);
  checkAllowed(op, options.allowed, features);
  return codesOf(selectOp(step, [h], options), rows, features);
}

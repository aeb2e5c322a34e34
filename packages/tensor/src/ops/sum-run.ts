// Σ over a run of axes in (outer, axis, inner) form, in as many passes as keep every partial sum short and in a fixed order.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { groupsOf, perElement, perRow } from '../grid.js';
import { runForm } from '../shape.js';
import { allocate, Tensor } from '../tensor.js';

/** Elements that one workgroup sums in one pass: enough lanes stay busy, and rounding stays near √n. */
export const ROW_CHUNK = 4096;
/** Elements that one thread sums in one pass. */
export const COLUMN_CHUNK = 256;
/** Rows shorter than this are summed by a thread each rather than a workgroup each. */
const SHORT_ROW = 32;

const sumRowsKernel = defineKernel(shaders.sumRows, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * u.chunks),
  work: (u) => u.rows * u.width,
});
const sumColumnsKernel = defineKernel(shaders.sumColumns, {
  grid: perElement,
  work: (u) => u.size * u.chunk,
});

/** alpha · Σ over axes [from, to), which become one axis of length 1. A leaf. */
export function sumRun(step: Step, x: Tensor, from: number, to: number, alpha: number): Tensor {
  const { outer, axis, inner } = runForm(x.shape, from, to);
  const shape = [...x.shape.slice(0, from), ...x.shape.slice(from, to).map(() => 1), ...x.shape.slice(to)];
  const byRows = inner === 1 && axis >= SHORT_ROW;
  let current = x;
  let length = axis;
  for (;;) {
    const chunk = Math.min(length, byRows ? ROW_CHUNK : COLUMN_CHUNK);
    const chunks = Math.ceil(length / chunk);
    const output = allocate(step, chunks === 1 ? shape : [outer, chunks, inner], 'sum');
    const bindings = { x: current.storage, y: output.storage };
    const scale = chunks === 1 ? alpha : 1;
    if (byRows) step.dispatch(sumRowsKernel, bindings, { rows: outer, width: length, chunk, chunks, alpha: scale });
    else
      step.dispatch(sumColumnsKernel, bindings, {
        size: outer * chunks * inner,
        axis: length,
        inner,
        chunk,
        chunks,
        alpha: scale,
      });
    if (chunks === 1) return output;
    current = output;
    length = chunks;
  }
}

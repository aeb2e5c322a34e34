// y[n, c] = x[rows[n], c]; backward dx[r, c] = Σ_{n : rows[n] = r} dy[n, c]: an embedding whose table is a tensor of the step.
import type { Step } from '@limn/gpu';
import { expectRank, shapeError, showShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { embedOp } from './embed.js';

/**
 * Rows of x [R, C] by number: rows u32 [N] → [N, C]; rows may repeat. A number of R or more gives a row of zeros and no
 * gradient; check numbers on the host before they get here.
 * @throws LimnError `tensor/shape`, `tensor/dtype`
 */
export function gatherRows(step: Step, x: Tensor, rows: Tensor): Tensor {
  expectDType('gatherRows', x, ['f32'], 'x');
  expectDType('gatherRows', rows, ['u32'], 'rows');
  expectRank('gatherRows', 'x', x.shape, 2);
  if (rows.shape.length !== 1)
    throw shapeError('gatherRows', `rows has shape ${showShape(rows.shape)}`, 'Give the row numbers as [N].', {
      rows: rows.shape,
    });
  const [count, width] = x.shape as readonly [number, number];
  return embedOp(step, [rows, x], { width, rowsPerBlock: count })[0];
}

// y[n, c] = x[rows[n], c]; backward dx[r, c] = Σ_{n : rows[n] = r} dy[n, c], summed in rising n without atomics.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { expectRank, shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const forwardKernel = defineKernel(shaders.gatherRowsForward, { grid: perElement, work: (u) => u.size });
// Each place looks for its next occurrence; the expected walk is half the list.
const linksKernel = defineKernel(shaders.rowLinks, { grid: perElement, work: (u) => (u.size * u.places) / 2 });
const backwardKernel = defineKernel(shaders.gatherRowsBackward, { grid: perElement, work: (u) => 2 * u.size });

/** Σ of the rows of dy [N, C] that name each of `count` rows: [count, C], a leaf. Deterministic scatter-add. */
export function scatterRows(step: Step, dy: Tensor, rows: Tensor, count: number): Tensor {
  const [places, width] = dy.shape as readonly [number, number];
  const links = allocate(step, [count + places], 'row links', 'u32');
  step.dispatch(linksKernel, { rows: rows.storage, links: links.storage }, { size: links.size, count, places });
  const dx = allocate(step, [count, width], 'scatterRows');
  step.dispatch(
    backwardKernel,
    { links: links.storage, dy: dy.storage, dx: dx.storage },
    { size: dx.size, count, width },
  );
  return dx;
}

const gatherRowsOp = defineOp({
  name: 'gatherRows',
  forward(step, [x, rows]: readonly [x: Tensor, rows: Tensor]) {
    const [count, width] = x.shape as readonly [number, number];
    const y = allocate(step, [rows.size, width], 'gatherRows');
    const bindings = { x: x.storage, rows: rows.storage, y: y.storage };
    step.dispatch(forwardKernel, bindings, { size: y.size, count, width });
    return { outputs: [y], saved: undefined };
  },
  vjp: (step, { inputs: [x, rows] }, [dy], [wantX]) => [
    dy && wantX ? scatterRows(step, dy, rows, x.shape[0] as number) : undefined,
    undefined,
  ],
});

/**
 * Rows of x [R, C] by number: rows u32 [N] → [N, C]; rows may repeat. A number of R or more gives a row of zeros and no
 * gradient; check numbers on the host before they get here.
 */
export function gatherRows(step: Step, x: Tensor, rows: Tensor): Tensor {
  expectDType('gatherRows', x, ['f32'], 'x');
  expectDType('gatherRows', rows, ['u32'], 'rows');
  expectRank('gatherRows', 'x', x.shape, 2);
  if (rows.shape.length !== 1)
    throw shapeError('gatherRows', `rows has shape ${showShape(rows.shape)}`, 'Give the row numbers as [N].', {
      rows: rows.shape,
    });
  return gatherRowsOp(step, [x, rows], undefined)[0];
}

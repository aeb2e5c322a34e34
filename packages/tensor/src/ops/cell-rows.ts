// Which cell of a table every row of a batch takes its value from, and how strongly: what steering knows about a batch.
import type { Step } from '@limn/gpu';
import { shapeError } from '../shape.js';
import { fromData, type Tensor } from '../tensor.js';

/** Rows of a batch by cell, on the device. */
export interface CellRows {
  /** Cells of the table. */
  readonly count: number;
  /** u32 [R]; `count` for a row that no cell touches. */
  readonly cells: Tensor;
  /** f32 [R] */
  readonly strength: Tensor;
  /** u32: the rows of cell 0, of cell 1, …, each in rising order; one entry at least. */
  readonly order: Tensor;
  /** u32 [count + 1]: where each cell's rows begin in `order`. */
  readonly starts: Tensor;
}

/**
 * Sorts rows by cell on the host and uploads the lists: `cells[r]` from 0 to count − 1, or −1 for a row that is left alone, and the
 * strength of each row.
 * @throws LimnError `tensor/shape`
 */
export function cellRows(step: Step, cells: Int32Array, strength: Float32Array, count: number): CellRows {
  if (cells.length !== strength.length || cells.length === 0)
    throw shapeError(
      'cellRows',
      `${cells.length} cells and ${strength.length} strengths were given`,
      'Give one of each per row, and one row at least.',
      { cells: cells.length, strength: strength.length },
    );
  const outside = cells.find((cell) => cell < -1 || cell >= count);
  if (outside !== undefined)
    throw shapeError('cellRows', `there is no cell ${outside} among ${count}`, `Give −1, or 0 to ${count - 1}.`, {
      cell: outside,
      count,
    });
  const starts = new Uint32Array(count + 1);
  for (const cell of cells) if (cell >= 0) starts[cell + 1] = (starts[cell + 1] as number) + 1;
  for (let cell = 0; cell < count; cell++) starts[cell + 1] = (starts[cell + 1] as number) + (starts[cell] as number);
  const order = new Uint32Array(Math.max(1, starts[count] as number));
  const next = starts.slice();
  cells.forEach((cell, row) => {
    if (cell < 0) return;
    const place = next[cell] as number;
    order[place] = row;
    next[cell] = place + 1;
  });
  const rows = cells.length;
  return {
    count,
    cells: fromData(
      step,
      Uint32Array.from(cells, (cell) => (cell < 0 ? count : cell)),
      [rows],
      { label: 'cells' },
    ),
    strength: fromData(step, strength, [rows], { label: 'strength' }),
    order: fromData(step, order, [order.length], { label: 'rows by cell' }),
    starts: fromData(step, starts, [count + 1], { label: 'where cells begin' }),
  };
}

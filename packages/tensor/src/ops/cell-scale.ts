// Activations scaled or shifted by the cell of a table that each row belongs to: h̃ = γ(β α) · h and h̃ = h + β v (arXiv 2410.04962, eqs. 5 and 4).
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { shapeError, showShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';
import { mul } from './arithmetic.js';
import type { CellRows } from './cell-rows.js';
import { dotRows } from './reduce.js';

const scaleKernel = defineKernel(shaders.cellScale, { grid: perElement, work: (u) => 4 * u.size });
const addKernel = defineKernel(shaders.cellAdd, { grid: perElement, work: (u) => 2 * u.size });
const sumKernel = defineKernel(shaders.cellSum, { grid: perElement, work: (u) => 4 * u.size });

/** γ(t): 1 + t, eᵗ, or 1 + A · tanh(t / A). All are 1 with slope 1 at t = 0. */
export type ScaleForm = 'linear' | 'exponential' | 'bounded';

const formNumber: Readonly<Record<ScaleForm, number>> = { linear: 0, exponential: 1, bounded: 2 };

/** How a table's values become factors. */
export interface CellScaleOptions {
  /** Default 'linear'. */
  readonly form?: ScaleForm;
  /** A of the form 'bounded'. Default 3. */
  readonly bound?: number;
}

interface Settled {
  readonly rows: CellRows;
  readonly form: ScaleForm;
  readonly bound: number;
}

/** γ(t) · x; `x` is the activation forwards and its gradient backwards. */
function scaled(step: Step, x: Tensor, table: Tensor, { rows, form, bound }: Settled): Tensor {
  const y = allocate(step, x.shape, 'cellScale');
  const units = table.shape[1] as number;
  step.dispatch(
    scaleKernel,
    {
      x: x.storage,
      table: table.storage,
      cells: rows.cells.storage,
      strength: rows.strength.storage,
      y: y.storage,
    },
    { size: x.size, units, width: x.size / (rows.cells.size * units), cell_count: rows.count, bound },
    { overrides: { FORM: formNumber[form] } },
  );
  return y;
}

/** Σ over a cell's rows of γ′ · strength · terms [R, units]. */
function summed(step: Step, terms: Tensor, table: Tensor, { rows, form, bound }: Settled): Tensor {
  const dTable = allocate(step, table.shape, 'cells (backward)');
  step.dispatch(
    sumKernel,
    {
      terms: terms.storage,
      strength: rows.strength.storage,
      order: rows.order.storage,
      starts: rows.starts.storage,
      table: table.storage,
      d_table: dTable.storage,
    },
    { size: table.size, units: table.shape[1] as number, bound },
    { overrides: { FORM: formNumber[form] } },
  );
  return dTable;
}

const scaleOp = defineOp({
  name: 'cellScale',
  forward(step, [x, table]: readonly [x: Tensor, table: Tensor], settled: Settled) {
    return { outputs: [scaled(step, x, table, settled)], saved: undefined };
  },
  vjp(step, { inputs: [x, table], options }, [dy], [wantX, wantTable]) {
    if (!dy) return [undefined, undefined];
    const groups = options.rows.cells.size * (table.shape[1] as number);
    const terms = () => (groups === x.size ? mul(step, x, dy) : dotRows(step, x, dy, groups));
    return [
      wantX ? scaled(step, dy, table, options) : undefined,
      wantTable ? summed(step, terms(), table, options) : undefined,
    ];
  },
});

const addOp = defineOp({
  name: 'cellAdd',
  forward(step, [x, table]: readonly [x: Tensor, table: Tensor], { rows }: { rows: CellRows }) {
    const y = allocate(step, x.shape, 'cellAdd');
    const bindings = {
      x: x.storage,
      table: table.storage,
      cells: rows.cells.storage,
      strength: rows.strength.storage,
      y: y.storage,
    };
    step.dispatch(addKernel, bindings, { size: x.size, width: table.shape[1] as number, cell_count: rows.count });
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [, table], options: { rows } }, [dy], [wantX, wantTable]) {
    return [
      wantX ? dy : undefined,
      wantTable && dy ? summed(step, dy, table, { rows, form: 'linear', bound: 1 }) : undefined,
    ];
  },
});

function check(op: string, x: Tensor, table: Tensor, rows: CellRows, units: 'divides' | 'is'): void {
  expectDType(op, x, ['f32']);
  expectDType(op, table, ['f32'], 'the table');
  const [cells, width] = table.shape as [number, number];
  const count = rows.cells.size;
  const perRow = x.size / count;
  const fits = units === 'is' ? perRow === width : Number.isInteger(perRow) && perRow % width === 0;
  if (table.shape.length === 2 && cells === rows.count && fits) return;
  throw shapeError(
    op,
    `a table ${showShape(table.shape)} does not fit ${showShape(x.shape)} in ${count} rows of ${rows.count} cells`,
    units === 'is'
      ? 'Give a table [cells, elements of a row].'
      : 'Give a table [cells, units] whose units divide the elements of a row.',
    { table: table.shape, x: x.shape, rows: count, cells: rows.count },
  );
}

/**
 * y = γ(strength · table[cell]) · x for x of R rows, the leading axes of x joined, whose elements are `units` runs of equal length:
 * one factor per run. x [R, C] takes a table [cells, 1] (one factor a row) or [cells, C] (one per dimension); x [R, H, K] one of
 * [cells, H] (one per head). A row without a cell stays as it is, bit for bit, as does a row whose table entry is 0.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function cellScale(
  step: Step,
  x: Tensor,
  table: Tensor,
  rows: CellRows,
  { form = 'linear', bound = 3 }: CellScaleOptions = {},
): Tensor {
  check('cellScale', x, table, rows, 'divides');
  return scaleOp(step, [x, table], { rows, form, bound })[0];
}

/**
 * y = x + strength · table[cell] for x of R rows and a table [cells, elements of a row]. A row without a cell stays as it is, bit for bit.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function cellAdd(step: Step, x: Tensor, table: Tensor, rows: CellRows): Tensor {
  check('cellAdd', x, table, rows, 'is');
  return addOp(step, [x, table], { rows })[0];
}

// What each method does to the activation at one place, on the tape.
import type { Step } from '@limn/gpu';
import {
  add,
  cellAdd,
  cellRows,
  cellScale,
  div,
  dot,
  fill,
  fromData,
  gatherRows,
  matmul,
  mul,
  reshape,
  scale,
  sigmoid,
  sqrt,
  sub,
  type CellRows,
  type Tensor,
} from '@limn/tensor';
import type { ParameterForm, SteeringMethod } from './method.js';

/** The tensors of one place by name. */
export type PlaceTensors = Readonly<Partial<Record<ParameterForm['name'], Tensor>>>;

/** The rows of a run: B·T positions, each with its cell and strength. */
export interface SteeredRows {
  /** By position. */
  readonly cells: CellRows;
  /** Each touched row as a cell of its own, for factors that the activation decides. */
  own(): CellRows;
  /** u32 [R]: the row of a table of positions; beyond it for a row that is left alone. */
  readonly slots: Tensor;
}

/** Uploads the rows of a run once for all of its places. */
export function steeredRows(step: Step, slots: Int32Array, strength: Float32Array, count: number): SteeredRows {
  let own: CellRows | undefined;
  const cells = cellRows(step, slots, strength, count);
  return {
    cells,
    slots: cells.cells,
    own: () =>
      (own ??= cellRows(
        step,
        slots.map((slot, row) => (slot < 0 ? -1 : row)),
        strength,
        slots.length,
      )),
  };
}

/** Keeps ⟨p, h⟩ / ‖h‖ finite at h = 0. */
const TINY = 1e-12;

/** ⟨p, h⟩ / ‖h‖ or ⟨p, h⟩ per row, [R, 1]. */
function probed(step: Step, h: Tensor, probe: Tensor, form: 'normalised' | 'raw'): Tensor {
  const along = matmul(step, h, probe);
  if (form === 'raw') return along;
  const squares = dot(step, h, h, { axes: 1, keepAxes: true });
  return div(step, along, sqrt(step, add(step, squares, fill(step, [1], TINY))));
}

/** The edited activation, shaped as x, and the scalars that the activation decided, [R, 1], where the method has such. */
export interface Applied {
  readonly y: Tensor;
  readonly produced?: Tensor;
}

/** Records a method at one place: x of R rows, whatever its axes. */
export function applyMethod(
  step: Step,
  method: SteeringMethod,
  x: Tensor,
  tensors: PlaceTensors,
  rows: SteeredRows,
): Applied {
  const { alpha, vector, probe, bias, threshold, basis } = tensors as Required<PlaceTensors>;
  const R = rows.slots.size;
  const flat = (): Tensor => reshape(x, [R, x.size / R]);
  switch (method.kind) {
    case 'activ-scalar':
      return { y: cellScale(step, x, alpha, rows.cells, method) };
    case 'steer-vec':
      return { y: cellAdd(step, x, vector, rows.cells) };
    case 'dimension-scale':
      return { y: cellScale(step, x, alpha, rows.cells) };
    case 'subspace-scale': {
      const inside = matmul(step, flat(), basis);
      const change = sub(step, cellScale(step, inside, alpha, rows.cells), inside);
      return { y: add(step, x, reshape(matmul(step, change, basis, { transposeB: true }), x.shape)) };
    }
    case 'dyn-scalar': {
      const scalar = probed(step, flat(), probe, method.probe ?? 'normalised');
      const produced = tensors.bias ? add(step, scalar, bias) : scalar;
      const form = method.bound === undefined ? {} : { form: 'bounded' as const, bound: method.bound };
      return { y: cellScale(step, x, produced, rows.own(), form), produced };
    }
    case 'gated-scalar': {
      const aimed = sub(step, probed(step, flat(), probe, 'normalised'), threshold);
      const gate = sigmoid(step, scale(step, aimed, 1 / (method.temperature ?? 0.1)));
      const produced = mul(step, gatherRows(step, alpha, rows.slots), gate);
      return { y: cellScale(step, x, produced, rows.own()), produced };
    }
  }
}

/** 1 per touched row and 0 elsewhere, [R, 1]: what weighs produced scalars. */
export function touchedRows(step: Step, slots: Int32Array): Tensor {
  return fromData(
    step,
    Float32Array.from(slots, (slot) => (slot < 0 ? 0 : 1)),
    [slots.length, 1],
  );
}

// What each cell of a steering does: Δ_{+1} − Δ_{−1} without it, and how few cells hold most of the shift.
import type { HookedModel, RunControls } from '@limn/hooks';
import type { SteeringExample } from './examples.js';
import { cellsOf, type SteeringCell } from './minimality.js';
import { only, without } from './explain/cell-values.js';
import { meanOf, shiftOf } from './explain/causal-controls.js';
import { measureCandidates } from './explain/measure-candidates.js';
import type { SteeringValues } from './steering.js';

/** A cell with what it does. */
export interface CellContribution {
  readonly cell: SteeringCell;
  /** Mean Δ_{+1} − Δ_{−1} of all cells, less that without this one, in logits. */
  readonly contribution: number;
}

/** The contributions, and how few cells do most. */
export interface CellContributions {
  /** Mean Δ_{+1} − Δ_{−1} with all cells. */
  readonly shift: number;
  /** Of every cell that is not 0, the largest first. */
  readonly cells: readonly CellContribution[];
  /** Shift with only the first n of them, n = 1 …. */
  readonly curve: readonly number[];
  /** Fewest of the first cells that hold 90 % of the shift. */
  readonly cellsFor90: number;
}

/**
 * Takes every cell that is not 0 away once, orders cells by what that costs, and puts them back one by one. Each variant is a set of values
 * of its own, all in the same batches.
 * @throws LimnError as `evaluateSteering`; AbortedError
 */
export async function cellContributions(
  model: HookedModel,
  values: SteeringValues,
  examples: readonly SteeringExample[],
  controls: RunControls = {},
): Promise<CellContributions> {
  const all = cellsOf(model.info, values).filter(({ value }) => value !== 0);
  const shiftsOf = async (variants: readonly SteeringValues[]): Promise<number[]> => {
    const sets = variants.map((variant) => () => variant);
    const measured = await measureCandidates(model, sets, examples, [1, -1], controls);
    return variants.map((_, i) => meanOf(shiftOf(measured, i)));
  };
  const [shift = 0, ...left] = await shiftsOf([values, ...all.map((cell) => without(values, [cell]))]);
  const cells = all
    .map((cell, i) => ({ cell, contribution: shift - (left[i] as number) }))
    .sort((a, b) => b.contribution - a.contribution);
  const ordered = cells.map(({ cell }) => cell);
  const curve = await shiftsOf(ordered.map((_, n) => only(values, all, ordered.slice(0, n + 1))));
  const enough = curve.findIndex((value) => value >= 0.9 * shift);
  return { shift, cells, curve, cellsFor90: enough < 0 ? cells.length : enough + 1 };
}

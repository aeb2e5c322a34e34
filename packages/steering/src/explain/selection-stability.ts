// How often each cell is chosen when the values are learnt again from examples drawn again: stability selection (Meinshausen and Bühlmann 2010).
import { LimnError } from '@limn/gpu';
import { cellsOf, type SteeringCell } from '../minimality.js';
import type { SteeredModel } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { gridOfCells, type CellGrid } from './cell-grid.js';

/** A cell is stable when this share of the refits chose it. */
export const STABLE = 0.8;

/** Selection over refits. */
export interface SelectionStability {
  readonly refits: number;
  /** Share of the refits in which a cell is not 0; of a place with several units that of the one chosen most often. */
  readonly frequency: CellGrid;
  /** Live cells that are not 0 in the values themselves, and how many of them at least .8 of the refits chose. */
  readonly kept: number;
  readonly stable: number;
  /** stable / kept; null where nothing is kept. */
  readonly share: number | null;
}

/**
 * Compares values with refits of the same spec.
 * @throws LimnError `data/steering-values` for none, or of other cells; `usage/steering-site`, `usage/steering-layer`
 */
export function selectionStability(
  info: SteeredModel,
  values: SteeringValues,
  cells: readonly SteeringCell[],
  refits: readonly SteeringValues[],
): SelectionStability {
  const chosen = cells.map(() => 0);
  for (const refit of refits)
    cellsOf(info, refit).forEach(({ value, place, slot, unit }, i) => {
      const own = cells[i];
      if (own?.place.at !== place.at || own.slot !== slot || own.unit !== unit) throw otherCells();
      if (value !== 0) chosen[i] = (chosen[i] as number) + 1;
    });
  if (refits.length === 0 || refits.some((refit) => cellsOf(info, refit).length !== cells.length)) throw otherCells();
  const share = chosen.map((count) => count / refits.length);
  const kept = [...cells.keys()].filter((i) => cells[i]?.live === true && cells[i].value !== 0);
  const stable = kept.filter((i) => (share[i] as number) >= STABLE).length;
  return {
    refits: refits.length,
    frequency: gridOfCells(
      'selection frequency',
      cells.map((cell, i) => ({ ...cell, value: share[i] as number })),
      values.spec.positions,
      { reduce: 'largest' },
    ),
    kept: kept.length,
    stable,
    share: kept.length === 0 ? null : stable / kept.length,
  };
}

function otherCells(): LimnError {
  return new LimnError('data/steering-values', 'Refits must be there, and be of the cells of the values.', {
    hint: 'Learn them with the same sites, layers, positions and method, from examples drawn again.',
  });
}

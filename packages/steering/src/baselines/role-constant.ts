// One scalar per position of the table, the same at every site and layer: the coarsest scaling that still knows where in the prompt it is.
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import { cellsOf, type SteeringCell } from '../minimality.js';
import type { SteeringValues } from '../steering.js';
import type { CellScores } from './cell-gradients.js';
import { scalarValues } from './scalar-values.js';

/**
 * From scores: α of a position ∝ its scores summed over all places and units, which for those of `cellGradients` is exactly the gradient with
 * respect to a scalar that they share; the largest |α| is `size`. Give scores by role for one scalar per role.
 * @throws LimnError `data/steering-direction` when all sums are 0; `usage/steering-site`, `usage/steering-layer`
 */
export function roleConstant(
  model: Pick<HookedModel, 'info'>,
  { placement, cells }: CellScores,
  { size = 1 }: { readonly size?: number | undefined } = {},
): SteeringValues {
  const sums = placement.positions.names.map((_, slot) =>
    cells.reduce((sum, cell) => (cell.slot === slot ? sum + cell.value : sum), 0),
  );
  const largest = Math.max(...sums.map(Math.abs));
  if (!(largest > 0))
    throw new LimnError(
      'data/steering-direction',
      'The scores of every position sum to 0: no scalar shared by all places has an effect.',
      {
        details: { positions: sums.length },
        hint: 'Give scores of cells that have an effect.',
      },
    );
  return spread(model, placement, cells, (slot) => ((sums[slot] as number) * size) / largest);
}

/**
 * From learnt scalars: α of a position is the mean of those of the cells there that can have an effect.
 * @throws LimnError `usage/steering-method` for values that are not those of 'activ-scalar'; `usage/steering-site`, `usage/steering-layer`
 */
export function averagedOverPlaces(model: Pick<HookedModel, 'info'>, values: SteeringValues): SteeringValues {
  const { spec } = values;
  if (spec.method.kind !== 'activ-scalar')
    throw new LimnError('usage/steering-method', `Values of '${spec.method.kind}' have no mean over places.`, {
      details: { method: spec.method.kind },
      hint: "Give scalars, of 'activ-scalar'.",
    });
  const cells = cellsOf(model.info, values);
  const means = spec.positions.names.map((_, slot) => {
    const own = cells.filter((cell) => cell.slot === slot && cell.live);
    return own.length === 0 ? 0 : own.reduce((sum, { value }) => sum + value, 0) / own.length;
  });
  return spread(model, spec, cells, (slot) => means[slot] as number);
}

function spread(
  model: Pick<HookedModel, 'info'>,
  placement: CellScores['placement'],
  cells: readonly SteeringCell[],
  alphaOf: (slot: number) => number,
): SteeringValues {
  return scalarValues(
    model,
    placement,
    cells.map((cell) => ({ cell, alpha: alphaOf(cell.slot) })),
  );
}

// Zero ablation of every single cell: each on its own, many of them in one batch; and the one cell that steers most.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { checkExamples, type SteeringExample } from '../examples.js';
import { measureCandidates, differencesAt } from '../explain/measure-candidates.js';
import type { SteeringCell } from '../minimality.js';
import { steeredPlaces } from '../sites.js';
import type { SteeringValues } from '../steering.js';
import { liveSlots } from '../live-slots.js';
import { scalarSpec, scalarValues, type ScalarPlacement } from './scalar-values.js';

/** What one cell does by itself. */
export interface SingleCell extends SteeringCell {
  /** Of zero ablation: mean Δ with h̃ = 0 there, less the mean Δ of the untouched model, in logits. 0 for cells that can have no effect. */
  readonly value: number;
  /** The same of h̃ = 2h. */
  readonly doubled: number;
}

/** Every cell, and the best of them. */
export interface SingleCells {
  /** Place by place, position by position, unit by unit. */
  readonly cells: readonly SingleCell[];
  /** The cell with the largest |doubled − ablated|: the one whose scale moves Δ most from one sign of the strength to the other. */
  readonly best: SingleCell;
  /** α = ±1 at that cell, its sign such that strength +1 favours the right answer. */
  readonly values: SteeringValues;
}

/**
 * Runs every example with each cell that can have an effect ablated (βα = −1) and doubled (βα = +1), the cells side by side in batches.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`, `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`,
 * `data/steering-roles`, `data/steering-length`, `data/steering-direction` when no cell can have an effect, `memory/over-budget`,
 * `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function singleCells(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: ScalarPlacement,
  controls: RunControls = {},
): Promise<SingleCells> {
  checkExamples(examples, model.info);
  const { info } = model;
  const blank = steeredPlaces(info, scalarSpec(placement)).flatMap((place) =>
    liveSlots(info, place, placement.positions, examples).flatMap((live, slot) =>
      Array.from({ length: place.units }, (_, unit) => ({ place, slot, unit, live })),
    ),
  );
  const live = blank.filter((cell) => cell.live);
  const sets = [
    () => scalarValues(model, placement, []),
    ...live.map((cell) => () => scalarValues(model, placement, [{ cell, alpha: 1 }])),
  ];
  const measured = await measureCandidates(model, sets, examples, [-1, 1], controls);
  const mean = (candidate: number, strength: number): number =>
    differencesAt(measured, candidate, strength).reduce((sum, delta) => sum + delta, 0) / examples.length;
  const untouched = mean(0, 0);
  let turn = 0;
  const cells = blank.map((cell): SingleCell => {
    if (!cell.live) return { ...cell, value: 0, doubled: 0 };
    turn++;
    return { ...cell, value: mean(turn, 0) - untouched, doubled: mean(turn, 1) - untouched };
  });
  const [best] = cells.filter((cell) => cell.live).sort((a, b) => Math.abs(shiftOf(b)) - Math.abs(shiftOf(a)));
  if (best === undefined)
    throw new LimnError('data/steering-direction', 'None of these cells can have an effect on the answers.', {
      details: { cells: cells.length },
      hint: 'Choose an earlier layer, or positions that the prompts have.',
    });
  return { cells, best, values: scalarValues(model, placement, [{ cell: best, alpha: shiftOf(best) < 0 ? -1 : 1 }]) };
}

const shiftOf = ({ value, doubled }: SingleCell): number => doubled - value;

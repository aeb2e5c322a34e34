// Steering by gradient times activation, without learning: ±c at the cells that move the answers most at first order.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import type { SteeringExample } from '../examples.js';
import type { SteeringValues } from '../steering.js';
import { cellGradients, type CellScores } from './cell-gradients.js';
import { scalarValues, type ScalarPlacement } from './scalar-values.js';

/** How scores become values. */
export interface ThresholdOptions {
  /** How many cells, those of largest score: 1 to as many as can have an effect. */
  readonly top: number;
  /** c, |α| of each. Default 1: at strength −1 the cells that serve the right answer are ablated. */
  readonly size?: number | undefined;
}

/**
 * α = c · sign(score) at the `top` cells of largest |score| among those that can have an effect, 0 elsewhere. Equal scores in the order of the
 * cells; a score of 0 gives 0.
 * @throws LimnError `usage/steering-option`, `usage/steering-site`, `usage/steering-layer`
 */
export function thresholdScores(
  model: Pick<HookedModel, 'info'>,
  { placement, cells }: CellScores,
  { top, size = 1 }: ThresholdOptions,
): SteeringValues {
  const live = cells.filter((cell) => cell.live);
  if (!Number.isInteger(top) || top < 1 || top > live.length || !Number.isFinite(size))
    throw new LimnError('usage/steering-option', `The top ${top} of ${live.length} cells cannot be set to ±${size}.`, {
      details: { top, live: live.length, size },
      hint: `Give a whole number from 1 to ${live.length}, the cells that can have an effect, and a finite size.`,
    });
  const chosen = [...live].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, top);
  return scalarValues(
    model,
    placement,
    chosen.map((cell) => ({ cell, alpha: size * Math.sign(cell.value) })),
  );
}

/**
 * `cellGradients`, then `thresholdScores`; to try several numbers of cells call these, as the gradients are the same for all.
 * @throws LimnError as `cellGradients` and as `thresholdScores`; AbortedError
 */
export async function gradActivation(
  model: HookedModel,
  examples: readonly SteeringExample[],
  placement: ScalarPlacement,
  { top, size, ...controls }: ThresholdOptions & RunControls,
): Promise<SteeringValues> {
  const scores = await cellGradients(model, examples, placement, controls);
  return thresholdScores(model, scores, { top, size });
}

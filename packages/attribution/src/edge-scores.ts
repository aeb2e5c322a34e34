// scores[b, u, v] = Σ_k Δ_u[b, k] · g_v[b, k], k over positions and width: split-K partial sums, then a second pass in fixed order.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { allocate, perElement, type Tensor } from '@limn/tensor';

/** Elements of k per partial sum. Fixed, so that a row's score does not depend on the padding of its batch. */
export const EDGE_SPLIT = 2048;
/** Sources and slots that one workgroup handles; the kernel's TILE. */
const TILE = 4;

const partialKernel = defineKernel(shaders.edgeScoresPartial, {
  grid: (u) => [Math.ceil(u.sources / TILE) * Math.ceil(u.slots / TILE), u.examples, Math.ceil(u.inner / u.split)],
  work: (u) => 2 * u.sources * u.slots * u.examples * u.inner,
});
const sumKernel = defineKernel(shaders.edgeScoresSum, {
  grid: (u, overrides) => perElement({ size: u.examples * u.sources * u.slots }, overrides),
  work: (u) => u.splits * u.examples * u.sources * u.slots,
});

/** Where a block of scores goes in a [examples, rows, columns] matrix. */
export interface ScoreBlock {
  /** Forward index of the block's first source. */
  readonly row: number;
  /** Backward index of the block's first slot. */
  readonly column: number;
  /** Leading sources of `delta` to use; default all. */
  readonly sources?: number;
  /** Slots come in runs of this many neighbouring columns … (default: all in one run) */
  readonly run?: number;
  /** … that start this many columns apart: how q, k and v of a few heads lie. */
  readonly stride?: number;
}

/**
 * Writes one block of `scores` [examples, rows, columns] in place, outside the tape: the inner products of
 * `delta` [≥ sources, examples, …] with `gradient` [slots, examples, …], per example. Same input, same bits.
 */
export function edgeScores(step: Step, scores: Tensor, delta: Tensor, gradient: Tensor, block: ScoreBlock): void {
  const [examples = 0, rows = 0, columns = 0] = scores.shape;
  const slots = gradient.shape[0] ?? 0;
  const available = delta.shape[0] ?? 0;
  const sources = block.sources ?? available;
  const run = block.run ?? slots;
  const stride = block.stride ?? run;
  const inner = gradient.size / (slots * examples);
  const last = block.column + Math.floor((slots - 1) / run) * stride + ((slots - 1) % run);
  const fits =
    scores.shape.length === 3 &&
    delta.shape[1] === examples &&
    gradient.shape[1] === examples &&
    delta.size === available * examples * inner &&
    sources >= 1 &&
    sources <= available &&
    block.row + sources <= rows &&
    last < columns;
  if (!fits)
    throw new LimnError(
      'tensor/shape',
      `edgeScores: Δ [${delta.shape.join(', ')}] (${sources} sources) and gradients [${gradient.shape.join(', ')}] do not fit scores [${scores.shape.join(', ')}] at row ${block.row}, column ${block.column}.`,
      { details: { delta: delta.shape, gradient: gradient.shape, scores: scores.shape, block } },
    );
  const splits = Math.ceil(inner / EDGE_SPLIT);
  const partial = allocate(step, [splits, examples, sources, slots], 'edge scores: partial');
  step.dispatch(
    partialKernel,
    { delta: delta.storage, gradient: gradient.storage, partial: partial.storage },
    { sources, slots, examples, inner, split: EDGE_SPLIT },
  );
  step.dispatch(
    sumKernel,
    { partial: partial.storage, scores: scores.storage },
    { splits, examples, sources, slots, rows, columns, row: block.row, column: block.column, run, stride },
  );
}

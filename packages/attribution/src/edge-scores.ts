// scores[b, u, v] = Σ_k Δ_u[b, k] · g_v[b, k], k over positions and width: split-K partial sums, then a second pass in fixed order.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { allocate, multiply, perElement, type Tensor } from '@limn/tensor';

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
  /** For tests: as products of matrices, or by the kernel of its own. Default: what suits the adapter. */
  readonly products?: boolean;
}

/** Elements of k per product. Fixed, as `EDGE_SPLIT` is; sums of products are added in order. */
export const PRODUCT_SPLIT = 16_384;

/**
 * Software adapters, where workgroup memory costs and gains nothing, multiply matrices several times as fast as they run the kernel above:
 * GPT-2 small's heads of one layer, [12 × 13,056]·[13,056 × 36] for 10 examples, in a fifth of the time on lavapipe.
 */
function suitsProducts(step: Step, inner: number): boolean {
  return step.gpu.capabilities.adapter.isFallback && inner % 4 === 0;
}

/** The same as products of matrices, one an example: [sources, k] · [slots, k]ᵀ. */
function scoreByProducts(
  step: Step,
  scores: Tensor,
  delta: Tensor,
  gradient: Tensor,
  {
    row,
    column,
    sources,
    slots,
    run,
    stride,
    inner,
  }: Required<Omit<ScoreBlock, 'products'>> & { readonly slots: number; readonly inner: number },
): void {
  const [examples = 0, rows = 0, columns = 0] = scores.shape;
  // Runs that follow on one another are one matrix.
  const width = run === stride ? slots : run;
  for (let slot = 0; slot < slots; slot += width)
    for (let start = 0; start < inner; start += PRODUCT_SPLIT)
      multiply(step, {
        m: sources,
        n: Math.min(width, slots - slot),
        k: Math.min(PRODUCT_SPLIT, inner - start),
        outerCount: examples,
        a: { storage: delta.storage, offset: start, outer: inner, row: examples * inner },
        b: {
          storage: gradient.storage,
          offset: slot * examples * inner + start,
          outer: inner,
          row: examples * inner,
          transposed: true,
        },
        c: {
          storage: scores.storage,
          offset: row * columns + column + (slot / run) * stride,
          outer: rows * columns,
          row: columns,
        },
        accumulate: start > 0,
        label: 'edge scores',
      });
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
  const { row, column, products = suitsProducts(step, inner) } = block;
  if (products) {
    scoreByProducts(step, scores, delta, gradient, { row, column, sources, slots, run, stride, inner });
    return;
  }
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

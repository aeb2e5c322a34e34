// How far two measures agree on the cells that can have an effect: rank correlation, and the overlap of the strongest cells.
import { LimnError } from '@limn/gpu';
import { meanRanks, pearson } from '@limn/hooks';
import type { CellGrid } from './cell-grid.js';

/** How far two grids agree. 1 is full agreement in every measure. */
export interface GridAgreement {
  readonly measures: readonly [string, string];
  /** Cells compared: live, with a number on both sides. */
  readonly cells: number;
  /** Spearman's ρ of the numbers with their signs, and of their sizes; ties by mean rank; null when one side is constant. */
  readonly spearman: number | null;
  readonly spearmanOfSizes: number | null;
  /**
   * |A ∩ B| / |A ∪ B| of the k cells of largest size on either side, cells of 0 never among them, so that a sparse side may have fewer; null
   * when both sides are 0 everywhere.
   */
  readonly topJaccard: { readonly k: number; readonly value: number | null };
  /** Share of the cells that are 0 on neither side whose signs agree; null when there is none. */
  readonly signAgreement: number | null;
}

/**
 * Compares two measures of the same cells. A measure that scores cells one by one and one that learnt them together under a penalty need
 * not agree: of cells that do the same thing the penalty keeps one.
 * @throws LimnError `data/steering-grid` for grids with other axes, or without a common cell; `usage/top-k`
 */
export function compareGrids(a: CellGrid, b: CellGrid, { k = 10 }: { readonly k?: number } = {}): GridAgreement {
  if (!Number.isInteger(k) || k < 1)
    throw new LimnError('usage/top-k', `The overlap of the top k asks for a whole k of at least 1; given ${k}.`, {
      details: { k },
    });
  const axes = ({ sites, layers, positions }: CellGrid): string => JSON.stringify([sites, layers, positions]);
  if (axes(a) !== axes(b))
    throw new LimnError('data/steering-grid', `'${a.measure}' and '${b.measure}' are not over the same cells.`, {
      details: { a: axes(a), b: axes(b) },
      hint: 'Measure both with the same sites, layers and positions; compare scores without positions with overPositions.',
    });
  const common = [...a.values.keys()].filter(
    (i) => a.live[i] === true && b.live[i] === true && a.values[i] !== null && b.values[i] !== null,
  );
  if (common.length === 0)
    throw new LimnError('data/steering-grid', `'${a.measure}' and '${b.measure}' have no live cell in common.`, {
      hint: 'Give grids with numbers at the same cells.',
    });
  const [x, y] = [a, b].map(({ values }) => Float64Array.from(common, (i) => values[i] as number)) as [
    Float64Array,
    Float64Array,
  ];
  const sizes = [x, y].map((values) => values.map(Math.abs)) as [Float64Array, Float64Array];
  const [topA, topB] = sizes.map((values) => top(values, k)) as [Set<number>, Set<number>];
  const shared = [...topA].filter((cell) => topB.has(cell)).length;
  const union = topA.size + topB.size - shared;
  const signed = [...x.keys()].filter((i) => x[i] !== 0 && y[i] !== 0);
  const agreeing = signed.filter((i) => Math.sign(x[i] as number) === Math.sign(y[i] as number)).length;
  return {
    measures: [a.measure, b.measure],
    cells: common.length,
    spearman: pearson(meanRanks(x), meanRanks(y)),
    spearmanOfSizes: pearson(meanRanks(sizes[0]), meanRanks(sizes[1])),
    topJaccard: { k, value: union === 0 ? null : shared / union },
    signAgreement: signed.length === 0 ? null : agreeing / signed.length,
  };
}

function top(sizes: Float64Array, k: number): Set<number> {
  const order = [...sizes.keys()].filter((i) => (sizes[i] as number) > 0);
  return new Set(order.sort((i, j) => (sizes[j] as number) - (sizes[i] as number) || i - j).slice(0, k));
}

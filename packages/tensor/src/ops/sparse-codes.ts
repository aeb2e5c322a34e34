// Sparse codes: the few features that each row of a dictionary's pre-activations is left with, as lists without gaps.
import { LimnError } from '@limn/gpu';
import { expectRank, expectShape, shapeError, showShape } from '../shape.js';
import { expectDType, type Tensor } from '../tensor.js';
import { MAX_BINDING_BYTES } from './row-blocks.js';

/**
 * Activations a [N, F] of which few are not 0. Entries e of row n are rowStarts[n] ≤ e < rowStarts[n + 1], by rising column;
 * behind the last of all, `columns` is F, `values` 0 and `entryRows` N.
 */
export interface SparseCodes {
  /** N */
  readonly rows: number;
  /** F */
  readonly features: number;
  /** Most entries that there can be: k · N. */
  readonly capacity: number;
  /** u32 [N + 1] */
  readonly rowStarts: Tensor;
  /** u32 [capacity]: the feature of each entry. */
  readonly columns: Tensor;
  /** f32 [capacity], above 0, on the tape. */
  readonly values: Tensor;
  /** u32 [capacity]: the row of each entry. */
  readonly entryRows: Tensor;
}

/** How many pre-activations stay, and which compete. */
export interface SparseSelection {
  /** Entries per row. */
  readonly k: number;
  /** 'row' (default): the k largest positive of each row; 'batch': the k · N largest positive of all N rows together. */
  readonly over?: 'row' | 'batch';
}

/** What the kernels write: everything of the codes but their place on the tape. */
export type SparseEntries = Pick<SparseCodes, 'rowStarts' | 'columns' | 'values' | 'entryRows'>;

/** The outputs of an op that makes codes. */
export type CodeTensors = readonly [values: Tensor, columns: Tensor, rowStarts: Tensor, entryRows: Tensor];

/** In the order of `CodeTensors`. */
export function tensorsOf({ values, columns, rowStarts, entryRows }: SparseEntries): CodeTensors {
  return [values, columns, rowStarts, entryRows];
}

/** The codes that an op's outputs are. */
export function codesOf(
  [values, columns, rowStarts, entryRows]: CodeTensors,
  rows: number,
  features: number,
): SparseCodes {
  return { rows, features, capacity: values.size, rowStarts, columns, values, entryRows };
}

/** Refuses a k that no row of F features has, and lists that no device could bind. */
export function checkSelection(op: string, rows: number, features: number, k: number): void {
  if (!Number.isInteger(k) || k < 1 || k > features)
    throw new LimnError('tensor/range', `${op}: k is ${k}, but rows of ${features} allow 1 to ${features}.`, {
      details: { op, k, features },
      hint: 'Give a whole number of entries per row.',
    });
  // Pairs of words while they are being selected.
  const most = Math.floor(MAX_BINDING_BYTES / (8 * k));
  if (rows > most)
    throw new LimnError(
      'tensor/range',
      `${op}: ${rows} rows of ${k} entries are more than one list holds; ${most} rows are not.`,
      { details: { op, rows, k, most }, hint: 'Encode fewer rows at a time.' },
    );
}

/** Refuses a mask that does not have a word for each feature. */
export function checkAllowed(op: string, allowed: Tensor | undefined, features: number): void {
  if (!allowed) return;
  expectDType(op, allowed, ['u32'], 'allowed');
  expectShape(op, 'allowed', allowed.shape, [features]);
}

/** Refuses codes whose tensors do not belong together. */
export function checkCodes(op: string, codes: SparseCodes): void {
  const { rows, capacity, rowStarts, columns, values, entryRows } = codes;
  expectDType(op, values, ['f32'], 'the values');
  for (const [what, tensor] of [
    ['the row starts', rowStarts],
    ['the columns', columns],
    ['the entry rows', entryRows],
  ] as const)
    expectDType(op, tensor, ['u32'], what);
  expectShape(op, 'the row starts', rowStarts.shape, [rows + 1]);
  for (const tensor of [columns, values, entryRows]) expectShape(op, 'a list of entries', tensor.shape, [capacity]);
}

/** Sizes of a matrix with a feature to a row, after checking that it has as many as the codes. */
export function featureRows(op: string, what: string, w: Tensor, features: number): number {
  expectDType(op, w, ['f32'], what);
  expectRank(op, what, w.shape, 2);
  if (w.shape[0] !== features)
    throw shapeError(op, `${what} is ${showShape(w.shape)}, but there are ${features} features`, 'Give a row each.', {
      shape: w.shape,
      features,
    });
  return w.shape[1] as number;
}

// Sparse codes in float64: the largest positive of rows or of a batch, their encoder and decoder with gradients at the selected entries.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** Entries by rising row, then column. */
export interface ReferenceCodes {
  /** N */
  readonly rows: number;
  /** F */
  readonly features: number;
  /** [entries] each */
  readonly entryRows: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float64Array;
  /** [N + 1] */
  readonly rowStarts: Uint32Array;
}

/** What is selected. */
export interface SelectionRules {
  readonly k: number;
  readonly over?: 'row' | 'batch';
  /** Features with 0 here are left out. */
  readonly allowed?: Uint32Array;
}

/** The k largest positive of each row of h [N, F], or the k · N largest positive of all; equal ones by the lower row, then the lower feature; NaN never. */
export function selectLargest(
  h: ArrayLike<number>,
  features: number,
  { k, over = 'row', allowed }: SelectionRules,
): ReferenceCodes {
  const rows = h.length / features;
  const byRow = Array.from({ length: rows }, (_, n) =>
    Array.from({ length: features }, (_, f) => n * features + f).filter(
      (at) => h[at]! > 0 && allowed?.[at % features] !== 0,
    ),
  );
  // Sorting is stable, so that equal ones stay in their order.
  const largest = (places: number[], count: number): number[] =>
    places.sort((a, b) => h[b]! - h[a]! || 0).slice(0, count);
  const kept = over === 'batch' ? largest(byRow.flat(), k * rows) : byRow.flatMap((places) => largest(places, k));
  kept.sort((a, b) => a - b);
  const entryRows = Uint32Array.from(kept, (at) => Math.floor(at / features));
  return {
    rows,
    features,
    entryRows,
    columns: Uint32Array.from(kept, (at) => at % features),
    values: Float64Array.from(kept, (at) => h[at]!),
    rowStarts: Uint32Array.from({ length: rows + 1 }, (_, n) => entryRows.filter((row) => row < n).length),
  };
}

/** h [N, F] = x [N, I] · wEncᵀ [I, F] + bEnc. */
export function preActivations(x: Float64Array, wEnc: Float64Array, bEnc: Float64Array): Reference {
  const features = bEnc.length;
  const width = wEnc.length / features;
  const h = zeros((x.length / width) * features);
  h.values.forEach((_, at) => {
    const [n, f] = [Math.floor(at / features), at % features];
    addTerm(h, at, bEnc[f]!);
    for (let i = 0; i < width; i++) addTerm(h, at, x[n * width + i]! * wEnc[f * width + i]!);
  });
  return h;
}

/** Gradients at x, wEnc and bEnc of Σ_e dValues[e] · h[row of e, column of e]. */
export function encodeVjp(
  codes: ReferenceCodes,
  x: Float64Array,
  wEnc: Float64Array,
  dValues: Float64Array,
): { readonly x: Reference; readonly wEnc: Reference; readonly bEnc: Reference } {
  const { features, entryRows, columns } = codes;
  const width = wEnc.length / features;
  const [dx, dw, db] = [zeros(x.length), zeros(wEnc.length), zeros(features)];
  dValues.forEach((value, e) => {
    const [n, f] = [entryRows[e]!, columns[e]!];
    addTerm(db, f, value);
    for (let i = 0; i < width; i++) {
      addTerm(dx, n * width + i, value * wEnc[f * width + i]!);
      addTerm(dw, f * width + i, value * x[n * width + i]!);
    }
  });
  return { x: dx, wEnc: dw, bEnc: db };
}

/** y [N, O] = Σ_e values[e] · wDec[column of e] + bDec. */
export function decodeForward(
  codes: ReferenceCodes,
  values: Float64Array,
  wDec: Float64Array,
  bDec: Float64Array,
): Reference {
  const width = bDec.length;
  const y = zeros(codes.rows * width);
  y.values.forEach((_, at) => addTerm(y, at, bDec[at % width]!));
  codes.columns.forEach((f, e) => {
    for (let o = 0; o < width; o++) addTerm(y, codes.entryRows[e]! * width + o, values[e]! * wDec[f * width + o]!);
  });
  return y;
}

/** Gradients at the values, wDec and bDec. */
export function decodeVjp(
  codes: ReferenceCodes,
  values: Float64Array,
  wDec: Float64Array,
  dy: Float64Array,
): { readonly values: Reference; readonly wDec: Reference; readonly bDec: Reference } {
  const width = wDec.length / codes.features;
  const [dValues, dw, db] = [zeros(values.length), zeros(wDec.length), zeros(width)];
  dy.forEach((slope, at) => addTerm(db, at % width, slope));
  codes.columns.forEach((f, e) => {
    for (let o = 0; o < width; o++) {
      const slope = dy[codes.entryRows[e]! * width + o]!;
      addTerm(dValues, e, slope * wDec[f * width + o]!);
      addTerm(dw, f * width + o, slope * values[e]!);
    }
  });
  return { values: dValues, wDec: dw, bDec: db };
}

/** [N, F] with values at the entries; exact, so the magnitude is zero. */
export function toDense({ rows, features, entryRows, columns }: ReferenceCodes, values: Float64Array): Reference {
  const dense = zeros(rows * features);
  values.forEach((value, e) => addTerm(dense, entryRows[e]! * features + columns[e]!, value, 0));
  return dense;
}

/** The numbers of a dense matrix at the entries. */
export function atEntries({ features, entryRows, columns }: ReferenceCodes, dense: Float64Array): Float64Array {
  return Float64Array.from(columns, (f, e) => dense[entryRows[e]! * features + f]!);
}

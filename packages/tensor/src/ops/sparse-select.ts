// The k largest positive of every row of h, given a tile of rows at a time, put together as lists without gaps.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { scan } from './scan.js';
import type { SparseEntries } from './sparse-codes.js';

/** Runs of a row whose maxima bound the k-th largest from below; as in dictionary_lane_top_k.wgsl. */
const MOST_RUNS = 128;
/** Fewer runs are longer ones, of which more is read again. */
const LEAST_RUNS = 64;
/** Passes over a row: three digits and the writing of what was found. */
const PASSES = 4;

const rowKernel = defineKernel(shaders.dictionaryTopK, {
  grid: (u) => groupsOf(u.rows),
  work: (u) => 2 * PASSES * u.rows * u.features,
  tune: ({ adapter, subgroups, subgroupMin }): { WG?: number } =>
    adapter.isFallback ? { WG: subgroups ? subgroupMin : 4 } : {},
});
const laneKernel = defineKernel(shaders.dictionaryLaneTopK, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.rows / WG)),
  work: (u) => 6 * u.rows * u.features,
  tune: ({ adapter, subgroups, subgroupMin }): { WG?: number } =>
    adapter.isFallback ? { WG: subgroups ? subgroupMin : 4 } : {},
});
const entriesKernel = defineKernel(shaders.dictionaryEntries, {
  grid: (u, { WG }) => groupsOf(Math.ceil(Math.max(u.size, u.rows + 1) / WG)),
  work: (u) => 16 * u.size,
});

/** One tile of pre-activations: rows [first, first + rows), `stride` numbers apart. */
export interface SelectionTile {
  readonly h: Storage;
  readonly first: number;
  readonly rows: number;
  readonly stride: number;
}

/** What is selected from: N rows of F features, of which some may be barred. */
export interface SelectionForm {
  readonly rows: number;
  readonly features: number;
  readonly k: number;
  /** u32 [F], 0 for features that may not be selected. */
  readonly allowed?: Tensor | undefined;
}

/** Takes tiles by rising row, each once, and gives the entries at the end. */
export interface Selector {
  take(tile: SelectionTile): void;
  finish(): SparseEntries;
}

/** Which kernel selects: a workgroup a row, or a lane a row where barriers are dear. */
export type SelectionKernel = 'workgroup' | 'lane';

/** Rows compete for nothing: each keeps its own k. */
export function selectByRow(step: Step, form: SelectionForm, forced?: SelectionKernel): Selector {
  const { rows, features, k, allowed } = form;
  const lane = (forced ?? (step.gpu.capabilities.adapter.isFallback ? 'lane' : 'workgroup')) === 'lane';
  // A lane lists what lies above its bound before it knows the key: room for as many again, seldom needed.
  const pickStride = lane ? Math.min(features, 2 * k + 32) : k;
  const picks = allocate(step, [rows, pickStride, 2], 'picked features', 'u32');
  const counts = allocate(step, [rows], 'features picked per row', 'u32');
  return {
    take({ h, first, rows: tileRows, stride }) {
      const bindings = { h, allowed: allowed?.storage ?? h, picks: picks.storage, counts: counts.storage };
      const uniforms = { rows: tileRows, features, stride, k, first, pick_stride: pickStride };
      const masked = allowed ? 1 : 0;
      if (!lane) return step.dispatch(rowKernel, bindings, { ...uniforms, masked });
      const run = 8 * Math.ceil(features / Math.min(MOST_RUNS, Math.max(LEAST_RUNS, 4 * k)) / 8);
      return step.dispatch(laneKernel, bindings, { ...uniforms, run }, { overrides: { MASKED: masked } });
    },
    finish: () => listEntries(step, form, scan(step, counts, 'list starts'), picks, pickStride),
  };
}

/** Picked pairs as three lists and where rows begin in them; `starts` is of the lists that were picked into, several to a row. */
export function listEntries(
  step: Step,
  { rows, features, k }: SelectionForm,
  starts: Tensor,
  picks: Tensor,
  pickStride: number,
): SparseEntries {
  const size = rows * k;
  const columns = allocate(step, [size], 'columns', 'u32');
  const values = allocate(step, [size], 'values');
  const entryRows = allocate(step, [size], 'entry rows', 'u32');
  const rowStarts = allocate(step, [rows + 1], 'row starts', 'u32');
  step.dispatch(
    entriesKernel,
    {
      picks: picks.storage,
      starts: starts.storage,
      columns: columns.storage,
      values: values.storage,
      entry_rows: entryRows.storage,
      row_starts: rowStarts.storage,
    },
    { size, rows, features, pick_stride: pickStride, lists_of_row: (starts.size - 1) / rows },
  );
  return { rowStarts, columns, values, entryRows };
}

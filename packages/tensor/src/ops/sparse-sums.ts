// Products with sparse codes: rows of w summed by the entries of a row, rows of x by those of a feature, and dot products at the entries.
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Step } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { scan } from './scan.js';
import type { SparseCodes } from './sparse-codes.js';
import { featureOrder } from './sparse-order.js';

/** Columns to a lane, as in the kernels: what is read of an entry is shared by as many products. */
const COLUMNS = 8;
/**
 * Entries of a feature that one lane sums; a longer list is cut, so that a feature of every row does not keep all others waiting. On CPUs,
 * where few lanes run at a time, two more dispatches cost more than the wait.
 */
const CHUNKS = { software: 2048, hardware: 128 };

/** A workgroup is one subgroup where a barrier costs a switch of stacks. */
const smallGroups = ({ adapter, subgroups, subgroupMin }: Capabilities): { WG?: number; SPAN?: number } =>
  adapter.isFallback ? { WG: subgroups ? subgroupMin : 4, SPAN: 1 } : {};

const decodeKernel = defineKernel(shaders.sparseDecode, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.rows * u.lanes) / WG)),
  work: (u) => 64 * u.rows * u.width,
});
const dotKernel = defineKernel(shaders.sparseDot, {
  grid: (u, { WG, SPAN }) => groupsOf(Math.ceil(u.size / (WG / SPAN))),
  work: (u) => 2 * u.size * u.width,
  tune: smallGroups,
});
const partialsKernel = defineKernel(shaders.sparsePartials, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.most * u.lanes) / WG)),
  work: (u) => 2 * u.most * u.chunk * u.width,
});
const sumsKernel = defineKernel(shaders.sparseFeatureSums, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.features * u.lanes) / WG)),
  work: (u) => 64 * u.features * u.width,
});

/** y [N, O] = Σ_e values[e] · w[columns[e]] (+ bias), entries by rising column. */
export function sumByRow(step: Step, codes: SparseCodes, values: Tensor, w: Tensor, bias?: Tensor): Tensor {
  const width = w.shape[1] as number;
  const y = allocate(step, [codes.rows, width], 'decoded');
  step.dispatch(
    decodeKernel,
    {
      row_starts: codes.rowStarts.storage,
      columns: codes.columns.storage,
      values: values.storage,
      w: w.storage,
      bias: (bias ?? values).storage,
      y: y.storage,
    },
    { rows: codes.rows, width, lanes: Math.ceil(width / COLUMNS), biased: bias ? 1 : 0 },
  );
  return y;
}

/** [capacity]: dy[n] · w[columns[e]] of every entry, 0 behind the last. */
export function dotByEntry(step: Step, codes: SparseCodes, dy: Tensor, w: Tensor): Tensor {
  const { rows, capacity, entryRows, columns } = codes;
  const dValues = allocate(step, [capacity], 'd values');
  step.dispatch(
    dotKernel,
    {
      entry_rows: entryRows.storage,
      columns: columns.storage,
      dy: dy.storage,
      w: w.storage,
      d_values: dValues.storage,
    },
    { size: capacity, rows, width: w.shape[1] as number },
  );
  return dValues;
}

/** Σ_e values[e] · source[n] and Σ_e values[e] over each feature's entries, by rising row: [F, O] and [F]; source is [N, O]. */
export function sumByFeature(
  step: Step,
  codes: SparseCodes,
  values: Tensor,
  source: Tensor,
  chunk = CHUNKS[step.gpu.capabilities.adapter.isFallback ? 'software' : 'hardware'],
): { readonly rows: Tensor; readonly totals: Tensor } {
  const { features, capacity } = codes;
  const width = source.shape[1] as number;
  const lanes = Math.ceil(width / COLUMNS);
  const { starts, counts, order } = featureOrder(step, codes);
  const lists = { starts: starts.storage, order: order.storage, values: values.storage, source: source.storage };
  // A feature has one entry a row at most. Chunks of long lists: Σ ⌈count / chunk⌉ < 2 Σ count / chunk.
  const long = codes.rows > chunk;
  const most = long ? Math.ceil((2 * capacity) / chunk) : 0;
  const chunkStarts = long ? scan(step, counts, 'chunks of features', chunk) : starts;
  const partial = long ? allocate(step, [most, width + 1], 'sums of chunks') : source;
  if (long)
    step.dispatch(
      partialsKernel,
      { ...lists, chunk_starts: chunkStarts.storage, partial: partial.storage },
      { features, width, lanes, chunk, most },
    );
  const rows = allocate(step, [features, width], 'sums by feature');
  const totals = allocate(step, [features], 'totals by feature');
  step.dispatch(
    sumsKernel,
    {
      ...lists,
      chunk_starts: chunkStarts.storage,
      partial: partial.storage,
      d_w: rows.storage,
      d_b: totals.storage,
    },
    { features, width, lanes, chunk },
  );
  return { rows, totals };
}

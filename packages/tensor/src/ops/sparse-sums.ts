// Products with sparse codes: rows of w summed by the entries of a row, rows of x by those of a feature, and dot products at the entries.
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Grid, type Step } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { scan } from './scan.js';
import type { SparseCodes } from './sparse-codes.js';
import { featureOrder } from './sparse-order.js';

/** Columns to a lane, as in the kernels that read number by number: what is read of an entry is shared by as many products. */
const COLUMNS = 8;
/** Most vec4s to a lane of a CPU, as in the kernels, and lanes of a subgroup there: a lane's are so many that a subgroup reads long runs of a row. */
const FOURS = 8;
const SUBGROUP = 8;
/** Entries to a span of `sparse_dot4`. */
const ENTRIES = 4;
/**
 * Entries of a feature that one lane sums; a longer list is cut, so that a feature of every row does not keep all others waiting. On CPUs,
 * where few lanes run at a time, two more dispatches cost more than the wait.
 */
const CHUNKS = { software: 2048, hardware: 128 };

/** A workgroup is one subgroup where a barrier costs a switch of stacks. */
const smallGroups = ({ adapter, subgroups, subgroupMin }: Capabilities): { WG?: number; SPAN?: number } =>
  adapter.isFallback ? { WG: subgroups ? subgroupMin : 4, SPAN: 1 } : {};

const decodeRules = {
  grid: (u: { rows: number; lanes: number }, { WG }: { WG: number }): Grid =>
    groupsOf(Math.ceil((u.rows * u.lanes) / WG)),
  work: (u: { rows: number; width: number }): number => 64 * u.rows * u.width,
};
const dotWork = (u: { size: number; width: number }): number => 2 * u.size * u.width;
const partialsRules = {
  grid: (u: { most: number; lanes: number }, { WG }: { WG: number }): Grid =>
    groupsOf(Math.ceil((u.most * u.lanes) / WG)),
  work: (u: { most: number; chunk: number; width: number }): number => 2 * u.most * u.chunk * u.width,
};
const sumsRules = {
  grid: (u: { features: number; lanes: number }, { WG }: { WG: number }): Grid =>
    groupsOf(Math.ceil((u.features * u.lanes) / WG)),
  work: (u: { features: number; width: number }): number => 64 * u.features * u.width,
};
const decode = defineKernel(shaders.sparseDecode, decodeRules);
const decode4 = defineKernel(shaders.sparseDecode4, decodeRules);
const dot = defineKernel(shaders.sparseDot, {
  grid: (u, { WG, SPAN }) => groupsOf(Math.ceil(u.size / (WG / SPAN))),
  work: dotWork,
  tune: smallGroups,
});
const dot4 = defineKernel(shaders.sparseDot4, {
  grid: (u, { WG, SPAN }) => groupsOf(Math.ceil(u.size / (ENTRIES * (WG / SPAN)))),
  work: dotWork,
  tune: smallGroups,
});
const partials = defineKernel(shaders.sparsePartials, partialsRules);
const partials4 = defineKernel(shaders.sparsePartials4, partialsRules);
const sums = defineKernel(shaders.sparseFeatureSums, sumsRules);
const sums4 = defineKernel(shaders.sparseFeatureSums4, sumsRules);

/** How lanes share a row: by vec4s where it is whole ones; then GPUs get a lane for each and several entries in flight, CPUs long runs of a row. */
function lanesOf(step: Step, width: number) {
  if (width % 4 !== 0) return { byFours: false, lanes: Math.ceil(width / COLUMNS) } as const;
  const fours = width / 4;
  const software = step.gpu.capabilities.adapter.isFallback;
  const own = software ? Math.min(FOURS, Math.ceil(fours / SUBGROUP)) : 1;
  const overrides = { FOURS: own, AHEAD: software ? 1 : 4 };
  return { byFours: true, lanes: Math.ceil(fours / own), overrides } as const;
}

/** y [N, O] = Σ_e values[e] · w[columns[e]] (+ bias), entries by rising column. */
export function sumByRow(step: Step, codes: SparseCodes, values: Tensor, w: Tensor, bias?: Tensor): Tensor {
  const width = w.shape[1] as number;
  const y = allocate(step, [codes.rows, width], 'decoded');
  const bindings = {
    row_starts: codes.rowStarts.storage,
    columns: codes.columns.storage,
    values: values.storage,
    w: w.storage,
    bias: (bias ?? w).storage,
    y: y.storage,
  };
  const share = lanesOf(step, width);
  const uniforms = { rows: codes.rows, width, lanes: share.lanes, biased: bias ? 1 : 0 };
  if (share.byFours) step.dispatch(decode4, bindings, uniforms, { overrides: share.overrides });
  else step.dispatch(decode, bindings, uniforms);
  return y;
}

/** [capacity]: dy[n] · w[columns[e]] of every entry, 0 behind the last. */
export function dotByEntry(step: Step, codes: SparseCodes, dy: Tensor, w: Tensor): Tensor {
  const { rows, capacity, entryRows, columns } = codes;
  const dValues = allocate(step, [capacity], 'd values');
  const bindings = {
    entry_rows: entryRows.storage,
    columns: columns.storage,
    dy: dy.storage,
    w: w.storage,
    d_values: dValues.storage,
  };
  const uniforms = { size: capacity, rows, width: w.shape[1] as number };
  if (uniforms.width % 4 === 0) step.dispatch(dot4, bindings, uniforms);
  else step.dispatch(dot, bindings, uniforms);
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
  const share = lanesOf(step, width);
  const { starts, counts, order } = featureOrder(step, codes);
  const lists = { starts: starts.storage, order: order.storage, values: values.storage, source: source.storage };
  // A feature has one entry a row at most. Chunks of long lists: Σ ⌈count / chunk⌉ < 2 Σ count / chunk.
  const long = codes.rows > chunk;
  const most = long ? Math.ceil((2 * capacity) / chunk) : 0;
  const chunkStarts = long ? scan(step, counts, 'chunks of features', chunk) : starts;
  // A chunk's total lies behind its sums.
  const partial = long ? allocate(step, [most, width + (share.byFours ? 4 : 1)], 'sums of chunks') : source;
  const uniforms = { features, width, lanes: share.lanes, chunk };
  if (long) {
    const bindings = { ...lists, chunk_starts: chunkStarts.storage, partial: partial.storage };
    if (share.byFours) step.dispatch(partials4, bindings, { ...uniforms, most }, { overrides: share.overrides });
    else step.dispatch(partials, bindings, { ...uniforms, most });
  }
  const rows = allocate(step, [features, width], 'sums by feature');
  const totals = allocate(step, [features], 'totals by feature');
  const bindings = {
    ...lists,
    chunk_starts: chunkStarts.storage,
    partial: partial.storage,
    d_w: rows.storage,
    d_b: totals.storage,
  };
  if (share.byFours) step.dispatch(sums4, bindings, uniforms, { overrides: share.overrides });
  else step.dispatch(sums, bindings, uniforms);
  return { rows, totals };
}

// The three products of a low-rank term: into the rank, out of it, and sums over a task's rows. Each by vec4s where columns are whole vec4s.
import * as shaders from '@limn/shaders';
import { defineKernel, type Capabilities, type Step } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import type { TaskRows } from './task-rows.js';

/** Where the element (n, j, c) of a stack of factors lies: n · task + j · rank + (first + c) · column. */
export interface FactorPlace {
  readonly stack: Tensor;
  readonly ranks: number;
  /** Columns of the stack, and the first of those that take part. */
  readonly columns: number;
  readonly first: number;
  /** Distances between tasks, between ranks and between columns. */
  readonly task: number;
  readonly rank: number;
  readonly column: number;
}

/** A [N, r, in] by (n, j, c). */
export function downPlace(stack: Tensor): FactorPlace {
  const [, ranks, columns] = stack.shape as [number, number, number];
  return { stack, ranks, columns, first: 0, task: ranks * columns, rank: columns, column: 1 };
}

/** B [N, out, r] by (n, j, c), from column `first`. */
export function upPlace(stack: Tensor, first: number): FactorPlace {
  const [, columns, ranks] = stack.shape as [number, number, number];
  return { stack, ranks, columns, first, task: ranks * columns, rank: 1, column: ranks };
}

/** On CPUs a workgroup is one subgroup, whose barriers cost little. */
const smallGroups = ({ adapter, subgroups, subgroupMin }: Capabilities): { WG?: number } =>
  adapter.isFallback ? { WG: subgroups ? subgroupMin : 4 } : {};

/** Ranks that one lane or workgroup takes; a function of the rank alone, so that a task's bits are its own. */
const blockOf = (ranks: number): 1 | 2 | 4 => (ranks === 1 ? 1 : ranks === 2 ? 2 : 4);

const downRules = {
  grid: ({ tiles, rank }: { tiles: number; rank: number }, { BLOCK }: { BLOCK: number }) =>
    groupsOf(tiles * Math.ceil(rank / BLOCK)),
  work: (u: { tiles: number; rank: number; width: number }) => 8 * u.tiles * u.rank * u.width,
  tune: smallGroups,
};
const upWork = (u: { tiles: number; rank: number; width: number }): number => 8 * u.tiles * (u.rank + 1) * u.width;
const down = defineKernel(shaders.lowRankDown, downRules);
const down4 = defineKernel(shaders.lowRankDown4, downRules);
const up = defineKernel(shaders.lowRankUp, {
  grid: ({ tiles, width }, { WG }) => groupsOf(Math.ceil((tiles * width) / WG)),
  work: upWork,
});
const up4 = defineKernel(shaders.lowRankUp4, {
  grid: ({ tiles, width }, { WG }) => groupsOf(Math.ceil((tiles * width) / (4 * WG))),
  work: upWork,
});
const lanesOfSums = (u: { parts: number; rank: number; columns: number }, BLOCK: number): number =>
  u.parts * Math.ceil(u.rank / BLOCK) * u.columns;
const sums = defineKernel(shaders.lowRankSums, {
  grid: (u, { WG, BLOCK }) => groupsOf(Math.ceil(lanesOfSums(u, BLOCK) / WG)),
});
const sums4 = defineKernel(shaders.lowRankSums4, {
  grid: (u, { WG, BLOCK }) => groupsOf(Math.ceil(lanesOfSums(u, BLOCK) / (4 * WG))),
});
const join = defineKernel(shaders.lowRankJoin, {
  grid: (u, { WG }) => groupsOf(Math.ceil((u.task_count * u.rank * u.columns) / WG)),
});

const byFours = (...lengths: readonly number[]): boolean => lengths.every((length) => length % 4 === 0);

/** u [R, r] = x [R, W] · factorᵀ over its columns from `first`, times the task's scale if there are scales. */
export function intoRank(
  step: Step,
  x: Tensor,
  factor: FactorPlace,
  rows: TaskRows,
  scales: Tensor | undefined,
): Tensor {
  const u = allocate(step, [rows.rows, factor.ranks], 'low-rank codes');
  const width = x.size / rows.rows;
  const bindings = {
    x: x.storage,
    factor: factor.stack.storage,
    tiles: rows.tiles.storage,
    order: rows.order.storage,
    scales: (scales ?? x).storage,
    u: u.storage,
  };
  const uniforms = {
    tiles: rows.tiles.shape[0] as number,
    task_count: rows.count,
    rank: factor.ranks,
    width,
    first: factor.first,
    task_stride: factor.task,
    rank_stride: factor.rank,
    column_stride: factor.column,
    scaled: scales ? 1 : 0,
  };
  const overrides = { BLOCK: blockOf(factor.ranks) };
  if (byFours(width)) step.dispatch(down4, bindings, uniforms, { overrides });
  else step.dispatch(down, bindings, uniforms, { overrides });
  return u;
}

/** y = base + s · u [R, r] · factor over `width` columns from `first`; without a base the term alone. Shaped as asked. */
export function outOfRank(
  step: Step,
  u: Tensor,
  factor: FactorPlace,
  rows: TaskRows,
  { shape, base, scales }: { shape: readonly number[]; base?: Tensor | undefined; scales?: Tensor | undefined },
): Tensor {
  const y = allocate(step, shape, 'low-rank term');
  const width = y.size / rows.rows;
  const bindings = {
    u: u.storage,
    factor: factor.stack.storage,
    base: (base ?? u).storage,
    tiles: rows.tiles.storage,
    order: rows.order.storage,
    scales: (scales ?? u).storage,
    y: y.storage,
  };
  const uniforms = {
    tiles: rows.tiles.shape[0] as number,
    task_count: rows.count,
    rank: factor.ranks,
    width,
    first: factor.first,
    task_stride: factor.task,
    rank_stride: factor.rank,
    column_stride: factor.column,
    scaled: scales ? 1 : 0,
    based: base ? 1 : 0,
  };
  if (byFours(width)) step.dispatch(up4, bindings, uniforms);
  else step.dispatch(up, bindings, uniforms);
  return y;
}

/**
 * The gradient of a factor, shaped as it: Σ over a task's rows of u [R, r] times x [R, W], in rising order, in the columns from `first` and 0
 * in the others; runs of a long task by themselves, and then those, whether others are long or not.
 */
export function sumsByTask(
  step: Step,
  u: Tensor,
  x: Tensor,
  factor: FactorPlace,
  rows: TaskRows,
  scales: Tensor | undefined,
): Tensor {
  const d = allocate(step, factor.stack.shape, 'd low-rank factors');
  const { ranks: rank, first, columns } = factor;
  const width = x.size / rows.rows;
  const lists = { u: u.storage, x: x.storage, order: rows.order.storage };
  const overrides = { BLOCK: blockOf(rank) };
  const place = { task_stride: factor.task, rank_stride: factor.rank, column_stride: factor.column };
  const ofScales = (scales ?? u).storage;
  const scaled = scales ? 1 : 0;
  if (!rows.runs) {
    const bindings = { ...lists, parts: rows.tasks.storage, scales: ofScales, d: d.storage };
    const uniforms = {
      parts: rows.count,
      rank,
      width,
      first,
      columns,
      part_stride: place.task_stride,
      rank_stride: place.rank_stride,
      column_stride: place.column_stride,
      scaled,
    };
    if (byFours(width, first, columns)) step.dispatch(sums4, bindings, uniforms, { overrides });
    else step.dispatch(sums, bindings, uniforms, { overrides });
    return d;
  }
  const { list, starts } = rows.runs;
  const parts = list.shape[0] as number;
  const partial = allocate(step, [parts, rank, width], 'sums of runs');
  const bindings = { ...lists, parts: list.storage, scales: u.storage, d: partial.storage };
  const ofRun = {
    parts,
    rank,
    width,
    first: 0,
    columns: width,
    part_stride: rank * width,
    rank_stride: width,
    column_stride: 1,
    scaled: 0,
  };
  if (byFours(width, first, columns)) step.dispatch(sums4, bindings, ofRun, { overrides });
  else step.dispatch(sums, bindings, ofRun, { overrides });
  step.dispatch(
    join,
    { partial: partial.storage, starts: starts.storage, scales: ofScales, d: d.storage },
    { task_count: rows.count, rank, width, first, columns, ...place, scaled },
  );
  return d;
}

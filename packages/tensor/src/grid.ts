// Grids: how many workgroups a kernel of one thread per element, or one workgroup per row, needs.
import type { Capabilities, Grid } from '@limn/gpu';

/** Workgroups that every WebGPU device allows per dimension. */
const MAX_GROUPS = 65_535;

/** `count` workgroups, folded into x and y; kernels take y · (groups in x) + x as their number and skip the surplus. */
export function groupsOf(count: number): Grid {
  if (count <= MAX_GROUPS) return [count, 1, 1];
  const y = Math.ceil(count / MAX_GROUPS);
  return [Math.ceil(count / y), y, 1];
}

/** One thread per element: the rule of kernels with `size` and `WG`. */
export function perElement(uniforms: { readonly size: number }, overrides: { readonly WG: number }): Grid {
  return groupsOf(Math.ceil(uniforms.size / overrides.WG));
}

/** One thread per four elements: the rule of kernels with `size`, a multiple of 4, and `WG`. */
export function perFour(uniforms: { readonly size: number }, overrides: { readonly WG: number }): Grid {
  return groupsOf(Math.ceil(uniforms.size / (4 * overrides.WG)));
}

/**
 * One workgroup per row: the rules of kernels with `rows` and `WG`. On software adapters a workgroup is one subgroup, since there
 * a barrier costs a switch of stacks per subgroup: LayerNorm of [2048, 64] takes 13 ms of CPU time on SwiftShader with WG = 4 and
 * 180 ms with 64, and 3 ms against 15 on lavapipe with 8.
 */
export const perRow = {
  /** As many workgroups as rows. */
  grid: (uniforms: { readonly rows: number }): Grid => groupsOf(uniforms.rows),
  /** The workgroup size on software adapters; elsewhere the kernel's own. */
  tune: ({ adapter, subgroups, subgroupMin }: Capabilities): { WG?: number } =>
    adapter.isFallback ? { WG: subgroups ? subgroupMin : 4 } : {},
};

/** Neighbours of a row that a workgroup of a `perRun` kernel takes, one after the other by its lanes. */
export const RUN = 1024;

/**
 * One workgroup per run of a row: the rules of kernels whose elements stand for themselves but need something of their row (`rows`,
 * `width`, `run` and `WG`). What belongs to the row is read, and the row's number divided out, once a lane instead of once an element:
 * a third of the time on lavapipe (npm run bench).
 */
export const perRun = {
  /** Enough for every run of every row. */
  grid: ({ rows, width, run }: { readonly rows: number; readonly width: number; readonly run: number }): Grid =>
    groupsOf(rows * Math.ceil(width / run)),
  /** On software adapters one subgroup, so that short rows do not leave lanes idle. */
  tune: perRow.tune,
};

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

// Grids: how many workgroups a kernel of one thread per element, or one workgroup per row, needs.
import type { Grid } from '@limn/gpu';

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

/** One workgroup per row: the rule of kernels with `rows`. */
export function perRow(uniforms: { readonly rows: number }): Grid {
  return groupsOf(uniforms.rows);
}

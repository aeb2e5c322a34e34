// How the rows of a loss are divided among lanes: log Σ exp, cross-entropy and KL read every row once, and leave a few numbers of it.
import type { Capabilities } from '@limn/gpu';
import { perRow } from '../grid.js';
import { fewLanes, perLane } from './choose-rows.js';

/** `row`: a workgroup a row. `lane`: a lane a row, by numbers. `lane4`: a lane a row, by vec4s. */
export type LossKernelName = 'row' | 'lane' | 'lane4';

/** Rows that give a software adapter two subgroups of lanes; with fewer, lanes without a row cost as much as those with one. */
const LANE_ROWS = 16;

/** Rules of the kernels that take a workgroup a row, and of those that take a lane a row. */
export const lossRules = { row: perRow, lane: { grid: perLane, tune: fewLanes } } as const;

/**
 * The kernel for rows of this shape; the same answer for the same capabilities and shape, so that bits repeat.
 *
 * Software adapters give every lane a row: half the time of a workgroup a row on lavapipe where rows are long, a sixth where they are short
 * (npm run bench). GPUs want neighbouring lanes on neighbouring addresses, and a row of a vocabulary is enough for a workgroup.
 */
export function chooseLossKernel(
  { adapter }: Capabilities,
  { rows, width }: { readonly rows: number; readonly width: number },
): LossKernelName {
  if (!adapter.isFallback || rows < LANE_ROWS) return 'row';
  return width % 4 === 0 ? 'lane4' : 'lane';
}

// How many lanes work on one row in kernels with the reduce prelude.
import type { Capabilities } from '@limn/gpu';

/** Lanes a row on GPUs: enough to hide memory latency on rows of 64 to a few thousand elements. */
const GPU_LANES = 64;

/**
 * The WG override of one-workgroup-a-row kernels. A software adapter runs a barrier by walking every lane up to it, so one
 * subgroup a row (8 lanes on lavapipe, 4 on SwiftShader) is several times faster there.
 */
export function rowLanes({ adapter, subgroups, subgroupMax }: Capabilities): { readonly WG: number } {
  return { WG: adapter.isFallback ? (subgroups ? subgroupMax : 8) : GPU_LANES };
}

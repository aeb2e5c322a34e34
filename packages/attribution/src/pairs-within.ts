// How many pairs a computation can work on at once that keeps tensors of each.
import { overBudget, type HookedModel } from '@limn/hooks';

/**
 * Pairs that can be worked on at once when each keeps `kept` tensors [T, C] on the GPU, up to `widest` of them in one binding:
 * half of the budget is theirs. `memory/over-budget`, before anything is allocated, when one pair alone takes more than all of it.
 */
export function pairsWithin(
  { info, gpu }: HookedModel,
  pairs: readonly { readonly clean: readonly number[] }[],
  { what, kept, widest, memoryBytes }: { what: string; kept: number; widest: number; memoryBytes: number },
): number {
  const stream = pairs.reduce((longest, { clean }) => Math.max(longest, clean.length), 0) * info.width * 4;
  if (stream * kept > memoryBytes) throw overBudget({ what, unit: 'pair', memoryBytes }, { bytes: stream * kept });
  const byBudget = Math.floor(memoryBytes / 2 / (stream * kept));
  const byBinding = Math.floor(gpu.capabilities.limits.maxStorageBufferBindingSize / (stream * widest));
  return Math.max(1, Math.min(byBudget, byBinding));
}

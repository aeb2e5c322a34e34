// Which kernels a model runs on this adapter: equal bits are promised per plan, so results record it.
import type { HookedModel } from '@limn/hooks';
import { tokenBatch } from '@limn/hooks';

/** The programs of a forward pass over `prompts`, sorted, with their variants; planned, not run. */
export function kernelPlan(model: HookedModel, prompts: readonly (readonly number[])[]): string {
  const step = model.gpu.step({ label: 'kernel plan' });
  try {
    model.run(step, { tokens: tokenBatch(prompts, model.info) }, { logits: 'last' });
    return step.plan().kernels.join(', ');
  } finally {
    step.dispose();
  }
}

// Which kernels a model runs on this adapter: equal bits are promised per plan, so results record it.
import { recordWithin, tokenBatch, type HookedModel } from '@limn/hooks';

/**
 * The programs of a forward pass over `prompts`, or over as many of them as one pass can hold, sorted, with their variants; planned, not
 * run. Empty without prompts.
 */
export function kernelPlan(model: HookedModel, prompts: readonly (readonly number[])[]): string {
  if (prompts.length === 0) return '';
  const { step } = recordWithin({
    what: 'the kernel plan',
    unit: 'prompt',
    // Nothing runs, so memory is no bound; what cannot be bound to a kernel is.
    memoryBytes: Number.POSITIVE_INFINITY,
    most: prompts.length,
    open: () => model.gpu.step({ label: 'kernel plan' }),
    record: (step, count) =>
      model.run(step, { tokens: tokenBatch(prompts.slice(0, count), model.info) }, { logits: 'last' }),
  });
  try {
    return step.plan().kernels.join(', ');
  } finally {
    step.dispose();
  }
}

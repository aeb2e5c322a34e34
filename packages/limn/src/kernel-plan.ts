// Which kernels a model runs on this adapter: equal bits are promised per plan, so results record it.
import { recordWithin, tokenBatch, type HookedModel } from '@limn/hooks';
import { kernelsInForce } from '@limn/tensor';

/**
 * The programs of a forward pass over `prompts`, or over as many of them as one pass can hold, sorted, with their variants; planned, not
 * run. Behind them what was chosen for this device instead of the built-in rules, which decides other passes as well. Empty without prompts.
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
    return [step.plan().kernels.join(', '), ...chosenKernels(model)].join('; chosen: ');
  } finally {
    step.dispose();
  }
}

/** What is chosen, as 'row for matmul nn m1 n4096 k1024 and matmul …, tiled for …'; nothing where the rules decide. */
function chosenKernels({ gpu }: HookedModel): string[] {
  const classes = new Map<string, string[]>();
  for (const [name, choice] of Object.entries(kernelsInForce(gpu)))
    classes.set(choice, [...(classes.get(choice) ?? []), name]);
  const words = Array.from(classes, ([choice, names]) => `${choice} for ${names.join(' and ')}`);
  return words.length > 0 ? [words.sort().join(', ')] : [];
}

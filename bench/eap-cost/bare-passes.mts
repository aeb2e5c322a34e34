// What EAP-IG has to do at least, by the bare model: two forward passes, and m forward and backward passes to the embeddings as rows of one run.
import { logitDiff, type Pair } from '@limn/attribution';
import type { Gpu } from '@limn/gpu';
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { gradients, readFloats, type Tensor } from '@limn/tensor';

/** Nothing is captured but the embeddings, and only activations have gradients; with m = 0 one of the two forward passes goes back, as in EAP. */
export async function barePasses(gpu: Gpu, model: HookedModel, pairs: readonly Pair[], m: number): Promise<void> {
  const rows = Math.max(m, 1);
  const prompts = (which: 'clean' | 'corrupted', times = 1) => ({
    tokens: tokenBatch(Array.from({ length: times }, () => pairs.map((pair) => pair[which])).flat(), model.info),
  });
  const step = gpu.step({ label: 'bare model' });
  try {
    const ends: Tensor[] = [];
    if (m > 0) ends.push(model.run(step, prompts('clean'), { logits: 'none' }).resid);
    ends.push(model.run(step, prompts('corrupted'), { logits: 'none' }).resid);
    const run = model.run(step, prompts('clean', rows), { capture: ['hook_embed'], logits: 'last' });
    const answers = Array.from({ length: rows }, () => pairs).flat();
    const loss = logitDiff.loss(step, run.logits, answers, undefined);
    ends.push(...gradients(step, loss, 'ones', [run.at('hook_embed')]));
    await Promise.all(ends.map((end) => readFloats(step, end)));
  } finally {
    step.dispose();
  }
}

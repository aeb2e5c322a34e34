// What graphs and gradients explain of a pair: the mean logit of the right answers nearest to where right turns to wrong, less that of the wrong ones.
import type { Step } from '@limn/gpu';
import { fromData, gatherLogits, reshape, type Tensor } from '@limn/tensor';
import { contrastOf, type StudiedPair } from './cases.mjs';

/** [B] from the last logits of B pairs' prompts. */
export function answerDifference(step: Step, logits: Tensor, pairs: readonly StudiedPair[]): Tensor {
  const lists = pairs.map(contrastOf);
  const [B, A] = [pairs.length, Math.max(...lists.map(({ up }) => 2 * up.length))];
  const entries = lists.flatMap(({ up, down }) => {
    const own = [
      ...up.map((id) => ({ id, weight: 1 / up.length })),
      ...down.map((id) => ({ id, weight: -1 / down.length })),
    ];
    return Array.from({ length: A }, (_, i) => own[i] ?? { id: 0, weight: 0 });
  });
  const ids = fromData(
    step,
    Uint32Array.from(entries, ({ id }) => id),
    [B, A],
  );
  const weights = fromData(
    step,
    entries.map(({ weight }) => weight),
    [B, A],
  );
  return gatherLogits(step, reshape(logits, [B, logits.size / B]), ids, weights);
}

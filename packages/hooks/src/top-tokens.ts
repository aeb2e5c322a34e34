// The likeliest next tokens of one row of logits, on the host: for looking at a model's answer.
import { LimnError } from '@limn/gpu';
import type { HostArray } from './host-array.js';

/** A token with its logit and its probability under the softmax of all logits. */
export interface TopToken {
  readonly id: number;
  readonly logit: number;
  readonly probability: number;
}

/**
 * The `count` largest of V logits, largest first, ties to the lower id; probabilities in float64. Fewer where V is smaller. For many
 * rows on the GPU, see `topK` of @limn/tensor.
 * @throws LimnError `hooks/bad-rows` for logits of several rows, such as those of a run that was asked for all of them
 */
export function topTokens(logits: ArrayLike<number> | HostArray, count = 5): TopToken[] {
  const values = Array.from('shape' in logits ? rowOf(logits) : logits);
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
  return values
    .map((logit, id) => ({ id, logit, probability: Math.exp(logit - top) / total }))
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
    .slice(0, count);
}

function rowOf({ shape, data }: HostArray): ArrayLike<number> {
  if (data.length === shape.at(-1)) return data;
  throw new LimnError('hooks/bad-rows', `topTokens takes one row of logits, and was given [${shape.join(', ')}]`, {
    details: { shape },
    hint: "Run one prompt with logits: 'last', or give the part of the data that is one row.",
  });
}

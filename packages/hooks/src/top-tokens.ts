// The likeliest next tokens of one row of logits, on the host: for looking at a model's answer.
import { LimnError, shownValue } from '@limn/gpu';
import type { HostArray } from './host-array.js';

/** A token with its logit and its probability under the softmax of all logits. */
export interface TopToken {
  readonly id: number;
  readonly logit: number;
  readonly probability: number;
}

/**
 * The `count` largest of V logits, largest first, ties to the lower id; probabilities in float64. Fewer where V is smaller. For many
 * rows on the GPU, see `topK` of @limn/tensor. A logit of −∞ has probability 0.
 * @throws LimnError `hooks/bad-rows` for logits of several rows, such as those of a run that was asked for all of them;
 * `hooks/not-finite` for NaN, +∞, or nothing but −∞; `hooks/bad-extent` for a count that is no whole number from 0
 */
export function topTokens(logits: ArrayLike<number> | HostArray, count = 5): TopToken[] {
  if (!Number.isInteger(count) || count < 0)
    throw new LimnError('hooks/bad-extent', `count is ${shownValue(count)}; it must be a whole number from 0`);
  const values = Array.from('shape' in logits ? rowOf(logits) : logits);
  const top = largest(values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
  return values
    .map((logit, id) => ({ id, logit, probability: Math.exp(logit - top) / total }))
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
    .slice(0, count);
}

/** −Infinity of an empty row, whose softmax is empty as well. */
function largest(logits: readonly number[]): number {
  const broken = logits.findIndex((logit) => !(logit < Infinity));
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  if (broken < 0 && (top > -Infinity || logits.length === 0)) return top;
  const what =
    broken < 0 ? 'every logit is -Infinity' : `the logit of token ${broken} is ${shownValue(logits[broken])}`;
  throw new LimnError('hooks/not-finite', `${what}, so no token has a probability`, {
    details: broken < 0 ? {} : { id: broken },
    hint: 'Look for an intervention that divides by zero or scales without bound, or for damaged weights.',
  });
}

function rowOf({ shape, data }: HostArray): ArrayLike<number> {
  if (data.length === shape.at(-1)) return data;
  throw new LimnError('hooks/bad-rows', `topTokens takes one row of logits, and was given [${shape.join(', ')}]`, {
    details: { shape },
    hint: "Run one prompt with logits: 'last', or give the part of the data that is one row.",
  });
}

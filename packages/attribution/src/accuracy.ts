// Accuracy: 1 where some correct answer's logit is above every incorrect one's, else 0. A value to report, not to differentiate.
import { LimnError } from '@limn/gpu';
import { fill, fromData, gatherLogits, max, relu, scale, sub, type Tensor } from '@limn/tensor';
import type { Step } from '@limn/gpu';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';

/** A metric that circuits are evaluated by and edges cannot be scored by: its gradient is 0 wherever there is one. */
export interface ValueMetric extends Metric {
  readonly differentiable: false;
}

/**
 * Differences of f32 logits that are not 0 are far above 2⁻⁶⁰, and logits far below 2⁶⁰: the product is at least 1 and finite.
 */
const STEEP = 2 ** 60;

/**
 * Share of the pairs whose best correct answer beats every incorrect one; a tie is a miss. Its loss is −1 or 0 per pair.
 * For `evaluateCircuits` and what is built on it; exact patching takes it as well, as a count of answers that an edge turns.
 * Scorers that differentiate refuse it as `usage/metric`.
 * @throws LimnError `data/pairs-answers`
 */
export const accuracy: ValueMetric = {
  name: 'accuracy',
  usesClean: false,
  differentiable: false,
  check(pair, where) {
    for (const side of ['correct', 'incorrect'] as const)
      if (pair[side].length === 0)
        throw new LimnError('data/pairs-answers', `${where} has no ${side} answer; accuracy needs at least one.`, {
          details: { where, metric: 'accuracy', side },
          hint: 'Add answers to the pair, or use the metric kl, which needs none.',
        });
  },
  loss(step, logits, pairs) {
    const ahead = sub(step, best(step, logits, pairs, 'correct'), best(step, logits, pairs, 'incorrect'));
    const one = fill(step, [pairs.length], 1, 'one');
    // relu(1 − STEEP · relu(d)) is 0 for d > 0 and 1 else, without rounding.
    const miss = relu(step, sub(step, one, scale(step, relu(step, ahead), STEEP)));
    return sub(step, miss, one);
  },
};

/** The largest logit among the answers of one side, [N]. */
function best(step: Step, logits: Tensor, pairs: readonly Pair[], side: 'correct' | 'incorrect'): Tensor {
  const count = Math.max(...pairs.map((pair) => pair[side].length));
  // Short lists repeat their first answer, which changes no maximum.
  const ids = pairs.flatMap((pair) => Array.from({ length: count }, (_, i) => pair[side][i] ?? pair[side][0] ?? 0));
  const answers = fromData(step, Uint32Array.from(ids), [pairs.length, count], { label: `${side} answers` });
  return max(step, gatherLogits(step, logits, answers), { axes: 1 });
}

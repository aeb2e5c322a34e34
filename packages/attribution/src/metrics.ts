// The three metrics as losses on the tape: logit-diff, prob-diff, KL; the loss is the negated metric, so that a helpful edge scores above 0.
import { LimnError, type Step } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import {
  fromData,
  gatherLogits,
  gatherProbabilities,
  klDivergence,
  logSoftmax,
  detach,
  type Tensor,
} from '@limn/tensor';
import type { Pair } from './pairs.js';

/** A measure of the answer, as a function of the logits after the last real token. */
export interface Metric {
  /** Values are given under this name: no two metrics of one call may share it. */
  readonly name: string;
  /**
   * What it computes, for stores: what scores, shards and checkpoints of this metric are found by, beside its name. Change it whenever
   * `loss` changes. The metrics of this package need none; any other is refused with a store when it has none.
   */
  readonly identity?: string | undefined;
  /** Whether `loss` looks at the clean run's logits. */
  readonly usesClean: boolean;
  /** false for a value that is only reported, such as accuracy; scorers that differentiate refuse it. */
  readonly differentiable?: boolean;
  /** Throws `data/pairs-answers` for a pair that this metric cannot measure. */
  check(pair: Pair, where: string): void;
  /**
   * The negated metric per row, [N] exactly, from logits [N, V]; row n belongs to pairs[n], and depends on no other row: a batch may hold
   * any pairs, each several times. `clean` [N, V] are the clean run's logits of the same rows, given when `usesClean`. Whatever calls it
   * refuses another shape as `usage/metric-loss`.
   */
  loss(step: Step, logits: Tensor, pairs: readonly Pair[], clean: Tensor | undefined): Tensor;
}

/** Mean logit of the correct answers minus mean logit of the incorrect ones. */
export const logitDiff: Metric = {
  name: 'logit-diff',
  usesClean: false,
  check: (pair, where) => needs(pair, where, 'logit-diff', ['correct', 'incorrect']),
  loss(step, logits, pairs) {
    const { ids, weights } = answers(step, pairs, (pair, side) => 1 / pair[side].length);
    return gatherLogits(step, logits, ids, weights);
  },
};

/** Probability of the correct answers minus probability of the incorrect ones, over the whole vocabulary. */
export const probDiff: Metric = {
  name: 'prob-diff',
  usesClean: false,
  check: (pair, where) => needs(pair, where, 'prob-diff', ['correct']),
  loss(step, logits, pairs) {
    const { ids, weights } = answers(step, pairs, () => 1);
    return gatherProbabilities(step, logits, ids, weights);
  },
};

/**
 * −KL(clean ‖ patched) over the vocabulary, in nats; its loss is the divergence. Plain EAP is 0 under it.
 * @throws LimnError `usage/metric`
 */
export const kl: Metric = {
  name: 'kl',
  usesClean: true,
  check: () => undefined,
  loss(step, logits, _pairs, clean) {
    if (clean === undefined) throw new LimnError('usage/metric', 'The KL metric needs the logits of the clean run.');
    return klDivergence(step, logSoftmax(step, detach(clean)), logits);
  },
};

/** All metrics. */
export const METRICS: readonly Metric[] = [logitDiff, probDiff, kl];

/**
 * The metric of that name.
 * @throws LimnError `usage/unknown-metric` with the nearest one
 */
export function metricByName(name: string): Metric {
  const found = METRICS.find((metric) => metric.name === name);
  if (found) return found;
  const names = METRICS.map((metric) => metric.name);
  throw new LimnError('usage/unknown-metric', `There is no metric "${name}"; there are ${names.join(', ')}.`, {
    details: { given: name, allowed: names },
    hint: `Did you mean "${nearest(name, names)}"?`,
  });
}

/** Checks every pair against every metric before any work. */
export function checkAnswers(pairs: readonly Pair[], metrics: readonly Metric[]): void {
  for (const metric of metrics) for (const [n, pair] of pairs.entries()) metric.check(pair, `pair ${n + 1}`);
}

/**
 * Refuses a metric that has no gradient, before any work.
 * @throws LimnError `usage/metric`
 */
export function checkDifferentiable(metric: Metric, method: string): void {
  if (metric.differentiable === false)
    throw new LimnError('usage/metric', `${method} differentiates its metric, and ${metric.name} has no gradient.`, {
      details: { method, metric: metric.name },
      hint: 'Score by logit-diff, prob-diff or kl, and measure circuits by it; exact patching needs no gradient.',
    });
}

function needs(pair: Pair, where: string, metric: string, sides: readonly ('correct' | 'incorrect')[]): void {
  for (const side of sides)
    if (pair[side].length === 0)
      throw new LimnError('data/pairs-answers', `${where} has no ${side} answer; ${metric} needs at least one.`, {
        details: { where, metric, side },
        hint: 'Add answers to the pair, or use the metric kl, which needs none.',
      });
}

/** Ids [N, A] and weights of the loss [N, A]: minus for correct, plus for incorrect, 0 for the padding of short lists. */
function answers(
  step: Step,
  pairs: readonly Pair[],
  weight: (pair: Pair, side: 'correct' | 'incorrect') => number,
): { readonly ids: Tensor; readonly weights: Tensor } {
  const count = Math.max(...pairs.map(({ correct, incorrect }) => correct.length + incorrect.length));
  const ids = new Uint32Array(pairs.length * count);
  const weights = new Float32Array(pairs.length * count);
  for (const [n, pair] of pairs.entries()) {
    let at = n * count;
    for (const [side, sign] of [
      ['correct', -1],
      ['incorrect', 1],
    ] as const)
      for (const id of pair[side]) {
        ids[at] = id;
        weights[at++] = sign * weight(pair, side);
      }
  }
  return {
    ids: fromData(step, ids, [pairs.length, count], { label: 'answers' }),
    weights: fromData(step, weights, [pairs.length, count], { label: 'answer weights' }),
  };
}

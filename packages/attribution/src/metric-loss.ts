// The one call of a metric's loss: a tensor [rows], or an error that names the metric. Whatever else it returned would be spread over the rows in silence.
import { LimnError, type Step } from '@limn/gpu';
import type { Tensor } from '@limn/tensor';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';

/**
 * `metric.loss` of the rows of `logits` [N, V], checked: one loss per row, [N].
 * @throws LimnError `usage/metric-loss`
 */
export function metricLoss(
  step: Step,
  metric: Metric,
  logits: Tensor,
  pairs: readonly Pair[],
  clean: Tensor | undefined,
): Tensor {
  const loss = metric.loss(step, logits, pairs, clean);
  // A metric written without types may return anything.
  const given = (loss as Tensor | undefined)?.shape;
  if (given?.length === 1 && given[0] === pairs.length) return loss;
  throw new LimnError(
    'usage/metric-loss',
    `The loss of the metric "${metric.name}" is one number per row, [${pairs.length}]; it returned ${given ? `[${given.join(', ')}]` : String(loss)}.`,
    {
      details: { metric: metric.name, given, wanted: [pairs.length] },
      hint: 'Reduce over the vocabulary or the answers only, as in sum(step, x, { axes: 1 }), never over the rows: the mean over pairs is taken here.',
    },
  );
}

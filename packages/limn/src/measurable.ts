// Which metrics some pairs have the answers for.
import type { Metric, Pair } from '@limn/attribution';
import { LimnError } from '@limn/gpu';

/** Those of `metrics` that every pair can be measured by. */
export function measurable(metrics: readonly Metric[], pairs: readonly Pair[]): readonly Metric[] {
  return metrics.filter((metric) => {
    try {
      for (const pair of pairs) metric.check(pair, 'pair');
      return true;
    } catch (error) {
      if (error instanceof LimnError && error.code === 'data/pairs-answers') return false;
      throw error;
    }
  });
}

// A metric in units of each pair's own clean − corrupted difference: f_i = (m_i − b'_i) / (b_i − b'_i), so that every pair weighs the same in the scores.
import { LimnError, sha256 } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { add, fromData, mul } from '@limn/tensor';
import { evaluateCircuits } from './evaluate.js';
import { knownIdentity } from './metric-identity.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';

/** Which pairs have a difference to normalise by. */
export interface NormalisedMetricOptions extends RunControls {
  /** Pairs with |b_i − b'_i| below this share of the mean |b − b'| are refused by name. Default .05: one such pair would weigh as twenty. */
  readonly floor?: number | undefined;
}

/**
 * The metric `metric`, per pair 0 on the corrupted and 1 on the clean prompt: its loss is −f_i. Both ends are measured here, once; the
 * result knows these pairs only, and has an identity where `metric` has one.
 * @throws LimnError `data/metric-denominator`, naming the pairs below the floor; `usage/metric-floor`; else as `evaluateCircuits`
 */
export async function normalisedMetric(
  model: HookedModel,
  pairs: readonly Pair[],
  metric: Metric,
  options: NormalisedMetricOptions = {},
): Promise<Metric> {
  const { floor = 0.05 } = options;
  if (!(floor >= 0 && floor < 1))
    throw new LimnError('usage/metric-floor', `The floor is a share in [0, 1); given ${floor}.`, {
      details: { floor },
    });
  const ends = await evaluateCircuits(model, [], pairs, { ...options, metrics: [metric] });
  const clean = ends.clean.perExample[metric.name] as Float64Array;
  const corrupted = ends.empty.perExample[metric.name] as Float64Array;
  const differences = clean.map((b, i) => b - (corrupted[i] as number));
  const mean = differences.reduce((total, x) => total + Math.abs(x), 0) / differences.length;
  const small = [...differences.keys()].filter((i) => !(Math.abs(differences[i] as number) > floor * mean));
  if (small.length > 0)
    throw new LimnError(
      'data/metric-denominator',
      `${small.length} of ${pairs.length} pairs differ too little between clean and corrupted under ${metric.name} to normalise by: pairs ${small
        .slice(0, 8)
        .map((i) => i + 1)
        .join(', ')}${small.length > 8 ? ' …' : ''} (at or below ${floor} of the mean difference ${mean}).`,
      { details: { pairs: small, floor, mean }, hint: 'Leave these pairs out, or lower the floor.' },
    );
  const ofPair = new Map(pairs.map((pair, i) => [pair, { b: corrupted[i] as number, d: differences[i] as number }]));
  const inner = knownIdentity(metric);
  return {
    name: `normalised ${metric.name}`,
    identity: inner && JSON.stringify([inner, await sha256(JSON.stringify([...ofPair]))]),
    usesClean: metric.usesClean,
    check: (pair, where) => {
      metric.check(pair, where);
      if (!ofPair.has(pair))
        throw new LimnError('data/pairs-unknown', `${where} is none of the pairs that the metric was normalised on.`, {
          details: { where },
          hint: 'Make the metric from all pairs that it is to measure.',
        });
    },
    // −f = −(−L − b') / d = L / d + b' / d
    loss(step, logits, rows, reference) {
      const ends = rows.map((pair) => ofPair.get(pair) as { readonly b: number; readonly d: number });
      const column = (values: readonly number[], label: string) => fromData(step, values, [rows.length], { label });
      const loss = metricLoss(step, metric, logits, rows, reference);
      const scaled = mul(
        step,
        loss,
        column(
          ends.map(({ d }) => 1 / d),
          '1 / (b − b′)',
        ),
      );
      return add(
        step,
        scaled,
        column(
          ends.map(({ b, d }) => b / d),
          'b′ / (b − b′)',
        ),
      );
    },
  };
}

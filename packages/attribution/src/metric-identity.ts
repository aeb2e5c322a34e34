// What tells metrics apart: names within one call, since values are kept by name; and an identity where numbers are kept for later runs.
import { LimnError } from '@limn/gpu';
import { accuracy } from './accuracy.js';
import { METRICS, type Metric } from './metrics.js';

const BUILT_IN: ReadonlySet<Metric> = new Set([...METRICS, accuracy]);

/**
 * What a store knows a metric by: the name of a built-in one, else its name and its `identity`. A name alone says nothing of what is
 * computed, and what was kept under another metric of that name would be taken for this one's.
 * @throws LimnError `usage/metric-identity`
 */
export function metricIdentity(metric: Metric): string {
  const known = knownIdentity(metric);
  if (known !== undefined) return known;
  const { name, identity } = metric;
  throw new LimnError('usage/metric-identity', `The metric "${name}" has no identity to keep its numbers under.`, {
    details: { metric: name, given: identity },
    hint: 'Give it one that changes whenever what it computes does, as in { identity: "log-prob, version 1" }, or leave out the store.',
  });
}

/** The same, undefined where there is none. */
export function knownIdentity(metric: Metric): string | undefined {
  const { name, identity } = metric;
  if (BUILT_IN.has(metric)) return name;
  return typeof identity === 'string' && identity !== '' ? JSON.stringify([name, identity]) : undefined;
}

/**
 * Refuses two metrics of one name: their values would overwrite each other.
 * @throws LimnError `usage/metric-name`
 */
export function expectDistinctNames(metrics: readonly Metric[]): void {
  const names = metrics.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return;
  throw new LimnError('usage/metric-name', `Two metrics are called "${twice}"; values are given by name.`, {
    details: { name: twice, names },
    hint: 'Give each metric a name of its own, and name each once. "accuracy" is the name of the built-in one.',
  });
}

// Reference definitions of the three metrics on one row of logits, in float64; GPU versions are tested against these.

/** One row of logits over the vocabulary, [vocab]. */
export type Logits = Float32Array | Float64Array;

/** The metrics of the six tasks. */
export type MetricName = 'logit-diff' | 'prob-diff' | 'kl';
/** All of them. */
export const METRICS: readonly MetricName[] = ['logit-diff', 'prob-diff', 'kl'];

const at = (row: Logits, id: number): number => {
  const value = row[id];
  if (value === undefined) throw new RangeError(`id ${id} is outside a row of ${row.length} logits`);
  return value;
};

/** Mean logit of the correct answers minus mean logit of the incorrect ones (nats). */
export function logitDiff(logits: Logits, correct: readonly number[], incorrect: readonly number[]): number {
  const mean = (ids: readonly number[]): number => ids.reduce((sum, id) => sum + at(logits, id), 0) / ids.length;
  return mean(correct) - mean(incorrect);
}

/** Σ p(correct) − Σ p(incorrect), in [−1, 1]. */
export function probDiff(logits: Logits, correct: readonly number[], incorrect: readonly number[]): number {
  const p = logSoftmax(logits).map(Math.exp);
  const sum = (ids: readonly number[]): number => ids.reduce((total, id) => total + at(p, id), 0);
  return sum(correct) - sum(incorrect);
}

/** KL(clean ‖ patched) = Σ_v p_clean(v) · (log p_clean(v) − log p_patched(v)), over the vocabulary (nats, ≥ 0 up to round-off). */
export function kl(clean: Logits, patched: Logits): number {
  if (clean.length !== patched.length) {
    throw new RangeError(`kl: rows of ${clean.length} and ${patched.length} logits`);
  }
  const p = logSoftmax(clean);
  const q = logSoftmax(patched);
  let sum = 0;
  for (let v = 0; v < p.length; v++) sum += Math.exp(at(p, v)) * (at(p, v) - at(q, v));
  return sum;
}

/** log p(v) = x_v − max − log Σ exp(x − max). */
export function logSoftmax(logits: Logits): Float64Array {
  const row = Float64Array.from(logits);
  let max = -Infinity;
  for (const x of row) max = Math.max(max, x);
  let sum = 0;
  for (const x of row) sum += Math.exp(x - max);
  const shift = max + Math.log(sum);
  return row.map((x) => x - shift);
}

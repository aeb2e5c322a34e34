// The sampling pipeline in float64 by sorting: penalty, temperature, top-k, top-p, and the cumulative distribution.

/** How a row of logits is sampled; what is left out changes nothing. */
export interface SamplingSettings {
  readonly temperature?: number;
  readonly penalty?: number;
  readonly topK?: number;
  readonly topP?: number;
}

/** Penalty on the seen tokens, then temperature, then −∞ for barred tokens. */
export function adjusted(
  logits: ArrayLike<number>,
  { temperature = 1, penalty = 1 }: SamplingSettings,
  seen: ReadonlySet<number> = new Set(),
  barred: ReadonlySet<number> = new Set(),
): Float64Array {
  return Float64Array.from(logits, (logit, v) => {
    if (barred.has(v)) return -Infinity;
    const scaled = !seen.has(v) ? logit : logit > 0 ? logit / penalty : logit * penalty;
    return scaled / temperature;
  });
}

/** A token that may be drawn, the share of the mass in front of it, and its own, among the k likeliest. */
export interface Candidate {
  readonly id: number;
  readonly before: number;
  readonly share: number;
}

/**
 * The k likeliest tokens by falling logit and rising id, with the mass in front of each as a share of theirs: token i is in the
 * nucleus of p if before_i < p.
 */
export function candidates(logits: ArrayLike<number>, k = logits.length): Candidate[] {
  const order = Array.from({ length: logits.length }, (_, v) => v)
    .sort((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!))
    .slice(0, k);
  const weights = order.map((v) => Math.exp(logits[v]! - logits[order[0]!]!));
  const total = weights.reduce((a, b) => a + b, 0);
  let before = 0;
  return order.map((id, i) => {
    const candidate = { id, before: before / total, share: weights[i]! / total };
    before += weights[i]!;
    return candidate;
  });
}

/** Ids that may be drawn, rising. */
export function kept(logits: ArrayLike<number>, { topK, topP = 1 }: SamplingSettings): number[] {
  return candidates(logits, topK)
    .filter(({ before }) => topP >= 1 || before < topP)
    .map(({ id }) => id)
    .sort((a, b) => a - b);
}

/** Probabilities [V] of a draw among the kept ids. */
export function probabilities(logits: ArrayLike<number>, ids: readonly number[]): Float64Array {
  const top = ids.reduce((best, id) => Math.max(best, logits[id]!), -Infinity);
  const weights = new Float64Array(logits.length);
  for (const id of ids) weights[id] = Math.exp(logits[id]! - top);
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Which random numbers draw each id: those from its entry up to the next one's, [V + 1]. */
export function cumulative(chances: Float64Array): Float64Array {
  const ends = new Float64Array(chances.length + 1);
  for (const [id, chance] of chances.entries()) ends[id + 1] = ends[id]! + chance;
  return ends;
}

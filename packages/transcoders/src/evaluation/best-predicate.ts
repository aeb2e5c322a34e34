// Which label a feature predicts best: F1 of "a ≥ θ" against "the token has the label", label and θ chosen on one half, scored on the other.
import type { FeatureEntries } from './firing-records.js';
import type { NumberedLabels } from './token-labels.js';

/** Tokens of one half, and how many of them have each label. */
export interface LabelledHalf {
  /** Whether token n is in this half. */
  readonly has: (token: number) => boolean;
  /** By label number. */
  readonly positives: Uint32Array;
}

/** Labels on tokens: token n has those of token `of(n)`, which is n itself, or another one where labels are permuted. */
export interface LabelView {
  readonly labels: NumberedLabels;
  readonly of: (token: number) => number;
}

/** What a feature stands for. */
export interface BestPredicate {
  /** Number of the label. */
  readonly label: number;
  /** The feature says yes where a ≥ θ. */
  readonly threshold: number;
  /** On the half that label and θ were chosen on. */
  readonly chosenF1: number;
  /** On the other half. */
  readonly f1: number;
}

/** How many tokens of a half have each label. */
export function positivesOf({ labels, of }: LabelView, tokens: number, has: (token: number) => boolean): Uint32Array {
  const counts = new Uint32Array(labels.names.length);
  for (let n = 0; n < tokens; n++) {
    if (!has(n)) continue;
    const own = of(n);
    for (let i = labels.starts[own] as number; i < (labels.starts[own + 1] as number); i++)
      counts[labels.ids[i] as number] = (counts[labels.ids[i] as number] as number) + 1;
  }
  return counts;
}

/**
 * F1 = 2 TP / (fired + positives). Among labels with at least `leastPositives` tokens in the choosing half and all cuts between the
 * feature's values there, the best; ties by the higher θ, then the label met first. Undefined where the feature fires for no such token.
 */
export function bestPredicate(
  { tokens, values }: FeatureEntries,
  view: LabelView,
  choosing: LabelledHalf,
  scoring: LabelledHalf,
  leastPositives: number,
): BestPredicate | undefined {
  const { labels, of } = view;
  const order = [...tokens.keys()]
    .filter((i) => choosing.has(tokens[i] as number))
    .sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const hits = new Map<number, number>();
  let best: { label: number; threshold: number; f1: number } | undefined;
  for (let fired = 0; fired < order.length;) {
    const threshold = values[order[fired] as number] as number;
    /** Labels whose hits rose at this θ: F1 of the others only falls. */
    const raised = new Set<number>();
    for (; fired < order.length && values[order[fired] as number] === threshold; fired++) {
      const own = of(tokens[order[fired] as number] as number);
      for (let i = labels.starts[own] as number; i < (labels.starts[own + 1] as number); i++) {
        const label = labels.ids[i] as number;
        hits.set(label, (hits.get(label) ?? 0) + 1);
        raised.add(label);
      }
    }
    for (const label of raised) {
      const positives = choosing.positives[label] as number;
      if (positives < leastPositives) continue;
      const f1 = (2 * (hits.get(label) as number)) / (fired + positives);
      if (f1 > (best?.f1 ?? 0)) best = { label, threshold, f1 };
    }
  }
  if (!best) return undefined;
  const { label, threshold, f1: chosenF1 } = best;
  let fired = 0;
  let hit = 0;
  tokens.forEach((token, i) => {
    if ((values[i] as number) < threshold || !scoring.has(token)) return;
    fired++;
    const own = of(token);
    if (labels.ids.subarray(labels.starts[own], labels.starts[own + 1]).includes(label)) hit++;
  });
  const positives = scoring.positives[label] as number;
  return { label, threshold, chosenF1, f1: hit === 0 ? 0 : (2 * hit) / (fired + positives) };
}

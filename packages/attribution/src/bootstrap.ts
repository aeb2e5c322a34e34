// The bootstrap over examples: pairs drawn again with replacement, and percentiles of what comes out. Efron 1979. Host arithmetic in float64.
import { LimnError } from '@limn/gpu';
import { anyVaries, distinctPairs, whyNoSpread } from './distinct-examples.js';
import type { Evaluation } from './evaluate.js';
import { normalisedFaithfulness } from './faithfulness.js';
import type { Pair } from './pairs.js';
import { RandomDraws } from './random-draws.js';

/** How often to draw, and how wide a band to give. */
export interface BootstrapOptions {
  /** Default 1,000 for bands, 200 for circuits. */
  readonly resamples?: number | undefined;
  /** Default .95: the band leaves out 2.5 % of the resamples on either side. */
  readonly confidence?: number | undefined;
  /** Default 0. Resample number i depends on seed and i alone. */
  readonly seed?: number | undefined;
}

/** How bands on faithfulness are drawn. */
export interface FaithfulnessBandOptions extends BootstrapOptions {
  /** The pairs of the evaluation: one that stands there twice is one example. Default: examples of equal values are one. */
  readonly pairs?: readonly Pair[] | undefined;
}

/** A value and its percentile band over resamples of the pairs. */
export interface Band {
  /** Of the pairs themselves; null where it does not exist. */
  readonly value: number | null;
  /** null where there is no band. */
  readonly low: number | null;
  readonly high: number | null;
  /** Why there is no band. */
  readonly reason?: string;
}

/**
 * How often each of `examples` pairs is drawn, for every resample; each adds up to `examples`.
 * @throws LimnError `usage/resamples`, `data/no-examples`, `tensor/random` (seed)
 */
export function resampleCounts(examples: number, resamples: number, seed: number): Uint32Array[] {
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new LimnError(
      'usage/resamples',
      `A bootstrap takes a whole number of resamples, at least 1; given ${resamples}.`,
      {
        details: { resamples },
      },
    );
  if (examples < 1) throw new LimnError('data/no-examples', 'A bootstrap needs values of at least one example.');
  return Array.from({ length: resamples }, (_, i) => {
    const draws = new RandomDraws(seed, i);
    const counts = new Uint32Array(examples);
    for (let n = 0; n < examples; n++) {
      const drawn = draws.below(examples);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    return counts;
  });
}

/**
 * Bands on the faithfulness of every circuit of an evaluation under one metric: f of a resample is the ratio of the resampled
 * means, (m̄(C) − m̄(∅)) / (m̄(full) − m̄(∅)), with the same resamples for all circuits. Where the denominator changes its sign or
 * vanishes in some resample, f has no finite spread: the band is null, and the reason says how often. It is null as well where
 * no two examples differ, for then nothing is known of how far examples do. Cost: resamples · examples · circuits additions.
 * @throws LimnError `usage/unknown-metric`, `usage/resamples`, `usage/confidence`, `data/no-examples`, `tensor/random` (seed)
 */
export function bootstrapFaithfulness(
  { clean, empty, circuits }: Evaluation,
  metric: string,
  options: FaithfulnessBandOptions = {},
): Band[] {
  const { resamples = 1000, confidence = 0.95, seed = 0, pairs } = options;
  expectConfidence(confidence);
  const of = (values: Evaluation['clean']): Float64Array => valuesOf(values, metric);
  const full = of(clean);
  const none = of(empty);
  const measured = circuits.map(of);
  const draws = resampleCounts(full.length, resamples, seed);
  const differ = pairs ? distinctPairs(pairs) > 1 : anyVaries([full, none, ...measured]);
  const alike = whyNoSpread(full.length, differ);
  const tops = draws.map((counts) => weightedMean(full, counts));
  const bottoms = draws.map((counts) => weightedMean(none, counts));
  const once = new Uint32Array(full.length).fill(1);
  const whole = { full: weightedMean(full, once), none: weightedMean(none, once) };
  const sign = Math.sign(whole.full - whole.none);
  const turned = tops.filter((top, i) => Math.sign(top - (bottoms[i] as number)) !== sign).length;
  const side = sign > 0 ? 'above' : 'below';
  return measured.map((values): Band => {
    const { value, reason } = normalisedFaithfulness(weightedMean(values, once), whole.full, whole.none);
    if (value === null) return { value, low: null, high: null, ...(reason === undefined ? {} : { reason }) };
    if (alike !== undefined) return { value, low: null, high: null, reason: alike };
    if (turned > 0)
      return {
        value,
        low: null,
        high: null,
        reason: `in ${turned} of ${resamples} resamples the clean run scores no further ${side} the empty circuit: the denominator changes its sign`,
      };
    const ratios = draws.map((counts, i) => {
      const bottom = bottoms[i] as number;
      return (weightedMean(values, counts) - bottom) / ((tops[i] as number) - bottom);
    });
    return { value, ...percentileBand(ratios, confidence) };
  });
}

function valuesOf({ perExample }: Evaluation['clean'], metric: string): Float64Array {
  const found = perExample[metric];
  if (found) return found;
  const names = Object.keys(perExample);
  throw new LimnError('usage/unknown-metric', `The evaluation has no metric "${metric}"; it has ${names.join(', ')}.`, {
    details: { given: metric, allowed: names },
  });
}

/** The band between the (1 − c)/2 and (1 + c)/2 quantiles. */
export function percentileBand(values: readonly number[], confidence: number): { low: number; high: number } {
  const sorted = Float64Array.from(values).sort();
  return { low: quantile(sorted, (1 - confidence) / 2), high: quantile(sorted, (1 + confidence) / 2) };
}

/** @throws LimnError `usage/confidence` */
export function expectConfidence(confidence: number): void {
  if (!(confidence > 0 && confidence < 1))
    throw new LimnError('usage/confidence', `A confidence lies between 0 and 1; given ${confidence}.`, {
      details: { confidence },
    });
}

/** Quantile of sorted values, linear between neighbours (Hyndman and Fan's type 7). */
function quantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (at - below);
}

/** Σ count · value / Σ count; the counts add up to as many as there are. */
function weightedMean(values: Float64Array, counts: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i] as number) * (values[i] as number);
  return sum / counts.length;
}

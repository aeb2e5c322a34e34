// What a reader should know before believing a faithfulness: sizes that coincide, a denominator that is zero, small or uncertain, and f above 1.
import { mibSizes, normalisedFaithfulness } from './faithfulness.js';
import type { CurveSize } from './faithfulness.js';
import type { Ranking } from './scores.js';

/** Something that a reader should know before believing a figure: a stable code, and a sentence. */
export interface CurveFlag {
  readonly code: string;
  readonly text: string;
}

/** What the flags are read from. */
export interface FlaggedCurves {
  readonly edgeCount: number;
  /** The metric of every pair in the clean and in the corrupted run. */
  readonly clean: Float64Array;
  readonly corrupted: Float64Array;
  readonly curves: readonly {
    readonly selection: Ranking;
    readonly points: readonly { readonly n: number; readonly faithfulness: number | null }[];
    /** What the curve is held against; random connected circuits are looked at. */
    readonly baselines?: readonly {
      readonly name: string;
      readonly points: readonly { readonly n: number; readonly kept: number; readonly faithfulness: number | null }[];
    }[];
  }[];
}

/** Round-off of a metric after a forward pass in f32, relative to the larger of 1 and the metric: 16 units in the last place. */
export const ROUND_OFF = 2 ** -20;
/** f is wanted to one per cent: as much as round-off may cost without a flag, and as much as f may exceed 1 without one. */
const ACCURACY = 0.01;
/** The name of the baseline of random connected circuits. */
export const RANDOM_BASELINE = 'random-connected';
/** Standard errors within which a mean difference cannot be told from zero, with a confidence of about 95 %. */
const STANDARD_ERRORS = 2;

/**
 * Codes: `size-zero`, `size-duplicate`, `faithfulness-undefined`, `denominator-round-off`, `denominator-spread`, `faithfulness-above-one`,
 * `random-as-close`.
 */
export function curveFlags({ edgeCount, clean, corrupted, curves }: FlaggedCurves): CurveFlag[] {
  return [
    ...sizeFlags(edgeCount),
    ...denominatorFlags(clean, corrupted),
    ...aboveOneFlags(curves),
    ...randomFlags(edgeCount, curves),
  ];
}

function sizeFlags(edgeCount: number): CurveFlag[] {
  const sizes = mibSizes(edgeCount);
  const named = (some: readonly CurveSize[]): string =>
    some.map(({ proportion, n }) => `${proportion} (${n} edges)`).join(', ');
  const flags: CurveFlag[] = [];
  const zero = sizes.filter((size) => size.zero);
  const duplicate = sizes.filter((size) => size.duplicate);
  if (zero.length > 0)
    flags.push({
      code: 'size-zero',
      text: `Of ${edgeCount} edges, MIB's proportions ${named(zero)} keep none: there f is 0 by definition.`,
    });
  if (duplicate.length > 0)
    flags.push({
      code: 'size-duplicate',
      text: `Of ${edgeCount} edges, MIB's proportions ${named(duplicate)} repeat the size before.`,
    });
  return flags;
}

/** The denominator is the mean over the pairs of clean − corrupted. */
export function denominatorFlags(clean: Float64Array, corrupted: Float64Array): CurveFlag[] {
  const whole = mean(clean);
  const { reason } = normalisedFaithfulness(whole, whole, mean(corrupted));
  if (reason !== undefined)
    return [{ code: 'faithfulness-undefined', text: `Faithfulness does not exist: ${reason}.` }];
  const flags: CurveFlag[] = [];
  const differences = clean.map((x, i) => x - (corrupted[i] ?? Number.NaN));
  const denominator = whole - mean(corrupted);
  const shown = denominator.toPrecision(2);
  const scale = [...clean, ...corrupted].reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  const error = (ROUND_OFF * scale) / Math.abs(denominator);
  if (error > ACCURACY)
    flags.push({
      code: 'denominator-round-off',
      text: `Clean and corrupted runs differ by ${shown} only: round-off alone may move faithfulness by ${error.toPrecision(1)}.`,
    });
  const spread = standardError(differences);
  if (spread !== undefined && Math.abs(denominator) < STANDARD_ERRORS * spread)
    flags.push({
      code: 'denominator-spread',
      text: `Clean and corrupted runs differ by ${shown} ± ${spread.toPrecision(2)} (mean and standard error over ${differences.length} pairs), which cannot be told from 0: other pairs may give another faithfulness.`,
    });
  return flags;
}

function aboveOneFlags(curves: FlaggedCurves['curves']): CurveFlag[] {
  const above = curves
    .flatMap(({ selection, points }) => points.map(({ n, faithfulness }) => ({ selection, n, f: faithfulness ?? 0 })))
    .filter(({ f }) => f > 1 + ACCURACY);
  if (above.length === 0) return [];
  const { f, n, selection } = above.reduce((most, point) => (point.f > most.f ? point : most));
  return [
    {
      code: 'faithfulness-above-one',
      text: `Faithfulness is above 1 at some sizes, up to ${f.toFixed(2)} with the top ${n} by ${selection} score: without the edges that work against it, the behaviour is stronger than in the whole model. CPR rewards this.`,
    },
  ];
}

/** Sizes at which random circuits are on average as close to f = 1 as the chosen one; not where either has all edges or none. */
function randomFlags(edgeCount: number, curves: FlaggedCurves['curves']): CurveFlag[] {
  const close = curves.flatMap(({ selection, points, baselines = [] }) =>
    baselines
      .filter(({ name }) => name === RANDOM_BASELINE)
      .flatMap((baseline) => baseline.points)
      .filter(({ n, kept, faithfulness }) => {
        const own = points.find((point) => point.n === n)?.faithfulness ?? null;
        if (own === null || faithfulness === null || kept === 0 || kept === edgeCount) return false;
        return Math.abs(1 - faithfulness) <= Math.abs(1 - own);
      })
      .map(({ n }) => `${n} (${selection})`),
  );
  if (close.length === 0) return [];
  return [
    {
      code: 'random-as-close',
      text: `Random connected circuits of the same size and depth are on average as close to the whole model as the chosen one at n = ${[...new Set(close)].join(', ')}: there the scores choose no better than chance.`,
    },
  ];
}

function mean(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Sample standard deviation / √N; undefined for fewer than two values. */
function standardError(values: Float64Array): number | undefined {
  if (values.length < 2) return undefined;
  const middle = mean(values);
  const variance = values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1);
  return Math.sqrt(variance / values.length);
}

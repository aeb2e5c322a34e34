// The curves a circuit is judged by: f at the headline sizes, MIB's CPR (signed selection) and CMD (absolute), all from one evaluation.
import type { HookedModel, RunControls } from '@limn/hooks';
import type { Circuit } from './circuit.js';
import { baselineCurve, planBaselines } from './curve-baselines.js';
import type { BaselineCurve, BaselineOptions } from './curve-baselines.js';
import { curveFlags } from './curve-flags.js';
import type { CurveFlag } from './curve-flags.js';
import type { Ablation } from './ablation.js';
import { bootstrapFaithfulness } from './bootstrap.js';
import type { Band, BootstrapOptions } from './bootstrap.js';
import type { MetricValues } from './evaluation-base.js';
import { circuitKey, evaluateDistinct } from './evaluate-distinct.js';
import type { KnownCircuits } from './evaluate-distinct.js';
import {
  cmdArea,
  cprArea,
  headlineSizes,
  logAxisArea,
  mibSizes,
  normalisedFaithfulness,
  smallestSize,
} from './faithfulness.js';
import type { CurveValue, Faithfulness } from './faithfulness.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';
import { prune } from './prune.js';
import type { Ranking, Scores } from './scores.js';
import { selectBy } from './select-by.js';
import type { Selector } from './select-by.js';

/** How circuits are chosen and measured. */
export interface CurveOptions extends RunControls {
  readonly metric: Metric;
  /** Default 'top-n'. */
  readonly selector?: Selector | undefined;
  /** Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Baselines to evaluate in the same pass, at every size of every curve. Default: none. */
  readonly baselines?: BaselineOptions | undefined;
  /** Further metrics to read from the same runs: `kl`, `accuracy`. Default: none. */
  readonly also?: readonly Metric[] | undefined;
  /** Bootstrap bands on f under `metric`, over the pairs. Default: none. */
  readonly bands?: BootstrapOptions | undefined;
}

/** One evaluated size. */
export interface CurvePoint extends CurveValue {
  /** Edges left after pruning. */
  readonly kept: number;
  /** n / all edges. */
  readonly fraction: number;
  /** Mean metric of the circuit. */
  readonly value: number;
  /** Why there is no faithfulness. */
  readonly reason?: string;
  /** The further metrics by name, where they were asked for. */
  readonly also?: Readonly<Record<string, { readonly value: number; readonly faithfulness: number | null }>>;
  /** The bootstrap band of f, where it was asked for. */
  readonly band?: Band;
}

/** Faithfulness over circuit size, for one ranking and one list of sizes. */
export interface FaithfulnessCurve {
  readonly selection: Ranking;
  readonly sizes: 'headline' | 'mib';
  readonly points: readonly CurvePoint[];
  /** What it is held against, when that was asked for. */
  readonly baselines?: readonly BaselineCurve[];
}

/** All that is said about how faithful a model's circuits are. */
export interface FaithfulnessCurves {
  readonly baselines: { readonly clean: number; readonly corrupted: number };
  /** The same of the further metrics by name, where they were asked for. */
  readonly also?: Readonly<Record<string, { readonly clean: number; readonly corrupted: number }>>;
  /** Headline sizes (absolute), MIB's sizes (signed), MIB's sizes (absolute). */
  readonly curves: readonly FaithfulnessCurve[];
  /** CPR from the signed curve, CMD from the absolute one, the mean of f over the log axis of the headline sizes. */
  readonly areas: { readonly cpr: number | null; readonly cmd: number | null; readonly logArea: number | null };
  /** Smallest headline size with f ≥ .85 and ≥ .95. */
  readonly smallest: readonly { readonly threshold: number; readonly n: number | null }[];
  /** Sizes that small graphs make zero or equal, a denominator that is zero, small or uncertain, and f above 1. */
  readonly flags: readonly CurveFlag[];
  /** The pruned circuit of each size, by `${selection} ${n}`. */
  readonly circuits: ReadonlyMap<string, Circuit>;
}

/**
 * Evaluates every size of every curve and of its baselines, all in one pass; equal circuits once.
 * @throws LimnError `data/edges-unscored`, `usage/unknown-selector`, `usage/circuit-size`, `usage/baseline-count`, `usage/resamples`, `usage/confidence`,
 * `data/score-shape`, `data/no-examples`, `tensor/random` (seed), and as `evaluateCircuits`; AbortedError
 */
export async function faithfulnessCurves(
  model: HookedModel,
  scores: Scores,
  pairs: readonly Pair[],
  options: CurveOptions,
): Promise<FaithfulnessCurves> {
  const { metric, selector = 'top-n', also, bands } = options;
  const { edgeCount } = scores.graph;
  const mib = mibSizes(edgeCount).map(({ n }) => n);
  const plans = (
    [
      { selection: 'absolute', sizes: 'headline', list: headlineSizes(edgeCount) },
      { selection: 'signed', sizes: 'mib', list: mib },
      { selection: 'absolute', sizes: 'mib', list: mib },
    ] as const
  ).map((plan) => {
    const own = selectBy(scores, plan.list, selector, plan.selection).map(prune);
    const curve = { own, sizes: plan.list, selector, ranking: plan.selection };
    return { ...plan, own, baselines: options.baselines && planBaselines(options.baselines, curve) };
  });
  const all = plans.flatMap(({ own, baselines = [] }) => [
    ...own,
    ...baselines.flatMap(({ circuits }) => circuits.flat()),
  ]);
  const known: KnownCircuits = new Map();
  const { clean, empty } = await evaluateDistinct(
    model,
    { count: all.length, circuitAt: (i) => all[i] as Circuit, known },
    pairs,
    { ...options, metrics: [metric, ...(also ?? []).filter((one) => one !== metric)] },
  );
  const endsOf = (name: string): { readonly clean: number; readonly corrupted: number } => ({
    clean: clean.mean[name] ?? Number.NaN,
    corrupted: empty.mean[name] ?? Number.NaN,
  });
  const resultOf = (circuit: Circuit): MetricValues => known.get(circuitKey(circuit)) as MetricValues;
  const faithfulnessOf = (circuit: Circuit, name = metric.name): Faithfulness => {
    const ends = endsOf(name);
    return normalisedFaithfulness(resultOf(circuit).mean[name] ?? Number.NaN, ends.clean, ends.corrupted);
  };
  const others = (circuit: Circuit): NonNullable<CurvePoint['also']> =>
    Object.fromEntries(
      (also ?? []).map(({ name }) => [
        name,
        { value: resultOf(circuit).mean[name] ?? Number.NaN, faithfulness: faithfulnessOf(circuit, name).value },
      ]),
    );
  // All at once: the resamples are drawn once for all of them.
  const mine = plans.flatMap(({ own }) => own);
  const measured = { clean, empty, circuits: mine.map(resultOf) };
  const found = bands ? bootstrapFaithfulness(measured, metric.name, { ...bands, pairs }) : [];
  const bandOf = new Map(found.map((band, i) => [mine[i] as Circuit, band]));
  const point = (n: number, circuit: Circuit): CurvePoint => {
    const { value: faithfulness, reason } = faithfulnessOf(circuit);
    const band = bandOf.get(circuit);
    return {
      n,
      kept: circuit.edgeCount,
      fraction: n / edgeCount,
      value: resultOf(circuit).mean[metric.name] ?? Number.NaN,
      faithfulness,
      ...(reason === undefined ? {} : { reason }),
      ...(also && { also: others(circuit) }),
      ...(band && { band }),
    };
  };
  const curves = plans.map(({ selection, sizes, list, own, baselines }) => ({
    selection,
    sizes,
    points: list.map((n, i) => point(n, own[i] as Circuit)),
    ...(baselines && { baselines: baselines.map((plan) => baselineCurve(plan, list, faithfulnessOf)) }),
  }));
  const [headline, cpr, cmd] = curves.map(({ points }) => points) as [CurvePoint[], CurvePoint[], CurvePoint[]];
  const values = (points: readonly CurvePoint[]): (number | null)[] => points.map(({ faithfulness }) => faithfulness);
  return {
    baselines: endsOf(metric.name),
    ...(also && { also: Object.fromEntries(also.map(({ name }) => [name, endsOf(name)])) }),
    curves,
    areas: { cpr: cprArea(values(cpr)), cmd: cmdArea(values(cmd)), logArea: logAxisArea(headline) },
    smallest: [0.85, 0.95].map((threshold) => ({ threshold, n: smallestSize(headline, threshold) })),
    flags: curveFlags({
      edgeCount,
      clean: clean.perExample[metric.name] ?? new Float64Array(),
      corrupted: empty.perExample[metric.name] ?? new Float64Array(),
      curves,
    }),
    circuits: new Map(
      plans.flatMap(({ selection, list, own }) =>
        list.map((n, i) => [`${selection} ${n}`, own[i] as Circuit] as const),
      ),
    ),
  };
}

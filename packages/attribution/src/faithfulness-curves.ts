// The curves a circuit is judged by: f at the headline sizes, MIB's CPR (signed selection) and CMD (absolute), all from one evaluation.
import type { HookedModel } from '@limn/hooks';
import type { Circuit } from './circuit.js';
import { curveFlags } from './curve-flags.js';
import type { CurveFlag } from './curve-flags.js';
import type { Ablation } from './ablation.js';
import { evaluateCircuits } from './evaluate.js';
import {
  cmdArea,
  cprArea,
  headlineSizes,
  logAxisArea,
  mibSizes,
  normalisedFaithfulness,
  smallestSize,
} from './faithfulness.js';
import type { CurveValue } from './faithfulness.js';
import type { Metric } from './metrics.js';
import type { Pair } from './pairs.js';
import { prune } from './prune.js';
import type { RunControls } from './run-options.js';
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
}

/** Faithfulness over circuit size, for one ranking and one list of sizes. */
export interface FaithfulnessCurve {
  readonly selection: Ranking;
  readonly sizes: 'headline' | 'mib';
  readonly points: readonly CurvePoint[];
}

/** All that is said about how faithful a model's circuits are. */
export interface FaithfulnessCurves {
  readonly baselines: { readonly clean: number; readonly corrupted: number };
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

/** Evaluates every size of every curve; equal circuits once. */
export async function faithfulnessCurves(
  model: HookedModel,
  scores: Scores,
  pairs: readonly Pair[],
  options: CurveOptions,
): Promise<FaithfulnessCurves> {
  const { metric, selector = 'top-n' } = options;
  const { edgeCount } = scores.graph;
  const mib = mibSizes(edgeCount);
  const plans = [
    { selection: 'absolute', sizes: 'headline', list: headlineSizes(edgeCount) },
    { selection: 'signed', sizes: 'mib', list: mib.map(({ n }) => n) },
    { selection: 'absolute', sizes: 'mib', list: mib.map(({ n }) => n) },
  ] as const;
  const circuits = new Map<string, Circuit>();
  for (const { selection, list } of plans) {
    const missing = list.filter((n) => !circuits.has(`${selection} ${n}`));
    for (const [i, circuit] of selectBy(scores, missing, selector, selection).entries())
      circuits.set(`${selection} ${missing[i]}`, prune(circuit));
  }
  const distinct = new Map([...circuits.values()].map((circuit) => [circuit.mask().join(''), circuit]));
  const keys = [...distinct.keys()];
  const evaluation = await evaluateCircuits(model, [...distinct.values()], pairs, { ...options, metrics: [metric] });
  const clean = evaluation.clean.mean[metric.name] ?? Number.NaN;
  const corrupted = evaluation.empty.mean[metric.name] ?? Number.NaN;
  const point = (selection: Ranking, n: number): CurvePoint => {
    const circuit = circuits.get(`${selection} ${n}`) as Circuit;
    const value = evaluation.circuits[keys.indexOf(circuit.mask().join(''))]?.mean[metric.name] ?? Number.NaN;
    const { value: faithfulness, reason } = normalisedFaithfulness(value, clean, corrupted);
    return {
      n,
      kept: circuit.edgeCount,
      fraction: n / edgeCount,
      value,
      faithfulness,
      ...(reason === undefined ? {} : { reason }),
    };
  };
  const curves = plans.map(({ selection, sizes, list }) => ({
    selection,
    sizes,
    points: list.map((n) => point(selection, n)),
  }));
  const [headline, cpr, cmd] = curves.map(({ points }) => points) as [CurvePoint[], CurvePoint[], CurvePoint[]];
  const values = (points: readonly CurvePoint[]): (number | null)[] => points.map(({ faithfulness }) => faithfulness);
  return {
    baselines: { clean, corrupted },
    curves,
    areas: { cpr: cprArea(values(cpr)), cmd: cmdArea(values(cmd)), logArea: logAxisArea(headline) },
    smallest: [0.85, 0.95].map((threshold) => ({ threshold, n: smallestSize(headline, threshold) })),
    flags: curveFlags({
      edgeCount,
      clean: evaluation.clean.perExample[metric.name] ?? new Float64Array(),
      corrupted: evaluation.empty.perExample[metric.name] ?? new Float64Array(),
      curves,
    }),
    circuits,
  };
}

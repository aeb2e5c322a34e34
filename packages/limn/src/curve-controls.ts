// What the headline curve is held against, at a few of its sizes: random connected circuits and the ranking by |Δ|, run in one evaluation.
import {
  deltaRanking,
  evaluateCircuits,
  normalisedFaithfulness,
  pathStatistics,
  prune,
  randomCircuitLike,
  selectBy,
  type Ablation,
  type BaselineCurve,
  type BaselinePoint,
  type Circuit,
  type FaithfulnessCurves,
  type Metric,
  type Scores,
  type Selector,
} from '@limn/attribution';
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { NamedRanking } from './judgements.js';
import type { PairSets } from './pairs-source.js';
import { circuitToShow, headlineCircuits, type ShownCircuit } from './shown-circuit.js';

/** Random circuits of seeds 0, 1, …; attribution's own name for this baseline, which its flags look for. */
export const RANDOM = 'random-connected';
/** The ranking without gradients. */
export const DELTA = 'delta-ranking';

/** How the controls are chosen and measured: as the curve itself. */
export interface ControlOptions {
  /** Random circuits per size; 0 for none. */
  readonly draws: number;
  readonly metric: Metric;
  readonly ablation: Ablation;
  readonly selector: Selector;
  /** Further rankings whose circuits of equal n are run. */
  readonly rankings: readonly NamedRanking[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** Baselines of the headline curve, and the metric of every evaluation pair at both ends of the scale. */
export interface CurveControls {
  readonly baselines: readonly BaselineCurve[];
  readonly values: { readonly clean: readonly number[]; readonly corrupted: readonly number[] };
}

/** Beyond this share of the edges circuits of any choice share most of them, and cost most to run. */
const LARGEST = 0.25;

/** The shown size, and the headline sizes that are powers of two, where the curve keeps an edge and leaves most out. */
function controlledSizes(curves: FaithfulnessCurves): ShownCircuit[] {
  const shown = circuitToShow(curves);
  return headlineCircuits(curves).filter(({ n, kept, fraction, circuit }) => {
    if (kept === 0 || kept === circuit.graph.edgeCount) return false;
    return n === shown.n || (fraction <= LARGEST && Number.isInteger(Math.log2(n)));
  });
}

/**
 * Runs, for some headline sizes at which there is a choice, `draws` random circuits as large and as deep as the curve's own, and the
 * circuits of equal n by |Δ| over the search's pairs and by `rankings`.
 * @throws LimnError as `evaluateCircuits` and `deltaRanking`; AbortedError
 */
export async function controlsOf(
  model: HookedModel,
  { discovery, evaluation }: Pick<PairSets, 'discovery' | 'evaluation'>,
  curves: FaithfulnessCurves,
  { draws, metric, ablation, selector, rankings, signal, onProgress }: ControlOptions,
): Promise<CurveControls> {
  const own = controlledSizes(curves);
  const plans: { readonly name: string; readonly circuits: readonly (readonly Circuit[])[] }[] = [];
  if (own.length > 0) {
    if (draws > 0)
      plans.push({
        name: RANDOM,
        circuits: own.map(({ circuit }) =>
          Array.from({ length: draws }, (_, seed) => randomCircuitLike(circuit, { seed }).circuit),
        ),
      });
    const delta: Scores = await deltaRanking(model, discovery, { ablation, signal });
    const sizes = own.map(({ n }) => n);
    for (const { name, scores } of [{ name: DELTA, scores: delta }, ...rankings])
      plans.push({ name, circuits: selectBy(scores, sizes, selector, 'absolute').map((each) => [prune(each)]) });
  }
  const all = plans.flatMap(({ circuits }) => circuits.flat());
  const {
    clean,
    empty,
    circuits: measured,
  } = await evaluateCircuits(model, all, evaluation, {
    metrics: [metric],
    ablation,
    signal,
    onProgress,
  });
  const mean = (values: { readonly mean: Readonly<Record<string, number>> } | undefined): number =>
    values?.mean[metric.name] ?? Number.NaN;
  const faithfulness = new Map(
    all.map((circuit, i) => [circuit, normalisedFaithfulness(mean(measured[i]), mean(clean), mean(empty)).value]),
  );
  const examples = (values: typeof clean): number[] => [...(values.perExample[metric.name] ?? [])];
  return {
    baselines: plans.map(({ name, circuits }) => ({
      name,
      points: own.map(({ n }, i) => pointOf(n, circuits[i] ?? [], faithfulness)),
    })),
    values: { clean: examples(clean), corrupted: examples(empty) },
  };
}

function pointOf(
  n: number,
  circuits: readonly Circuit[],
  faithfulness: ReadonlyMap<Circuit, number | null>,
): BaselinePoint {
  const values = circuits.map((circuit) => faithfulness.get(circuit) ?? null);
  const known = values.filter((f) => f !== null);
  const all = known.length === values.length ? known : null;
  const lengths = circuits.flatMap((circuit) => pathStatistics(circuit).meanLength ?? []);
  return {
    n,
    kept: meanOf(circuits.map(({ edgeCount }) => edgeCount)),
    values,
    faithfulness: all && meanOf(all),
    low: all && Math.min(...all),
    high: all && Math.max(...all),
    meanPathLength: lengths.length === circuits.length ? meanOf(lengths) : null,
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

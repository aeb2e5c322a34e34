// The curves of circuits that are chosen by edges, with sizes of one's own and what the headline curve is held against.
import { curveFlags, faithfulnessCurves, type FaithfulnessCurves, type Scores, type Selector } from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import { withSize } from './chosen-size.js';
import { controlsOf, type CurveControls } from './curve-controls.js';
import type { NamedRanking } from './judgements.js';
import type { MeasureOptions } from './measured-circuits.js';
import type { PairSets } from './pairs-source.js';
import { headlineCurve } from './shown-circuit.js';
import type { ChosenUnits } from './unit-curves.js';

/** Curves, and the metric of every pair at both ends of the scale. */
export interface MeasuredCurves {
  readonly curves: FaithfulnessCurves;
  readonly values: CurveControls['values'];
  /** What was chosen at each size, where it was no edges. */
  readonly chosen?: ReadonlyMap<number, ChosenUnits>;
}

/** How circuits are chosen, and what else is run. */
export interface EdgeCurveOptions {
  readonly selector: Selector;
  /** Random circuits per size. */
  readonly draws: number;
  /** Sizes besides the headline ones. */
  readonly sizes: readonly (number | undefined)[];
  /** Rankings besides |Δ| that the headline curve is held against. */
  readonly rankings: readonly NamedRanking[];
  /** Options of one phase by its name. */
  measure(phase: string): MeasureOptions;
}

/**
 * Measures all curves on the evaluation pairs, and controls at some sizes of the headline one.
 * @throws LimnError as `faithfulnessCurves`, `evaluateCircuits` and `deltaRanking`; AbortedError
 */
export async function edgeCurves(
  model: HookedModel,
  sets: Pick<PairSets, 'discovery' | 'evaluation'>,
  scores: Scores,
  { selector, draws, sizes, rankings, measure }: EdgeCurveOptions,
): Promise<MeasuredCurves> {
  const options = measure('faithfulness');
  let measured = await faithfulnessCurves(model, scores, sets.evaluation, { ...options, selector });
  for (const n of sizes)
    if (n !== undefined)
      measured = await withSize(model, measured, n, sets.evaluation, { ...options, scores, selector });
  const { baselines, values } = await controlsOf(model, sets, measured, {
    ...measure('controls'),
    draws,
    selector,
    rankings,
  });
  return { curves: heldAgainst(measured, baselines, values), values };
}

/** The curves with the headline one's baselines, and the flags that follow from them. */
function heldAgainst(
  measured: FaithfulnessCurves,
  baselines: CurveControls['baselines'],
  { clean, corrupted }: CurveControls['values'],
): FaithfulnessCurves {
  const headline = headlineCurve(measured);
  const curves = measured.curves.map((curve) => (curve === headline ? { ...curve, baselines } : curve));
  const edgeCount = headline.points.at(-1)?.n ?? 0;
  const ends = { clean: Float64Array.from(clean), corrupted: Float64Array.from(corrupted) };
  return { ...measured, curves, flags: curveFlags({ edgeCount, ...ends, curves }) };
}

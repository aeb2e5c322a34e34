// Sizes that a curve's even steps do not hit: the smallest faithful one, found by search, and that of a circuit that was learnt.
import {
  prune,
  selectBy,
  selectTopNodes,
  smallestCircuit,
  smallestInFamily,
  smallestSize,
  type Ablation,
  type Circuit,
  type FaithfulnessCurves,
  type Pair,
  type Scores,
  type Selector,
  type SmallestCircuit,
  type SmallestSearchOptions,
  type UnitScores,
} from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import { measureCircuits, type MeasureOptions } from './measured-circuits.js';
import { headlineCurve } from './shown-circuit.js';

/** What is searched among: the best edges, or the best nodes. */
export type Searched =
  | { readonly unit: 'edge'; readonly scores: Scores; readonly selector: Selector }
  | { readonly unit: 'node'; readonly scores: UnitScores };

/**
 * The smallest circuit of `threshold` among the choices of edges or nodes.
 * @throws LimnError as `smallestInFamily`; AbortedError
 */
export function searchSmallest(
  model: HookedModel,
  searched: Searched,
  pairs: readonly Pair[],
  options: SmallestSearchOptions & { readonly ablation: Ablation },
): Promise<SmallestCircuit> {
  if (searched.unit === 'edge')
    return smallestCircuit(model, searched.scores, pairs, { ...options, selector: searched.selector });
  const { scores } = searched;
  const family = {
    most: scores.graph.nForward,
    circuits: (sizes: readonly number[]) => sizes.map((n) => selectTopNodes(scores, n)),
  };
  return smallestInFamily(model, family, pairs, options);
}

/** What a curve's circuits are chosen from, and how they are measured. */
export interface SizeOptions extends MeasureOptions {
  readonly scores: Scores;
  readonly selector: Selector;
}

/**
 * The curves with `n` among the headline sizes, measured as the others are.
 * @throws LimnError as `evaluateCircuits`; AbortedError
 */
export async function withSize(
  model: HookedModel,
  curves: FaithfulnessCurves,
  n: number,
  pairs: readonly Pair[],
  { scores, selector, ...options }: SizeOptions,
): Promise<FaithfulnessCurves> {
  const headline = headlineCurve(curves);
  const { edgeCount } = scores.graph;
  if (n < 1 || n > edgeCount || headline.points.some((point) => point.n === n)) return curves;
  const circuit = prune(selectBy(scores, [n], selector, headline.selection)[0] as Circuit);
  const [measurement] = (await measureCircuits(model, [circuit], pairs, options)).measurements;
  if (measurement === undefined) return curves;
  const point = { n, kept: circuit.edgeCount, fraction: n / edgeCount, ...measurement };
  const points = [...headline.points, point].sort((a, b) => a.n - b.n);
  return {
    ...curves,
    curves: curves.curves.map((curve) => (curve === headline ? { ...curve, points } : curve)),
    circuits: new Map(curves.circuits).set(`${headline.selection} ${n}`, circuit),
    smallest: curves.smallest.map(({ threshold }) => ({ threshold, n: smallestSize(points, threshold) })),
  };
}

/** The curves with the smallest size of a further threshold; rising. */
export function withThreshold(curves: FaithfulnessCurves, threshold: number): FaithfulnessCurves {
  if (curves.smallest.some((known) => known.threshold === threshold)) return curves;
  const n = smallestSize(headlineCurve(curves).points, threshold);
  const smallest = [...curves.smallest, { threshold, n }].sort((a, b) => a.threshold - b.threshold);
  return { ...curves, smallest };
}

// Two sources at equal sparsity: the one's points beside the other's curve, linear in log L0 between its own points.
import type { DictionaryPoint } from './dictionaries-record.js';

/** Least cost of a layer's ablation in nats at which what is recovered of the loss means something; KL tells of the others. */
export const leastCost = 0.2;

/** What is compared: shares where more is better. */
export type Measure = 'recovered' | 'explained';

/** Of the loss where the layer's ablation costs enough, else of the KL; or 1 − FVU. */
export function measureOf({ recovered, fvu }: DictionaryPoint, measure: Measure, cost: number): number | null {
  if (measure === 'explained') return 1 - fvu;
  return cost >= leastCost ? recovered.mean.loss : recovered.mean.divergence;
}

/** How one source stands to another over their common range of L0. */
export interface EqualSparsity {
  /** Points of the one that lie in the range of the other. */
  readonly points: number;
  /** Of those, how many are at least as good as the other's curve at their L0. */
  readonly atLeast: number;
  /** Mean of the one less the other. */
  readonly difference: number;
}

/** Undefined where their ranges do not meet. Points of the same L0 of the other source, seeds, are averaged. */
export function atEqualSparsity(
  one: readonly DictionaryPoint[],
  other: readonly DictionaryPoint[],
  measure: Measure,
  cost: number,
): EqualSparsity | undefined {
  const curve = curveOf(other, measure, cost);
  const differences = one.flatMap((point) => {
    const own = measureOf(point, measure, cost);
    const there = own === null || point.l0 <= 0 ? undefined : valueAt(curve, Math.log(point.l0));
    return there === undefined || own === null ? [] : [own - there];
  });
  if (!differences.length) return undefined;
  return {
    points: differences.length,
    // What differs by less than a millionth of the whole is the same measurement.
    atLeast: differences.filter((each) => each >= -1e-6).length,
    difference: differences.reduce((sum, each) => sum + each, 0) / differences.length,
  };
}

type Curve = readonly (readonly [logL0: number, value: number])[];

/** Points in rising order of L0; those that are of one setting and those of equal L0 become their mean. */
function curveOf(points: readonly DictionaryPoint[], measure: Measure, cost: number): Curve {
  const groups = new Map<string, [number, number][]>();
  for (const point of points) {
    const value = measureOf(point, measure, cost);
    if (value === null || point.l0 <= 0) continue;
    const key = point.setting ?? String(point.l0);
    groups.set(key, [...(groups.get(key) ?? []), [Math.log(point.l0), value]]);
  }
  const mean = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0) / list.length;
  return [...groups.values()]
    .map((group) => [mean(group.map(([x]) => x)), mean(group.map(([, y]) => y))] as const)
    .sort(([a], [b]) => a - b);
}

function valueAt(curve: Curve, x: number): number | undefined {
  const at = curve.findIndex(([each]) => each >= x);
  const [to, from] = [curve[at], curve[at - 1]];
  if (!to) return undefined;
  if (to[0] === x) return to[1];
  return from && from[1] + ((x - from[0]) / (to[0] - from[0])) * (to[1] - from[1]);
}

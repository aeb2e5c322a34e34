// Which of the evaluated circuits stands for the result: marked in graph.json, and what the page opens on.
import type { Circuit, CurvePoint, FaithfulnessCurve, FaithfulnessCurves } from '@limn/attribution';

/** A circuit that keeps this much of the behaviour is called faithful; the first of the thresholds that every result reports. */
export const FAITHFUL = 0.85;

/** Share of all edges beyond which a circuit explains little, whatever it keeps. */
const SMALL = 0.1;

/** A point of the headline curve with its pruned circuit. */
export interface ShownCircuit extends CurvePoint {
  readonly circuit: Circuit;
}

/** The headline curve: absolute selection, even steps on a log axis. */
export function headlineCurve({ curves }: FaithfulnessCurves): FaithfulnessCurve {
  const found = curves.find(({ sizes, selection }) => sizes === 'headline' && selection === 'absolute');
  if (found === undefined) throw new RangeError('the curves lack the headline sizes');
  return found;
}

/** Every headline circuit, from small to large. */
export function headlineCircuits(curves: FaithfulnessCurves): ShownCircuit[] {
  const { points, selection } = headlineCurve(curves);
  return points.flatMap((point) => {
    const circuit = curves.circuits.get(`${selection} ${point.n}`);
    return circuit === undefined ? [] : [{ ...point, circuit }];
  });
}

/** The smallest faithful headline circuit; where there is none, the most faithful of at most a tenth of the edges. */
export function circuitToShow(curves: FaithfulnessCurves): ShownCircuit {
  const all = headlineCircuits(curves);
  const f = ({ faithfulness }: CurvePoint): number => faithfulness ?? Number.NEGATIVE_INFINITY;
  const faithful = all.find((point) => f(point) >= FAITHFUL);
  if (faithful !== undefined) return faithful;
  const small = all.filter(({ fraction }) => fraction <= SMALL);
  return (small.length > 0 ? small : all).reduce((best, point) => (f(point) > f(best) ? point : best));
}

/** The headline circuit with these edges; undefined where there is none. */
export function shownAt(curves: FaithfulnessCurves, circuit: Circuit): ShownCircuit | undefined {
  const edges = new Set([...circuit.edges()].map(({ u, v }) => circuit.graph.dense(u, v)));
  return headlineCircuits(curves).find(
    (point) =>
      point.kept === edges.size && [...point.circuit.edges()].every(({ u, v }) => edges.has(circuit.graph.dense(u, v))),
  );
}
